"""How long a controller's step takes on a store with many decisions; for ``countenance bench controller``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Any, Final, Self

import numpy as np
from sqlalchemy import insert

from countenance.process_memory import peak_mebibytes
from countenance.rollout import schema
from countenance.rollout.approvals import Act, OperatorKey
from countenance.rollout.connection import taking_in
from countenance.rollout.decisions.controller import step
from countenance.rollout.decisions.papers import ReleasePapers
from countenance.rollout.decisions.starting import start_release
from countenance.rollout.policy import RolloutPolicy, StageMinimum
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.records import RolloutRecord
from countenance.rollout.state import Gate
from countenance.rollout.store import RolloutStore

_PART: Final = 10_000
_GROUPS: Final = ("north", "south", "east")
_GATES: Final = (Gate(name="benchmark", passed=True, detail="nothing is released"),)
_SHARE: Final = 0.05
_BEGIN: Final = datetime(2025, 1, 6, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class StepTimes:
    """What a step took at one size of the store.

    Attributes:
        decisions: rows of the table when the timed steps began.
        median_ms, worst_ms: of the timed steps.
        processor_ms: of the processor, per step; less than the median where others keep the machine busy.
        new_rows: fewest and most decisions between two steps; as many labels came.
        catching_up_s: how long the controller took to fold all that was there before, in steps of bounded size.
        peak_mebibytes: the most memory this process ever held.
    """

    decisions: int
    median_ms: float
    worst_ms: float
    processor_ms: float
    new_rows: str
    catching_up_s: float
    peak_mebibytes: float


class ControllerBenchmark:
    """A store of its own with one rollout in shadow, filled as traffic would fill it: a request a second.

    The clock is the traffic's. Between timed steps a minute passes, as it does for a controller that cron starts.

    Args:
        url: of an empty database.
        seed: of everything that is drawn.
    """

    def __init__(self, url: str, *, seed: int):
        self._generator = np.random.default_rng(seed)
        self._rows = 0
        key = OperatorKey("benchmark", b"a key that signs nothing")
        self._store = RolloutStore.open(url, model="benchmark", keys=[key])
        self._clock = _BEGIN
        self._record = _started(self._store, key, _BEGIN)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._store.close()

    def measure(self, decisions: int, *, steps: int) -> StepTimes:
        """Fill the store up to ``decisions`` rows, let the controller catch up, then time ``steps`` steps."""
        while self._rows < decisions:
            self._fill(min(_PART, decisions - self._rows), apart=timedelta(seconds=1))
        begun = time.perf_counter()
        while step(self._store, now=self._clock).behind:
            pass
        caught_up = time.perf_counter() - begun
        sizes = np.linspace(100, 1000, steps).astype(int).tolist()
        before = self._rows
        taken, busy = zip(*(self._timed(size) for size in sizes), strict=True)
        return StepTimes(
            decisions=before,
            median_ms=float(np.median(taken)),
            worst_ms=max(taken),
            processor_ms=float(np.median(busy)),
            new_rows=f"{min(sizes)}-{max(sizes)}",
            catching_up_s=caught_up,
            peak_mebibytes=peak_mebibytes(),
        )

    def _timed(self, size: int) -> tuple[float, float]:
        self._fill(size, apart=timedelta(minutes=1) / size)
        begun, busy = time.perf_counter(), time.process_time()
        report = step(self._store, now=self._clock)
        taken, busy = (time.perf_counter() - begun) * 1000, (time.process_time() - busy) * 1000
        assert report.looks == 1 and not report.behind
        return taken, busy

    def _fill(self, count: int, *, apart: timedelta) -> None:
        """Decisions that are old enough, a label for nine in ten of them: what 5,000 people asked at a gate."""
        first, draws = self._rows + 1, self._generator.random((5, count))
        at = [self._clock + (place + 1) * apart for place in range(count)]
        self._clock = at[-1]
        rows = [self._row(first + place, at[place], draws[:, place].tolist()) for place in range(count)]
        labels = [
            {
                "decision": row["id"],
                "mated": bool(draws[4, place] < 0.6),
                "received_at": self._clock,
                "source": "benchmark",
            }
            for place, row in enumerate(rows)
            if draws[3, place] < 0.9
        ]
        with taking_in(self._store._engine) as connection:
            connection.execute(insert(schema.decision), rows)
            connection.execute(insert(schema.label), labels)
        self._rows += count

    def _row(self, number: int, at: datetime, draws: list[float]) -> dict[str, Any]:
        mated = draws[4] < 0.6
        return {
            "id": number,
            "model": "benchmark",
            "decision_id": f"request-{number:09d}",
            "rollout": self._record.id,
            "at": at,
            "stage_key": "shadow",
            "by_candidate": draws[2] < _SHARE,
            "candidate_match": mated ^ (draws[0] < 0.02),
            "champion_match": mated ^ (draws[1] < 0.02),
            "candidate_score": draws[0],
            "group_name": _GROUPS[number % len(_GROUPS)],
            "routing_key": f"{number % 5000:064x}",
            "site": "gate",
            "candidate_ms": 20 * draws[1],
            "champion_ms": 20 * draws[0],
            "failed": False,
            "shadow_dropped": False,
            "audit_probability": 1.0,
            "audited": True,
        }


def _started(store: RolloutStore, key: OperatorKey, begin: datetime) -> RolloutRecord:
    """A champion, and a candidate that never leaves its shadow."""
    policy = RolloutPolicy(
        shadow=StageMinimum(labelled=10**9),
        label_delay=timedelta(0),
        deadline=timedelta(days=1000),
        guarded_groups=_GROUPS,
        alpha=1e-9,
    )
    approval = key.sign(Act.BOOTSTRAP, subject="champion", at=begin, reason="A benchmark.")
    store.bootstrap("champion", registration=_GATES, offline=_GATES, approval=approval, now=begin)
    preconditions = Preconditions(embedding_space="benchmark", re_enrolled=True, threshold=0.5)
    record = start_release(
        store,
        "candidate",
        threshold=0.5,
        champion_threshold=0.5,
        policy=policy,
        papers=ReleasePapers(registration=_GATES, offline=_GATES, preconditions=preconditions),
        now=begin,
    )
    assert record is not None
    return record
