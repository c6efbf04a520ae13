"""Faces found in photos, measured against labelled boxes: recall, false faces, average precision.

A found box is right if it overlaps a labelled face by an intersection over union of at least 0.5 (Everingham et al.,
"The PASCAL Visual Object Classes Challenge", IJCV 2010, section 4.2), each face counting once. Boxes are
x, y, width, height in pixels. Intervals are over photos, or over subjects where they are known.

A photo's faces must all be labelled: a real face that isn't counts as false.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import BoolArray, FloatArray, IntArray, cluster_codes, refuse_rows, same_length
from countenance.assessment.attributes import mean_over_subjects
from countenance.assessment.intervals import DEFAULT_RESAMPLING, WEIGHT_CELLS, Resampling, bootstrap_over_subjects
from countenance.assessment.results import Measurement, Result
from countenance.assessment.row_scores import RowScores
from countenance.errors import AssessmentError

SAME_FACE = 0.5
"""Intersection over union from which a found box is a labelled face."""


@dataclass(frozen=True, eq=False)
class MatchedFaces:
    """Which found boxes are labelled faces; any threshold on the score can be laid over it afterwards.

    Attributes:
        photos: number P of photos.
        score: of every found box, [D].
        photo: of every found box, [D].
        is_face: whether it is a labelled face that no better-scored box had taken, [D].
        face_photo: photo of every labelled face, [F].
        face_score: score of the box that found it, [F]; minus infinity where none did.
    """

    photos: int
    score: FloatArray
    photo: IntArray
    is_face: BoolArray
    face_photo: IntArray
    face_score: FloatArray


@dataclass(frozen=True)
class DetectionCurve(Result):
    """What each threshold on the score gives, strictest first; accept from the threshold on.

    Attributes:
        threshold: distinct scores.
        recall: share of the labelled faces that are found.
        false_per_photo: found boxes that are no labelled face, a photo.
    """

    threshold: tuple[float, ...]
    recall: tuple[float, ...]
    false_per_photo: tuple[float, ...]

    def threshold_for(self, false_per_photo: float) -> float | None:
        """The most lenient threshold with at most so many false faces a photo; None where even the strictest has more.

        False faces only grow towards lenient thresholds, so every stricter one keeps the limit, too.
        """
        allowed = [
            threshold
            for threshold, false in zip(self.threshold, self.false_per_photo, strict=True)
            if false <= false_per_photo
        ]
        return allowed[-1] if allowed else None


def match_faces(
    labelled_xywh: Sequence[ArrayLike],
    found_xywh: Sequence[ArrayLike],
    scores: Sequence[ArrayLike],
    *,
    overlap: float = SAME_FACE,
) -> MatchedFaces:
    """Match found boxes to labelled faces, photo by photo: the best score first, one to one.

    Each found box takes the labelled face, of those still free, that it overlaps most.

    Args:
        labelled_xywh: for each photo, [F, 4]; empty where the photo shows nobody.
        found_xywh: for each photo, [D, 4].
        scores: for each photo, [D].
        overlap: intersection over union that is enough.

    Raises:
        AssessmentError: the sequences differ in length, or a box or score isn't finite.
    """
    same_length(labelled=len(labelled_xywh), found=len(found_xywh), scores=len(scores))
    every = [
        _match_photo(_boxes(labels), _boxes(found), np.asarray(score, dtype=np.float64).reshape(-1), overlap)
        for labels, found, score in zip(labelled_xywh, found_xywh, scores, strict=True)
    ]
    counts = [len(score) for score, _, _ in every]
    faces = [len(face_score) for _, _, face_score in every]
    return MatchedFaces(
        photos=len(every),
        score=np.concatenate([np.empty(0), *(score for score, _, _ in every)]),
        photo=np.repeat(np.arange(len(every)), counts),
        is_face=np.concatenate([np.empty(0, dtype=np.bool_), *(right for _, right, _ in every)]),
        face_photo=np.repeat(np.arange(len(every)), faces),
        face_score=np.concatenate([np.empty(0), *(face_score for _, _, face_score in every)]),
    )


def face_recall(
    matched: MatchedFaces,
    *,
    threshold: float = -np.inf,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the share of labelled faces that a box of at least ``threshold`` finds.

    Args:
        matched: by :func:`match_faces`.
        threshold: of the score.
        subjects: of each photo, [P], or None; a photo without one stands for itself.
        resampling: the interval's level.
    """
    clusters = cluster_codes(subjects, matched.photos)
    found = (matched.face_score >= threshold) & np.isfinite(matched.face_score)
    scores = RowScores(found.astype(np.float64), "proportion", higher_is_better=True, proportion=True)
    return mean_over_subjects(scores, clusters[matched.face_photo], resampling=resampling)


