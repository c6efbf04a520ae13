"""Where a rollout can stand, and what it can be shown, for the tests of the machine."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from countenance.rollout.approvals import Act
from countenance.rollout.evidence import EvidenceState, Tally
from countenance.rollout.policy_guards import Budget
from countenance.rollout.state import Evidence, RolloutState, Stage, registered

from .scenes import LATER, NOON, OFFLINE, REGISTRATION, good_evidence, measured, signed

HARM = measured(overall=Tally(2, 900, 60), groups={"north": Tally(2, 900, 60)})
FRESH = registered("v2", "v1", "key", now=NOON, deadline=timedelta(hours=48))
BUDGET = Budget(
    amount=1000,
    currency="EUR",
    cost_false_match=40,
    cost_false_non_match=2,
    worst_excess=0.02,
    requests_per_hour=500,
    horizon=timedelta(hours=2),
)


def evidence(state: EvidenceState | None = None, *signatures: Act, **changes: object) -> Evidence:
    """All gates passed, good evidence unless another is given, and anna's signatures of an hour later."""
    shown = Evidence(
        measured=state or good_evidence(),
        approvals=tuple(signed(act, "v2", LATER) for act in signatures),
        registration=REGISTRATION,
        offline=OFFLINE,
    )
    return replace(shown, **changes)  # type: ignore[arg-type]


def at(stage: Stage, *, share: float = 0.0, step: int = 0, came_from: Stage | None = None) -> RolloutState:
    return replace(FRESH, stage=stage, share=share, step=step, came_from=came_from)


EXPOSED = (
    at(Stage.CANARY, share=0.05),
    at(Stage.BAKING, share=0.25, step=1),
    at(Stage.AWAITING_APPROVAL, share=0.25, step=1, came_from=Stage.BAKING),
    at(Stage.PAUSED, share=0.25, step=1, came_from=Stage.CANARY),
    at(Stage.INCONCLUSIVE, share=0.25, step=1, came_from=Stage.CANARY),
)
UNEXPOSED = (
    at(Stage.SHADOW),
    at(Stage.AWAITING_APPROVAL, came_from=Stage.SHADOW),
    at(Stage.PAUSED, came_from=Stage.SHADOW),
    at(Stage.INCONCLUSIVE, came_from=Stage.SHADOW),
)
ENDED = tuple(
    at(stage) for stage in (Stage.PROMOTED, Stage.REJECTED, Stage.ABORTED, Stage.ROLLED_BACK, Stage.SUPERSEDED)
)
