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
from countenance.rollout.policy import RolloutPolicy, StageMinimum
from countenance.rollout.state import Evidence, RolloutState, Stage, failed_gates, unmet_gates
from countenance.rollout.verdict import Verdict, judge, plain_e_value

Move = tuple[RolloutState, tuple[Action, ...]]


def advance(state: RolloutState, evidence: Evidence, policy: RolloutPolicy, now: datetime) -> Move:
    """Take at most one step.

    The order of the guards: harm ends the rollout; the deadline makes it INCONCLUSIVE; a failed gate
    rejects; and only when nothing is missing does it go forward. Missing evidence is never a pass.

    Args:
        state: where the rollout stands.
        evidence: gates, measured evidence and verified approvals.
        policy: the policy the rollout was started under.
        now: the moment of the decision, with a time zone.

    Returns:
        The new state and the actions it asks for; the same state and none when it stays.

    Raises:
        RolloutError: when the evidence is about other models, thresholds or another policy, or when
            ``now`` lies before the stage was entered.
    """
    _refuse_foreign(state, evidence, now)
    if state.stage.ended:
        return state, ()
    verdict = judge(evidence.measured, policy)
    harm = verdict.harm()
    if harm is not None:
        return stopped(state, harm, now)
    if state.stage is Stage.INCONCLUSIVE:
        return _settle_inconclusive(state, policy, now)
    if now >= state.deadline_at:
        return _inconclusive(state, evidence, policy, now)
    failed = _failed(state, evidence)
    if failed:
        return _entered(state, Stage.REJECTED, " ".join(failed), now), (Reject(state.release),)
    if state.stage is Stage.PAUSED or waits_for(state, evidence, policy, now):
        return state, ()
    return _forward(state, verdict, policy, now)


def waits_for(state: RolloutState, evidence: Evidence, policy: RolloutPolicy, now: datetime) -> tuple[str, ...]:
    """Sentences on what is still missing before the rollout may go forward; empty when nothing is."""
    if state.stage.ended:
        return ()
    if state.stage is Stage.PAUSED:
        return ("An operator paused the rollout: it goes on when one signs to resume.",)
    if state.stage is Stage.INCONCLUSIVE:
        return ("The deadline passed: an operator may sign to resume or to abort.",)
    if state.stage is Stage.REGISTERED:
        return unmet_gates(evidence.registration, "registration")
    if state.stage is Stage.VALIDATING:
        return unmet_gates(evidence.offline, "offline")
    verdict = judge(evidence.measured, policy)
    missing = _missing_evidence(state, evidence, verdict, policy)
    if state.stage is Stage.AWAITING_APPROVAL:
        missing += _missing_approval(state, evidence, now)
    else:
        left = state.entered_at + _minimum(state, policy).dwell - now
        if left.total_seconds() > 0:
            missing.append(f"The stage must last {left.total_seconds():.0f} seconds longer.")
    return tuple(missing)


