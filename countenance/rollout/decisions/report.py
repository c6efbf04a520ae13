"""What one step of the controller did, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from countenance.rollout.records import RolloutRecord


@dataclass(frozen=True, kw_only=True)
class StepReport:
    """One step.

    Attributes:
        model: whose rollout.
        at: the moment of the step, by the database's clock.
        champion: the release that answers everybody who is in no canary; None before the first.
        release: the candidate whose rollout was looked at; None where none runs.
        stage, share: where it stands after the step.
        moves: the sentence of each move that was made, in their order.
        waits_for: what it still waits for, in sentences.
        looks: how many looks were taken.
        behind: whether more decisions or labels wait than this step took.
        idle: why there was nothing to do, or empty.
    """

    model: str
    at: datetime
    champion: str | None = None
    release: str | None = None
    stage: str | None = None
    share: float | None = None
    moves: tuple[str, ...] = ()
    waits_for: tuple[str, ...] = ()
    looks: int = 0
    behind: bool = False
    idle: str = ""

    @classmethod
    def of(cls, record: RolloutRecord, at: datetime, champion: str | None, **found: Any) -> StepReport:
        """A report on a rollout as it stands now."""
        state = record.state
        where: dict[str, Any] = {"release": state.release, "stage": str(state.stage), "share": state.share}
        return cls(model=record.model, at=at, champion=champion, **where, **found)

    def sentences(self) -> Iterator[str]:
        """The step, told."""
        if self.idle:
            yield self.idle
            return
        yield from self.moves
        yield f"The rollout of '{self.release}' is {self.stage} and answers {self.share:.2%} of the traffic."
        yield from self.waits_for
        if self.behind:
            yield "More decisions or labels wait than one step takes: the next step goes on."

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values."""
        values = asdict(self)
        return values | {"at": self.at.isoformat(), "moves": list(self.moves), "waits_for": list(self.waits_for)}
