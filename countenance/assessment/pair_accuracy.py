"""Accuracy of pairs over folds with an interval over subjects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countenance.assessment.arrays import BoolArray, FloatArray
from countenance.assessment.folds import verification_accuracy
from countenance.assessment.intervals import DEFAULT_LEVEL, Interval, dyadic_variance, wilson_interval, zero_error_bound
from countenance.assessment.pair_scores import PhotoPairScores
from countenance.assessment.results import Result

# Beyond this share of either kind, accuracy says more of the list than of the model.
_UNEVEN = 0.6


@dataclass(frozen=True)
class PairAccuracy(Result):
    """The share of right decisions, each fold at the threshold that is best on the other folds.

    Attributes:
        mean: of the folds; None where it could not be measured, and ``note`` says why.
        low: lower end of its interval; None where there is none.
        high: upper end; None in the same case.
        folds: numbers of the folds, ascending.
        by_fold: one a fold.
        thresholds: one a fold; accept when score > threshold.
        note: why nothing was measured, or what a reader must know; empty where there is nothing to say.
    """

    mean: float | None
    low: float | None
    high: float | None
    folds: tuple[int, ...]
    by_fold: tuple[float, ...]
    thresholds: tuple[float, ...]
    note: str = ""


def pair_accuracy(pairs: PhotoPairScores, *, level: float = DEFAULT_LEVEL) -> PairAccuracy:
    """Return the accuracy over folds; a comparison that could not be made is decided as no match.

    The interval is that of the mean over folds when subjects are drawn again, the thresholds as they are.

    Args:
        pairs: the scored pairs.
        level: of the interval, e.g. 0.95.
    """
    reason = _unmeasurable(pairs)
    if reason:
        return PairAccuracy(None, None, None, (), (), (), f"not measurable: {reason}")
    numbers, fold = np.unique(pairs.fold, return_inverse=True)
    found = verification_accuracy(pairs.scores, pairs.mated, fold)
    wrong = (pairs.scores > np.array(found.thresholds)[fold]) != pairs.mated
    weights = len(pairs) / (len(numbers) * np.bincount(fold)[fold])
    interval = _interval_of_error(wrong, weights, pairs, level)
    low, high = (None, None) if interval is None else (1.0 - interval.high, 1.0 - interval.low)
    folds = tuple(int(number) for number in numbers)
    return PairAccuracy(found.mean, low, high, folds, found.accuracies, found.thresholds, _note(pairs))


def _unmeasurable(pairs: PhotoPairScores) -> str:
    mated = int(pairs.mated.sum())
    if mated in (0, len(pairs)):
        return f"all pairs are {'mated' if mated else 'non-mated'}, so that one answer fits all"
    if len(np.unique(pairs.fold)) < 2:
        return "the pairs are one fold, and each fold's threshold comes from the others"
    if len(np.unique(pairs.fold[~pairs.failed])) < 2:
        return "a fold has no scores beside it to set its threshold on"
    return ""


def _note(pairs: PhotoPairScores) -> str:
    mated = int(pairs.mated.sum())
    if max(mated, len(pairs) - mated) <= _UNEVEN * len(pairs):
        return ""
    return f"{mated:,} of {len(pairs):,} pairs are mated: accuracy follows the larger kind, look at TAR at FAR"


def _interval_of_error(wrong: BoolArray, weights: FloatArray, pairs: PhotoPairScores, level: float) -> Interval | None:
    """Wilson's interval as in :func:`countenance.assessment.intervals.rate_over_subjects`, folds weighing alike."""
    first, second = pairs.first_subject, pairs.second_subject
    subjects = len(np.union1d(first, second))
    count, mistakes = len(wrong), int(wrong.sum())
    if subjects < 2:
        return None
    if mistakes in (0, count):
        bound = zero_error_bound(count, level=level)
        return Interval(0.0, bound) if mistakes == 0 else Interval(1.0 - bound, 1.0)
    size = np.int64(max(first.max(), second.max()) + 1)
    keys, dyad = np.unique(np.minimum(first, second) * size + np.maximum(first, second), return_inverse=True)
    errors, comparisons = (np.bincount(dyad, values, len(keys)) for values in (weights * wrong, weights))
    variance = dyadic_variance(errors, comparisons, keys // size, keys % size)
    rate = float((weights * wrong).sum()) / count
    effect = max(1.0, variance * count / (rate * (1.0 - rate)))
    return wilson_interval(rate, count / effect, level=level, degrees_of_freedom=subjects - 1)
