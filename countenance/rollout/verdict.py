"""What the evidence says under a policy: harmed or not, non-inferior or not yet, and for which group."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np

from countenance.rollout.evidence import (
    EvidenceState,
    Tally,
    e_benjamini_hochberg,
    log_any,
    log_excess,
    log_harm,
    log_non_inferiority,
)
from countenance.rollout.policy import RolloutPolicy


@dataclass(frozen=True, kw_only=True)
class AlphaSplit:
    """How alpha is divided over the guardrails (union bound).

    ``overall_harm`` + ``group_harm`` = alpha bounds the chance of stopping a candidate that harms nobody.
    ``non_inferiority`` = alpha bounds, by itself, the chance of promoting one that is worse by the margin:
    no candidate can be both "not worse" and "worse by the margin", so the two need not share.
    """

    overall_harm: float
    group_harm: float
    non_inferiority: float

    @classmethod
    def of(cls, policy: RolloutPolicy) -> AlphaSplit:
        """Halves for overall and group harm; all of it for overall harm when no group is guarded."""
        guarded = bool(policy.guarded_groups)
        return cls(
            overall_harm=policy.alpha / 2 if guarded else policy.alpha,
            group_harm=policy.alpha / 2 if guarded else 0.0,
            non_inferiority=policy.alpha,
        )


@dataclass(frozen=True, kw_only=True)
class GroupVerdict:
    """One guarded group: its log e-value for harm (natural), its counts, and what follows from them.

    The e-value is the average of two: against "no more errors than the champion", and against "no more false matches
    than the champion's plus the tolerance". ``false_matches`` counts the group's non-mated requests alone.
    """

    name: str
    log_harm: float
    tally: Tally
    false_matches: Tally
    verdict: Literal["harmed", "clear", "insufficient"]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Everything a look found, in natural logarithms of e-values, with the alpha each is judged at.

    ``log_group_harm`` ("any group") is the average over *all* guarded groups, an unseen one counting as 1; it is
    None when no group is guarded. ``disagreement`` and ``unlabelled_share`` are None while nothing can be divided.
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
        """Whether "worse by the margin or more" was refuted."""
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
    overall = evidence.overall
    groups = _judge_groups(evidence, policy, alpha)
    return Verdict(
        alpha=alpha,
        labelled=overall.labelled,
        discordant=overall.discordant,
        disagreement=evidence.disagreed / evidence.scored if evidence.scored else None,
        unlabelled_share=1 - overall.labelled / evidence.due if evidence.due else None,
        log_harm=float(log_harm(overall.better, overall.worse)),
        log_non_inferiority=float(
            log_non_inferiority(overall.better, overall.same, overall.worse, margin=policy.non_inferiority_margin)
        ),
        log_group_harm=log_any(np.array([group.log_harm for group in groups])) if groups else None,
        groups=groups,
    )


def _judge_groups(evidence: EvidenceState, policy: RolloutPolicy, alpha: AlphaSplit) -> tuple[GroupVerdict, ...]:
    if not policy.guarded_groups:
        return ()
    tallies = [evidence.groups.get(name, Tally()) for name in policy.guarded_groups]
    strangers = [evidence.false_matches.get(name, Tally()) for name in policy.guarded_groups]
    errors = log_harm(np.array([tally.better for tally in tallies]), np.array([tally.worse for tally in tallies]))
    excess = log_excess(
        np.array([tally.better for tally in strangers]),
        np.array([tally.same for tally in strangers]),
        np.array([tally.worse for tally in strangers]),
        margin=policy.false_match_tolerance,
    )
    logs = np.logaddexp(errors, excess) - math.log(2)
    harmed = set(e_benjamini_hochberg(logs, alpha.group_harm).tolist())
    return tuple(
        GroupVerdict(
            name=name,
            log_harm=float(logs[index]),
            tally=tally,
            false_matches=strangers[index],
            verdict="harmed"
            if index in harmed
            else ("clear" if tally.labelled >= policy.group_minimum else "insufficient"),
        )
        for index, (name, tally) in enumerate(zip(policy.guarded_groups, tallies, strict=True))
    )
