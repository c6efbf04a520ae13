"""1:1 verification: the threshold at a false accept rate, and how many mated comparisons it accepts.

One rule everywhere: accept when score > tau, tau = the (k+1)-th largest non-mated score, k = floor(FAR * N). Equal
scores are accepted or refused together, so the realised FAR never exceeds its target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from countenance.assessment.arrays import BoolArray, FloatArray, IntArray, score_vector
from countenance.assessment.intervals import (
    DEFAULT_LEVEL,
    DEFAULT_RESAMPLING,
    Rate,
    Resampling,
    bootstrap_over_subjects,
    rate_over_subjects,
)
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.results import Measurement, Result
from countenance.errors import AssessmentError

# Below every cosine: the threshold where only comparisons that a failure to extract spoilt are left to refuse.
BELOW_ALL = -2.0
# Up to this many subjects a dense matrix of pair counts is small (72 MB) and much faster than a sparse one.
DENSE_SUBJECTS = 3000


@dataclass(frozen=True)
class ThresholdAtFar(Result):
    """The threshold that keeps the false accept rate at or under a target.

    Attributes:
        far: the target.
        threshold: accept when score > threshold; None where the target is below 1 / non_mated.
        realised_far: false_accepts / non_mated; None in the same case.
        false_accepts: non-mated comparisons above the threshold; None in the same case.
        non_mated: non-mated comparisons in all.
    """

    far: float
    threshold: float | None
    realised_far: float | None
    false_accepts: int | None
    non_mated: int

    @property
    def note(self) -> str:
        """Say why nothing was measured, or give the counts."""
        if self.threshold is None:
            return f"not measurable: FAR {self.far:g} is below 1 in {self.non_mated:,} non-mated comparisons"
        return f"{self.false_accepts:,} of {self.non_mated:,} non-mated comparisons accepted"


@dataclass(frozen=True)
class TarAtFar(Result):
    """The true accept rate at a false accept rate, with all its counts.

    Attributes:
        tar: accepted / mated; None where the FAR is not measurable or there is no mated comparison.
        accepted: mated comparisons above the threshold; None where the FAR is not measurable.
        mated: mated comparisons in all, failures to extract included.
        at: the threshold and the non-mated counts.
    """

    tar: float | None
    accepted: int | None
    mated: int
    at: ThresholdAtFar


def allowed_false_accepts(far: float, non_mated: int) -> int:
    """Return k = floor(FAR * N), exact for the decimal number that was written.

    0.29 * 100 is 28.999999999999996 in floating point; the rule means 29.
    """
    if not 0.0 < far < 1.0:
        raise AssessmentError(f"The false accept rate is {far}: give a number between 0 and 1.")
    return int(Fraction(repr(float(far))) * non_mated)


def accepted(scores: FloatArray, threshold: float) -> BoolArray:
    """Return score > threshold, compared in float64 so that a float32 score never meets a rounded threshold."""
    return np.asarray(scores > np.float64(threshold))


def threshold_at_far(non_mated_scores: ArrayLike, far: float) -> ThresholdAtFar:
    """Return the threshold for a target false accept rate (the rule at the top of this module).

    Args:
        non_mated_scores: [N], higher = more alike; minus infinity stands for a failure to extract, never accepted.
        far: the target, between 0 and 1.
    """
    scores = score_vector(non_mated_scores, what="non-mated scores", failures_allowed=True)
    return _threshold_of_sorted(np.sort(scores), far)


def _threshold_of_sorted(ascending: FloatArray, far: float) -> ThresholdAtFar:
    count = len(ascending)
    allowed = allowed_false_accepts(far, count)
    if allowed == 0:
        return ThresholdAtFar(float(far), None, None, None, count)
    threshold = ascending[count - 1 - allowed]
    false_accepts = count - int(np.searchsorted(ascending, threshold, side="right"))
    return ThresholdAtFar(float(far), finite_threshold(threshold), false_accepts / count, false_accepts, count)


def finite_threshold(threshold: float) -> float:
    """Return the threshold as a number that can be stored, with the same decisions on cosines."""
    return BELOW_ALL if threshold == -np.inf else float(threshold)


def tar_at_far(mated: ArrayLike, non_mated: ArrayLike, fars: Sequence[float]) -> tuple[TarAtFar, ...]:
    """Return TAR at each target FAR.

    Args:
        mated: scores of mated comparisons, [M]; minus infinity stands for a failure to extract, never accepted.
        non_mated: scores of non-mated comparisons, [N]; likewise.
        fars: the targets.
    """
    same = score_vector(mated, what="mated scores", failures_allowed=True)
    ascending = np.sort(score_vector(non_mated, what="non-mated scores", failures_allowed=True))
    return tuple(_tar_at(same, _threshold_of_sorted(ascending, far)) for far in fars)


def _tar_at(mated: FloatArray, at: ThresholdAtFar) -> TarAtFar:
    if at.threshold is None:
        return TarAtFar(None, None, len(mated), at)
    count = int(accepted(mated, at.threshold).sum())
    return TarAtFar(count / len(mated) if len(mated) else None, count, len(mated), at)


class ThresholdResampler:
    """The threshold at a FAR as a statistic of subject weights.

    A comparison counts as often as its weight. The scores are sorted once; a resample then only walks the highest
    of them until its allowance of false accepts is spent, so that 1,000 resamples of millions take seconds.
    """

    def __init__(self, scores: ComparisonScores, far: float) -> None:
        pairs = scores.pairs
        self.far = far
        descending = np.argsort(-scores.non_mated, kind="stable")
        self._scores = scores.non_mated[descending]
        self._first = pairs.non_mated_subject_first[descending]
        self._second = pairs.non_mated_subject_second[descending]
        self._counts = pair_counts(self._first, self._second, len(pairs.subjects))

    def __call__(self, weights: IntArray) -> FloatArray:
        """Return the threshold under each row of ``weights`` [B, S], NaN where it is not measurable: [B] float64."""
        thresholds = np.full(len(weights), np.nan)
        for row, (weight, total) in enumerate(zip(weights, weighted_pair_totals(weights, self._counts), strict=True)):
            allowed = allowed_false_accepts(self.far, round(total))
            if allowed:
                thresholds[row] = self._scores[self._position(weight, allowed)]
        return thresholds

    def _position(self, weight: IntArray, allowed: int) -> int:
        length = 4 * (allowed + 1)
        while True:
            spent = np.cumsum(weight[self._first[:length]] * weight[self._second[:length]])
            if spent[-1] > allowed:
                return int(np.searchsorted(spent, allowed, side="right"))
            length *= 2


class TarResampler:
    """TAR at a FAR as a statistic of subject weights, its threshold found again in every resample."""

    def __init__(self, scores: ComparisonScores, far: float) -> None:
        self._thresholds = ThresholdResampler(scores, far)
        mated_order = np.argsort(-scores.mated, kind="stable")
        self._mated_negated = -scores.mated[mated_order].astype(np.float64)
        self._mated_subject = scores.pairs.mated_subject[mated_order]

    def __call__(self, weights: IntArray) -> FloatArray:
        """Return TAR under each row of ``weights`` [B, S], NaN where it is not measurable: [B] float64."""
        tars = np.full(len(weights), np.nan)
        for row, (weight, threshold) in enumerate(zip(weights, self._thresholds(weights), strict=True)):
            mated = np.cumsum(weight[self._mated_subject])
            if np.isnan(threshold) or len(mated) == 0 or mated[-1] == 0:
                continue
            count = int(np.searchsorted(self._mated_negated, -threshold, side="left"))
            tars[row] = (mated[count - 1] if count else 0) / mated[-1]
        return tars


def pair_counts(first: IntArray, second: IntArray, subjects: int) -> sparse.csr_array | FloatArray:
    """Return how many comparisons each pair of subject codes has, [S, S], each comparison in one cell."""
    counts = sparse.csr_array(
        (np.ones(len(first)), (np.asarray(first), np.asarray(second))), shape=(subjects, subjects)
    )
    counts.sum_duplicates()
    return counts.toarray() if subjects <= DENSE_SUBJECTS else counts


def weighted_pair_totals(weights: IntArray, counts: sparse.csr_array | FloatArray) -> FloatArray:
    """Return the number of comparisons under each row of ``weights`` [B, S]: w' C w, [B] float64."""
    drawn = weights.astype(np.float64)
    return np.asarray(((counts @ drawn.T).T * drawn).sum(axis=1))


