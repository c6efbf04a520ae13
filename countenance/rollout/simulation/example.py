"""An example to try a simulation on: decisions of two made-up models, and two policies; nobody's data."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from countenance.storage import write_aside

if TYPE_CHECKING:
    import pyarrow as pa

POLICIES: Final = {
    "careful.yml": """\
# Small first step, long bake.
steps: [0.05, 0.25, 0.5]
alpha: 0.05
non_inferiority_margin: 0.01
shadow: {labelled: 1500}
step: {labelled: 1000}
bake: {labelled: 1500}
label_delay: PT1H
deadline: P2D
maximum_disagreement: 0.1
guarded_groups: [north, south]
group_minimum: 300
""",
    "quick.yml": """\
# One large step, short minima.
steps: [0.5]
alpha: 0.05
non_inferiority_margin: 0.01
shadow: {labelled: 500}
step: {labelled: 500}
bake: {labelled: 500}
label_delay: PT1H
deadline: P2D
maximum_disagreement: 0.1
guarded_groups: [north, south]
group_minimum: 100
""",
}
"""By file name: policies that differ in how far and how fast they go."""


@dataclass(frozen=True, kw_only=True)
class MadeUp:
    """What the made-up decisions are like.

    Attributes:
        requests, people: how many; people come with unequal frequency.
        hours: from the first to the last request, on average.
        common: share of requests on which both models are wrong.
        candidate_alone, champion_alone: share on which only that one is.
        never_labelled: share of requests whose truth nobody learns; the others' comes after 20 minutes (median).
        persistent: share of people on whom one of the models is wrong at every visit; a coin says which.
    """

    requests: int = 20_000
    people: int = 4_000
    hours: float = 10.0
    common: float = 0.01
    candidate_alone: float = 0.01
    champion_alone: float = 0.01
    never_labelled: float = 0.05
    persistent: float = 0.0


def write_example(folder: Path, *, seed: int = 7, like: MadeUp | None = None) -> tuple[Path, ...]:
    """Write ``decisions.parquet`` and the policies of :data:`POLICIES` into ``folder``.

    Returns:
        the files that were written, the log first.
    """
    import pyarrow.parquet as pq

    log = folder / "decisions.parquet"
    with write_aside(log) as aside:
        pq.write_table(made_up(like or MadeUp(), np.random.default_rng(seed)), aside)
    written = [log]
    for name, text in POLICIES.items():
        with write_aside(folder / name) as aside:
            aside.write_text(text, encoding="utf-8")
        written.append(folder / name)
    return tuple(written)


def made_up(like: MadeUp, generator: np.random.Generator) -> pa.Table:
    """Decisions with the columns of a log; errors don't depend on the group, and on the person only if asked to."""
    import pyarrow as pa

    from countenance.rollout.simulation.columns import log_schema

    count = like.requests
    seconds = np.cumsum(generator.exponential(3600 * like.hours / count, count))
    at = np.datetime64("2026-01-05T06:00:00", "us") + (seconds * 1e6).astype("timedelta64[us]")
    often = generator.gamma(2.0, size=like.people)
    person = generator.choice(like.people, size=count, p=often / often.sum())
    lives = generator.choice(np.array(["north", "south"]), size=like.people, p=(0.75, 0.25))
    mated = generator.random(count) < 0.6
    drawn = generator.random(count)
    both = drawn < like.common
    candidate = both | ((drawn >= like.common) & (drawn < like.common + like.candidate_alone))
    alone = like.common + like.candidate_alone
    champion = both | ((drawn >= alone) & (drawn < alone + like.champion_alone))
    delays = 1200 * np.exp(0.5 * generator.standard_normal(count))
    never = generator.random(count) < like.never_labelled
    label_at = at + (delays * 1e6).astype("timedelta64[us]")
    ill, whose = generator.random(like.people) < like.persistent, generator.random(like.people) < 0.5
    candidate = np.where(ill[person], whose[person], candidate)
    champion = np.where(ill[person], ~whose[person], champion)
    columns = {
        "at": pa.array(at, pa.timestamp("us", tz="UTC")),
        "decision_id": [f"decision-{number:07d}" for number in range(count)],
        "routing_key": [f"{key:032x}" for key in person],
        "site": np.array(["north gate", "south gate"])[generator.integers(2, size=count)].tolist(),
        "group": lives[person].tolist(),
        "mated": pa.array(mated, mask=never),
        "label_at": pa.array(label_at, pa.timestamp("us", tz="UTC"), mask=never),
        "candidate_match": mated ^ candidate,
        "champion_match": mated ^ champion,
        "candidate_ms": np.round(38 * np.exp(0.25 * generator.standard_normal(count)), 2),
        "champion_ms": np.round(45 * np.exp(0.25 * generator.standard_normal(count)), 2),
        "candidate_score": pa.nulls(count, pa.float64()),
        "by_candidate": np.zeros(count, dtype=np.bool_),
        "failed": np.zeros(count, dtype=np.bool_),
        "shadow_dropped": np.zeros(count, dtype=np.bool_),
        "audit_probability": np.ones(count),
        "audited": np.ones(count, dtype=np.bool_),
    }
    schema = log_schema("example-candidate", "example-champion")
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)
