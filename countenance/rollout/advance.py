"""The state machine: one pure step forward, held by guards that run in every stage, waiting ones included."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from countenance.errors import RolloutError
from countenance.rollout.actions import (
    Abort,
    Action,
    Notify,
    Promote,
    Reject,
    RequestApproval,
    RollBack,
    SetShare,
    StartShadow,
)
from countenance.rollout.approvals import Act
from countenance.rollout.guards import tripped
from countenance.rollout.money import excess_cost, next_share
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.state import ClockReading, Evidence, RolloutState, Stage, failed_gates
from countenance.rollout.verdict import Verdict, judge, plain_e_value
from countenance.rollout.waiting import following_step, signers, still_missing, waits_for

__all__ = ["Move", "aborted", "advance", "paused", "resumed", "stopped", "superseded", "waits_for"]

Move = tuple[RolloutState, tuple[Action, ...]]


def advance(state: RolloutState, evidence: Evidence, policy: RolloutPolicy, now: datetime) -> Move:
    """Take at most one step.

    The order: harm, an exceeded budget, the error breaker and a lost heartbeat end the rollout (``guards.tripped``);
    the deadline makes it INCONCLUSIVE; a failed gate rejects; and only when nothing is missing does it go forward, by
    no more than money allows. Missing evidence is never a pass. A broken clock keeps everything from going forward,
    but not the guards from stopping it.

    Args:
        state: where the rollout stands.
        evidence: gates, measured evidence, readings and verified approvals.
        policy: the policy the rollout was started under.
        now: the moment of the decision, with a time zone.

    Returns:
        The new state and the actions it asks for; the same state and none when it stays.

    Raises:
        RolloutError: when the evidence is about other models, thresholds or another policy, or when
            ``now`` lies before the stage was entered, or the store's clock before its last event.
    """
    _refuse_foreign(state, evidence)
    if state.stage.ended:
        return state, ()
    verdict = judge(evidence.measured, policy)
    why = tripped(state, evidence, verdict, policy, now)
    if why is not None:
        return stopped(state, why, now)
    _refuse_broken_clock(state, now, evidence.clock)
    if state.stage is Stage.INCONCLUSIVE:
        return _settle_inconclusive(state, policy, now)
    if now >= state.deadline_at:
        return _inconclusive(state, still_missing(state, evidence, verdict, policy, now), now)
    failed = _failed(state, evidence)
    if failed:
        return _entered(state, Stage.REJECTED, " ".join(failed), now), (Reject(state.release),)
    if still_missing(state, evidence, verdict, policy, now):
        return state, ()
    return _forward(state, evidence, verdict, policy, now)


def stopped(state: RolloutState, reason: str, now: datetime) -> Move:
    """End a rollout at once: ROLLED_BACK where people were exposed, ABORTED where nobody was.

    A clock that went backwards does not keep it from ending: it then ends when its stage was entered.
    """
    if state.stage.ended:
        return state, ()
    now = max(now, state.entered_at)
    if state.exposed and state.champion is not None:
        after = _entered(state, Stage.ROLLED_BACK, reason, now)
        return after, (
            SetShare(state.release, 0.0),
            RollBack(state.release, state.champion),
            Notify(state.release, reason),
        )
    return _entered(state, Stage.ABORTED, reason, now), (Abort(state.release), Notify(state.release, reason))


def aborted(state: RolloutState, now: datetime, *, by: str, reason: str) -> Move:
    """An operator's abort: always wins, and does nothing where nothing runs."""
    return stopped(state, f"{by} aborted the rollout: {reason}", now)


def paused(state: RolloutState, now: datetime, *, by: str, reason: str) -> Move:
    """Keep share and guards, go no further. The deadline keeps running.

    Raises:
        RolloutError: when the rollout has ended or is already in a side state, or the clock went backwards.
    """
    if state.stage.ended or state.stage.aside:
        raise RolloutError(
            f"The rollout of '{state.release}' is {state.stage} and cannot be paused: only a running stage can."
        )
    _refuse_broken_clock(state, now)
    return _aside(state, Stage.PAUSED, f"{by} paused the rollout: {reason}", now), ()


def resumed(state: RolloutState, policy: RolloutPolicy, now: datetime, *, by: str, reason: str) -> Move:
    """Go back to the stage a PAUSED or INCONCLUSIVE rollout came from; its dwell starts again.

    From INCONCLUSIVE the deadline starts again too; the evidence is kept.

    Raises:
        RolloutError: when the rollout is neither paused nor inconclusive, or the clock went backwards.
    """
    if state.stage not in (Stage.PAUSED, Stage.INCONCLUSIVE):
        raise RolloutError(
            f"The rollout of '{state.release}' is {state.stage} and cannot be resumed: only a paused or "
            "inconclusive one can."
        )
    _refuse_broken_clock(state, now)
    deadline = now + policy.deadline if state.stage is Stage.INCONCLUSIVE else state.deadline_at
    after = _entered(state, state.base, f"{by} resumed the rollout: {reason}", now)
    return replace(after, deadline_at=deadline), ()


