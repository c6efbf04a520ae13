"""Scores of pairs of photos from the photos' embeddings, in float64, with failures to extract told apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from countenance.assessment.arrays import (
    AnyArray,
    BoolArray,
    FloatArray,
    IntArray,
    cluster_codes,
    refuse_rows,
    same_length,
    score_vector,
)
from countenance.assessment.template_intervals import joined_subjects
from countenance.assessment.template_scores import gathered_scores, refuse_outside
from countenance.errors import AssessmentError

Flip = Literal["sum", "first"]


@dataclass(frozen=True, eq=False)
class PhotoPairScores:
    """Scored comparisons of two photos, one a row.

    Attributes:
        scores: [P] float64, higher = more alike; minus infinity where one of the photos has no embedding.
        mated: whether both photos show one subject, [P].
        fold: the part of the list each pair is in, [P].
        first_subject: code of the subject of the first photo, [P]; see :func:`subject_codes`.
        second_subject: code of the subject of the second, [P].
        group: of each pair, [P]; None where the list has no groups.

    Raises:
        AssessmentError: the columns differ in length or are empty, or a score is NaN or plus infinity.
    """

    scores: NDArray[np.float64]
    mated: BoolArray
    fold: IntArray
    first_subject: IntArray
    second_subject: IntArray
    group: AnyArray | None = None

    def __post_init__(self) -> None:
        columns = ("scores", "mated", "fold", "first_subject", "second_subject", "group")
        same_length(**{name: len(column) for name in columns if (column := getattr(self, name)) is not None})
        if not len(self):
            raise AssessmentError("There is no pair to assess: give at least one.")
        score_vector(self.scores, what="scores of the pairs", failures_allowed=True)

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def failed(self) -> BoolArray:
        """Which comparisons could not be made, [P]."""
        return np.asarray(np.isneginf(self.scores))

    def take(self, rows: BoolArray) -> PhotoPairScores:
        """Some of the pairs, by a mask [P]."""
        return PhotoPairScores(
            scores=self.scores[rows],
            mated=self.mated[rows],
            fold=self.fold[rows],
            first_subject=self.first_subject[rows],
            second_subject=self.second_subject[rows],
            group=None if self.group is None else self.group[rows],
        )


class PhotoFeatures(NamedTuple):
    """Unit vectors of the photos that pairs use.

    Attributes:
        rows: the photos' rows in the file of embeddings, [U], ascending.
        features: unit vectors, [U, D] float64; zeros where a photo failed.
        failed: which of them have no embedding, [U].
    """

    rows: IntArray
    features: NDArray[np.float64]
    failed: BoolArray


def photo_features(
    embeddings: FloatArray, rows: IntArray, *, failed: ArrayLike | None = None, flip: Flip = "sum"
) -> PhotoFeatures:
    """Return unit vectors of the photos in some rows.

    Args:
        embeddings: [N, D], or [N, 2, D] of photos and their mirror images.
        rows: the rows that are needed, in any order, also repeatedly.
        failed: which rows are failures to extract, [N]; what they hold is left alone.
        flip: for rows of two embeddings, "sum" adds them, "first" takes the photo's alone.

    Raises:
        AssessmentError: the shape is wrong, a row is out of range, or an embedding that isn't recorded as a failure is
            not finite or zero; the text names the row.
    """
    if not (embeddings.ndim == 2 or (embeddings.ndim == 3 and embeddings.shape[1] == 2)):
        raise AssessmentError(
            f"The embeddings have shape {embeddings.shape}: give [photos, dimensions], or [photos, 2, dimensions] of "
            "photos and their mirror images."
        )
    refuse_outside(rows, len(embeddings))
    missing = np.zeros(len(embeddings), dtype=np.bool_) if failed is None else np.asarray(failed, dtype=np.bool_)
    same_length(embeddings=len(embeddings), failed=len(missing))
    used = np.unique(rows)
    values = np.asarray(embeddings[used], dtype=np.float64)
    if values.ndim == 3:
        values = values.sum(axis=1) if flip == "sum" else values[:, 0]
    values[missing[used]] = 0.0
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = np.linalg.norm(values, axis=1)
    for wrong, problem in (
        (~np.isfinite(lengths), "the embedding holds a value that is not a finite number"),
        ((lengths == 0.0) & ~missing[used], "the embedding is a zero vector"),
    ):
        refuse_rows(_at(used[wrong], len(embeddings)), problem)
    values /= np.where(lengths > 0.0, lengths, 1.0)[:, None]
    return PhotoFeatures(used, values, missing[used])


def _at(rows: IntArray, count: int) -> BoolArray:
    mask = np.zeros(count, dtype=np.bool_)
    mask[rows] = True
    return mask


def photo_pair_scores(photos: PhotoFeatures, first: IntArray, second: IntArray) -> NDArray[np.float64]:
    """Return the cosine of each pair, [P] float64, minus infinity where one of its photos failed.

    A pair's score is the same whichever pairs are beside it, and whichever of its photos comes first.

    Args:
        photos: unit vectors of all photos in the pairs.
        first: row of one photo in the file of embeddings, [P].
        second: row of the other, [P].
    """
    same_length(first=len(first), second=len(second))
    one, other = np.searchsorted(photos.rows, first), np.searchsorted(photos.rows, second)
    scores: NDArray[Any] = gathered_scores(photos.features, photos.features, one, other)
    scores[photos.failed[one] | photos.failed[other]] = -np.inf
    return scores


def subject_codes(
    first: IntArray, second: IntArray, mated: BoolArray, subjects: ArrayLike | None, count: int
) -> IntArray:
    """Return a code of the subject of each of ``count`` photos, [N].

    Args:
        first: row of one photo of each pair, [P].
        second: row of the other, [P].
        mated: whether each pair is mated, [P].
        subjects: of each photo, [N], null where unknown; None takes what the mated pairs tell: photos that they join
            show one subject, all others one each.
        count: N, photos.
    """
    if subjects is not None:
        return cluster_codes(subjects, count)
    return joined_subjects(count, first[mated], second[mated])
