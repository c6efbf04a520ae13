"""Identity errors by group, at one threshold common to all groups (a threshold for each would hide bias).

FMR of a group is over non-mated comparisons within the group: random impostors, mostly of other groups, understate
the risk. FNMR counts a failure to extract as a non-match. Summary measures: worst over geometric mean, the leading
candidate of NIST (Grother, NISTIR 8429, 2022), and the Gini coefficient (Howard et al., "Evaluating proposed fairness
models for face recognition", GARBE, 2022).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy import sparse

from countenance.assessment.arrays import AnyArray, BoolArray, FloatArray, IntArray
from countenance.assessment.groups import DEFAULT_GROUP_SIZES, GroupSizes, GroupStatus
from countenance.assessment.intervals import (
    DEFAULT_RESAMPLING,
    USUAL_DESIGN_EFFECT,
    Rate,
    Resampling,
    bootstrap_over_subjects,
    rate_over_subjects,
    weighted_means,
)
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.results import Measurement, Result
from countenance.assessment.verification import accepted, pair_counts, weighted_pair_totals
from countenance.errors import AssessmentError


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


class ErrorCounts(Protocol):
    """Errors by group that can be counted again under any subject weights, however the comparisons were made."""

    threshold: float
    subjects: int
    members: IntArray
    all_names: tuple[str, ...]
    names: tuple[str, ...]
    mated: list[int]
    non_mated: list[int]

    def fmr(self, weights: IntArray) -> FloatArray:
        """Each shown group's FMR under each row of ``weights`` [B, S]: [B, G]."""

    def fnmr(self, weights: IntArray) -> FloatArray:
        """Each shown group's FNMR under each row of ``weights`` [B, S]: [B, G]."""

    def pooled_design_effects(self) -> tuple[float, float]:
        """Of FMR and FNMR over all groups."""

    def rates_of_group(self, code: int, pooled: tuple[float, float], level: float) -> tuple[Rate, Rate]:
        """FMR and FNMR of the group of that code."""


