"""The e-value of each guardrail, from what has been seen: all traffic, groups, arms, latency, the tail of scores."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from countenance.rollout.batch import CANDIDATE, Served
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.statistics.alpha import AlphaSplit
from countenance.rollout.statistics.arm_tally import ArmTally, nulls_of
from countenance.rollout.statistics.arms import Null
from countenance.rollout.statistics.paired import log_excess, log_harm, log_non_inferiority
from countenance.rollout.statistics.rates import log_rate_excess

_KEPT_FOR_ARMS = 0.2


@dataclass(frozen=True, kw_only=True)
class GuardVerdict:
    """A rate held against what is tolerated: its log e-value, the alpha it is judged at, and how many were seen."""

    name: str
    log_e_value: float
    alpha: float
    seen: int
    tripped: bool
    measured: bool


@dataclass(frozen=True, kw_only=True)
class ArmsVerdict:
    """Both arms: errors and requests of each, and log e-values for harm and for non-inferiority between them."""

    candidate_wrong: int
    candidate_seen: int
    champion_wrong: int
    champion_seen: int
    log_harm: float
    log_non_inferiority: float


def log_overall_harm(evidence: EvidenceState, policy: RolloutPolicy) -> float:
    """Log e-value for harm to all traffic; between arms that of the shadow's pairs and the arms, joined."""
    return _joined(_log_harm_of_pairs(evidence, "overall"), evidence, "overall", policy)


def log_overall_non_inferiority(evidence: EvidenceState, policy: RolloutPolicy) -> float:
    """Log e-value against "worse by the margin": of pairs, or between arms where the policy compares these."""
    if policy.canary_comparison == "arms":
        return _log_arms_non_inferiority(evidence, policy)
    seen = evidence.weighed()
    margin = policy.non_inferiority_margin
    return float(log_non_inferiority(seen.better, seen.same, seen.worse, margin=margin, weight=seen.weight))


def harm_of_groups(evidence: EvidenceState, policy: RolloutPolicy) -> NDArray[np.float64]:
    """Log e-value for harm to each guarded group, shape [groups]: the average over its errors and its strangers."""
    return np.array([_harm_of_group(evidence, name, policy) for name in policy.guarded_groups])


def judge_arms(evidence: EvidenceState, policy: RolloutPolicy) -> ArmsVerdict | None:
    """The comparison between arms; None where the policy compares pairs."""
    if policy.canary_comparison == "paired":
        return None
    seen = evidence.arms.get("overall", ArmTally()).seen
    return ArmsVerdict(
        candidate_wrong=seen.candidate_wrong,
        candidate_seen=seen.candidate_seen,
        champion_wrong=seen.champion_wrong,
        champion_seen=seen.champion_seen,
        log_harm=_arms(evidence, "overall", policy)[0],
        log_non_inferiority=_log_arms_non_inferiority(evidence, policy),
    )


def judge_latency(evidence: EvidenceState, policy: RolloutPolicy, alpha: AlphaSplit) -> GuardVerdict | None:
    """Whether the candidate is slow more often than tolerated; None where the policy has no limit."""
    if policy.latency is None:
        return None
    served = evidence.served.get(CANDIDATE, Served())
    return _guard("latency", served.slow, served.requests, policy.latency.tolerated, alpha.latency)


def judge_drift(evidence: EvidenceState, policy: RolloutPolicy, alpha: AlphaSplit) -> GuardVerdict | None:
    """Whether non-mated scores are in the tail more often than offline; None where the policy has no limit."""
    if policy.drift is None:
        return None
    return _guard("drift", evidence.tail_above, evidence.tail_watched, policy.drift.tolerated, alpha.drift)


def never_measured(evidence: EvidenceState, policy: RolloutPolicy) -> tuple[str, ...]:
    """Names of the metrics the policy needs of which nothing was ever seen, or too little to speak for the candidate.

    Times and failures must be known of as many requests as its labels must (``maximum_unlabelled_share``), so that a
    measurement that stopped is none.
    """
    served = evidence.served.get(CANDIDATE, Served()).requests
    seen = {"labels": evidence.labelled, "latency": served, "errors": served, "drift": evidence.tail_watched}
    least = dict.fromkeys(("latency", "errors"), (1 - policy.maximum_unlabelled_share) * evidence.due_by_candidate)
    return tuple(name for name in policy.metrics_needed() if seen[name] == 0 or seen[name] < least.get(name, 0.0))


def labelled_of_group(evidence: EvidenceState, name: str) -> int:
    """A group's labelled pairs and the smaller of its two arms."""
    pairs, arms = evidence.groups.get(name), evidence.arms.get(f"group {name}", ArmTally()).seen
    return (pairs.labelled if pairs else 0) + min(int(arms.candidate_seen), int(arms.champion_seen))


def _harm_of_group(evidence: EvidenceState, name: str, policy: RolloutPolicy) -> float:
    strangers = evidence.weighed(f"strangers {name}")
    excess = log_excess(
        strangers.better,
        strangers.same,
        strangers.worse,
        margin=policy.false_match_tolerance,
        weight=strangers.weight,
    )
    errors = _log_harm_of_pairs(evidence, f"group {name}")
    return _average(
        _joined(errors, evidence, f"group {name}", policy),
        _joined(float(excess), evidence, f"strangers {name}", policy),
    )


def _joined(pairs: float, evidence: EvidenceState, stratum: str, policy: RolloutPolicy) -> float:
    """Wealth made on the shadow's pairs is bet on in the arms, less a fifth that was never bet: (0.8 P + 0.2) A.

    A request is in one of the two alone, so the product is an e-process as each of them is. The fifth is kept because a
    candidate that did well in the shadow would else have to lose all of that first before harm in the arms is seen.
    """
    if policy.canary_comparison == "paired":
        return pairs
    kept = np.logaddexp(math.log(1 - _KEPT_FOR_ARMS) + pairs, math.log(_KEPT_FOR_ARMS))
    return float(kept) + _arms(evidence, stratum, policy)[0]


def _log_harm_of_pairs(evidence: EvidenceState, stratum: str) -> float:
    seen = evidence.weighed(stratum)
    return float(log_harm(seen.better, seen.worse, weight=seen.harm_weight))


def _log_arms_non_inferiority(evidence: EvidenceState, policy: RolloutPolicy) -> float:
    place = nulls_of("overall", policy).index(Null("at least", policy.non_inferiority_margin))
    return _arms(evidence, "overall", policy)[place]


def _arms(evidence: EvidenceState, stratum: str, policy: RolloutPolicy) -> list[float]:
    logs: list[float] = evidence.arms.get(stratum, ArmTally()).log_e_values(nulls_of(stratum, policy)).tolist()
    return logs


def _guard(name: str, hits: int, seen: int, tolerated: float, alpha: float) -> GuardVerdict:
    log_e_value = float(log_rate_excess(hits, seen, tolerated=tolerated))
    return GuardVerdict(
        name=name,
        log_e_value=log_e_value,
        alpha=alpha,
        seen=seen,
        tripped=log_e_value >= -math.log(alpha),
        measured=seen > 0,
    )


def _average(*logs: float) -> float:
    return float(np.logaddexp.reduce(logs) - math.log(len(logs)))
