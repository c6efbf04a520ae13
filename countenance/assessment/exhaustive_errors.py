"""Errors of all comparisons by group and between groups, with intervals over subjects, from the false matches alone.

How many comparisons two subjects have is the product of their numbers of samples, so that sums over all pairs of
subjects need no list of them: the variance of a rate over 200 million comparisons costs as much as its false matches.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy import sparse

from countenance.assessment.arrays import BoolArray, FloatArray, IntArray
from countenance.assessment.exhaustive_pairs import HighScores, Samples, pair_total
from countenance.assessment.group_error_counts import coded_groups, members_and_shown
from countenance.assessment.groups import DEFAULT_GROUP_SIZES, GroupSizes
from countenance.assessment.intervals import (
    DEFAULT_LEVEL,
    USUAL_DESIGN_EFFECT,
    Rate,
    rate_of_counts,
    rate_over_subjects,
    weighted_means,
)
from countenance.assessment.results import Result
from countenance.assessment.verification import accepted, weighted_pair_totals


class _Made(NamedTuple):
    """Comparisons of a set of pairs of subjects: of each subject [S], all, and their squares over pairs of subjects."""

    taken: FloatArray
    total: float
    squares: float


@dataclass(frozen=True, eq=False)
class SubjectPairErrors:
    """False matches between subjects; pairs of subjects that are not listed have none.

    Attributes:
        usable: samples of each subject that could be compared, [S].
        first: subject code of one side, [E].
        second: subject code of the other side, [E]; above ``first``, each pair once.
        errors: false matches of each pair, [E].
    """

    usable: IntArray
    first: IntArray
    second: IntArray
    errors: IntArray

    @classmethod
    def of(cls, high: HighScores, threshold: float) -> SubjectPairErrors:
        """Count the false matches at a threshold, score > threshold in float64."""
        rows = high.matches(threshold)
        one, other = (high.samples.subject[side].astype(np.int64) for side in rows)
        subjects = len(high.samples.subjects)
        keys, errors = np.unique(np.minimum(one, other) * subjects + np.maximum(one, other), return_counts=True)
        return cls(high.samples.usable, keys // subjects, keys % subjects, errors)

    def rate(
        self,
        one: BoolArray,
        other: BoolArray | None = None,
        *,
        level: float = DEFAULT_LEVEL,
        zero_error_design_effect: float = USUAL_DESIGN_EFFECT,
    ) -> Rate:
        """Return the FMR of all comparisons within a set of subjects, or between two that share none.

        Args:
            one: which subjects, [S].
            other: the other set, [S]; None compares within the first.
            level: of the interval.
            zero_error_design_effect: for the rule of three where there is no false match.
        """
        if other is None:
            return self.rate_within(
                np.where(one, 0, -1), level=level, zero_error_design_effect=zero_error_design_effect
            )
        inside = (one[self.first] & other[self.second]) | (other[self.first] & one[self.second])
        counts = self.usable.astype(np.float64)
        of_one, of_other = np.where(one, counts, 0.0), np.where(other, counts, 0.0)
        made = _Made(
            taken=of_one * of_other.sum() + of_other * of_one.sum(),
            total=of_one.sum() * of_other.sum(),
            squares=(of_one**2).sum() * (of_other**2).sum(),
        )
        return self._rate(inside, made, level, zero_error_design_effect)

    def rate_within(
        self,
        of_subject: IntArray,
        *,
        level: float = DEFAULT_LEVEL,
        zero_error_design_effect: float = USUAL_DESIGN_EFFECT,
    ) -> Rate:
        """Return the FMR of all comparisons of two subjects who are in the same group.

        Args:
            of_subject: group code of each subject, [S]; -1 = in no group.
            level: of the interval.
            zero_error_design_effect: for the rule of three where there is no false match.
        """
        known = of_subject >= 0
        inside = known[self.first] & (of_subject[self.first] == of_subject[self.second])
        counts = np.where(known, self.usable, 0).astype(np.float64)
        group = np.where(known, of_subject, 0)
        sums, squares, fourths = (np.bincount(group, counts**power) for power in (1, 2, 4))
        made = _Made(
            taken=counts * (sums[group] - counts),
            total=float((sums**2 - squares).sum()) / 2.0,
            squares=float((squares**2 - fourths).sum()) / 2.0,
        )
        return self._rate(inside, made, level, zero_error_design_effect)

    def _rate(self, inside: BoolArray, of: _Made, level: float, zero_error_design_effect: float) -> Rate:
        first, second, errors = self.first[inside], self.second[inside], self.errors[inside].astype(np.float64)
        counts, total = self.usable.astype(np.float64), of.total
        mistakes = int(errors.sum())
        subjects = int((of.taken > 0).sum())
        if total == 0.0:
            return rate_of_counts(0, 0, 0, 0.0, level=level)
        made = counts[first] * counts[second]
        rate = mistakes / total
        alone = float((errors**2).sum() - 2.0 * rate * (errors * made).sum() + rate**2 * of.squares)
        wrong = np.bincount(first, errors, len(counts)) + np.bincount(second, errors, len(counts))
        residuals = wrong - rate * of.taken
        shared = float((residuals**2).sum()) - 2.0 * alone
        variance = (alone + max(0.0, shared)) / total**2
        return rate_of_counts(
            mistakes,
            int(total),
            subjects,
            variance,
            level=level,
            zero_error_design_effect=zero_error_design_effect,
        )


class ExhaustiveErrorCounts:
    """The errors of each shown group over all comparisons within it, ready to be counted under any subject weights.

    The same questions as :class:`~countenance.assessment.differential.GroupErrorCounts` answers of listed comparisons.

    Args:
        high: the highest non-mated scores.
        groups: subject -> group; a subject that is not in it is in no group.
        threshold: accept when score > threshold; not below the floor of ``high``.
        sizes: subjects that a group needs to be shown.

    Attributes:
        threshold: accept when score > threshold.
        subjects: how many there are, S.
        all_names: of the groups, in order.
        members: subjects of each group.
        names: of the shown groups, [G].
        mated: mated comparisons of each shown group, failures to extract included, [G].
        non_mated: non-mated comparisons within each shown group, [G].
        errors: false matches by pair of subjects.
    """

    def __init__(
        self,
        high: HighScores,
        groups: Mapping[str, str],
        threshold: float,
        sizes: GroupSizes = DEFAULT_GROUP_SIZES,
    ) -> None:
        samples: Samples = high.samples
        self.threshold = float(threshold)
        self.subjects = len(samples.subjects)
        self.of_subject, self.all_names = coded_groups(samples.subjects, groups)
        self.members, self._shown = members_and_shown(self.of_subject, len(self.all_names), sizes)
        self.names = tuple(self.all_names[code] for code in self._shown)
        self.errors = SubjectPairErrors.of(high, threshold)
        self._usable = samples.usable.astype(np.float64)
        self._wrong = sparse.csr_array(
            (self.errors.errors.astype(np.float64), (self.errors.first, self.errors.second)),
            shape=(self.subjects, self.subjects),
        )
        subject, scores = samples.mated_scores()
        self._mated_subject, self._missed = subject, ~accepted(scores, threshold)
        self._mated_made = np.bincount(subject, minlength=self.subjects).astype(np.float64)
        self._mated_wrong = np.bincount(subject, self._missed, self.subjects)
        self._inside = self.of_subject[:, None] == np.asarray(self._shown, dtype=np.int64)[None, :]
        self.mated = [int(count) for count in self._mated_made @ self._inside]
        self.non_mated = [int(pair_total(self._usable * column)) for column in self._inside.T]

    def fmr(self, weights: IntArray) -> FloatArray:
        """Return each shown group's FMR under each row of ``weights`` [B, S]; NaN without comparisons: [B, G]."""
        rates = np.full((len(weights), len(self.names)), np.nan)
        for column, member in enumerate(self._inside.T):
            rates[:, column] = self._fmr_within(weights, member)
        return rates

    def fnmr(self, weights: IntArray) -> FloatArray:
        """Return each shown group's FNMR under each row of ``weights`` [B, S]; NaN without comparisons: [B, G]."""
        made, wrong = self._mated_made[:, None] * self._inside, self._mated_wrong[:, None] * self._inside
        return weighted_means(weights, wrong, made)

    def overall(self, weights: IntArray) -> FloatArray:
        """Return FMR and FNMR over all comparisons under each row of ``weights`` [B, S]: [B, 2]."""
        everyone = np.ones(self.subjects, dtype=np.bool_)
        fnmr = weighted_means(weights, self._mated_wrong, self._mated_made)
        return np.stack([self._fmr_within(weights, everyone), fnmr], axis=1)

    @property
    def comparisons(self) -> tuple[int, int]:
        """Non-mated and mated comparisons in all."""
        return int(pair_total(self._usable)), int(self._mated_made.sum())

    def _fmr_within(self, weights: IntArray, member: BoolArray) -> FloatArray:
        rows = np.flatnonzero(member)
        drawn = weights[:, rows].astype(np.float64)
        many = drawn * self._usable[rows]
        total = (many.sum(axis=1) ** 2 - (many**2).sum(axis=1)) / 2.0
        errors = weighted_pair_totals(weights[:, rows], self._wrong[rows][:, rows])
        rates = np.full(len(weights), np.nan)
        np.divide(errors, total, out=rates, where=total > 0)
        return np.asarray(rates)

    def pooled_design_effects(self) -> tuple[float, float]:
        """The design effects of FMR within groups and of FNMR, over all subjects that are in a group."""
        known = self.of_subject >= 0
        matches, misses = (
            self.errors.rate_within(self.of_subject),
            self._misses(known, DEFAULT_LEVEL, USUAL_DESIGN_EFFECT),
        )
        return matches.design_effect or USUAL_DESIGN_EFFECT, misses.design_effect or USUAL_DESIGN_EFFECT

    def rates_of_group(self, code: int, pooled: tuple[float, float], level: float) -> tuple[Rate, Rate]:
        """FMR and FNMR of the group of that code."""
        member = self.of_subject == code
        fmr = self.errors.rate(member, level=level, zero_error_design_effect=pooled[0])
        return fmr, self._misses(member, level, pooled[1])

    def _misses(self, member: BoolArray, level: float, design_effect: float) -> Rate:
        own = member[self._mated_subject]
        return rate_over_subjects(
            self._missed[own], self._mated_subject[own], level=level, zero_error_design_effect=design_effect
        )


