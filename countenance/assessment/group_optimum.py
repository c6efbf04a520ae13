"""The common threshold that costs least while no group's FMR may be over a cap, its doubt included.

tau* = argmin over tau of sum_g w_g [prior c_FN FNMR_g(tau) + (1 - prior) c_FM FMR_g(tau)], subject to upper(FMR_g(tau))
being at most the cap for every group g. The threshold is one for all groups: one for each would hide how unequal they
are. The upper end is that of the dyadic interval over subjects, so that a group of few people asks for a higher
threshold, and one of too few leaves none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from countenance.assessment.arrays import FloatArray, IntArray
from countenance.assessment.cost import CostModel
from countenance.assessment.group_error_counts import group_codes, members_and_shown
from countenance.assessment.groups import DEFAULT_GROUP_SIZES, GroupSizes
from countenance.assessment.growing_variances import growing_dyadic_variances
from countenance.assessment.intervals import DEFAULT_LEVEL, rate_of_counts, rate_over_subjects
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.results import Result
from countenance.assessment.verification import accepted
from countenance.errors import AssessmentError


@dataclass(frozen=True)
class GroupOperation(Result):
    """One group at the threshold.

    Attributes:
        group: its name.
        weight: share of the transactions that are taken to be of this group.
        fmr: within the group.
        fmr_high: upper end of its interval.
        fnmr: of the group.
        cost: in the model's unit.
    """

    group: str
    weight: float
    fmr: float
    fmr_high: float
    fnmr: float
    cost: float


@dataclass(frozen=True)
class GroupOptimum(Result):
    """The common threshold of least expected cost under a cap for each group.

    Attributes:
        threshold: accept when score > threshold; None where none is sure to keep every group under the cap,
            or a group has no comparisons to tell by.
        cost: expected cost there, groups weighted; None in the same case.
        unit: of the cost.
        cap: on the upper end of every group's FMR; None = no cap.
        capped_by: the group whose cap kept a cheaper threshold out, or that no threshold is sure for; None where the
            cap changed nothing.
        groups: what each shown group meets there; empty without a threshold.
        note: what a reader must know; empty where there is nothing to say.
    """

    threshold: float | None
    cost: float | None
    unit: str
    cap: float | None
    capped_by: str | None
    groups: tuple[GroupOperation, ...]
    note: str = ""


def cost_optimal_common_threshold(
    scores: ComparisonScores,
    groups: Mapping[str, str],
    model: CostModel,
    *,
    weights: Mapping[str, float] | None = None,
    sizes: GroupSizes = DEFAULT_GROUP_SIZES,
    level: float = DEFAULT_LEVEL,
) -> GroupOptimum:
    """Find the common threshold of least expected cost with every shown group's FMR surely at most the model's cap.

    Args:
        scores: comparisons of the people that thresholds are chosen on.
        groups: subject -> group.
        model: prices; ``maximum_fmr`` is the cap.
        weights: share of transactions by group, any sum; None takes the groups' numbers of subjects.
        sizes: subjects a group needs to have a say.
        level: of the intervals.

    Raises:
        AssessmentError: a group has no weight, or every group is suppressed.
    """
    shown = _shown(scores, groups, weights, sizes)
    for group in shown:
        if len(group.mated) == 0 or len(group.scores) == 0:
            kind = "mated" if len(group.mated) == 0 else "non-mated"
            note = f"not measurable: group {group.name} has no {kind} comparison"
            return GroupOptimum(None, None, model.unit, model.maximum_fmr, None, (), note)
    thresholds = _candidates(shown)
    costs = np.zeros(len(thresholds))
    for group in shown:
        costs += group.weight * model.expected_cost(group.fmr(thresholds), group.fnmr(thresholds))
    # Of equally cheap thresholds the highest: it lets fewer strangers through.
    cheapest = best = _last_minimum(costs)
    capped_by = None
    if model.maximum_fmr is not None:
        cap = model.maximum_fmr
        uppers = np.stack([_upper_ends(group, thresholds, cap, level) for group in shown])
        allowed = (uppers <= cap).all(axis=0)
        strictest = shown[int(np.argmin((uppers <= cap).sum(axis=1)))].name
        if not allowed.any():
            note = (
                f"no threshold keeps the upper end of group {strictest}'s FMR under the cap: it has too few comparisons"
            )
            return GroupOptimum(None, None, model.unit, cap, strictest, (), note)
        best = _last_minimum(np.where(allowed, costs, np.inf))
        capped_by = strictest if best != cheapest else None
    at = np.array([thresholds[best]])
    met = tuple(
        GroupOperation(
            group.name,
            group.weight,
            float(group.fmr(at)[0]),
            group.upper_fmr(float(at[0]), level),
            float(group.fnmr(at)[0]),
            float(model.expected_cost(group.fmr(at), group.fnmr(at))[0]),
        )
        for group in shown
    )
    return GroupOptimum(float(at[0]), float(costs[best]), model.unit, model.maximum_fmr, capped_by, met)


class _Group(NamedTuple):
    """One group's comparisons: scores as they are, with subject codes, and sorted."""

    name: str
    weight: float
    scores: FloatArray
    first: IntArray
    second: IntArray
    ascending: FloatArray
    mated: FloatArray

    def fmr(self, thresholds: FloatArray) -> FloatArray:
        above = len(self.ascending) - np.searchsorted(self.ascending, thresholds, side="right")
        return np.asarray(above / len(self.ascending))

    def fnmr(self, thresholds: FloatArray) -> FloatArray:
        return np.asarray(np.searchsorted(self.mated, thresholds, side="right") / len(self.mated))

    def upper_fmr(self, threshold: float, level: float) -> float:
        rate = rate_over_subjects(accepted(self.scores, threshold), self.first, self.second, level=level)
        return 1.0 if rate.high is None else rate.high


