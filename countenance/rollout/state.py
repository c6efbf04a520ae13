"""Where a rollout stands: stages, offline gates, and the evidence a decision is taken on."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from countenance.errors import RolloutError
from countenance.rollout.approvals import Act, Approval
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.preconditions import Preconditions


class Stage(StrEnum):
    """The stages of a rollout: the way forward, the side states, the ends."""

    REGISTERED = "REGISTERED"
    VALIDATING = "VALIDATING"
    SHADOW = "SHADOW"
    CANARY = "CANARY"
    BAKING = "BAKING"
    PROMOTED = "PROMOTED"
    AWAITING_APPROVAL = "AWAITING_APPROVAL"
    PAUSED = "PAUSED"
    INCONCLUSIVE = "INCONCLUSIVE"
    REJECTED = "REJECTED"
    ABORTED = "ABORTED"
    ROLLED_BACK = "ROLLED_BACK"
    SUPERSEDED = "SUPERSEDED"

    @property
    def ended(self) -> bool:
        """Whether the rollout is over; PROMOTED is its good end."""
        return self in _ENDS

    @property
    def aside(self) -> bool:
        """Whether this is a side state, which keeps the stage it came from."""
        return self in _ASIDE


_ENDS = frozenset({Stage.PROMOTED, Stage.REJECTED, Stage.ABORTED, Stage.ROLLED_BACK, Stage.SUPERSEDED})
_ASIDE = frozenset({Stage.AWAITING_APPROVAL, Stage.PAUSED, Stage.INCONCLUSIVE})


@dataclass(frozen=True, kw_only=True)
class Gate:
    """One offline gate: passed, failed, or None where it was not measured, which never passes."""

    name: str
    passed: bool | None
    detail: str


@dataclass(frozen=True, kw_only=True)
class BreakerReading:
    """What the candidate was to answer within ``policy.errors.window``: ``requests``, and ``errors`` among them."""

    requests: int
    errors: int

    def __post_init__(self) -> None:
        if not 0 <= self.errors <= self.requests:
            raise RolloutError(
                f"The breaker's reading has {self.errors} errors in {self.requests} requests: count every request of "
                "the window, and each error once."
            )


@dataclass(frozen=True, kw_only=True)
class ClockReading:
    """The ``database``'s clock, and the moment of the ``last_event`` that the same database recorded."""

    database: datetime
    last_event: datetime


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """All that a decision may rest on.

    ``registration``: hashes, signatures, licence and consent; ``offline``: the gates of the assessment.
    ``approvals`` must have been verified (``approvals.verify``; the store does). ``heartbeat_at``: the last sign of
    life of the traffic plane. ``spent``: excess cost known to have been paid, in the budget's currency;
    ``exposed_requests``: how many requests the candidate answered. None means "not measured", which never passes.
    """

    measured: EvidenceState
    registration: tuple[Gate, ...] = ()
    offline: tuple[Gate, ...] = ()
    approvals: tuple[Approval, ...] = ()
    breaker: BreakerReading | None = None
    heartbeat_at: datetime | None = None
    clock: ClockReading | None = None
    spent: float = 0.0
    exposed_requests: int = 0
    preconditions: Preconditions | None = None


@dataclass(frozen=True, kw_only=True)
class RolloutState:
    """One rollout at one moment.

    ``champion`` is what the release is compared with and would replace (None for a first release).
    ``step`` counts canary steps from 0. ``share`` is the part of the traffic that the release answers.
    ``came_from`` is set in side states. ``reason`` is the sentence that explains the last move.
    """

    release: str
    champion: str | None
    evidence_key: str
    stage: Stage
    started_at: datetime
    entered_at: datetime
    deadline_at: datetime
    step: int = 0
    share: float = 0.0
    came_from: Stage | None = None
    reason: str = ""

    @property
    def base(self) -> Stage:
        """The stage on the way forward: the present one, or the one a side state came from."""
        return self.came_from or self.stage

    @property
    def exposed(self) -> bool:
        """Whether people are answered by this release while it is not champion."""
        return self.share > 0 and not self.stage.ended

    @property
    def stage_key(self) -> str:
        """The name under which arrivals are counted: ``shadow``, ``canary:2`` (from 1), ``baking`` ..."""
        return f"canary:{self.step + 1}" if self.base is Stage.CANARY else self.base.value.lower()

    @property
    def awaited(self) -> Act | None:
        """What an operator must sign for now, if anything."""
        if self.stage is not Stage.AWAITING_APPROVAL:
            return None
        return Act.PROMOTE if self.base is Stage.BAKING else Act.START_CANARY

    def to_dict(self) -> dict[str, Any]:
        """The state as JSON values; ``from_dict`` gives an equal state back."""
        moments = {name: getattr(self, name).isoformat() for name in ("started_at", "entered_at", "deadline_at")}
        return asdict(self) | moments

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> RolloutState:
        """Read what ``to_dict`` wrote."""
        moments = {name: datetime.fromisoformat(values[name]) for name in ("started_at", "entered_at", "deadline_at")}
        came_from = Stage(values["came_from"]) if values["came_from"] else None
        return cls(**values | moments | {"stage": Stage(values["stage"]), "came_from": came_from})


def registered(release: str, champion: str, evidence_key: str, *, now: datetime, deadline: timedelta) -> RolloutState:
    """The first state of a rollout of ``release`` against ``champion``."""
    return RolloutState(
        release=release,
        champion=champion,
        evidence_key=evidence_key,
        stage=Stage.REGISTERED,
        started_at=now,
        entered_at=now,
        deadline_at=now + deadline,
        reason=f"'{release}' was registered as a candidate against champion '{champion}'.",
    )


def unmet_gates(gates: tuple[Gate, ...], what: str) -> tuple[str, ...]:
    """Sentences on what keeps ``gates`` from passing: none was run, or one was not measured."""
    if not gates:
        return (f"No {what} gate has been run.",)
    return tuple(f"Gate '{gate.name}' was not measured: {gate.detail}." for gate in gates if gate.passed is None)


def failed_gates(gates: tuple[Gate, ...]) -> tuple[str, ...]:
    """Sentences on the gates that failed."""
    return tuple(f"Gate '{gate.name}' failed: {gate.detail}." for gate in gates if gate.passed is False)
