"""Every task but identity, measured: gender, smile, age, landmarks, pose, and face against no face.

A photo that is not labelled for a task is not in its metric. A metric without a labelled photo has no value and
says "not labelled". Intervals are over subjects, or over photos where no subject is known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import (
    BoolArray,
    FloatArray,
    IntArray,
    cluster_codes,
    is_null,
    refuse_rows,
    same_length,
)
from countenance.assessment.intervals import (
    DEFAULT_RESAMPLING,
    WEIGHT_CELLS,
    Resampling,
    bootstrap_over_subjects,
    rate_over_subjects,
    weighted_means,
)
from countenance.assessment.results import Measurement
from countenance.assessment.row_scores import (
    RowScores,
    absolute_errors,
    landmark_errors,
    pose_errors,
    right_decisions,
    yaw_class_decisions,
)

GENDERS = ("male", "female")
YES_NO = (True, False)


def mean_over_subjects(
    scores: RowScores, subjects: ArrayLike | None = None, *, resampling: Resampling = DEFAULT_RESAMPLING
) -> Measurement:
    """Return the mean of photo scores with its interval over subjects.

    A proportion gets the subject-level Wilson interval, which stays honest at 0 and 1; any other mean gets the
    percentile interval of the bootstrap over subjects.

    Args:
        scores: [N], NaN = not labelled.
        subjects: [N], or None; a photo without a subject stands for itself.
        resampling: seed, resamples and level.
    """
    clusters = cluster_codes(subjects, len(scores.values))
    known = ~np.isnan(scores.values)
    count = int(known.sum())
    if count == 0:
        return Measurement.missing(scores.unit, higher_is_better=scores.higher_is_better)
    values = scores.values[known]
    _, cluster = np.unique(clusters[known], return_inverse=True)
    mean = float(values.mean())
    low, high, note = _interval(values, cluster, scores.proportion, resampling)
    return Measurement(mean, low, high, count, scores.unit, scores.higher_is_better, note)


def _interval(
    values: FloatArray, cluster: IntArray, proportion: bool, resampling: Resampling
) -> tuple[float | None, float | None, str]:
    subjects = int(cluster.max()) + 1
    if subjects < 2:
        return None, None, "no interval: a single subject"
    if proportion:
        rate = rate_over_subjects(values > 0.5, cluster, level=resampling.level)
        return rate.low, rate.high, ""
    sums, counts = np.bincount(cluster, values), np.bincount(cluster)
    drawn = bootstrap_over_subjects(
        lambda weights: weighted_means(weights, sums, counts),
        subjects,
        resampling,
    )
    return drawn.low, drawn.high, drawn.note


def gender_accuracy(
    labels: ArrayLike,
    predictions: ArrayLike,
    *,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the share of photos whose predicted gender ("male", "female") equals the label, [N] each."""
    return mean_over_subjects(right_decisions(labels, predictions, GENDERS), subjects, resampling=resampling)


def smile_accuracy(
    labels: ArrayLike,
    predictions: ArrayLike,
    *,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the share of photos whose predicted smile expression (bool) equals the label, [N] each."""
    return mean_over_subjects(right_decisions(labels, predictions, YES_NO), subjects, resampling=resampling)


def face_accuracy(
    labels: ArrayLike,
    predictions: ArrayLike,
    *,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the share of crops rightly told to be a face or not (bool), [N] each."""
    return mean_over_subjects(right_decisions(labels, predictions, YES_NO), subjects, resampling=resampling)


def age_error(
    labels_years: ArrayLike,
    predictions_years: ArrayLike,
    *,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the mean absolute error of age in years, [N] each."""
    scores = absolute_errors(labels_years, predictions_years, unit="years")
    return mean_over_subjects(scores, subjects, resampling=resampling)


def landmark_error(
    labels_px: FloatArray,
    predictions_px: FloatArray,
    *,
    visibility: ArrayLike | None = None,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the normalised mean error of landmarks [N, K, 2]; see ``landmark_errors`` for what normalises it."""
    scores = landmark_errors(labels_px, predictions_px, visibility=visibility)
    return mean_over_subjects(scores, subjects, resampling=resampling)


def pose_error(
    labels_deg: ArrayLike,
    predictions_deg: ArrayLike,
    *,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the mean absolute error of the labelled angles in degrees, [N, A] each (or [N] for one angle)."""
    return mean_over_subjects(pose_errors(labels_deg, predictions_deg), subjects, resampling=resampling)


def yaw_class_accuracy(
    yaw_ranges_deg: Sequence[Sequence[float] | None],
    predicted_yaw_deg: ArrayLike,
    classes_deg: Sequence[tuple[float, float]],
    *,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the share of photos whose predicted yaw falls nearest to the labelled coarse range."""
    scores = yaw_class_decisions(yaw_ranges_deg, predicted_yaw_deg, classes_deg)
    return mean_over_subjects(scores, subjects, resampling=resampling)


def face_average_precision(
    labels: ArrayLike,
    face_scores: ArrayLike,
    *,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the average precision of face scores: sum over thresholds of precision x gain in recall.

    Equal scores are one threshold, so their order does not matter.

    Args:
        labels: whether each crop is a face, [N] bool; null = not labelled.
        face_scores: [N], higher = more like a face.
        subjects: [N], or None; a crop without a subject stands for itself.
        resampling: seed, resamples and level.
    """
    known = ~is_null(labels)
    scores = np.asarray(face_scores, dtype=np.float64)
    same_length(labels=len(known), face_scores=len(scores))
    refuse_rows(known & ~np.isfinite(scores), "a labelled crop has no finite face score")
    is_face = np.asarray(labels, dtype=object)[known].astype(np.bool_)
    if is_face.all() or not is_face.any():
        note = "not measurable: needs faces and non-faces" if len(is_face) else "not labelled"
        return Measurement.missing("average precision", higher_is_better=True, note=note)
    _, cluster = np.unique(cluster_codes(subjects, len(known))[known], return_inverse=True)
    order = np.argsort(-scores[known], kind="stable")
    ends = np.append(np.flatnonzero(np.diff(scores[known][order])), len(order) - 1)
    face_in_order, cluster_in_order = is_face[order], cluster[order]

    def statistic(weights: IntArray) -> FloatArray:
        # A few resamples at a time: their weights are spread over all crops, not over subjects only.
        parts = np.array_split(weights, -(-weights.shape[0] * len(order) // WEIGHT_CELLS))
        return np.concatenate([_average_precisions(part[:, cluster_in_order], face_in_order, ends) for part in parts])

    drawn = bootstrap_over_subjects(
        statistic,
        int(cluster.max()) + 1,
        resampling,
    )
    return Measurement(drawn.value, drawn.low, drawn.high, len(is_face), "average precision", True, drawn.note)


def _average_precisions(weights: IntArray, is_face: BoolArray, ends: IntArray) -> FloatArray:
    found = np.cumsum(weights * is_face, axis=1)[:, ends].astype(np.float64)
    shown = np.cumsum(weights, axis=1)[:, ends]
    precision = np.divide(found, shown, out=np.zeros_like(found), where=shown > 0)
    gain = np.diff(found, axis=1, prepend=0.0)
    faces = found[:, -1]
    averages = np.full(len(faces), np.nan)
    np.divide((precision * gain).sum(axis=1), faces, out=averages, where=faces > 0)
    return averages
