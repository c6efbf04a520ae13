"""What the evidence says under a policy: harmed or not, non-inferior or not yet, and for which group."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from countenance.rollout.evidence import EvidenceState, Tally, e_benjamini_hochberg, log_any
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.statistics.alpha import AlphaSplit
from countenance.rollout.statistics.guardrails import (
    ArmsVerdict,
    GuardVerdict,
    harm_of_groups,
    judge_arms,
    judge_drift,
    judge_latency,
    labelled_of_group,
    log_overall_harm,
    log_overall_non_inferiority,
    never_measured,
)
from countenance.rollout.statistics.worst_case import Interval, worst_case

__all__ = ["AlphaSplit", "ArmsVerdict", "GroupVerdict", "GuardVerdict", "Interval", "Verdict", "judge", "plain_e_value"]


@dataclass(frozen=True, kw_only=True)
class GroupVerdict:
    """One guarded group: its log e-value for harm (natural), its counts, and what follows from them.

    The e-value is the average of two: against "no more errors than the champion", and against "no more false matches
    than the champion's plus the tolerance"; where arms are compared, each of pairs and arms joined. The tallies
    count pairs alone, and ``false_matches`` the group's non-mated requests; ``labelled`` counts pairs and the smaller
    of the two arms.
    """

    name: str
    log_harm: float
    tally: Tally
    false_matches: Tally
    labelled: int
    verdict: Literal["harmed", "clear", "insufficient"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Everything a look found, in natural logarithms of e-values, with the alpha each is judged at.

    ``log_harm`` and ``log_non_inferiority`` are about all traffic: from pairs, or, where the policy compares arms,
    ``log_harm`` joins the shadow's pairs with the arms, and ``log_non_inferiority`` comes from arms alone.
    ``log_group_harm`` ("any group") is the average over *all* guarded groups, an unseen one counting as 1; it is
    None when no group is guarded. ``disagreement``, ``unlabelled_share`` and ``shadow_drop`` are None while nothing
    can be divided. ``missing`` names required metrics that were never measured, or for too few requests.

    ``worst_case`` bounds p_c - p_b with every unlabelled due request counted against the candidate (``upper``) or for
    it (``lower``). ``excess_upper`` is that upper bound, 0 at least, for reckoning with money: 1 when nothing was seen.
    """

    alpha: AlphaSplit
    labelled: int
    discordant: int
    disagreement: float | None
    unlabelled_share: float | None
    log_harm: float
    log_non_inferiority: float
    log_group_harm: float | None
    groups: tuple[GroupVerdict, ...]
    arms: ArmsVerdict | None
    latency: GuardVerdict | None
    drift: GuardVerdict | None
    shadow_drop: float | None
    missing: tuple[str, ...]
    worst_case: Interval
    excess_upper: float

    @property
    def harmed_overall(self) -> bool:
        """Whether the candidate was shown to be worse than the champion."""
        return self.log_harm >= -math.log(self.alpha.overall_harm)

    @property
    def harmed_in_a_group(self) -> bool:
        """Whether it was shown that some group is harmed."""
        return self.log_group_harm is not None and self.log_group_harm >= -math.log(self.alpha.group_harm)

    @property
    def non_inferior(self) -> bool:
        """Whether "worse by the margin or more" was refuted by the requests that have a label."""
        return self.log_non_inferiority >= -math.log(self.alpha.non_inferiority)

    def harm(self) -> str | None:
        """One sentence that names the harm, or None when none was shown."""
        parts = []
        if self.harmed_overall:
            parts.append(
                f"the candidate is worse than the champion (e-value {plain_e_value(self.log_harm)}, "
                f"limit {1 / self.alpha.overall_harm:.0f})"
            )
        if self.harmed_in_a_group and self.log_group_harm is not None:
            named = [group for group in self.groups if group.verdict == "harmed"]
            # The average can cross before e-BH names one; the group that carries it is then the honest lead.
            named = named or [max(self.groups, key=lambda group: group.log_harm)]
            listed = ", ".join(
                f"'{group.name}' ({group.tally.worse} pairs worse, {group.tally.better} better; of strangers, "
                f"{group.false_matches.worse} more let in and {group.false_matches.better} fewer)"
                for group in named
            )
            parts.append(
                f"harm to group {listed} (e-value over all groups {plain_e_value(self.log_group_harm)}, "
                f"limit {1 / self.alpha.group_harm:.0f})"
            )
        for guard, what in (
            (self.latency, "it is slow more often than tolerated"),
            (self.drift, "its non-mated scores are in the tail more often than was measured offline"),
        ):
            if guard is not None and guard.tripped:
                parts.append(f"{what} (e-value {plain_e_value(guard.log_e_value)}, limit {1 / guard.alpha:.0f})")
        return f"Harm was shown: {' and '.join(parts)}." if parts else None

    def insufficient_groups(self) -> tuple[str, ...]:
        """Guarded groups with too few labelled requests to be called clear."""
        return tuple(group.name for group in self.groups if group.verdict == "insufficient")

    def summary(self) -> dict[str, Any]:
        """The verdict as JSON values, for the record and the report."""
        return asdict(self)


def plain_e_value(log_e_value: float) -> str:
    """An e-value as people read it: three digits, or a power of ten where that is too long."""
    return f"{math.exp(log_e_value):.3g}" if abs(log_e_value) < 13 else f"1e{log_e_value / math.log(10):+.0f}"


def judge(evidence: EvidenceState, policy: RolloutPolicy) -> Verdict:
    """Weigh ``evidence`` under ``policy``; pure, and valid however often it is asked."""
    alpha = AlphaSplit.of(policy)
    harm = harm_of_groups(evidence, policy)
    bounds = worst_case(evidence, policy)
    shadowed = evidence.scored + evidence.shadow_dropped
    return Verdict(
        alpha=alpha,
        labelled=evidence.labelled,
        discordant=evidence.overall.discordant,
        disagreement=evidence.disagreed / evidence.scored if evidence.scored else None,
        unlabelled_share=max(1 - evidence.labelled / evidence.due, 0.0) if evidence.due else None,
        log_harm=log_overall_harm(evidence, policy),
        log_non_inferiority=log_overall_non_inferiority(evidence, policy),
        log_group_harm=log_any(harm) if len(harm) else None,
        groups=_judge_groups(evidence, policy, harm, alpha),
        arms=judge_arms(evidence, policy),
        latency=judge_latency(evidence, policy, alpha),
        drift=judge_drift(evidence, policy, alpha),
        shadow_drop=evidence.shadow_dropped / shadowed if shadowed else None,
        missing=never_measured(evidence, policy),
        worst_case=bounds,
        excess_upper=max(bounds.upper, 0.0),
    )


def _judge_groups(
    evidence: EvidenceState, policy: RolloutPolicy, harm: NDArray[np.float64], alpha: AlphaSplit
) -> tuple[GroupVerdict, ...]:
    harmed = set(e_benjamini_hochberg(harm, alpha.group_harm).tolist()) if len(harm) else set()
    verdicts = []
    for index, name in enumerate(policy.guarded_groups):
        labelled = labelled_of_group(evidence, name)
        verdicts.append(
            GroupVerdict(
                name=name,
                log_harm=float(harm[index]),
                tally=evidence.groups.get(name, Tally()),
                false_matches=evidence.false_matches.get(name, Tally()),
                labelled=labelled,
                verdict="harmed"
                if index in harmed
                else ("clear" if labelled >= policy.group_minimum else "insufficient"),
            )
        )
    return tuple(verdicts)