class GroupErrorCounts:
    """The errors of each shown group by subject, ready to be counted again under any subject weights.

    Attributes:
        names: shown groups, [G].
        threshold: accept when score > threshold.
        mated: mated comparisons of each shown group, [G].
        non_mated: non-mated comparisons within each shown group, [G].
    """

    def __init__(
        self,
        scores: ComparisonScores,
        groups: Mapping[str, str],
        threshold: float,
        sizes: GroupSizes = DEFAULT_GROUP_SIZES,
    ) -> None:
        self.threshold = float(threshold)
        self._scores = scores
        self.of_subject, self.all_names = group_codes(scores, groups)
        self.members, self.shown = members_and_shown(self.of_subject, len(self.all_names), sizes)
        self.names = tuple(self.all_names[code] for code in self.shown)
        pairs = scores.pairs
        subjects = len(pairs.subjects)
        self.subjects = subjects
        false_match = accepted(scores.non_mated, threshold)
        self._made: list[sparse.csr_array | FloatArray] = []
        self._wrong: list[sparse.csr_array | FloatArray] = []
        self._rows: list[IntArray] = []
        for code in self.shown:
            inside = self.within(pairs.non_mated_subject_first, pairs.non_mated_subject_second, code)
            first, second = pairs.non_mated_subject_first[inside], pairs.non_mated_subject_second[inside]
            rows = np.flatnonzero(self.of_subject == code)
            first, second = np.searchsorted(rows, first), np.searchsorted(rows, second)
            matched = false_match[inside]
            self._rows.append(rows)
            self._made.append(pair_counts(first, second, len(rows)))
            self._wrong.append(pair_counts(first[matched], second[matched], len(rows)))
        self.non_mated = [int(made.sum()) for made in self._made]
        self._mated_made, self._mated_wrong = self._mated_counts(scores, threshold, subjects)
        self.mated = [int(count) for count in self._mated_made.sum(axis=0)]

    def within(self, first: IntArray, second: IntArray, code: int) -> BoolArray:
        """Return which comparisons have both subjects in the group."""
        return np.asarray((self.of_subject[first] == code) & (self.of_subject[second] == code))

    def _mated_counts(self, scores: ComparisonScores, threshold: float, subjects: int) -> tuple[FloatArray, FloatArray]:
        missed = ~accepted(scores.mated, threshold)
        made = np.bincount(scores.pairs.mated_subject, minlength=subjects).astype(np.float64)
        wrong = np.bincount(scores.pairs.mated_subject, missed, subjects)
        member = self.of_subject[:, None] == np.asarray(self.shown, dtype=np.int64)[None, :]
        return made[:, None] * member, wrong[:, None] * member

    def fmr(self, weights: IntArray) -> FloatArray:
        """Return each shown group's FMR under each row of ``weights`` [B, S]; NaN without comparisons: [B, G]."""
        rates = np.full((len(weights), len(self.names)), np.nan)
        for column, (rows, made, wrong) in enumerate(zip(self._rows, self._made, self._wrong, strict=True)):
            drawn = weights[:, rows]
            total = weighted_pair_totals(drawn, made)
            np.divide(weighted_pair_totals(drawn, wrong), total, out=rates[:, column], where=total > 0)
        return rates

    def fnmr(self, weights: IntArray) -> FloatArray:
        """Return each shown group's FNMR under each row of ``weights`` [B, S]; NaN without comparisons: [B, G]."""
        return weighted_means(weights, self._mated_wrong, self._mated_made)

    def pooled_design_effects(self) -> tuple[float, float]:
        """The design effects of FMR and FNMR over all groups."""
        pairs = self._scores.pairs
        first, second = pairs.non_mated_subject_first, pairs.non_mated_subject_second
        same_group = (self.of_subject[first] == self.of_subject[second]) & (self.of_subject[first] >= 0)
        matches = rate_over_subjects(
            accepted(self._scores.non_mated, self.threshold)[same_group], first[same_group], second[same_group]
        )
        known = self.of_subject[pairs.mated_subject] >= 0
        misses = rate_over_subjects(~accepted(self._scores.mated, self.threshold)[known], pairs.mated_subject[known])
        return matches.design_effect or USUAL_DESIGN_EFFECT, misses.design_effect or USUAL_DESIGN_EFFECT

    def rates_of_group(self, code: int, pooled: tuple[float, float], level: float) -> tuple[Rate, Rate]:
        """FMR and FNMR of the group of that code; ``pooled`` design effects serve where no error was seen."""
        pairs = self._scores.pairs
        inside = self.within(pairs.non_mated_subject_first, pairs.non_mated_subject_second, code)
        fmr = rate_over_subjects(
            accepted(self._scores.non_mated[inside], self.threshold),
            pairs.non_mated_subject_first[inside],
            pairs.non_mated_subject_second[inside],
            level=level,
            zero_error_design_effect=pooled[0],
        )
        own = self.of_subject[pairs.mated_subject] == code
        fnmr = rate_over_subjects(
            ~accepted(self._scores.mated[own], self.threshold),
            pairs.mated_subject[own],
            level=level,
            zero_error_design_effect=pooled[1],
        )
        return fmr, fnmr


def group_codes(scores: ComparisonScores, groups: Mapping[str, str]) -> tuple[IntArray, tuple[str, ...]]:
    """Return the group code of each subject of the comparisons, [S], -1 = in no group, and the groups' names."""
    return coded_groups(scores.pairs.subjects, groups)


def coded_groups(subjects: AnyArray, groups: Mapping[str, str]) -> tuple[IntArray, tuple[str, ...]]:
    """Return the group code of each of the subjects, [S], -1 = in no group, and the groups' names."""
    labels = [groups.get(subject) for subject in subjects]
    names = tuple(sorted({str(label) for label in labels if label is not None}))
    if not names:
        raise AssessmentError("No subject of the comparisons is in a group: key the groups by the same subjects.")
    number = {name: code for code, name in enumerate(names)}
    return np.array([-1 if label is None else number[label] for label in labels], dtype=np.int64), names


def members_and_shown(of_subject: IntArray, groups: int, sizes: GroupSizes) -> tuple[IntArray, list[int]]:
    """Return how many subjects each group has, [groups], and the codes of those that are large enough to be shown."""
    members = np.bincount(of_subject[of_subject >= 0], minlength=groups)
    return members, [code for code, size in enumerate(members) if sizes.status(int(size)) != "suppressed"]


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
    usable = (rates > 0).all(axis=1) if rates.shape[1] > 1 else np.zeros(len(rates), dtype=np.bool_)
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
