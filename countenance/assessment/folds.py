"""Verification accuracy over folds: the protocol of LFW and of the packs made in its image."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import BoolArray, FloatArray, IntArray, same_length, score_vector
from countenance.assessment.results import Result
from countenance.errors import AssessmentError


@dataclass(frozen=True)
class VerificationAccuracy(Result):
    """Accuracy over folds, each at the best threshold of the other folds.

    Attributes:
        mean: mean accuracy of the folds.
        standard_deviation: of the folds' accuracies (population form, as published).
        accuracies: one a fold, in the order of the fold numbers.
        thresholds: one a fold; accept when score > threshold.
        comparisons: pairs in the folds.
    """

    mean: float
    standard_deviation: float
    accuracies: tuple[float, ...]
    thresholds: tuple[float, ...]
    comparisons: int


def subject_folds(first: IntArray, second: IntArray, folds: int, generator: np.random.Generator) -> IntArray:
    """Deal subjects into folds and return each pair's fold, [P]; -1 where its two subjects are in different ones.

    Args:
        first: subject code of one side, [P].
        second: subject code of the other side, [P].
        folds: how many, at least 2.
        generator: the source of the deal.
    """
    subjects = int(max(first.max(), second.max())) + 1
    if folds < 2 or subjects < folds:
        raise AssessmentError(f"{subjects} subjects cannot be dealt into {folds} folds: give 2 to {subjects}.")
    fold_of = generator.permutation(np.arange(subjects) % folds)
    return np.where(fold_of[first] == fold_of[second], fold_of[first], -1)


def verification_accuracy(scores: ArrayLike, mated: ArrayLike, folds: IntArray) -> VerificationAccuracy:
    """Return the share of right decisions, each fold at the threshold that is best on the other folds.

    The protocol of LFW (Huang et al., 2007), whose folds hold as many mated as non-mated pairs. On uneven numbers
    the share follows the larger class; use ``tar_at_far`` there.

    Args:
        scores: [P], higher = more alike.
        mated: whether each pair is mated, [P].
        folds: fold of each pair, [P], at least two different; a negative fold leaves the pair out.
    """
    values = score_vector(scores, what="scores", failures_allowed=True).astype(np.float64)
    truth = np.asarray(mated, dtype=np.bool_)
    same_length(scores=len(values), mated=len(truth), folds=len(folds))
    numbers = np.unique(folds[folds >= 0])
    if len(numbers) < 2:
        raise AssessmentError(f"Verification accuracy needs two folds or more, not {len(numbers)}.")
    accuracies, thresholds = [], []
    for number in numbers:
        others, here = (folds >= 0) & (folds != number), folds == number
        threshold = best_threshold(values[others], truth[others])
        thresholds.append(threshold)
        accuracies.append(float(((values[here] > threshold) == truth[here]).mean()))
    return VerificationAccuracy(
        float(np.mean(accuracies)),
        float(np.std(accuracies)),
        tuple(accuracies),
        tuple(thresholds),
        int((folds >= 0).sum()),
    )


def best_threshold(scores: FloatArray, mated: BoolArray) -> float:
    """Return the threshold with the most right decisions: the middle of the gap, the highest gap among equals."""
    levels, position = np.unique(scores[np.isfinite(scores)], return_inverse=True)
    if len(levels) == 0:
        raise AssessmentError("There is no finite score to set a threshold on: give scored pairs.")
    truth = mated[np.isfinite(scores)]
    mated_at = np.bincount(position, truth, len(levels))
    non_mated_at = np.bincount(position, ~truth, len(levels))
    # Cut c accepts levels c and above: right decisions are mated from c up and non-mated below it.
    right = np.append(np.cumsum(mated_at[::-1])[::-1], 0.0) + np.concatenate([[0.0], np.cumsum(non_mated_at)])
    cut = len(levels) - int(np.argmax(right[::-1]))
    if cut == 0:
        return float(np.nextafter(levels[0], -np.inf))
    if cut == len(levels):
        return float(levels[-1])
    middle = (float(levels[cut - 1]) + float(levels[cut])) / 2.0
    return middle if middle < float(levels[cut]) else float(levels[cut - 1])
