"""1:1 accuracy as LFW measures it, on whoever is there: as many mated as non-mated pairs in folds of different people.

LFW's own folds (Huang et al., 2007) name 300 + 300 pairs each; here they are drawn, so that any held-out people serve.
Each fold is decided at the threshold that is best on the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import AnyArray, BoolArray, FloatArray, IntArray, codes_of, same_length, score_vector
from countenance.assessment.pairs import mated_pairs, non_mated_pairs, pair_scores
from countenance.errors import AssessmentError


@dataclass(frozen=True, eq=False)
class BalancedPairs:
    """Pairs of rows in folds that share no subject, half of each fold's mated.

    Attributes:
        subjects: the distinct subjects, [S], sorted; subject codes index it.
        first: row of one side, [P].
        second: row of the other side, [P].
        subject_first: subject code of one side, [P].
        subject_second: subject code of the other side, [P]; the same where mated.
        fold: number of each pair's fold, [P]. A fold without both kinds of pairs has none.
    """

    subjects: AnyArray
    first: IntArray
    second: IntArray
    subject_first: IntArray
    subject_second: IntArray
    fold: IntArray

    @property
    def mated(self) -> BoolArray:
        """Which pairs show one person, [P]."""
        return np.asarray(self.subject_first == self.subject_second)

    @classmethod
    def draw(
        cls, subjects: ArrayLike, *, folds: int, pairs_per_fold: int, generator: np.random.Generator
    ) -> BalancedPairs:
        """Deal subjects into folds and draw each fold's pairs.

        Args:
            subjects: the subject of each row, [N]; null where unknown, and then left out.
            folds: how many, at least 2.
            pairs_per_fold: at most so many, half of them mated; fewer where a fold has fewer mated or non-mated pairs.
            generator: the source of the draw.

        Raises:
            AssessmentError: there are too few subjects, or fewer than two folds have both kinds of pairs.
        """
        codes, names = codes_of(subjects)
        if folds < 2 or len(names) < 2 * folds:
            raise AssessmentError(
                f"{len(names)} subjects cannot be dealt into {folds} folds with strangers in each: "
                f"give 2 to {len(names) // 2} folds."
            )
        fold_of = np.append(generator.permutation(np.arange(len(names)) % folds), -1)[codes]
        drawn = [_pairs_of_fold(codes, np.flatnonzero(fold_of == fold), pairs_per_fold, generator)
                 for fold in range(folds)]  # fmt: skip
        if sum(len(first) > 0 for first, _ in drawn) < 2:
            raise AssessmentError(
                "Fewer than two folds have both mated and non-mated pairs: lower 'folds' or hold out more people."
            )
        first, second = (np.concatenate([pairs[side] for pairs in drawn]) for side in (0, 1))
        fold = np.repeat(np.arange(folds), [len(pairs[0]) for pairs in drawn])
        return cls(names, first, second, codes[first], codes[second], fold)

    def score(self, features: FloatArray) -> FloatArray:
        """The cosine of each pair, [P], of unit vectors [N, D] in the rows' order."""
        return pair_scores(features, self.first, self.second)


def _pairs_of_fold(
    codes: IntArray, rows: IntArray, limit: int, generator: np.random.Generator
) -> tuple[IntArray, IntArray]:
    same, different = mated_pairs(codes[rows]), non_mated_pairs(codes[rows], max(1, limit // 2), generator)
    count = min(len(same[0]), len(different[0]), limit // 2)
    chosen = [np.sort(generator.choice(len(pairs[0]), count, replace=False)) for pairs in (same, different)]
    first, second = (
        np.concatenate([pairs[side][rows_kept] for pairs, rows_kept in zip((same, different), chosen, strict=True)])
        for side in (0, 1)
    )
    return rows[first], rows[second]


class AccuracyResampler:
    """Accuracy over folds as a statistic of subject weights, its thresholds found again in every resample.

    A mated pair counts with its subject's weight, a non-mated one with the product of both. With equal weights it is
    the mean of :func:`countenance.assessment.folds.verification_accuracy`.

    Args:
        pairs: the pairs.
        scores: one system's, [P].
    """

    def __init__(self, pairs: BalancedPairs, scores: ArrayLike) -> None:
        values = score_vector(scores, what="scores").astype(np.float64)
        same_length(scores=len(values), pairs=len(pairs.fold))
        self._pairs = pairs
        self._sign = np.where(pairs.mated, 1.0, -1.0)
        self._folds = [_Fold.of(values, pairs.fold == fold) for fold in np.unique(pairs.fold)]

    def __call__(self, weights: IntArray) -> FloatArray:
        """Return the accuracy under each row of ``weights`` [B, S]: [B] float64, NaN where no pair is left."""
        pairs = self._pairs
        weight = weights[:, pairs.subject_first].astype(np.float64)
        weight *= np.where(pairs.mated, 1, weights[:, pairs.subject_second])
        signed = weight * self._sign
        right, made = np.zeros((len(weights), len(self._folds))), np.zeros((len(weights), len(self._folds)))
        for column, fold in enumerate(self._folds):
            cut = fold.best_cut(signed)
            # Right are the mated that are accepted and the non-mated that are not.
            own = signed[:, fold.own]
            accepted = np.take_along_axis(_gained(own), fold.own_accepted[cut][:, None], axis=1)[:, 0]
            right[:, column] = accepted - np.minimum(own, 0.0).sum(axis=1)
            made[:, column] = weight[:, fold.own].sum(axis=1)
        shares = np.full(right.shape, np.nan)
        np.divide(right, made, out=shares, where=made > 0)
        defined = (made > 0).sum(axis=1)
        accuracy = np.full(len(weights), np.nan)
        np.divide(np.nansum(shares, axis=1), defined, out=accuracy, where=defined > 0)
        return accuracy


@dataclass(frozen=True, eq=False)
class _Fold:
    """One fold among the others, its pairs and theirs from the highest score down.

    Attributes:
        own: the fold's pairs.
        others: all other pairs.
        no_cut: [P_others + 1] where no threshold can lie, since equal scores are decided alike.
        own_accepted: [P_others + 1] how many of the fold's pairs are accepted at the threshold of each cut.
    """

    own: IntArray
    others: IntArray
    no_cut: BoolArray
    own_accepted: IntArray

    @classmethod
    def of(cls, scores: FloatArray, inside: BoolArray) -> _Fold:
        own, others = (np.flatnonzero(mask)[np.argsort(-scores[mask], kind="stable")] for mask in (inside, ~inside))
        level = scores[others]
        middle = (level[:-1] + level[1:]) / 2.0
        # Above a pair of neighbours in floating point there is no middle: the lower one is the threshold then.
        between = np.where(middle < level[:-1], middle, level[1:])
        thresholds = np.concatenate([[level[0]], between, [np.nextafter(level[-1], -np.inf)]])
        no_cut = np.concatenate([[False], level[:-1] == level[1:], [False]])
        return cls(own, others, no_cut, np.searchsorted(-scores[own], -thresholds, side="left"))

    def best_cut(self, signed: FloatArray) -> IntArray:
        """[B] cut with the most right decisions among the others, the highest threshold among equals."""
        gained = _gained(signed[:, self.others])
        gained[:, self.no_cut] = -np.inf
        return np.asarray(gained.argmax(axis=1))


def _gained(signed: FloatArray) -> FloatArray:
    """[B, P] -> [B, P + 1]: what accepting the first c pairs gains over accepting none."""
    return np.concatenate([np.zeros((len(signed), 1)), np.cumsum(signed, axis=1)], axis=1)
