"""Which samples or templates are compared, and how alike they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import (
    AnyArray,
    FloatArray,
    IntArray,
    codes_of,
    refuse_rows,
    same_length,
    score_vector,
)
from countenance.assessment.template_scores import float32_scores
from countenance.errors import AssessmentError

NON_MATED_LIMIT = 3_000_000


def mated_pairs(subjects: ArrayLike) -> tuple[IntArray, IntArray]:
    """Return every pair of rows of the same subject, first < second, rows without a subject left out.

    Args:
        subjects: the subject of each row, [N]; null where unknown.

    Returns:
        two index arrays [M] in ascending order.
    """
    codes, _ = codes_of(subjects)
    order = np.argsort(codes, kind="stable")
    order = order[codes[order] >= 0]
    firsts, seconds = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    boundaries = np.flatnonzero(np.diff(codes[order])) + 1
    for rows in np.split(order, boundaries):
        upper_first, upper_second = np.triu_indices(len(rows), k=1)
        firsts.append(rows[upper_first])
        seconds.append(rows[upper_second])
    return _ascending(np.concatenate(firsts), np.concatenate(seconds), len(codes))


def non_mated_pairs(subjects: ArrayLike, limit: int, generator: np.random.Generator) -> tuple[IntArray, IntArray]:
    """Return pairs of rows of different subjects, first < second, without repeats.

    Every pair when there are at most ``limit`` of them, else ``limit`` pairs drawn uniformly.

    Args:
        subjects: the subject of each row, [N]; null where unknown, and then left out.
        limit: the largest number of pairs, at least 1.
        generator: the source of the draw; unused when every pair fits.

    Returns:
        two index arrays [P] in ascending order.
    """
    if limit < 1:
        raise AssessmentError(f"The limit of non-mated pairs is {limit}: give at least 1.")
    codes, _ = codes_of(subjects)
    rows = np.flatnonzero(codes >= 0)
    known = codes[rows]
    total = _non_mated_count(known)
    if total <= 4 * limit:
        first, second = _every_non_mated_pair(known)
        if total > limit:
            kept = np.sort(generator.choice(total, size=limit, replace=False))
            first, second = first[kept], second[kept]
    else:
        first, second = _drawn_non_mated_pairs(known, limit, generator)
    return rows[first], rows[second]


def _non_mated_count(codes: IntArray) -> int:
    sizes = np.bincount(codes) if len(codes) else np.zeros(1, np.int64)
    return (len(codes) ** 2 - int((sizes.astype(np.int64) ** 2).sum())) // 2


def _every_non_mated_pair(codes: IntArray) -> tuple[IntArray, IntArray]:
    firsts, seconds = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for row in range(len(codes) - 1):
        others = row + 1 + np.flatnonzero(codes[row + 1 :] != codes[row])
        firsts.append(np.full(len(others), row, dtype=np.int64))
        seconds.append(others)
    return np.concatenate(firsts), np.concatenate(seconds)


def _drawn_non_mated_pairs(codes: IntArray, limit: int, generator: np.random.Generator) -> tuple[IntArray, IntArray]:
    # At least four times as many pairs exist as are wanted, so few draws repeat.
    count = len(codes)
    keys = np.empty(0, dtype=np.int64)
    while len(keys) < limit:
        one = generator.integers(0, count, size=limit)
        other = generator.integers(0, count, size=limit)
        different = codes[one] != codes[other]
        fresh = np.minimum(one, other)[different] * count + np.maximum(one, other)[different]
        keys = np.sort(np.concatenate([keys, fresh]))
        # No key is negative, so the first one always differs from -1. A sort is much faster here than np.unique.
        keys = keys[np.diff(keys, prepend=-1) > 0]
    keys = np.sort(generator.choice(keys, size=limit, replace=False))
    return keys // count, keys % count


def _ascending(first: IntArray, second: IntArray, count: int) -> tuple[IntArray, IntArray]:
    order = np.argsort(first * np.int64(max(count, 1)) + second, kind="stable")
    return first[order], second[order]


def pair_scores(
    features: FloatArray, first: IntArray, second: IntArray, references: FloatArray | None = None
) -> FloatArray:
    """Return the cosine of each pair of unit vectors, [P] float32.

    Args:
        features: unit vectors, [T, D].
        first: row of one side of each pair, [P].
        second: row of the other side, [P].
        references: unit vectors that ``second`` is taken from, [T, D]; None takes both sides from ``features``.

    Raises:
        AssessmentError: a row is not of unit length, an index is out of range, or the two sides differ in shape.
    """
    rows = _unit_rows(features)
    others = rows if references is None else _unit_rows(references)
    if others.shape != rows.shape:
        raise AssessmentError(
            f"The two sides of the comparisons have shapes {rows.shape} and {others.shape}: give both the same rows, "
            "of models with equally long embeddings."
        )
    same_length(first=len(first), second=len(second))
    return float32_scores(rows, others, first, second)


def _unit_rows(features: FloatArray) -> FloatArray:
    rows = np.ascontiguousarray(features, dtype=np.float32)
    if rows.ndim != 2:
        raise AssessmentError(f"The features have shape {rows.shape}: give [templates, dimensions].")
    lengths = np.linalg.norm(rows, axis=1)
    refuse_rows(~(np.abs(lengths - 1.0) < 1e-3), "the feature is not a unit vector")
    return rows


@dataclass(frozen=True, eq=False)
class ComparisonPairs:
    """The comparisons of one evaluation, the same for every system that is assessed.

    Attributes:
        subjects: the distinct subjects, [S], sorted; subject codes below index it.
        mated_first: row of the probe side of each mated pair, [M].
        mated_second: row of the other side, [M].
        mated_subject: subject code of each mated pair, [M].
        non_mated_first: row of one side of each non-mated pair, [P].
        non_mated_second: row of the other side, [P].
        non_mated_subject_first: subject code of one side, [P].
        non_mated_subject_second: subject code of the other side, [P].
        exhaustive: True when no non-mated pair was left out by the limit.
    """

    subjects: AnyArray
    mated_first: IntArray
    mated_second: IntArray
    mated_subject: IntArray
    non_mated_first: IntArray
    non_mated_second: IntArray
    non_mated_subject_first: IntArray
    non_mated_subject_second: IntArray
    exhaustive: bool

    @classmethod
    def enumerate(
        cls, subjects: ArrayLike, *, limit: int = NON_MATED_LIMIT, generator: np.random.Generator
    ) -> ComparisonPairs:
        """Enumerate all mated pairs and up to ``limit`` non-mated pairs of the rows' ``subjects`` [N]."""
        codes, names = codes_of(subjects)
        mated_first, mated_second = mated_pairs(subjects)
        first, second = non_mated_pairs(subjects, limit, generator)
        return cls(
            subjects=names,
            mated_first=mated_first,
            mated_second=mated_second,
            mated_subject=codes[mated_first],
            non_mated_first=first,
            non_mated_second=second,
            non_mated_subject_first=codes[first],
            non_mated_subject_second=codes[second],
            exhaustive=len(first) == _non_mated_count(codes[codes >= 0]),
        )

    def score(self, features: FloatArray, references: FloatArray | None = None) -> ComparisonScores:
        """Score every pair with one system's unit vectors, ``features`` [N, D] in the rows' order.

        With ``references`` [N, D], of another system on the same rows, the second of each pair is taken from there.
        """
        return ComparisonScores(
            pairs=self,
            mated=pair_scores(features, self.mated_first, self.mated_second, references),
            non_mated=pair_scores(features, self.non_mated_first, self.non_mated_second, references),
        )

    def same_as(self, other: ComparisonPairs) -> bool:
        """Return whether both hold the same comparisons in the same order."""
        if self is other:
            return True
        names = ("subjects", "mated_first", "mated_second", "non_mated_first", "non_mated_second")
        return all(np.array_equal(getattr(self, name), getattr(other, name)) for name in names)


@dataclass(frozen=True, eq=False)
class ComparisonScores:
    """One system's scores over the comparisons of an evaluation.

    Attributes:
        pairs: the comparisons.
        mated: score of each mated pair, [M]; minus infinity stands for a failure to extract, which never matches.
        non_mated: score of each non-mated pair, [P].
    """

    pairs: ComparisonPairs
    mated: FloatArray
    non_mated: FloatArray

    def __post_init__(self) -> None:
        score_vector(self.mated, what="mated scores", failures_allowed=True)
        score_vector(self.non_mated, what="non-mated scores")
        same_length(mated_scores=len(self.mated), mated_pairs=len(self.pairs.mated_first))
        same_length(non_mated_scores=len(self.non_mated), non_mated_pairs=len(self.pairs.non_mated_first))
