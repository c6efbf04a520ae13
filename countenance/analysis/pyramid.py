"""A photo at several sizes, cut into windows, so that one network that sees faces of one size finds all of them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from countenance.network.configuration import PROPOSAL_RANGE

Images = NDArray[np.uint8]

LEVEL_STEP: Final = 1.6
"""Each level is so many times smaller than the one before. Proposals cover sizes that differ by 2.4 times."""

OUTSIDE: Final = 127
"""Grey around a photo: zero for the network, which pads its maps with zeros, too."""


@dataclass(frozen=True, kw_only=True)
class Window:
    """A part of a resized photo, as the network looks at it.

    Attributes:
        image: [h, w, 3] RGB.
        photo: index of the photo.
        scale_xy: pixels of the window a pixel of the photo.
        shift_xy: where in the window the photo's top left corner lies, pixel edges counted from 0.
        owned_xyxy: faces with their centre here, in the window's pixels, are this window's to tell; those beyond are
            seen better by a neighbour.
    """

    image: Images
    photo: int
    scale_xy: tuple[float, float]
    shift_xy: tuple[float, float]
    owned_xyxy: tuple[float, float, float, float]

    def in_photo(self, boxes_xywh: NDArray[np.float32]) -> NDArray[np.float32]:
        """Carry [M, 4] boxes of the window, in coordinates of pixel centres, over to the photo."""
        scale, shift = np.array(self.scale_xy), np.array(self.shift_xy)
        corner = (boxes_xywh[:, :2] + 0.5 - shift) / scale - 0.5
        return np.concatenate([corner, boxes_xywh[:, 2:] / scale], axis=1).astype(np.float32)

    def owns(self, boxes_xywh: NDArray[np.float32]) -> NDArray[np.bool_]:
        """Which of [M, 4] boxes have their centre in the part that this window is to tell of; [M]."""
        centre = boxes_xywh[:, :2] + boxes_xywh[:, 2:] / 2
        left, top, right, bottom = self.owned_xyxy
        return np.asarray(((centre >= (left, top)) & (centre < (right, bottom))).all(axis=1), dtype=np.bool_)


def pyramid_scales(
    height: int, width: int, *, input_size: int, smallest_face_px: float, longest_side_px: int
) -> list[float]:
    """The factors by which a photo is resized, largest first.

    Every face from the smallest one to one as long as the photo is, at one of them at least, 0.25 to 0.6 times
    ``input_size`` long. In a photo longer than ``longest_side_px`` the smallest face grows in proportion. A photo
    that is smaller than the smallest face has no levels.
    """
    longest = max(height, width)
    smallest = smallest_face_px * max(1.0, longest / longest_side_px)
    if longest < smallest:
        return []
    low, high = (share * input_size for share in PROPOSAL_RANGE)
    scales = [low / smallest]
    while high / scales[-1] < longest:
        scales.append(scales[-1] / LEVEL_STEP)
    return scales


def windows_of(
    photo: Images, index: int, scale: float, *, input_size: int, cell_stride: int, largest_side: int
) -> Iterator[Window]:
    """Resize a photo by ``scale`` and cut it into windows, sides multiples of ``cell_stride``.

    Windows overlap by ``input_size``, so that a face of 0.6 times that and its surroundings lie wholly in one of them.

    Args:
        photo: [H, W, 3] RGB.
        index: of the photo.
        scale: one of :func:`pyramid_scales`.
        input_size: of the model.
        cell_stride: of the model.
        largest_side: of a window, if it is at least twice ``input_size``.
    """
    height, width = (max(1, round(side * scale)) for side in photo.shape[:2])
    shrinks = scale < 1
    level = cv2.resize(photo, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    # One more cell than the photo fills: the last centre of a grid lies up to a cell before the end.
    sides = [_multiple(max(side + cell_stride, input_size), cell_stride) for side in (height, width)]
    canvas = np.full((*sides, 3), OUTSIDE, dtype=np.uint8)
    top, left = (sides[0] - height) // 2, (sides[1] - width) // 2
    canvas[top : top + height, left : left + width] = level
    largest = _multiple(max(largest_side, 2 * input_size), cell_stride)
    rows, columns = (_spans(side, largest, input_size, cell_stride) for side in sides)
    for (y, y_end, y_from, y_to), (x, x_end, x_from, x_to) in itertools.product(rows, columns):
        yield Window(
            image=canvas[y:y_end, x:x_end],
            photo=index,
            scale_xy=(width / photo.shape[1], height / photo.shape[0]),
            shift_xy=(left - x, top - y),
            owned_xyxy=(x_from - x, y_from - y, x_to - x, y_to - y),
        )


def _multiple(value: int, step: int) -> int:
    return -(-value // step) * step


def _spans(side: int, largest: int, overlap: int, step: int) -> list[tuple[int, int, float, float]]:
    # Where each window begins and ends along one side, and from where to where it owns.
    if side <= largest:
        return [(0, side, -math.inf, math.inf)]
    # Beginnings are rounded up to whole cells, which may take a cell off an overlap.
    count = 1 + -(-(side - largest) // (largest - overlap - step))
    starts = [_multiple(round(number * (side - largest) / (count - 1)), step) for number in range(count)]
    starts[-1] = side - largest
    borders = [(first + largest + second) / 2 for first, second in itertools.pairwise(starts)]
    edges = itertools.pairwise([-math.inf, *borders, math.inf])
    return [(start, start + largest, low, high) for start, (low, high) in zip(starts, edges, strict=True)]
