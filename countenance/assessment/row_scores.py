"""How each photo fared on each task: one number a photo, NaN where the photo is not labelled for the task."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from countenance.assessment.arrays import AnyArray, BoolArray, FloatArray, IntArray, is_null, refuse_rows, same_length
from countenance.errors import AssessmentError

EYE_CENTRES_OF_5 = (0, 1)
OUTER_EYE_CORNERS_OF_68 = (36, 45)


@dataclass(frozen=True, eq=False)
class RowScores:
    """Scores of photos whose mean is the metric.

    Attributes:
        values: one a photo, [N] float64; NaN = not labelled.
        unit: unit of the mean.
        higher_is_better: True for right decisions, False for errors.
        proportion: True when every value is 0 or 1, and the mean is then a rate.
    """

    values: FloatArray
    unit: str
    higher_is_better: bool
    proportion: bool

    def take(self, rows: IntArray) -> RowScores:
        """Return the scores of some of the photos."""
        return RowScores(self.values[rows], self.unit, self.higher_is_better, self.proportion)


def right_decisions(labels: ArrayLike, predictions: ArrayLike, classes: Collection[object]) -> RowScores:
    """Score a class: 1 where the prediction equals the label, else 0.

    Args:
        labels: class of each photo, [N]; null = not labelled.
        predictions: predicted class, [N].
        classes: the words both may use, e.g. ("male", "female") or (True, False).

    Raises:
        AssessmentError: a labelled photo has no prediction, or a word is not one of the classes.
    """
    known, truth, guess = _labelled(labels, predictions)
    for what, words in (("label", truth), ("prediction", guess)):
        strange = np.array([word not in classes for word in words], dtype=np.bool_)
        rows = np.zeros(len(known), dtype=np.bool_)
        rows[np.flatnonzero(known)[strange]] = True
        refuse_rows(rows, f"the {what} is not one of {', '.join(str(name) for name in classes)}")
    values = np.full(len(known), np.nan)
    values[known] = [float(said == true) for said, true in zip(guess, truth, strict=True)]
    return RowScores(values, "proportion", higher_is_better=True, proportion=True)


def absolute_errors(labels: ArrayLike, predictions: ArrayLike, *, unit: str) -> RowScores:
    """Score a number: |prediction - label|.

    Args:
        labels: [N]; null = not labelled.
        predictions: [N], in the labels' unit.
        unit: e.g. "years".
    """
    known, truth, guess = _labelled(labels, predictions)
    values = np.full(len(known), np.nan)
    values[known] = np.abs(guess.astype(np.float64) - truth.astype(np.float64))
    return RowScores(values, unit, higher_is_better=False, proportion=False)


def pose_errors(labels_deg: ArrayLike, predictions_deg: ArrayLike) -> RowScores:
    """Score head pose: the mean of |difference| over the labelled angles of a photo, differences wrapped to +-180.

    Args:
        labels_deg: yaw, pitch, roll (or any of them) in degrees, [N, A]; NaN = angle not labelled.
        predictions_deg: the same angles, [N, A].
    """
    truth, guess = _same_matrices(labels_deg, predictions_deg)
    known = ~np.isnan(truth)
    refuse_rows((known & np.isnan(guess)).any(axis=1), "a labelled angle has no prediction")
    error = np.abs((guess - truth + 180.0) % 360.0 - 180.0)
    return RowScores(_mean_where(error, known), "degrees", higher_is_better=False, proportion=False)


def yaw_class_decisions(
    yaw_ranges_deg: Sequence[Sequence[float] | None],
    predicted_yaw_deg: ArrayLike,
    classes_deg: Sequence[tuple[float, float]],
) -> RowScores:
    """Score a coarse yaw label: 1 where the class nearest to the predicted yaw is the labelled one.

    The nearest class is the one whose range holds the yaw, else the one whose range ends closest to it; where ranges
    touch or overlap, the one whose middle is closest.

    Args:
        yaw_ranges_deg: labelled range [low, high] of each photo, null = not labelled; each is one of the classes.
        predicted_yaw_deg: [N].
        classes_deg: all ranges of the source, as (low, high).
    """
    ranges = np.asarray(classes_deg, dtype=np.float64).reshape(-1, 2)
    unlabelled = np.array([_is_missing(item) for item in yaw_ranges_deg], dtype=np.bool_)
    yaw = np.asarray(predicted_yaw_deg, dtype=np.float64)
    same_length(yaw_ranges=len(unlabelled), predictions=len(yaw))
    refuse_rows(~unlabelled & np.isnan(yaw), "a labelled yaw range has no prediction")
    values = np.full(len(yaw), np.nan)
    for row in np.flatnonzero(~unlabelled).tolist():
        label = np.asarray(yaw_ranges_deg[row], dtype=np.float64)
        matches = np.flatnonzero((ranges == label).all(axis=1))
        if len(matches) != 1:
            raise AssessmentError(f"The yaw range of row {row} is not one of the classes given: list it once.")
        outside = np.maximum(0.0, np.maximum(ranges[:, 0] - yaw[row], yaw[row] - ranges[:, 1]))
        from_middle = np.abs(ranges.mean(axis=1) - yaw[row])
        nearest = np.lexsort((from_middle, outside))[0]
        values[row] = float(nearest == matches[0])
    return RowScores(values, "proportion", higher_is_better=True, proportion=True)


def landmark_array(column: Sequence[Sequence[float] | None], points: int) -> FloatArray:
    """Turn a column of (x0, y0, x1, y1, ...) lists into [N, points, 2], NaN where a row is null.

    Raises:
        AssessmentError: a row has another number of coordinates.
    """
    rows = np.full((len(column), 2 * points), np.nan)
    for position, item in enumerate(column):
        if _is_missing(item):
            continue
        flat = np.asarray(item, dtype=np.float64).reshape(-1)
        if len(flat) != 2 * points:
            raise AssessmentError(
                f"Row {position} has {len(flat)} landmark coordinates, not {2 * points}: split the rows by scheme."
            )
        rows[position] = flat
    return rows.reshape(len(column), points, 2)


def landmark_errors(
    labels_px: FloatArray, predictions_px: FloatArray, *, visibility: ArrayLike | None = None
) -> RowScores:
    """Score landmarks: mean distance of predicted from labelled points over the inter-ocular distance.

    The inter-ocular distance is that of the two labelled eye centres for 5 points, and that of the two outer eye
    corners (points 36 and 45) for 68 points (Sagonas et al., "300 Faces In-the-Wild Challenge", 2013).

    Args:
        labels_px: [N, K, 2], K = 5 or 68; NaN = point, or whole photo, not labelled.
        predictions_px: [N, K, 2] in the same pixels.
        visibility: [N, K]; a point at or under 0.5 is left out. The eyes still set the distance.
    """
    truth, guess = np.asarray(labels_px, np.float64), np.asarray(predictions_px, np.float64)
    if truth.shape != guess.shape or truth.ndim != 3 or truth.shape[1:] not in ((5, 2), (68, 2)):
        raise AssessmentError(
            f"The landmarks have shapes {truth.shape} and {guess.shape}: give [photos, 5 or 68, 2] for both."
        )
    left, right = EYE_CENTRES_OF_5 if truth.shape[1] == 5 else OUTER_EYE_CORNERS_OF_68
    distance = np.linalg.norm(truth[:, left] - truth[:, right], axis=1)
    refuse_rows(distance == 0.0, "the two eyes lie on one point")
    known = ~np.isnan(truth).any(axis=2)
    if visibility is not None:
        known &= np.asarray(visibility, dtype=np.float64) > 0.5
    # Without both eyes there is nothing to measure by.
    known &= ~np.isnan(distance)[:, None]
    refuse_rows((known & np.isnan(guess).any(axis=2)).any(axis=1), "a labelled landmark has no prediction")
    error = np.linalg.norm(guess - truth, axis=2) / distance[:, None]
    values = _mean_where(error, known)
    return RowScores(values, "inter-ocular distance", higher_is_better=False, proportion=False)


def _labelled(labels: ArrayLike, predictions: ArrayLike) -> tuple[BoolArray, AnyArray, AnyArray]:
    truth, guess = pd.Series(labels, dtype=object), pd.Series(predictions, dtype=object)
    same_length(labels=len(truth), predictions=len(guess))
    known = ~is_null(truth)
    refuse_rows(known & is_null(guess), "a labelled photo has no prediction")
    return known, truth.to_numpy()[known], guess.to_numpy()[known]


def _same_matrices(labels: ArrayLike, predictions: ArrayLike) -> tuple[FloatArray, FloatArray]:
    truth, guess = np.asarray(labels, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    truth, guess = (item[:, None] if item.ndim == 1 else item for item in (truth, guess))
    if truth.shape != guess.shape or truth.ndim != 2:
        raise AssessmentError(f"Labels {truth.shape} and predictions {guess.shape} differ in shape: align them.")
    return truth, guess


def _mean_where(values: FloatArray, known: BoolArray) -> FloatArray:
    count = known.sum(axis=1)
    total = np.where(known, values, 0.0).sum(axis=1)
    means = np.full(len(values), np.nan)
    np.divide(total, count, out=means, where=count > 0)
    return means


def _is_missing(item: object) -> bool:
    return item is None or item is pd.NA or (isinstance(item, float) and np.isnan(item))
