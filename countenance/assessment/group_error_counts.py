"""How many comparisons each group has and how many were decided wrongly, under any weights of the subjects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from scipy import sparse

from countenance.assessment.arrays import AnyArray, BoolArray, FloatArray, IntArray
from countenance.assessment.groups import DEFAULT_GROUP_SIZES, GroupSizes
from countenance.assessment.intervals import USUAL_DESIGN_EFFECT, Rate, rate_over_subjects, weighted_means
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.verification import accepted, pair_counts, weighted_pair_totals
from countenance.errors import AssessmentError


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
