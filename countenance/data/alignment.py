"""From a photo to the two crops that the network sees: five-point alignment and the square around a box."""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from countenance.errors import DataError

CROP_SIZE: Final = 112
"""Side of every stored crop, in pixels."""

BOX_EXPANSION: Final = 1.6
"""Side of the stored square around a face, as a multiple of the longer side of its box."""

FIVE_POINT_TEMPLATE: Final[NDArray[np.float32]] = np.array(
    [[38.2946, 51.6963], [73.5318, 51.5014], [56.0252, 71.7366], [41.5493, 92.3655], [70.7299, 92.2041]],
    dtype=np.float32,
)
"""Left eye, right eye, nose tip, left and right mouth corner in a 112 x 112 crop (the ArcFace alignment)."""

CANONICAL_BOX_XYWH: Final[tuple[float, float, float, float]] = (15.5, 13.0, 80.0, 106.0)
"""Where a detector's box lies in the aligned crop: the median over a detector's boxes on frontal photographs."""

_FIVE_OF: Final[dict[str, tuple[tuple[int, ...], ...]]] = {
    "5": ((0,), (1,), (2,), (3,), (4,)),
    "21": ((7,), (10,), (14,), (17,), (19,)),
    "68": (tuple(range(36, 42)), tuple(range(42, 48)), (30,), (48,), (54,)),
}
"""By landmark scheme, the points whose means are the five."""


def five_points(landmarks: NDArray[np.float32], scheme: str) -> NDArray[np.float32]:
    """Reduce landmarks to the five points of the alignment template.

    Args:
        landmarks: [K, 2] or [2K], pixels; a point that isn't labelled is NaN.
        scheme: ``5``, ``21`` (AFLW, feature ids 1 to 21: each brow's left corner, centre and right corner, each eye's
            likewise, left ear, left, centre and right of the nose, right ear, left corner, centre and right corner of
            the mouth, chin; left and right as seen) or ``68`` (iBUG 300-W; an eye is the mean of its contour).

    Returns:
        [5, 2] float32 in the same pixels; NaN where a point that is needed isn't labelled.

    Raises:
        DataError: the scheme is unknown or the number of points does not fit it.
    """
    points = np.asarray(landmarks, dtype=np.float32).reshape(-1, 2)
    if scheme not in _FIVE_OF:
        raise DataError(f"Landmark scheme '{scheme}' is unknown: use '5', '21' or '68'.")
    if len(points) != int(scheme):
        raise DataError(f"Landmark scheme '{scheme}' needs {scheme} points, but a face has {len(points)}.")
    if scheme == "5":
        return points
    return np.stack([points[list(indices)].mean(axis=0) for indices in _FIVE_OF[scheme]]).astype(np.float32)


def similarity_transform(source: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float64]:
    """Least-squares similarity (rotation, uniform scale, shift) that maps ``source`` onto ``target``.

    Closed form of Umeyama, "Least-squares estimation of transformation parameters between two point
    patterns", TPAMI 1991, eq. 40-43, for two dimensions without reflection.

    Args:
        source: [N, 2] points, N >= 2, not all the same.
        target: [N, 2] points.

    Returns:
        [2, 3] affine matrix for column vectors (x, y, 1).
    """
    source_mean, target_mean = source.mean(axis=0), target.mean(axis=0)
    a, b = (source - source_mean).astype(np.float64), (target - target_mean).astype(np.float64)
    variance = float((a**2).sum())
    if variance < 1e-12:
        raise DataError("Five landmarks that coincide cannot be aligned: check the landmark columns.")
    cosine = float((a * b).sum()) / variance
    sine = float((a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]).sum()) / variance
    linear = np.array([[cosine, -sine], [sine, cosine]])
    shift = target_mean - linear @ source_mean
    return np.column_stack([linear, shift])


def apply_affine(matrix: NDArray[np.float64], points: NDArray[np.float32]) -> NDArray[np.float32]:
    """Map [N, 2] points by a [2, 3] affine matrix."""
    return (points @ matrix[:, :2].T + matrix[:, 2]).astype(np.float32)


def align(image: NDArray[np.uint8], points: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Warp a photo [H, W, 3] so that its [5, 2] points lie on the template; returns [112, 112, 3]."""
    matrix = similarity_transform(points, FIVE_POINT_TEMPLATE)
    return _warp(image, matrix)


def box_transform(
    box_xywh: NDArray[np.float32], *, expansion: float = BOX_EXPANSION, size: int = CROP_SIZE
) -> NDArray[np.float64]:
    """The affine [2, 3] from photo pixels to a square crop around a box.

    The square has the box's centre and ``expansion`` times its longer side.
    """
    x, y, width, height = (float(value) for value in box_xywh)
    if not (width > 0 and height > 0):
        raise DataError(f"A face box needs a positive width and height, but one is {width:g} x {height:g}.")
    side = expansion * max(width, height)
    scale = size / side
    left, top = x + width / 2 - side / 2, y + height / 2 - side / 2
    return np.array([[scale, 0.0, -left * scale], [0.0, scale, -top * scale]])


def crop_box(image: NDArray[np.uint8], box_xywh: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Cut the expanded square around a box from a photo [H, W, 3]; returns [112, 112, 3], black outside."""
    return _warp(image, box_transform(box_xywh))


def box_from_five_points(points: NDArray[np.float32]) -> NDArray[np.float32]:
    """The box that a detector would give for a face with these [5, 2] points; (x, y, width, height).

    The canonical box is carried from the template to the photo by the inverse similarity; its rotation is
    dropped, since boxes are upright.
    """
    matrix = similarity_transform(FIVE_POINT_TEMPLATE, points)
    x, y, width, height = CANONICAL_BOX_XYWH
    scale = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    centre = apply_affine(matrix, np.array([[x + width / 2, y + height / 2]], dtype=np.float32))[0]
    size = np.array([width, height], dtype=np.float32) * scale
    return np.concatenate([centre - size / 2, size]).astype(np.float32)


def intersection_over_union(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """IoU of one (x, y, width, height) box with [N, 4] others; returns [N]."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    intersection = np.clip(high - low, 0, None).prod(axis=1)
    union = float(box[2:].prod()) + others[:, 2:].prod(axis=1) - intersection
    return np.asarray(intersection / np.maximum(union, 1e-9), dtype=np.float64)


def _warp(image: NDArray[np.uint8], matrix: NDArray[np.float64]) -> NDArray[np.uint8]:
    # Shrinking with bilinear samples alone would alias: average over the area first.
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.5:
        shrink = 2.0 * scale
        image = cv2.resize(image, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA).astype(np.uint8)
        matrix = matrix.copy()
        matrix[:, :2] /= shrink
    warped = cv2.warpAffine(
        image, matrix, (CROP_SIZE, CROP_SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT
    )
    return np.asarray(warped, dtype=np.uint8)
