"""Where in photos faces may be: the network looks through a pyramid of each, batched over levels and photos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from countenance.analysis.configuration import AnalyzerConfiguration
from countenance.analysis.model import FaceModel
from countenance.analysis.pyramid import Window, pyramid_scales, windows_of
from countenance.data.alignment import intersection_over_union

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

CANDIDATES_A_FACE: Final = 3
"""At most so many places are looked at closely, for each face that may be reported."""

_LARGEST_NUMBER_TO_SIFT: Final = 4000


@dataclass(frozen=True, kw_only=True)
class Candidates:
    """Places where faces may be; photo by photo, the best first.

    Attributes:
        photo: [M] index of the photo.
        box_xywh: [M, 4] in the photo's pixels.
        score: [M] in 0..1.
    """

    photo: Integers
    box_xywh: Floats
    score: Floats


def propose_faces(
    model: FaceModel, photos: Sequence[NDArray[np.uint8]], configuration: AnalyzerConfiguration
) -> Candidates:
    """Look for faces in photos [H, W, 3] RGB of any sizes."""
    most = CANDIDATES_A_FACE * configuration.largest_number_of_faces
    found = _found_by_photo(model, photos, configuration)
    kept = []
    for index, (boxes, scores) in enumerate(found):
        rows = best_boxes(boxes, scores, overlap=configuration.overlap, most=most)
        kept.append(Candidates(photo=np.full(len(rows), index), box_xywh=boxes[rows], score=scores[rows]))
    return Candidates(
        photo=np.concatenate([np.empty(0, dtype=np.int64), *(each.photo for each in kept)]),
        box_xywh=np.concatenate([np.empty((0, 4), dtype=np.float32), *(each.box_xywh for each in kept)]),
        score=np.concatenate([np.empty(0, dtype=np.float32), *(each.score for each in kept)]),
    )


def best_boxes(boxes_xywh: Floats, scores: Floats, *, overlap: float, most: int) -> Integers:
    """Greedy non-maximum suppression: the rows of boxes that overlap no better one, best first.

    Args:
        boxes_xywh: [M, 4].
        scores: [M]; equal scores are ordered by place, so that the order of the rows doesn't matter.
        overlap: intersection over union above which the lesser box goes.
        most: no more than so many are kept.
    """
    order = np.lexsort((*boxes_xywh.T[::-1], -scores))[:_LARGEST_NUMBER_TO_SIFT]
    kept: list[int] = []
    while len(order) and len(kept) < most:
        best, rest = order[0], order[1:]
        kept.append(int(best))
        order = rest[intersection_over_union(boxes_xywh[best], boxes_xywh[rest]) <= overlap]
    return np.array(kept, dtype=np.int64)


class _Batches:
    # Gathers windows of one size until they hold as many pixels as a batch of crops, then has the model look at them.

    def __init__(self, model: FaceModel, configuration: AnalyzerConfiguration, photos: int) -> None:
        self._model, self._threshold = model, configuration.proposal_threshold
        self._pixels = configuration.batch_size * model.input_size**2
        self._pending: dict[tuple[int, ...], list[Window]] = {}
        self.boxes: list[list[Floats]] = [[np.empty((0, 4), dtype=np.float32)] for _ in range(photos)]
        self.scores: list[list[Floats]] = [[np.empty(0, dtype=np.float32)] for _ in range(photos)]

    def add(self, window: Window) -> None:
        same = self._pending.setdefault(window.image.shape, [])
        same.append(window)
        if (len(same) + 1) * window.image[..., 0].size > self._pixels:
            self._look(self._pending.pop(window.image.shape))

    def finish(self) -> None:
        for windows in self._pending.values():
            self._look(windows)
        self._pending.clear()

    def _look(self, windows: list[Window]) -> None:
        images = np.stack([window.image for window in windows])
        found = self._model.propose(images, threshold=self._threshold)
        for index, window in enumerate(windows):
            rows = found.image == index
            boxes, scores = found.box_xywh[rows], found.score[rows]
            own = window.owns(boxes)
            self.boxes[window.photo].append(window.in_photo(boxes[own]))
            self.scores[window.photo].append(scores[own])


def _found_by_photo(
    model: FaceModel, photos: Sequence[NDArray[np.uint8]], configuration: AnalyzerConfiguration
) -> list[tuple[Floats, Floats]]:
    batches = _Batches(model, configuration, len(photos))
    # A batch of one window has the pixels of a batch of crops, too: this bounds the memory for photos of any size.
    largest_side = int(configuration.batch_size**0.5 * model.input_size)
    for index, photo in enumerate(photos):
        scales = pyramid_scales(
            *photo.shape[:2],
            input_size=model.input_size,
            smallest_face_px=configuration.smallest_face_px,
            longest_side_px=configuration.longest_side_px,
        )
        for scale in scales:
            for window in windows_of(
                photo,
                index,
                scale,
                input_size=model.input_size,
                cell_stride=model.cell_stride,
                largest_side=largest_side,
            ):
                batches.add(window)
    batches.finish()
    return [
        (np.concatenate(boxes), np.concatenate(scores))
        for boxes, scores in zip(batches.boxes, batches.scores, strict=True)
    ]
