"""Identity errors by group, at one threshold common to all groups (a threshold for each would hide bias).

FMR of a group is over non-mated comparisons within the group: random impostors, mostly of other groups, understate
the risk. FNMR counts a failure to extract as a non-match. Summary measures: worst over geometric mean, the leading
candidate of NIST (Grother, NISTIR 8429, 2022), and the Gini coefficient (Howard et al., "Evaluating proposed fairness
models for face recognition", GARBE, 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from countenance.assessment.arrays import FloatArray, IntArray
from countenance.assessment.group_error_counts import ErrorCounts, GroupErrorCounts
from countenance.assessment.groups import DEFAULT_GROUP_SIZES, GroupSizes, GroupStatus
from countenance.assessment.intervals import DEFAULT_RESAMPLING, Rate, Resampling, bootstrap_over_subjects
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.results import Measurement, Result


@dataclass(frozen=True)
class GroupErrorRates(Result):
    """One group's error rates.

    Attributes:
        group: its name.
        subjects: how many; None where suppressed.
        status: "sufficient", "insufficient" or "suppressed".
        fmr: false match rate within the group; None where suppressed.
        fnmr: false non-match rate; None where suppressed.
    """

    group: str
    subjects: int | None
    status: GroupStatus
    fmr: Rate | None
    fnmr: Rate | None


@dataclass(frozen=True)
class Differential(Result):
    """Error rates of all groups at a common threshold, and how unequal they are.

    Attributes:
        threshold: accept when score > threshold.
        groups: in the order of their names.
        fmr_disparity: worst / geometric mean of the shown groups' FMR; undefined while a group has no false match.
        fnmr_disparity: the same of FNMR.
        fmr_gini: Gini coefficient of the shown groups' FMR, 0 = equal; None where all are zero or fewer than two.
        fnmr_gini: the same of FNMR.
    """

    threshold: float
    groups: tuple[GroupErrorRates, ...]
    fmr_disparity: Measurement
    fnmr_disparity: Measurement
    fmr_gini: float | None
    fnmr_gini: float | None

    @property
    def shown(self) -> tuple[GroupErrorRates, ...]:
        """The groups that are not suppressed."""
        return tuple(item for item in self.groups if item.status != "suppressed")

    def worst(self, error: Literal["fmr", "fnmr"]) -> str | None:
        """The name of the shown group with the highest rate; None where none has one."""
        rates = {item.group: getattr(item, error) for item in self.shown}
        known = {name: rate.value for name, rate in rates.items() if rate is not None and rate.value is not None}
        return max(known, key=lambda name: known[name]) if known else None


def error_rates_by_group(
    scores: ComparisonScores,
    groups: Mapping[str, str],
    threshold: float,
    *,
    sizes: GroupSizes = DEFAULT_GROUP_SIZES,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Differential:
    """Measure FMR and FNMR by group at a common threshold.

    Args:
        scores: one system's scores.
        groups: subject -> group; a subject that is not in it is in no group.
        threshold: accept when score > threshold.
        sizes: subjects a group needs to be shown, and to be called sufficient.
        resampling: for the disparities' intervals; its level is also that of the rates' intervals.
    """
    return differential_of(GroupErrorCounts(scores, groups, threshold, sizes), sizes=sizes, resampling=resampling)


def differential_of(
    counts: ErrorCounts, *, sizes: GroupSizes = DEFAULT_GROUP_SIZES, resampling: Resampling = DEFAULT_RESAMPLING
) -> Differential:
    """Measure FMR and FNMR by group from errors that were counted already; see :func:`error_rates_by_group`."""
    pooled = counts.pooled_design_effects()
    rates = tuple(_rates_of_group(counts, code, sizes, pooled, resampling.level) for code in range(len(counts.members)))
    shown = [item for item in rates if item.fmr is not None and item.fnmr is not None]
    return Differential(
        threshold=counts.threshold,
        groups=rates,
        fmr_disparity=_disparity(counts.fmr, counts, "false match", resampling),
        fnmr_disparity=_disparity(counts.fnmr, counts, "false non-match", resampling),
        fmr_gini=gini([item.fmr.value for item in shown if item.fmr is not None]),
        fnmr_gini=gini([item.fnmr.value for item in shown if item.fnmr is not None]),
    )


def _rates_of_group(
    counts: ErrorCounts, code: int, sizes: GroupSizes, pooled: tuple[float, float], level: float
) -> GroupErrorRates:
    name, size = counts.all_names[code], int(counts.members[code])
    status = sizes.status(size)
    if status == "suppressed":
        return GroupErrorRates(name, None, status, None, None)
    return GroupErrorRates(name, size, status, *counts.rates_of_group(code, pooled, level))


def worst_over_geometric_mean(rates: FloatArray) -> FloatArray:
    """Return max / geometric mean of each row of ``rates`` [B, G]: [B], NaN where a rate is zero or missing."""
    ratios = np.full(len(rates), np.nan)
    usable = (rates > 0).all(axis=1) & (rates.shape[1] > 1)
    if not usable.any():
        return ratios
    positive = rates[usable]
    ratios[usable] = positive.max(axis=1) / np.exp(np.log(positive).mean(axis=1))
    return ratios


def gini(rates: Sequence[float | None]) -> float | None:
    """Return the Gini coefficient n/(n-1) * sum |xi - xj| / (2 n^2 mean), over all ordered pairs; 0 = equal.

    None with fewer than two rates, a missing one, or all zero.
    """
    if len(rates) < 2 or any(rate is None for rate in rates):
        return None
    values = np.array(rates, dtype=np.float64)
    count, mean = len(values), values.mean()
    if mean == 0.0:
        return None
    spread = np.abs(values[:, None] - values[None, :]).sum()
    return float(count / (count - 1) * spread / (2.0 * count**2 * mean))


def _disparity(
    rates: Callable[[IntArray], FloatArray], counts: ErrorCounts, error: str, resampling: Resampling
) -> Measurement:
    drawn = bootstrap_over_subjects(
        lambda weights: worst_over_geometric_mean(rates(weights)), counts.subjects, resampling
    )
    shown = len(counts.names)
    if drawn.value is None:
        note = (
            f"not measurable: a group has no {error}"
            if shown > 1
            else "not measurable: fewer than two groups are large enough"
        )
        return Measurement.missing("worst / geometric mean", higher_is_better=False, note=note)
    note = f"over {shown} groups" + (f"; {drawn.note}" if drawn.note else "")
    return Measurement(drawn.value, drawn.low, drawn.high, shown, "worst / geometric mean", False, note)