def superseded(state: RolloutState, now: datetime, *, by: str) -> Move:
    """End a rollout in favour of ``by``; whoever it answered is answered by the champion again."""
    if state.stage.ended:
        return state, ()
    actions: tuple[Action, ...] = (SetShare(state.release, 0.0),) if state.exposed else ()
    return _entered(state, Stage.SUPERSEDED, f"'{by}' supersedes this candidate.", max(now, state.entered_at)), actions


def _refuse_foreign(state: RolloutState, evidence: Evidence) -> None:
    if evidence.measured.key != state.evidence_key:
        raise RolloutError(
            f"The evidence is not about the rollout of '{state.release}' under its models, thresholds and policy: "
            "start a new rollout when any of them changes."
        )


def _refuse_broken_clock(state: RolloutState, now: datetime, clock: ClockReading | None = None) -> None:
    if now < state.entered_at:
        raise RolloutError(
            f"The rollout of '{state.release}' entered {state.stage} at {state.entered_at.isoformat()}, after "
            f"{now.isoformat()}: use one clock that does not go backwards."
        )
    if clock is not None and clock.database < clock.last_event:
        raise RolloutError(
            f"The store's clock says {clock.database.isoformat()}, and its last event is of "
            f"{clock.last_event.isoformat()}: mend the database's clock, which must not go backwards."
        )


def _failed(state: RolloutState, evidence: Evidence) -> tuple[str, ...]:
    if state.stage is Stage.REGISTERED:
        return failed_gates(evidence.registration)
    return failed_gates(evidence.offline) if state.stage is Stage.VALIDATING else ()


def _forward(state: RolloutState, evidence: Evidence, verdict: Verdict, policy: RolloutPolicy, now: datetime) -> Move:
    signed = state.stage is Stage.AWAITING_APPROVAL
    if state.base is Stage.REGISTERED:
        return _entered(state, Stage.VALIDATING, "Every registration gate passed.", now), ()
    if state.base is Stage.VALIDATING:
        return _entered(state, Stage.SHADOW, "Every offline gate passed.", now), (StartShadow(state.release),)
    if state.base is Stage.SHADOW and policy.canary_needs_approval and not signed:
        return _asked(state, Act.START_CANARY, now)
    step = following_step(state, policy)
    if step is not None:
        return _exposed(state, step, evidence, verdict, policy, now)
    if state.base is Stage.CANARY:
        reason = f"The last canary step is clean {_weighed(verdict)}: {_percent(state.share)} of the traffic."
        return _entered(state, Stage.BAKING, reason, now), (SetShare(state.release, state.share),)
    if policy.promotion_needs_approval and not signed:
        return _asked(state, Act.PROMOTE, now)
    who = f" and signed by {', '.join(signers(state, evidence, now))}" if signed else ""
    reason = f"The bake was clean{who} {_weighed(verdict)}."
    after = replace(_entered(state, Stage.PROMOTED, reason, now), share=1.0)
    return after, (Promote(state.release, state.champion), Notify(state.release, reason))


def _exposed(
    state: RolloutState, step: int, evidence: Evidence, verdict: Verdict, policy: RolloutPolicy, now: datetime
) -> Move:
    """Enter a canary step at its share, or at what the budget pays for; ``waits_for`` saw to it that that is enough."""
    spent = excess_cost(policy.budget, evidence, verdict) if policy.budget is not None else 0.0
    share = next_share(policy, spent, step)
    capped = f", since the budget pays for no more of its {policy.steps[step]:g}" if share < policy.steps[step] else ""
    why = "No harm was shown in shadow" if state.base is Stage.SHADOW else "Non-inferiority holds"
    reason = f"{why} {_weighed(verdict)}: {_percent(share)} of the traffic{capped}."
    after = replace(_entered(state, Stage.CANARY, reason, now), step=step, share=share)
    return after, (SetShare(state.release, share),)


def _weighed(verdict: Verdict) -> str:
    return (
        f"({verdict.labelled} labelled requests, {verdict.discordant} discordant, non-inferiority e-value "
        f"{plain_e_value(verdict.log_non_inferiority)})"
    )


def _percent(share: float) -> str:
    return f"{share * 100:.4g}%"


def _asked(state: RolloutState, act: Act, now: datetime) -> Move:
    reason = f"An operator must sign to {str(act).replace('_', ' ')} '{state.release}'."
    return _aside(state, Stage.AWAITING_APPROVAL, reason, now), (RequestApproval(state.release, act),)


def _inconclusive(state: RolloutState, missing: tuple[str, ...], now: datetime) -> Move:
    reason = f"The deadline passed in {state.base}. {' '.join(missing) or 'The next look came too late.'}"
    return _aside(state, Stage.INCONCLUSIVE, reason, now), (Notify(state.release, reason),)


def _settle_inconclusive(state: RolloutState, policy: RolloutPolicy, now: datetime) -> Move:
    if policy.on_inconclusive == "roll_back":
        return stopped(state, f"{state.reason} The policy ends what is inconclusive.", now)
    return state, ()


def _aside(state: RolloutState, stage: Stage, reason: str, now: datetime) -> RolloutState:
    return replace(state, stage=stage, came_from=state.base, entered_at=now, reason=reason)


def _entered(state: RolloutState, stage: Stage, reason: str, now: datetime) -> RolloutState:
    share = 0.0 if stage.ended else state.share
    return replace(state, stage=stage, came_from=None, entered_at=now, reason=reason, share=share)
