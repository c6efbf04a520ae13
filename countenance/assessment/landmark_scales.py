"""What a landmark error is divided by, and the landmarks' mean error over it, photo by photo.

The field divides by different lengths, and figures over different ones can't be compared:

- ``outer_eye_corners``: distance between the outer eye corners (the "inter-ocular distance" of Sagonas et al., "300
  Faces In-the-Wild Challenge", ICCV workshops 2013);
- ``eye_centres``: distance between the eye centres, with 68 points the means of the eyes' contours ("inter-pupil");
- ``box_size``: square root of width times height of the labelled box (AFLW; Jourabloo and Liu, "Pose-Invariant 3D Face
  Alignment", ICCV 2015), which does not shrink when a head turns;
- ``landmark_extent``: the same of the upright box that the labelled landmarks span (AFLW2000-3D; Zhu et al., "Face
  Alignment Across Large Poses: A 3D Solution", CVPR 2016, and its published evaluation code).
"""

from __future__ import annotations

from typing import Final, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import BoolArray, FloatArray, refuse_rows, same_length
from countenance.assessment.row_scores import RowScores
from countenance.errors import AssessmentError

LandmarkScale = Literal["outer_eye_corners", "eye_centres", "box_size", "landmark_extent"]

UNITS: Final[dict[LandmarkScale, str]] = {
    "outer_eye_corners": "distance of the outer eye corners",
    "eye_centres": "distance of the eye centres",
    "box_size": "square root of the box's area",
    "landmark_extent": "square root of the area that the landmarks span",
}

INTER_OCULAR: Final[dict[int, LandmarkScale]] = {5: "eye_centres", 21: "outer_eye_corners", 68: "outer_eye_corners"}
"""By number of points, the usual distance between the eyes: the outer corners where a scheme has them."""

FIVE_OF: Final[dict[int, tuple[tuple[int, ...], ...]]] = {
    5: ((0,), (1,), (2,), (3,), (4,)),
    21: ((7,), (10,), (14,), (17,), (19,)),
    68: (tuple(range(36, 42)), tuple(range(42, 48)), (30,), (48,), (54,)),
}
"""By number of points (5, 21 of AFLW, 68 of iBUG), those whose means are left eye, right eye, nose tip and left and
right mouth corner: the points that models are compared on. ``countenance.data.alignment`` reduces points alike."""

_OUTER_EYE_CORNERS: Final = {21: (6, 11), 68: (36, 45)}


def five_of_landmarks(points_px: FloatArray, visibility: FloatArray | None) -> tuple[FloatArray, FloatArray]:
    """Reduce landmarks [N, K, 2], K = 5, 21 or 68, to five [N, 5, 2], and their visibility [N, K] to [N, 5].

    A point is NaN where one that it is the mean of isn't labelled, and as visible as the least visible of them.
    """
    points, seen = _points(points_px, what="landmarks"), visibility
    indices = [list(group) for group in FIVE_OF[points.shape[1]]]
    if seen is None:
        seen = np.full(points.shape[:2], np.nan)
    five = np.stack([points[:, group].mean(axis=1) for group in indices], axis=1)
    # NaN stands for "not known", which is no reason to leave a point out.
    known = np.where(np.isnan(seen), 1.0, seen)
    return five, np.stack([known[:, group].min(axis=1) for group in indices], axis=1)


def landmark_scales(labels_px: FloatArray, scale: LandmarkScale, *, boxes_xywh: ArrayLike | None = None) -> FloatArray:
    """Return the length that each photo's landmark error is divided by, [N] pixels.

    Args:
        labels_px: [N, K, 2], K = 5, 21 or 68; NaN = point not labelled.
        scale: what to divide by; five points have no eye corners.
        boxes_xywh: labelled boxes [N, 4] for ``box_size``; NaN = not labelled.

    Returns:
        NaN where the points or the box that it needs aren't labelled.

    Raises:
        AssessmentError: the scheme has no such length, there are no boxes, or a length is 0; the text names the row.
    """
    points = _points(labels_px, what="labelled landmarks")
    lengths = _lengths(points, scale, boxes_xywh)
    refuse_rows(lengths <= 0, f"the {UNITS[scale]} is not positive")
    return lengths


