"""What p_c - p_b may be at worst and at best when every request without a label is reckoned with."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from countenance.rollout.evidence import EvidenceState
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.statistics.arm_tally import ArmTally, nulls_of
from countenance.rollout.statistics.paired import lower_bound, upper_bound


@dataclass(frozen=True, kw_only=True)
class Interval:
    """From ``lower`` to ``upper``, each end by itself right at all times with a chance of 1 - alpha."""

    lower: float
    upper: float


def worst_case(evidence: EvidenceState, policy: RolloutPolicy) -> Interval:
    """Bounds of p_c - p_b; ``upper`` with every unlabelled due request against the candidate, ``lower`` for it.

    (-1, 1) when nothing was seen. ``alpha`` is the policy's, for each end.
    """
    return _between_arms(evidence, policy) if policy.canary_comparison == "arms" else _paired(evidence, policy)


def unlabelled_disagreements(evidence: EvidenceState) -> float:
    """The most that unlabelled due requests can weigh on which the two models decided differently.

    Where both decided alike, x = 0 whatever the label. In units of the largest weight at the look at which each became
    due, which is what it would have been bet on with. When the batches didn't tell ``due_disagreed``, all disagreements
    that have no label, or where even these are unknown all due requests.
    """
    unlabelled = float(max(evidence.due - evidence.overall.labelled, 0))
    if evidence.due_disagreed is not None:
        relative = evidence.due_disagreed_relative
        if relative is None:
            relative = evidence.due_disagreed / max(evidence.scale.all, 1.0)
        seen = evidence.weighed()
        # A sum of weights as few requests of full weight costs the bettor most: log(1 - c u) is concave in u.
        return max(relative - float(((seen.better + seen.worse) * seen.weight).sum()), 0.0)
    if evidence.scored >= evidence.due:
        return min(unlabelled, float(max(evidence.disagreed - evidence.overall.discordant, 0)))
    return unlabelled


def _paired(evidence: EvidenceState, policy: RolloutPolicy) -> Interval:
    if evidence.overall.labelled == 0:
        return Interval(lower=-1.0, upper=1.0)
    differing = unlabelled_disagreements(evidence)
    alike = max(evidence.due - evidence.overall.labelled - differing, 0.0)
    # Of what weight unlabelled requests are isn't known: where weights differ they are left out, which is safe.
    alike = alike if evidence.scale.all <= 1 else 0.0
    seen = evidence.weighed()
    worst, best = seen.plus(same=alike, worse=differing), seen.plus(same=alike, better=differing)
    return Interval(
        lower=lower_bound(best.better, best.same, best.worse, alpha=policy.alpha, weight=best.weight),
        upper=upper_bound(worst.better, worst.same, worst.worse, alpha=policy.alpha, weight=worst.weight),
    )


def _between_arms(evidence: EvidenceState, policy: RolloutPolicy) -> Interval:
    """The bound for labelled requests, U, becomes (1 - u_c) U + max(u_c, u_b), u the shares without a label.

    p_c is at most (1 - u_c) a_c + u_c and p_b at least (1 - u_b) a_b, a the rates among labelled requests; so
    p_c - p_b <= (1 - u_c)(a_c - a_b) + u_c + (u_b - u_c) a_b.
    """
    arms = evidence.arms.get("overall", ArmTally())
    nulls = nulls_of("overall", policy)
    refuted = arms.log_e_values(nulls) >= -math.log(policy.alpha)
    margins = [null.margin for null in nulls[1:]]
    kept = np.flatnonzero(~refuted[1:])
    above = int(kept[-1]) + 1 if len(kept) else 0
    upper = margins[above] if above < len(margins) else 1.0
    candidate, champion = _unlabelled_shares(evidence)
    worst = (1 - candidate) * upper + max(candidate, champion)
    known = bool(refuted[0]) and candidate == champion == 0
    return Interval(lower=0.0 if known else -1.0, upper=min(worst, 1.0))


def _unlabelled_shares(evidence: EvidenceState) -> tuple[float, float]:
    """Shares of the candidate's arm and of the champion's without a label; 1 where none is due.

    The shadow's pairs are no part of an arm. What lacks a label is, unless it is known to be one of them
    (``due_paired``): many labelled pairs hide nothing.
    """
    if evidence.due == 0:
        return 1.0, 1.0
    arms = evidence.arms.get("overall", ArmTally()).seen
    labelled_c, due_c = evidence.labelled_by_candidate, evidence.due_by_candidate
    labelled_b = evidence.labelled - labelled_c
    if due_c == 0:
        # Nobody told the arms' due requests apart: all that lack a label may be the candidate's.
        due_c = evidence.due - labelled_b
    labelled_pairs_b = evidence.overall.labelled - (labelled_c - int(arms.candidate_seen))
    missing_pairs_b = max(evidence.due_paired - labelled_pairs_b, 0)
    missing_c, missing_b = due_c - labelled_c, evidence.due - due_c - labelled_b - missing_pairs_b
    return _share(missing_c, int(arms.candidate_seen)), _share(missing_b, int(arms.champion_seen))


def _share(missing: int, labelled: int) -> float:
    missing = max(missing, 0)
    return missing / (missing + labelled) if missing + labelled else 1.0
