"""What misrecognition costs in money at a threshold, overall and by group, and who bears it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from countenance.assessment.arrays import FloatArray, IntArray
from countenance.assessment.cost import CostModel, CostResampler, Light
from countenance.assessment.group_error_counts import ErrorCounts, GroupErrorCounts
from countenance.assessment.groups import DEFAULT_GROUP_SIZES, GroupSizes, GroupStatus
from countenance.assessment.intervals import (
    DEFAULT_RESAMPLING,
    Resampling,
    bootstrap_interval,
    bootstrap_replicates,
    zero_error_bound,
)
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.results import Measurement, Result


@dataclass(frozen=True)
class GroupCost(Result):
    """One group's expected cost; ``cost`` is None where the group is suppressed."""

    group: str
    status: GroupStatus
    cost: Measurement | None


@dataclass(frozen=True)
class CostReport(Result):
    """What misrecognition costs at a threshold, and who bears it.

    Attributes:
        threshold: accept when score > threshold.
        overall: expected cost over all comparisons.
        groups: expected cost by group, from comparisons within the group.
        bias_index: the worst shown group's cost / mean cost of the shown groups; 1 = equal.
        worst_group: its name; None where there is no index.
        light: "green", "amber" or "red"; None where there is no index.
    """

    threshold: float
    overall: Measurement
    groups: tuple[GroupCost, ...]
    bias_index: Measurement
    worst_group: str | None
    light: Light | None


def cost_report(
    scores: ComparisonScores,
    groups: Mapping[str, str],
    threshold: float,
    model: CostModel,
    *,
    sizes: GroupSizes = DEFAULT_GROUP_SIZES,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> CostReport:
    """Price the errors at a common threshold, overall and by group.

    Intervals are percentile intervals of the bootstrap over subjects. The bias index is biased upwards by noise, since
    some group is always the worst: read it with its interval. A suppressed group is not in it.

    Args:
        scores: one system's scores.
        groups: subject -> group; empty when no group is known.
        threshold: accept when score > threshold.
        model: the prices and the lights.
        sizes: subjects a group needs.
        resampling: seed, resamples and level.
    """
    resampler = CostResampler(scores, threshold, model)
    made = len(scores.non_mated), len(scores.mated)
    counts = GroupErrorCounts(scores, groups, threshold, sizes) if groups else None
    return cost_report_of(resampler.rates, resampler.subjects, made, threshold, counts, model, sizes, resampling)


def cost_report_of(
    overall_rates: Callable[[IntArray], FloatArray],
    subjects: int,
    comparisons: tuple[int, int],
    threshold: float,
    counts: ErrorCounts | None,
    model: CostModel,
    sizes: GroupSizes = DEFAULT_GROUP_SIZES,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> CostReport:
    """Price errors that were counted already; see :func:`cost_report`.

    Args:
        overall_rates: FMR and FNMR over all comparisons under weights [B, S]: [B, 2].
        subjects: S.
        comparisons: non-mated and mated comparisons in all.
        threshold: at which they were counted.
        counts: errors by group; None when no group is known.
        model: the prices and the lights.
        sizes: subjects a group needs.
        resampling: seed, resamples and level.
    """
    overall = _overall_cost(overall_rates, subjects, comparisons, model, resampling)
    if counts is None:
        missing = Measurement.missing("worst / mean", higher_is_better=False)
        return CostReport(float(threshold), overall, (), missing, None, None)
    known = counts

    def rates(weights: IntArray) -> FloatArray:
        return np.stack([known.fmr(weights), known.fnmr(weights)], axis=1)

    point, replicates = bootstrap_replicates(rates, counts.subjects, resampling)
    costs, drawn_costs = model.expected_cost(*point), model.expected_cost(replicates[:, 0], replicates[:, 1])
    priced = {
        name: _priced(
            (point[0, column], point[1, column]),
            (counts.non_mated[column], counts.mated[column]),
            drawn_costs[:, column],
            model,
            resampling.level,
        )
        for column, name in enumerate(counts.names)
    }
    by_group = tuple(
        GroupCost(name, sizes.status(int(size)), priced.get(name))
        for name, size in zip(counts.all_names, counts.members, strict=True)
    )
    index = _bias_index(costs, drawn_costs, resampling.level)
    if index.value is None:
        return CostReport(float(threshold), overall, by_group, index, None, None)
    worst = counts.names[int(np.nanargmax(costs))]
    return CostReport(float(threshold), overall, by_group, index, worst, model.light(index.value))


def _overall_cost(
    rates: Callable[[IntArray], FloatArray],
    subjects: int,
    comparisons: tuple[int, int],
    model: CostModel,
    resampling: Resampling,
) -> Measurement:
    point, replicates = bootstrap_replicates(rates, subjects, resampling)
    return _priced(
        (point[0], point[1]),
        comparisons,
        model.expected_cost(replicates[:, 0], replicates[:, 1]),
        model,
        resampling.level,
    )


def _priced(
    rates: tuple[float, float],
    comparisons: tuple[int, int],
    replicates: FloatArray,
    model: CostModel,
    level: float,
) -> Measurement:
    if 0 in comparisons:
        missing = "non-mated" if comparisons[0] == 0 else "mated"
        return Measurement.missing(model.unit, higher_is_better=False, note=f"not measurable: no {missing} comparisons")
    cost = float(model.expected_cost(*np.array(rates)))
    drawn = bootstrap_interval(cost, replicates, level)
    low, high, notes = drawn.low, drawn.high, []
    unseen = [
        zero_error_bound(count, level=level) if rate == 0.0 else rate
        for rate, count in zip(rates, comparisons, strict=True)
    ]
    if 0.0 in rates:
        # No resample can show an error that was never seen; the rule of three says how many may be there.
        low = min(cost, cost if low is None else low)
        high = max(cost if high is None else high, float(model.expected_cost(*np.array(unseen))))
        notes = [
            f"no {name} seen"
            for name, rate in zip(("false match", "false non-match"), rates, strict=True)
            if rate == 0.0
        ]
    return Measurement(cost, low, high, sum(comparisons), model.unit, False, "; ".join(notes))


def _bias_index(costs: FloatArray, replicates: FloatArray, level: float) -> Measurement:
    unit, usable = "worst / mean", ~np.isnan(costs)
    if usable.sum() < 2:
        note = "not measurable: fewer than two groups are large enough"
        return Measurement.missing(unit, higher_is_better=False, note=note)
    if costs[usable].sum() == 0.0:
        return Measurement.missing(unit, higher_is_better=False, note="not measurable: no group has an error")
    drawn = bootstrap_interval(
        float(_worst_over_mean(costs[None, usable])[0]), _worst_over_mean(replicates[:, usable]), level
    )
    left_out = int((~usable).sum())
    note = f"over {int(usable.sum())} groups" + (f"; {left_out} without comparisons" if left_out else "")
    return Measurement(drawn.value, drawn.low, drawn.high, int(usable.sum()), unit, False, note)


def _worst_over_mean(costs: FloatArray) -> FloatArray:
    mean = costs.mean(axis=1)
    ratios = np.full(len(costs), np.nan)
    np.divide(costs.max(axis=1), mean, out=ratios, where=mean > 0)
    return ratios