def _lengths(points: FloatArray, scale: LandmarkScale, boxes_xywh: ArrayLike | None) -> FloatArray:
    count = points.shape[1]
    if scale == "outer_eye_corners":
        if count not in _OUTER_EYE_CORNERS:
            raise AssessmentError(f"{count} landmarks have no eye corners: divide by 'eye_centres' or 'box_size'.")
        left, right = (points[:, index] for index in _OUTER_EYE_CORNERS[count])
        return np.asarray(np.linalg.norm(left - right, axis=1))
    if scale == "eye_centres":
        left, right = (points[:, list(eye)].mean(axis=1) for eye in FIVE_OF[count][:2])
        return np.asarray(np.linalg.norm(left - right, axis=1))
    if scale == "landmark_extent":
        # A point that isn't labelled makes it NaN: the box of the others would be too small.
        return np.asarray(np.sqrt((points.max(axis=1) - points.min(axis=1)).prod(axis=1)))
    if scale not in get_args(LandmarkScale):
        raise AssessmentError(f"'{scale}' is no length to divide by: use one of {', '.join(get_args(LandmarkScale))}.")
    if boxes_xywh is None:
        raise AssessmentError("'box_size' needs the labelled boxes: give them, or divide by another length.")
    boxes = np.asarray(boxes_xywh, dtype=np.float64).reshape(-1, 4)
    same_length(landmarks=len(points), boxes=len(boxes))
    refuse_rows((boxes[:, 2:] <= 0).any(axis=1), "a labelled box has no area")
    return np.asarray(np.sqrt(boxes[:, 2:].prod(axis=1)))


def normalised_landmark_errors(
    labels_px: FloatArray,
    predictions_px: FloatArray,
    scale: LandmarkScale,
    *,
    boxes_xywh: ArrayLike | None = None,
    visibility: ArrayLike | None = None,
) -> RowScores:
    """Score landmarks: mean distance of predicted from labelled points over a length of the photo's face.

    Args:
        labels_px: [N, K, 2], K = 5, 21 or 68; NaN = point, or whole photo, not labelled.
        predictions_px: [N, K, 2] in the same pixels.
        scale: what to divide by; see the top of this module.
        boxes_xywh: labelled boxes [N, 4] for ``box_size``; NaN = not labelled.
        visibility: [N, K]; a point at or under 0.5 is left out, NaN = not known, and not left out. A point that is
            left out may still set the length.

    Returns:
        NaN where nothing is labelled and visible, or what sets the length isn't labelled.
    """
    truth = _points(labels_px, what="labelled landmarks")
    guess = _points(predictions_px, what="predicted landmarks")
    if truth.shape != guess.shape:
        raise AssessmentError(f"The landmarks have shapes {truth.shape} and {guess.shape}: give the same points.")
    lengths = landmark_scales(truth, scale, boxes_xywh=boxes_xywh)
    known = ~np.isnan(truth).any(axis=2) & ~np.isnan(lengths)[:, None] & _visible(visibility, truth)
    refuse_rows((known & np.isnan(guess).any(axis=2)).any(axis=1), "a labelled landmark has no prediction")
    distance = np.where(known, np.linalg.norm(guess - truth, axis=2), 0.0).sum(axis=1)
    values = np.full(len(truth), np.nan)
    count = known.sum(axis=1)
    np.divide(distance, count * lengths, out=values, where=count > 0)
    return RowScores(values, UNITS[scale], higher_is_better=False, proportion=False)


def _visible(visibility: ArrayLike | None, points: FloatArray) -> BoolArray:
    if visibility is None:
        return np.ones(points.shape[:2], dtype=np.bool_)
    seen = np.asarray(visibility, dtype=np.float64)
    if seen.shape != points.shape[:2]:
        raise AssessmentError(f"The visibility has shape {seen.shape}: give {points.shape[:2]}, one value a point.")
    return ~(seen <= 0.5)


def _points(points_px: FloatArray, *, what: str) -> FloatArray:
    points = np.asarray(points_px, dtype=np.float64)
    if points.ndim != 3 or points.shape[1] not in FIVE_OF or points.shape[2] != 2:
        raise AssessmentError(f"The {what} have shape {points.shape}: give [photos, 5, 21 or 68, 2].")
    return points