def _shown(
    scores: ComparisonScores, groups: Mapping[str, str], weights: Mapping[str, float] | None, sizes: GroupSizes
) -> list[_Group]:
    of_subject, names = group_codes(scores, groups)
    members, shown = members_and_shown(of_subject, len(names), sizes)
    if not shown:
        raise AssessmentError("Every group is too small to have a say in the threshold: hold out more people.")
    of_group = {names[code]: float(members[code]) if weights is None else weights.get(names[code]) for code in shown}
    for name, weight in of_group.items():
        if weight is None or not weight > 0.0:
            raise AssessmentError(f"Group '{name}' has no weight in the transactions: give a share above zero.")
    total = sum(weight or 0.0 for weight in of_group.values())
    pairs = scores.pairs
    found = []
    for code in shown:
        inside = (of_subject[pairs.non_mated_subject_first] == code) & (
            of_subject[pairs.non_mated_subject_second] == code
        )
        mated = scores.mated[of_subject[pairs.mated_subject] == code].astype(np.float64)
        strangers = scores.non_mated[inside].astype(np.float64)
        found.append(
            _Group(
                names[code],
                (of_group[names[code]] or 0.0) / total,
                strangers,
                pairs.non_mated_subject_first[inside],
                pairs.non_mated_subject_second[inside],
                np.sort(strangers),
                np.sort(mated),
            )
        )
    return found


def _candidates(shown: Sequence[_Group]) -> FloatArray:
    levels = np.unique(np.concatenate([part for group in shown for part in (group.ascending, group.mated)]))
    levels = levels[np.isfinite(levels)]
    return np.concatenate([[np.nextafter(levels[0], -np.inf)], levels])


def _upper_ends(group: _Group, thresholds: FloatArray, cap: float, level: float) -> FloatArray:
    """The upper end of the group's FMR at every threshold, [K]; 1 where the FMR itself is over the cap.

    It doesn't always fall as the threshold rises: with no false match at all, the rule of three may ask for more than a
    few false matches do. So none is skipped.
    """
    total = len(group.scores)
    falling = np.argsort(-group.scores, kind="stable")[: int(cap * total) + 1]
    variances = growing_dyadic_variances(group.first, group.second, falling)
    subjects = len(np.unique(np.concatenate([group.first, group.second])))
    ends = np.ones(total + 1)
    for errors, variance in enumerate(variances.tolist()):
        high = rate_of_counts(errors, total, subjects, variance, level=level).high
        ends[errors] = 1.0 if high is None else high
    return ends[total - np.searchsorted(group.ascending, thresholds, side="right")]


def _last_minimum(costs: FloatArray) -> int:
    return len(costs) - 1 - int(np.argmin(costs[::-1]))