@dataclass(frozen=True)
class CrossGroupFmr(Result):
    """FMR of all comparisons between any two groups at a common threshold.

    Attributes:
        threshold: accept when score > threshold.
        groups: names of the groups that are large enough to be shown, [G].
        rates: [G, G], symmetric; on the diagonal those within a group.
        suppressed: names of the others.
    """

    threshold: float
    groups: tuple[str, ...]
    rates: tuple[tuple[Rate, ...], ...]
    suppressed: tuple[str, ...]


def cross_group_fmr(counts: ExhaustiveErrorCounts, *, level: float = DEFAULT_LEVEL) -> CrossGroupFmr:
    """Measure the FMR within and between all shown groups, each with its dyadic interval over subjects."""
    within, _ = counts.pooled_design_effects()
    between = counts.errors.rate(counts.of_subject >= 0).design_effect or USUAL_DESIGN_EFFECT
    member = [counts.of_subject == counts.all_names.index(name) for name in counts.names]
    rates: list[list[Rate]] = [[] for _ in member]
    for row, one in enumerate(member):
        for column, other in enumerate(member):
            if column < row:
                rates[row].append(rates[column][row])
                continue
            both, pooled = (None, within) if column == row else (other, between)
            rates[row].append(counts.errors.rate(one, both, level=level, zero_error_design_effect=pooled))
    hidden = tuple(name for name in counts.all_names if name not in counts.names)
    return CrossGroupFmr(counts.threshold, counts.names, tuple(map(tuple, rates)), hidden)
