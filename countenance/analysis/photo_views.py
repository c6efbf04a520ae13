"""Views of faces cut from whole photos: the squares that training and evaluation see, without a crop store between."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from countenance.data.alignment import CROP_SIZE, FIVE_POINT_TEMPLATE, box_transform, similarity_transform
from countenance.learning.views import CANONICAL_WARP, View

Floats = NDArray[np.float32]
Images = NDArray[np.uint8]
Affine = NDArray[np.float64]


class PhotoViews:
    """Cuts views from one photo.

    A crop that shrinks the photo to less than half is cut from a half, quarter, ... of the photo instead, made once:
    bilinear samples further apart than two pixels would alias.

    Args:
        photo: [H, W, 3] RGB, at least one pixel.
    """

    def __init__(self, photo: Images) -> None:
        self._levels = [photo]

    def box_view(self, box_xywh: Floats, size: int) -> Images:
        """[size, size, 3]: the square around a box, 1.25 times its longer side; black beyond the photo."""
        return self._view(box_transform(box_xywh), "box", size)

    def aligned_view(self, points: Floats, size: int) -> Images:
        """[size, size, 3]: the photo warped so that [5, 2] points lie on the alignment template.

        Raises:
            DataError: the points coincide.
        """
        return self._view(similarity_transform(points, FIVE_POINT_TEMPLATE), "aligned", size)

    def _view(self, matrix: Affine, view: View, size: int) -> Images:
        # By way of the 112 x 112 crop, as in training: the same pixels, softened alike.
        return CANONICAL_WARP[view].image(self._crop(matrix), size)

    def _crop(self, matrix: Affine) -> Images:
        scale, level = float(np.sqrt(abs(np.linalg.det(matrix[:, :2])))), 0
        while scale < 0.5 and min(self._level(level).shape[:2]) > 1:
            scale, level = 2 * scale, level + 1
        image = self._level(level)
        height, width = self._levels[0].shape[:2]
        own = _resized(matrix, image.shape[1] / width, image.shape[0] / height)
        part, (left, top) = _part_under(image, own)
        if part.size == 0:
            return np.zeros((CROP_SIZE, CROP_SIZE, 3), dtype=np.uint8)
        own[:, 2] += own[:, :2] @ (left, top)
        crop = cv2.warpAffine(part, own, (CROP_SIZE, CROP_SIZE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT)
        return np.asarray(crop, dtype=np.uint8)

    def _level(self, index: int) -> Images:
        while len(self._levels) <= index:
            height, width = (max(1, side // 2) for side in self._levels[-1].shape[:2])
            half = cv2.resize(self._levels[-1], (width, height), interpolation=cv2.INTER_AREA)
            self._levels.append(np.asarray(half, dtype=np.uint8))
        return self._levels[index]


def landmarks_in_photo(view_xy: Floats, boxes_xywh: Floats) -> Floats:
    """Landmarks of box views in the pixels of their photos.

    Args:
        view_xy: [N, K, 2] in units of the view's side.
        boxes_xywh: [N, 4] the boxes whose views were read.
    """
    # The view's pixel size cancels out: any will do.
    crop_xy = np.stack([CANONICAL_WARP["box"].points_back(points * CROP_SIZE, CROP_SIZE) for points in view_xy])
    matrices = np.stack([box_transform(box) for box in boxes_xywh])
    scale = matrices[:, None, [0, 1], [0, 1]]
    return ((crop_xy - matrices[:, None, :, 2]) / scale).astype(np.float32)


def _resized(matrix: Affine, x_scale: float, y_scale: float) -> Affine:
    # The same warp for a photo resized by these factors; pixel centres lie at whole numbers.
    own = matrix.copy()
    own[:, :2] /= (x_scale, y_scale)
    own[:, 2] += matrix[:, :2] @ (0.5 / x_scale - 0.5, 0.5 / y_scale - 0.5)
    return own


def _part_under(image: Images, matrix: Affine) -> tuple[Images, tuple[int, int]]:
    # OpenCV takes no source of more than 32,767 pixels a side: hand it what the crop shows, and where that begins.
    corners = np.array([[-1, -1], [CROP_SIZE, -1], [-1, CROP_SIZE], [CROP_SIZE, CROP_SIZE]], dtype=np.float64)
    inside = (corners - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T
    left, top = (int(value) for value in np.maximum(np.floor(inside.min(axis=0)) - 2, 0))
    right, bottom = (int(value) for value in np.maximum(np.ceil(inside.max(axis=0)) + 3, 0))
    return image[top:bottom, left:right], (left, top)
