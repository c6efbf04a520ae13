"""A rehearsal: candidates, one after the other, meet traffic replayed from people who were held out.

The first is made champion by a signed bootstrap; each of the others goes through shadow, canary and bake against
whoever is champion by then, and is promoted or taken back. The rollout store is real; only the clock is the log's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field

from countenance.assessment.pairs import ComparisonPairs, pair_scores
from countenance.configuration import Configuration
from countenance.errors import RolloutError
from countenance.rollout.approvals import Act, OperatorKey
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.replay import DutyOperator, replay
from countenance.rollout.state import Gate
from countenance.rollout.store import RolloutStore
from countenance.rollout.story import ErrorCosts, OperatingLoad, RolloutStory, recorded_story
from countenance.rollout.traffic import Schedule, TrafficLog, build_schedule, score_column

_BETWEEN_ROLLOUTS = timedelta(days=20)
_BETWEEN_CAMPAIGNS = timedelta(days=100)


class Entry(Configuration):
    """One candidate's way in: as the first champion, or through a rollout over this traffic."""

    candidate: str
    enters: Literal["bootstrap", "rollout"] = "rollout"
    traffic: Schedule = Schedule()


class RehearsalConfiguration(Configuration):
    """Parameters of the rehearsal room; who signs, under which policy and in which store are the rollout's.

    ``start`` is the moment at which the replayed time begins, ``non_mated_limit`` how many impostor pairs the traffic
    is drawn from (half of them within a group, as impostors who look alike are the ones that matter).
    """

    seed: int
    start: datetime
    entries: tuple[Entry, ...] = ()
    load: OperatingLoad = OperatingLoad()
    look_every: int = Field(default=200, ge=1)
    non_mated_limit: int = Field(default=40_000, ge=1)


@dataclass(frozen=True, kw_only=True)
class Rules:
    """What a rehearsal shares with the rollouts that are no rehearsal: the policy, who signs, and the routing secret.

    ``routing_secret`` keys the routing and is the model's salt.
    """

    policy: RolloutPolicy
    operator: OperatorKey
    routing_secret: bytes


@dataclass(frozen=True, kw_only=True)
class Release:
    """A release as the rehearsal needs it; ``outputs`` are its embeddings of the held-out faces.

    ``files`` is its evidence by name (release description, card, reports), whose hashes the store keeps. In a
    replay, people are compared within one release at a time, so everybody counts as enrolled again.
    """

    candidate: str
    release_id: str
    threshold: float
    registered: bool
    reason: str
    outputs: pd.DataFrame
    registration: tuple[Gate, ...] = ()
    offline: tuple[Gate, ...] = ()
    embedding_space: str | None = None
    files: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Rehearsed:
    """One entry after the rehearsal: its story, or the sentence that says why there is none; and its traffic."""

    candidate: str
    release_id: str
    story: RolloutStory | None
    skipped: str
    traffic: TrafficLog | None


def rehearse(
    store: RolloutStore,
    people: pd.DataFrame,
    releases: Mapping[str, Release],
    configuration: RehearsalConfiguration,
    rules: Rules,
    *,
    costs: ErrorCosts,
) -> list[Rehearsed]:
    """Play every entry; one whose rollout is recorded already is not played again.

    Args:
        store: holds the truth; opened with the operator's key.
        people: the held-out named faces: ``face_id``, ``subject_id``, ``group`` (null where unknown).
        releases: by candidate.
        configuration: entries and traffic.
        rules: the policy, who signs, and the routing secret.
        costs: of a wrong answer.

    Raises:
        RolloutError: an entry names an unknown candidate, or the store refuses a move.
    """
    for number, entry in enumerate(configuration.entries):
        if entry.candidate not in releases:
            raise RolloutError(
                f"Entry {number + 1} names '{entry.candidate}': the candidates are {', '.join(releases)}."
            )
    played: list[Rehearsed] = []
    begin = _campaign_start(store, releases, configuration)
    for number, entry in enumerate(configuration.entries):
        release = releases[entry.candidate]
        at = begin + number * _BETWEEN_ROLLOUTS
        if not release.registered:
            sentence = f"'{entry.candidate}' was not registered: {release.reason}"
            played.append(_skipped(release, sentence))
        elif entry.enters == "bootstrap":
            played.append(_bootstrap(store, release, configuration, rules, at, costs))
        else:
            played.append(_roll_out(store, people, releases, release, entry, configuration, rules, at, costs))
    return played


