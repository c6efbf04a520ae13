"""From a stored 112 x 112 crop to the square that the network sees: one affine warp, for pixels and points alike.

Coordinates are OpenCV's throughout (0 = the centre of the first pixel), as in :mod:`countenance.data.alignment`: the
warp of the photo into a crop and the warp of the crop into a view compose to one warp of the photo, exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from countenance.data.alignment import BOX_EXPANSION, CROP_SIZE

CANONICAL_EXPANSION: Final = 1.25
"""What the network sees around a box when nothing is varied: a square of so many times its longer side."""

View = Literal["aligned", "box"]
StoredView = Literal["aligned", "box", "scene"]

_FLIP_5 = (1, 0, 2, 4, 3)
_FLIP_21 = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 16, 15, 14, 13, 12, 19, 18, 17, 20)
_FLIP_68 = (
    *range(16, -1, -1), *range(26, 16, -1), *range(27, 31), *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    *range(54, 47, -1), *range(59, 54, -1), *range(64, 59, -1), *range(67, 64, -1),
)  # fmt: skip
MIRRORED_ORDER: Final[dict[str, NDArray[np.int64]]] = {
    "5": np.array(_FLIP_5),
    "21": np.array(_FLIP_21),
    "68": np.array(_FLIP_68),
}
"""By landmark scheme: for every point, the one that takes its place in the mirror image."""


@dataclass(frozen=True, kw_only=True)
class Warp:
    """How a crop is seen: a square of it, turned, then mirrored.

    Attributes:
        side: side of the square, in crop pixels.
        shift_xy: its centre's distance from the crop's centre, in crop pixels.
        rotation_deg: the face is turned clockwise by this many degrees.
        mirrored: the turned face is mirrored left to right.
    """

    side: float
    shift_xy: tuple[float, float] = (0.0, 0.0)
    rotation_deg: float = 0.0
    mirrored: bool = False

    def matrix(self, size: int) -> NDArray[np.float64]:
        """[2, 3] affine map from crop pixels to the pixels of a view of ``size`` squared."""
        angle = np.deg2rad(self.rotation_deg)
        cosine, sine = np.cos(angle), np.sin(angle)
        linear = np.array([[cosine, -sine], [sine, cosine]]) * (size / self.side)
        if self.mirrored:
            linear[0] = -linear[0]
        centre = CROP_SIZE / 2 + np.array(self.shift_xy)
        return np.column_stack([linear, size / 2 - linear @ centre])

    def image(self, crop: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
        """[112, 112, 3] crop -> [size, size, 3] view; beyond the crop its outermost pixels repeat."""
        view = cv2.warpAffine(
            crop, self.matrix(size), (size, size), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        return np.asarray(view, dtype=np.uint8)

    def points(self, crop_xy: NDArray[np.floating], size: int) -> NDArray[np.float64]:
        """[K, 2] crop pixels -> [K, 2] view pixels, in the same order."""
        matrix = self.matrix(size)
        return np.asarray(crop_xy @ matrix[:, :2].T + matrix[:, 2], dtype=np.float64)

    def points_back(self, view_xy: NDArray[np.floating], size: int) -> NDArray[np.float64]:
        """[K, 2] view pixels -> [K, 2] crop pixels: the inverse of :meth:`points`."""
        matrix = self.matrix(size)
        return np.asarray((view_xy - matrix[:, 2]) @ np.linalg.inv(matrix[:, :2]).T, dtype=np.float64)


CANONICAL_WARP: Final[dict[View, Warp]] = {
    "aligned": Warp(side=CROP_SIZE),
    "box": Warp(side=CROP_SIZE * CANONICAL_EXPANSION / BOX_EXPANSION),
}
"""How crops are seen in evaluation and service: aligned ones whole, box ones as the central 1.25-fold box."""


def to_network_input(views: NDArray[np.uint8], device: torch.device | str = "cpu") -> Tensor:
    """[N, S, S, 3] uint8 RGB -> [N, 3, S, S] float32 in [-1, 1], laid out channels last."""
    # [N, S, S, 3] memory seen as [N, 3, S, S] is channels-last as it stands: no copy is needed for the layout.
    return torch.from_numpy(views).to(device).permute(0, 3, 1, 2).float().sub_(127.5).div_(127.5)
