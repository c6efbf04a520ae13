"""What a rollout still waits for: every sentence here keeps it from going forward, and none of them stops it."""

from __future__ import annotations

from datetime import datetime

from countenance.rollout import guards, money
from countenance.rollout.approvals import Approval
from countenance.rollout.policy import RolloutPolicy, StageMinimum
from countenance.rollout.state import Evidence, RolloutState, Stage, unmet_gates
from countenance.rollout.verdict import Verdict, judge, plain_e_value

_METRICS = {
    "labels": "No labelled request was seen",
    "latency": "Too few requests' times, or none, were measured",
    "errors": "It was counted for too few requests, or none, whether the candidate failed to answer",
    "drift": "No score of a stranger was watched",
}


def waits_for(state: RolloutState, evidence: Evidence, policy: RolloutPolicy, now: datetime) -> tuple[str, ...]:
    """Sentences on everything that is missing before the rollout may go forward; empty when nothing is."""
    return still_missing(state, evidence, judge(evidence.measured, policy), policy, now)


def still_missing(
    state: RolloutState, evidence: Evidence, verdict: Verdict, policy: RolloutPolicy, now: datetime
) -> tuple[str, ...]:
    """:func:`waits_for` where the verdict is known already."""
    if state.stage.ended:
        return ()
    if state.stage is Stage.PAUSED:
        return ("An operator paused the rollout: it goes on when one signs to resume.",)
    if state.stage is Stage.INCONCLUSIVE:
        return ("The deadline passed: an operator may sign to resume or to abort.",)
    if state.stage is Stage.REGISTERED:
        return unmet_gates(evidence.registration, "registration")
    if state.stage is Stage.VALIDATING:
        return unmet_gates(evidence.offline, "offline") + _preconditions(evidence, policy, required=False)
    missing = _missing_evidence(state, evidence, verdict, policy, now)
    if state.stage is Stage.AWAITING_APPROVAL:
        return missing + _missing_approvals(state, evidence, policy, now)
    left = (state.entered_at + _minimum(state, policy).dwell - now).total_seconds()
    return (*missing, f"The stage must last {left:.0f} seconds longer.") if left > 0 else missing


def _missing_evidence(
    state: RolloutState, evidence: Evidence, verdict: Verdict, policy: RolloutPolicy, now: datetime
) -> tuple[str, ...]:
    """Sentences on the evidence that a state from SHADOW on lacks, apart from its dwell and its signatures."""
    missing = list(_labels(state, evidence, verdict, policy))
    dropped = verdict.shadow_drop
    if dropped is not None and dropped > policy.shadow_drop:
        missing.append(f"The shadow dropped {dropped:.1%} of the requests; at most {policy.shadow_drop:.1%} may be.")
    if state.base is Stage.SHADOW:
        missing += _before_exposure(state, evidence, verdict, policy, now)
    else:
        missing += _while_exposed(verdict, policy)
    if state.base is Stage.BAKING:
        missing += _before_promotion(verdict, policy)
    elif (following := following_step(state, policy)) is not None:
        missing += money.unaffordable(policy, evidence, verdict, share=state.share, step=following)
    return (*missing, *_preconditions(evidence, policy, required=policy.preconditions == "required"))


def following_step(state: RolloutState, policy: RolloutPolicy) -> int | None:
    """The canary step (from 0) that a move forward would enter; None where it leads elsewhere."""
    if state.base is Stage.SHADOW:
        return 0
    return state.step + 1 if state.base is Stage.CANARY and state.step + 1 < len(policy.steps) else None


def signers(state: RolloutState, evidence: Evidence, now: datetime) -> tuple[str, ...]:
    """The different names that signed for what ``state`` waits for, since it was asked for."""
    return tuple(sorted({approval.actor for approval in evidence.approvals if _fits(approval, state, now)}))


def _fits(approval: Approval, state: RolloutState, now: datetime) -> bool:
    fits = approval.act is state.awaited and approval.subject == state.release
    return fits and state.entered_at <= approval.at <= now


def _missing_approvals(
    state: RolloutState, evidence: Evidence, policy: RolloutPolicy, now: datetime
) -> tuple[str, ...]:
    names, what = signers(state, evidence, now), str(state.awaited).replace("_", " ")
    if len(names) >= policy.approvers:
        return ()
    if policy.approvers == 1:
        return (f"An operator must sign to {what} '{state.release}'.",)
    signed = f"so far {', '.join(names)}" if names else "so far nobody"
    return (f"{policy.approvers} different operators must sign to {what} '{state.release}', {signed} did.",)


def _minimum(state: RolloutState, policy: RolloutPolicy) -> StageMinimum:
    return {Stage.SHADOW: policy.shadow, Stage.CANARY: policy.step, Stage.BAKING: policy.bake}[state.base]


def _labels(state: RolloutState, evidence: Evidence, verdict: Verdict, policy: RolloutPolicy) -> list[str]:
    missing = []
    seen = evidence.measured.labelled_by_stage.get(state.stage_key, 0)
    wanted = _minimum(state, policy).labelled
    if seen < wanted:
        missing.append(f"{seen} of {wanted} labelled requests of this stage have matured.")
    if verdict.unlabelled_share is None:
        missing.append("No request is old enough for its label to count.")
    elif verdict.unlabelled_share > policy.maximum_unlabelled_share:
        missing.append(
            f"{verdict.unlabelled_share:.0%} of the requests that are old enough have no label; at most "
            f"{policy.maximum_unlabelled_share:.0%} may."
        )
    return missing


def _before_exposure(
    state: RolloutState, evidence: Evidence, verdict: Verdict, policy: RolloutPolicy, now: datetime
) -> list[str]:
    missing = []
    if state.champion is None:
        missing.append("There is no champion to compare with: a first release is made champion by a signed bootstrap.")
    if verdict.disagreement is not None and verdict.disagreement > policy.maximum_disagreement:
        missing.append(
            f"The models disagree on {verdict.disagreement:.1%} of the requests; at most "
            f"{policy.maximum_disagreement:.1%} may."
        )
    return missing + [
        sentence for sentence in (guards.broken(evidence, policy), guards.silent(evidence, policy, now)) if sentence
    ]


def _while_exposed(verdict: Verdict, policy: RolloutPolicy) -> list[str]:
    missing = [f"{_METRICS[name]}, and the policy requires it ({name})." for name in verdict.missing]
    if not verdict.non_inferior:
        missing.append(
            f"Non-inferiority by {policy.non_inferiority_margin:g} is not shown yet (e-value "
            f"{plain_e_value(verdict.log_non_inferiority)}, needs {1 / verdict.alpha.non_inferiority:.0f})."
        )
    return missing


def _before_promotion(verdict: Verdict, policy: RolloutPolicy) -> list[str]:
    missing = [
        f"Group '{name}' has fewer than {policy.group_minimum} labelled requests."
        for name in verdict.insufficient_groups()
    ]
    worst = verdict.worst_case
    if worst.upper > policy.non_inferiority_margin:
        missing.append(
            f"Were every missing label an error of the candidate, its error rate could be {worst.upper:.2%} above the "
            f"champion's; at most {policy.non_inferiority_margin:.2%} may be."
        )
    return missing


def _preconditions(evidence: Evidence, policy: RolloutPolicy, *, required: bool) -> tuple[str, ...]:
    if evidence.preconditions is not None:
        return evidence.preconditions.unmet()
    if not required:
        return ()
    return ("Nobody recorded whether the gallery fits the candidate, nor its threshold: record both to go on.",)