def traffic_pairs(
    people: pd.DataFrame, releases: tuple[Release, Release], limit: int, generator: np.random.Generator
) -> pd.DataFrame:
    """Pairs to draw requests from: who asks, whether mated, the asker's group, and both releases' scores.

    Half of the impostors are drawn within the asker's group.
    """
    subjects = people["subject_id"].to_numpy(dtype=object)
    groups = people["group"].to_numpy(dtype=object)
    pairs = ComparisonPairs.enumerate(subjects, limit=4 * limit, generator=generator)
    known = pd.notna(groups[pairs.non_mated_first])
    alike = known & (groups[pairs.non_mated_first] == groups[pairs.non_mated_second])
    chosen = np.concatenate(
        [_some(np.flatnonzero(alike), limit // 2, generator), _some(np.flatnonzero(~alike), limit // 2, generator)]
    )
    first = np.concatenate([pairs.mated_first, pairs.non_mated_first[chosen]])
    second = np.concatenate([pairs.mated_second, pairs.non_mated_second[chosen]])
    table = pd.DataFrame(
        {
            "subject": subjects[first],
            "mated": np.arange(len(first)) < len(pairs.mated_first),
            "group": groups[first],
        }
    )
    for release in releases:
        said = release.outputs.set_index("face_id")["embedding"].loc[people["face_id"]]
        features = np.stack([np.asarray(row, dtype=np.float32) for row in said])
        table[score_column(release.release_id)] = pair_scores(features, first, second)
    return table


def _roll_out(
    store: RolloutStore,
    people: pd.DataFrame,
    releases: Mapping[str, Release],
    release: Release,
    entry: Entry,
    configuration: RehearsalConfiguration,
    rules: Rules,
    at: datetime,
    costs: ErrorCosts,
) -> Rehearsed:
    record = store.rollout_of(release.release_id)
    champion_id = record.state.champion if record is not None else store.champion()
    champion = next((other for other in releases.values() if other.release_id == champion_id), None)
    if champion is None:
        return _skipped(release, f"'{release.candidate}' was not rolled out: the champion is none of the candidates.")
    generator = np.random.default_rng([configuration.seed, configuration.entries.index(entry)])
    log = build_schedule(
        traffic_pairs(people, (release, champion), configuration.non_mated_limit, generator),
        {other.release_id: other.threshold for other in (release, champion)},
        entry.traffic,
        start=at,
        routing_secret=rules.routing_secret,
        generator=generator,
    )
    preconditions = Preconditions(
        embedding_space=release.embedding_space,
        champion_space=champion.embedding_space,
        re_enrolled=True,
        threshold=release.threshold,
    )
    story = replay(
        store,
        log,
        candidate=release.release_id,
        policy=rules.policy,
        registration=release.registration,
        offline=release.offline,
        preconditions=preconditions if release.embedding_space else None,
        files=release.files,
        salt=rules.routing_secret,
        operator=DutyOperator(key=rules.operator, answers_after=timedelta(minutes=15)),
        costs=costs,
        load=configuration.load,
        look_every=configuration.look_every,
        # A candidate that is still held as inconclusive makes room for the next one.
        supersede=True,
    )
    return Rehearsed(candidate=release.candidate, release_id=release.release_id, story=story, skipped="", traffic=log)


def _bootstrap(
    store: RolloutStore,
    release: Release,
    configuration: RehearsalConfiguration,
    rules: Rules,
    at: datetime,
    costs: ErrorCosts,
) -> Rehearsed:
    if store.rollout_of(release.release_id) is None:
        replaced = store.champion()
        campaign = "a new campaign on other data begins" if replaced else "the first release of this model"
        approval = rules.operator.sign(Act.BOOTSTRAP, subject=release.release_id, at=at, reason=campaign)
        store.bootstrap(
            release.release_id,
            registration=release.registration,
            offline=release.offline,
            approval=approval,
            now=at,
            replaces=replaced,
        )
    story = recorded_story(store, release.release_id, costs=costs, load=configuration.load)
    return Rehearsed(candidate=release.candidate, release_id=release.release_id, story=story, skipped="", traffic=None)


def _campaign_start(
    store: RolloutStore, releases: Mapping[str, Release], configuration: RehearsalConfiguration
) -> datetime:
    """The same releases rehearse at the same time again; releases of other data come after all that was recorded."""
    begun = [event.payload["release"] for event in store.events() if event.kind == "bootstrapped"]
    ours = {release.release_id for release in releases.values()}
    number = next((place for place, release in enumerate(begun) if release in ours), len(begun))
    start = configuration.start
    start = start if start.tzinfo is not None else start.replace(tzinfo=UTC)
    return start + number * _BETWEEN_CAMPAIGNS


def _skipped(release: Release, sentence: str) -> Rehearsed:
    return Rehearsed(
        candidate=release.candidate, release_id=release.release_id, story=None, skipped=sentence, traffic=None
    )


def _some(rows: Any, count: int, generator: np.random.Generator) -> Any:
    return rows if len(rows) <= count else np.sort(generator.choice(rows, size=count, replace=False))
