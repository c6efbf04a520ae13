"""What the tests of planes share: a snapshot to change, and a clock that is moved by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from countenance.rollout.planes.snapshot import RoutingSnapshot

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
SALT = b"the salt of this model"
TTL = timedelta(seconds=60)
SNAPSHOT = RoutingSnapshot(
    model="gate",
    epoch=7,
    champion="v1",
    candidate="v2",
    share=0.25,
    shadow=True,
    thresholds={"v1": 0.4, "v2": 0.55},
    made_at=NOON,
    ttl=TTL,
    head="ab" * 32,
    stage_key="canary:2",
)


def snapshot(**changes: object) -> RoutingSnapshot:
    return replace(SNAPSHOT, **changes)  # type: ignore[arg-type]


class Clock:
    """Seconds that pass when they are told to."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        return self.seconds

    def wait(self, seconds: float) -> None:
        self.seconds += seconds