def stopped(state: RolloutState, reason: str, now: datetime) -> Move:
    """End a rollout at once: ROLLED_BACK where people were exposed, ABORTED where nobody was."""
    if state.stage.ended:
        return state, ()
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
        RolloutError: when the rollout has ended or is already in a side state.
    """
    if state.stage.ended or state.stage.aside:
        raise RolloutError(
            f"The rollout of '{state.release}' is {state.stage} and cannot be paused: only a running stage can."
        )
    return _aside(state, Stage.PAUSED, f"{by} paused the rollout: {reason}", now), ()


def resumed(state: RolloutState, policy: RolloutPolicy, now: datetime, *, by: str, reason: str) -> Move:
    """Go back to the stage a PAUSED or INCONCLUSIVE rollout came from; its dwell starts again.

    From INCONCLUSIVE the deadline starts again too; the evidence is kept.

    Raises:
        RolloutError: when the rollout is neither paused nor inconclusive.
    """
    if state.stage not in (Stage.PAUSED, Stage.INCONCLUSIVE):
        raise RolloutError(
            f"The rollout of '{state.release}' is {state.stage} and cannot be resumed: only a paused or "
            "inconclusive one can."
        )
    deadline = now + policy.deadline if state.stage is Stage.INCONCLUSIVE else state.deadline_at
    after = _entered(state, state.base, f"{by} resumed the rollout: {reason}", now)
    return replace(after, deadline_at=deadline), ()


def superseded(state: RolloutState, now: datetime, *, by: str) -> Move:
    """End a rollout in favour of ``by``; whoever it answered is answered by the champion again."""
    if state.stage.ended:
        return state, ()
    actions: tuple[Action, ...] = (SetShare(state.release, 0.0),) if state.exposed else ()
    return _entered(state, Stage.SUPERSEDED, f"'{by}' supersedes this candidate.", now), actions


def _refuse_foreign(state: RolloutState, evidence: Evidence, now: datetime) -> None:
    if evidence.measured.key != state.evidence_key:
        raise RolloutError(
            f"The evidence is not about the rollout of '{state.release}' under its models, thresholds and policy: "
            "start a new rollout when any of them changes."
        )
    if now < state.entered_at:
        raise RolloutError(
            f"The rollout of '{state.release}' entered {state.stage} at {state.entered_at.isoformat()}, after "
            f"{now.isoformat()}: use one clock that does not go backwards."
        )


def _failed(state: RolloutState, evidence: Evidence) -> tuple[str, ...]:
    if state.stage is Stage.REGISTERED:
        return failed_gates(evidence.registration)
    return failed_gates(evidence.offline) if state.stage is Stage.VALIDATING else ()


def _minimum(state: RolloutState, policy: RolloutPolicy) -> StageMinimum:
    return {Stage.SHADOW: policy.shadow, Stage.CANARY: policy.step, Stage.BAKING: policy.bake}[state.base]


def _missing_evidence(state: RolloutState, evidence: Evidence, verdict: Verdict, policy: RolloutPolicy) -> list[str]:
    missing = []
    seen, wanted = (
        evidence.measured.labelled_by_stage.get(state.stage_key, 0),
        _minimum(state, policy).labelled,
    )
    if seen < wanted:
        missing.append(f"{seen} of {wanted} labelled requests of this stage have matured.")
    if verdict.unlabelled_share is None:
        missing.append("No request is old enough for its label to count.")
    elif verdict.unlabelled_share > policy.maximum_unlabelled_share:
        missing.append(
            f"{verdict.unlabelled_share:.0%} of the requests that are old enough have no label; at most "
            f"{policy.maximum_unlabelled_share:.0%} may."
        )
    if (
        state.base is Stage.SHADOW
        and verdict.disagreement is not None
        and verdict.disagreement > policy.maximum_disagreement
    ):
        missing.append(
            f"The models disagree on {verdict.disagreement:.1%} of the requests; at most "
            f"{policy.maximum_disagreement:.1%} may."
        )
    if state.base in (Stage.CANARY, Stage.BAKING) and not verdict.non_inferior:
        missing.append(
            f"Non-inferiority by {policy.non_inferiority_margin:g} is not shown yet (e-value "
            f"{plain_e_value(verdict.log_non_inferiority)}, needs {1 / verdict.alpha.non_inferiority:.0f})."
        )
    if state.base is Stage.BAKING:
        missing += [
            f"Group '{name}' has fewer than {policy.group_minimum} labelled requests."
            for name in verdict.insufficient_groups()
        ]
    return missing


def _missing_approval(state: RolloutState, evidence: Evidence, now: datetime) -> list[str]:
    for approval in evidence.approvals:
        fits = approval.act is state.awaited and approval.subject == state.release
        if fits and state.entered_at <= approval.at <= now:
            return []
    return [f"An operator must sign to {str(state.awaited).replace('_', ' ')} '{state.release}'."]


def _forward(state: RolloutState, verdict: Verdict, policy: RolloutPolicy, now: datetime) -> Move:
    signed = state.stage is Stage.AWAITING_APPROVAL
    if state.base is Stage.REGISTERED:
        return _entered(state, Stage.VALIDATING, "Every registration gate passed.", now), ()
    if state.base is Stage.VALIDATING:
        return _entered(state, Stage.SHADOW, "Every offline gate passed.", now), (StartShadow(state.release),)
    if state.base is Stage.SHADOW:
        if policy.canary_needs_approval and not signed:
            return _asked(state, Act.START_CANARY, now)
        return _exposed(state, Stage.CANARY, 0, "No harm was shown in shadow", verdict, policy, now)
    if state.base is Stage.CANARY:
        if state.step + 1 < len(policy.steps):
            return _exposed(state, Stage.CANARY, state.step + 1, "Non-inferiority holds", verdict, policy, now)
        return _exposed(state, Stage.BAKING, state.step, "The last canary step is clean", verdict, policy, now)
    if policy.promotion_needs_approval and not signed:
        return _asked(state, Act.PROMOTE, now)
    reason = f"The bake was clean{' and an operator signed' if signed else ''} {_weighed(verdict)}."
    after = replace(_entered(state, Stage.PROMOTED, reason, now), share=1.0)
    return after, (Promote(state.release, state.champion), Notify(state.release, reason))


def _exposed(
    state: RolloutState, stage: Stage, step: int, why: str, verdict: Verdict, policy: RolloutPolicy, now: datetime
) -> Move:
    share = policy.steps[step]
    reason = f"{why} {_weighed(verdict)}: {share:.0%} of the traffic."
    after = replace(_entered(state, stage, reason, now), step=step, share=share)
    return after, (SetShare(state.release, share),)


def _weighed(verdict: Verdict) -> str:
    return (
        f"({verdict.labelled} labelled requests, {verdict.discordant} discordant, non-inferiority e-value "
        f"{plain_e_value(verdict.log_non_inferiority)})"
    )


def _asked(state: RolloutState, act: Act, now: datetime) -> Move:
    reason = f"An operator must sign to {str(act).replace('_', ' ')} '{state.release}'."
    return _aside(state, Stage.AWAITING_APPROVAL, reason, now), (RequestApproval(state.release, act),)


def _inconclusive(state: RolloutState, evidence: Evidence, policy: RolloutPolicy, now: datetime) -> Move:
    missing = " ".join(waits_for(state, evidence, policy, now)) or "The next look came too late."
    reason = f"The deadline passed in {state.base}. {missing}"
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
