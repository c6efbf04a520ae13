"""A model that knows its world exactly: a face is a red rectangle, its green tells the age, its blue the smile.

Faces look 10 degrees to the right, which is told by the blue of their halves.
It proposes only what a real one is taught to see, faces of 0.25 to 0.6 times its input, and a few times each.
"""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np
from numpy.typing import NDArray

from countenance.analysis.model import FoundBoxes
from countenance.data.alignment import FIVE_POINT_TEMPLATE
from countenance.data.face_boxes import boxes_around_five_points

_BOX = boxes_around_five_points(FIVE_POINT_TEMPLATE[None])[0]
ASPECT = float(_BOX[2] / _BOX[3])
"""Width over height of a face in this world: that of the box around the template's points."""

Images = NDArray[np.uint8]


def points_in(box_xywh: NDArray[np.floating]) -> NDArray[np.float32]:
    """The [5, 2] points whose box this is."""
    share = (FIVE_POINT_TEMPLATE - _BOX[:2]) / _BOX[2:]
    return (np.asarray(box_xywh)[:2] + share * np.asarray(box_xywh)[2:]).astype(np.float32)


def scene(
    height: int, width: int, boxes: list[tuple[float, float, float, float]], *, age: int = 40, smile: int = 20
) -> Images:
    """A grey photo with these faces."""
    photo = np.full((height, width, 3), (60, 90, 90), dtype=np.uint8)
    for x, y, w, h in boxes:
        photo[round(y) : round(y + h), round(x) : round(x + w)] = (250, age, smile - 10)
        photo[round(y) : round(y + h), round(x + w / 2) : round(x + w)] = (250, age, smile + 10)
    return photo


def face_boxes(photo: Images) -> NDArray[np.float64]:
    """[M, 4] boxes of the red rectangles, in coordinates of pixel edges."""
    red = ((photo[..., 0] > 150) & (photo[..., 1] < 110)).astype(np.uint8)
    _, _, stats, _ = cv2.connectedComponentsWithStats(red, connectivity=4)
    return np.asarray(stats[1:, :4], dtype=np.float64)


class OracleModel:
    """Implements ``FaceModel`` for this world.

    Args:
        input_size: side of its views.
        copies: how often each face is proposed, each time a little elsewhere.
    """

    landmark_scheme = "5"
    cell_stride = 16

    def __init__(self, input_size: int = 64, *, copies: int = 3) -> None:
        self.input_size = input_size
        self.copies = copies
        self.largest_batch_px = 0
        self.views_read = 0

    def propose(self, images: Images, *, threshold: float) -> FoundBoxes:
        assert images.shape[1] % 16 == 0
        assert images.shape[2] % 16 == 0
        assert min(images.shape[1:3]) >= self.input_size
        self.largest_batch_px = max(self.largest_batch_px, images[..., 0].size)
        boxes, owners = [], []
        for index, image in enumerate(images):
            for box in face_boxes(image):
                if 0.25 * self.input_size - 1 <= box[2:].max() <= 0.6 * self.input_size + 1:
                    for copy in range(self.copies):
                        shift = 0.06 * box[2:].max() * np.array([copy, -copy])
                        boxes.append([*(box[:2] - 0.5 + shift), *box[2:]])
                        owners.append(index)
        return FoundBoxes(
            box_xywh=np.array(boxes, dtype=np.float32).reshape(-1, 4),
            score=np.full(len(boxes), 0.9, dtype=np.float32),
            image=np.array(owners, dtype=np.int64),
        )

    def read(self, views: Images) -> Mapping[str, NDArray[np.float32]]:
        assert views.shape[1:] == (self.input_size, self.input_size, 3)
        self.views_read += len(views)
        faces = [self._read(view) for view in views]
        return {name: np.stack([face[name] for face in faces]).astype(np.float32) for name in faces[0]}

    def _read(self, view: Images) -> dict[str, NDArray[np.float64]]:
        middle = self.input_size / 2
        boxes = face_boxes(view)
        logit, box = -8.0, np.array([0.3, 0.3, 0.4 * ASPECT, 0.4]) * self.input_size
        if len(boxes):
            away = np.abs(boxes[:, :2] + boxes[:, 2:] / 2 - middle).max(axis=1)
            box = boxes[away.argmin()]
            logit = 8.0 - 20.0 * away.min() / self.input_size
        rows = view[int(middle) - 4 : int(middle) + 4].astype(np.float64)
        left, right = rows[:, int(middle) - 6 : int(middle)], rows[:, int(middle) : int(middle) + 6]
        patch = np.concatenate([left, right]).reshape(-1, 3).mean(axis=0)
        yaw = (right[..., 2].mean() - left[..., 2].mean()) / 2
        return {
            "face_logit": np.array(logit),
            "landmarks": (points_in(box) - 0.5) / self.input_size,
            "visibility_logit": np.full(5, 3.0),
            "pose_deg": np.array([yaw, -5.0, 0.0]),
            "smile_logit": np.array((patch[2] - 40.0) / 10.0),
            "gender_logit": np.array(2.0),
            "age_years": np.array(patch[1]),
            "embedding": patch / np.linalg.norm(patch),
        }