def measure_tar_at_far(
    scores: ComparisonScores, far: float, resampling: Resampling = DEFAULT_RESAMPLING
) -> Measurement:
    """Measure TAR at a FAR with an interval over subjects.

    The interval spans two: the bootstrap over subjects with the threshold found again in each resample, which
    carries the threshold's own doubt; and the interval of the rate at the fixed threshold, which stays honest when
    every mated comparison was accepted and no resample can show an error.
    """
    (point,) = tar_at_far(scores.mated, scores.non_mated, [far])
    if point.tar is None or point.at.threshold is None:
        note = point.at.note if point.at.threshold is None else "not measurable: no mated comparisons"
        return Measurement.missing("proportion", higher_is_better=True, note=note)
    drawn = bootstrap_over_subjects(TarResampler(scores, far), len(scores.pairs.subjects), resampling)
    fixed = false_non_match_rate(scores, point.at.threshold, level=resampling.level)
    lows = [end for end in (drawn.low, None if fixed.high is None else 1.0 - fixed.high) if end is not None]
    highs = [end for end in (drawn.high, None if fixed.low is None else 1.0 - fixed.low) if end is not None]
    note = f"TAR@FAR={far:g}, {point.accepted:,} of {point.mated:,} mated accepted; {point.at.note}"
    return Measurement(
        point.tar,
        min(lows, default=None),
        max(highs, default=None),
        point.mated,
        "proportion",
        True,
        note,
    )


def false_non_match_rate(scores: ComparisonScores, threshold: float, *, level: float = DEFAULT_LEVEL) -> Rate:
    """Return FNMR at a threshold, a failure to extract counted as a non-match, with its interval over subjects."""
    return rate_over_subjects(~accepted(scores.mated, threshold), scores.pairs.mated_subject, level=level)


def false_match_rate(scores: ComparisonScores, threshold: float, *, level: float = DEFAULT_LEVEL) -> Rate:
    """Return FMR at a threshold with its dyadic interval over subjects."""
    pairs = scores.pairs
    return rate_over_subjects(
        accepted(scores.non_mated, threshold),
        pairs.non_mated_subject_first,
        pairs.non_mated_subject_second,
        level=level,
    )