def false_faces_per_photo(
    matched: MatchedFaces,
    *,
    threshold: float = -np.inf,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return how many boxes of at least ``threshold`` a photo are no labelled face; arguments as in ``face_recall``."""
    false = matched.photo[~matched.is_face & (matched.score >= threshold)]
    counts = np.bincount(false, minlength=matched.photos).astype(np.float64)
    scores = RowScores(counts, "false faces a photo", higher_is_better=False, proportion=False)
    return mean_over_subjects(scores, subjects, resampling=resampling)


def detection_curve(matched: MatchedFaces) -> DetectionCurve:
    """Return recall and false faces a photo at every distinct score.

    Raises:
        AssessmentError: there is no labelled face, or no photo.
    """
    if not len(matched.face_photo):
        raise AssessmentError("A detection curve was asked for without a labelled face: give labelled photos.")
    score, is_face, ends = _by_score(matched)
    right, false = (np.cumsum(rows)[ends] for rows in (is_face, ~is_face))
    return DetectionCurve(
        threshold=tuple(score[ends].tolist()),
        recall=tuple((right / len(matched.face_photo)).tolist()),
        false_per_photo=tuple((false / matched.photos).tolist()),
    )


def recall_at_false_faces(
    matched: MatchedFaces,
    *,
    false_per_photo: float = 0.1,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the recall at the most lenient threshold with at most so many false faces a photo.

    The interval is that of the recall at this threshold; that it was chosen on these photos isn't in it.
    """
    if not len(matched.face_photo):
        return Measurement.missing("proportion", higher_is_better=True)
    threshold = detection_curve(matched).threshold_for(false_per_photo)
    # Stricter than every score: nothing is accepted.
    limit = np.inf if threshold is None else threshold
    return face_recall(matched, threshold=limit, subjects=subjects, resampling=resampling)


def detection_average_precision(
    matched: MatchedFaces, *, subjects: ArrayLike | None = None, resampling: Resampling = DEFAULT_RESAMPLING
) -> Measurement:
    """Return the average precision: sum over thresholds of precision x gain in recall, recall over all labelled faces.

    Equal scores are one threshold, so their order does not matter. Arguments as in ``face_recall``.
    """
    unit = "average precision"
    if not len(matched.face_photo):
        return Measurement.missing(unit, higher_is_better=True)
    _, cluster = np.unique(cluster_codes(subjects, matched.photos), return_inverse=True)
    order = np.argsort(-matched.score, kind="stable")
    _, is_face, ends = _by_score(matched)
    of_box, of_face = cluster[matched.photo[order]], cluster[matched.face_photo]

    def statistic(weights: IntArray) -> FloatArray:
        # A few resamples at a time: their weights are spread over all boxes, not over photos only.
        rows = -(-weights.shape[0] * max(len(of_box), len(of_face)) // WEIGHT_CELLS)
        parts = [
            _average_precisions(part[:, of_box], is_face, ends, part[:, of_face].sum(axis=1))
            for part in np.array_split(weights, rows)
        ]
        return np.concatenate(parts)

    drawn = bootstrap_over_subjects(statistic, int(cluster.max()) + 1, resampling)
    return Measurement(drawn.value, drawn.low, drawn.high, len(matched.face_photo), unit, True, drawn.note)


def _boxes(boxes: ArrayLike) -> FloatArray:
    return np.asarray(boxes, dtype=np.float64).reshape(-1, 4)


def _match_photo(
    labelled: FloatArray, found: FloatArray, score: FloatArray, overlap: float
) -> tuple[FloatArray, BoolArray, FloatArray]:
    same_length(boxes=len(found), scores=len(score))
    refuse_rows(~np.isfinite(labelled).all(axis=1), "a labelled box is not finite")
    refuse_rows(~np.isfinite(found).all(axis=1) | ~np.isfinite(score), "a found box or its score is not finite")
    shared = box_overlaps(found, labelled)
    is_face = np.zeros(len(found), dtype=np.bool_)
    face_score = np.full(len(labelled), -np.inf)
    # Equal scores: the box that fits a face best goes first, so that the order of the boxes does not matter.
    best = shared.max(axis=1, initial=0.0)
    for row in np.lexsort((-best, -score)):
        free = np.where(np.isneginf(face_score), shared[row], -1.0)
        if len(free) and free.max() >= overlap:
            face_score[free.argmax()] = score[row]
            is_face[row] = True
    return score, is_face, face_score


def box_overlaps(boxes: FloatArray, others: FloatArray) -> FloatArray:
    """Return the intersection over union of each of [N, 4] boxes with each of [M, 4] others, [N, M]."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum((boxes[:, :2] + boxes[:, 2:])[:, None], (others[:, :2] + others[:, 2:])[None])
    shared = np.clip(high - low, 0.0, None).prod(axis=2)
    union = boxes[:, None, 2:].prod(axis=2) + others[None, :, 2:].prod(axis=2) - shared
    return np.asarray(shared / np.maximum(union, 1e-12), dtype=np.float64)


def _by_score(matched: MatchedFaces) -> tuple[FloatArray, BoolArray, IntArray]:
    # Scores and hits, best first, and the last place of every distinct score.
    order = np.argsort(-matched.score, kind="stable")
    score = matched.score[order]
    if not len(score):
        return score, matched.is_face, np.empty(0, dtype=np.int64)
    return score, matched.is_face[order], np.append(np.flatnonzero(np.diff(score)), len(score) - 1)


def _average_precisions(weights: IntArray, is_face: BoolArray, ends: IntArray, faces: IntArray) -> FloatArray:
    found = np.cumsum(weights * is_face, axis=1)[:, ends].astype(np.float64)
    shown = np.cumsum(weights, axis=1)[:, ends]
    precision = np.divide(found, shown, out=np.zeros_like(found), where=shown > 0)
    gain = np.diff(found, axis=1, prepend=0.0)
    averages = np.full(len(faces), np.nan)
    np.divide((precision * gain).sum(axis=1), faces, out=averages, where=faces > 0)
    return averages
