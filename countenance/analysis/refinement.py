"""Iterative region proposals: where the landmarks are tells where the face is, so look again, there.

Ranjan et al., "HyperFace", arXiv 1603.01249, section 4.1, and arXiv 1611.00851, section 3.3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from countenance.analysis.model import FaceModel
from countenance.analysis.photo_views import PhotoViews, landmarks_in_photo
from countenance.analysis.proposals import Candidates
from countenance.data.alignment import five_points
from countenance.data.face_boxes import boxes_around_five_points
from countenance.learning.views import MIRRORED_ORDER

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]
Images = NDArray[np.uint8]

LARGEST_CHANGE: Final = 2.0
"""A box doesn't become more than so many times larger or smaller in a round, nor move by more than half its side."""

DECIDING_ROUNDS: Final = 2
"""The last so many rounds tell whether it is a face, and read it mirrored, too. Before, the box is on its way:
proposals of turned heads are often half as large as the head, and read like no face until the landmarks have led to all
of it."""

HOPELESS: Final = 0.1
"""What is less probable than this in a round before is no place to go on from."""

SMALLEST_SPREAD: Final = 0.1
"""Five points that lie closer together than this share of the box they were read in make no face."""


@dataclass(frozen=True, kw_only=True)
class LocatedFaces:
    """Faces as read from box views; all arrays row by row.

    Attributes:
        photo: [M] index of the photo.
        box_xywh: [M, 4] the box around the landmarks, in the photo's pixels.
        probability: [M] that it is a face: the geometric mean over the deciding rounds.
        landmarks: [M, K, 2] in the photo's pixels.
        visibility: [M, K] in 0..1.
        pose_deg: [M, 3] yaw, pitch, roll.
        smile_probability: [M]; this and the following as this view tells them, which another view may tell better.
        male_probability: [M].
        age_years: [M].
    """

    photo: Integers
    box_xywh: Floats
    probability: Floats
    landmarks: Floats
    visibility: Floats
    pose_deg: Floats
    smile_probability: Floats
    male_probability: Floats
    age_years: Floats

    def take(self, rows: NDArray[np.bool_] | Integers) -> Self:
        """The faces of these rows, in their order."""
        return type(self)(**{field.name: getattr(self, field.name)[rows] for field in fields(self)})

    def __len__(self) -> int:
        return len(self.photo)


def locate_faces(
    model: FaceModel,
    photos: Sequence[PhotoViews],
    candidates: Candidates,
    *,
    rounds: int,
    threshold: float,
    batch_size: int,
) -> LocatedFaces:
    """Read every candidate, move its box to where the landmarks say, and read again.

    Args:
        model: what reads.
        photos: the photos that the candidates index.
        candidates: boxes to begin with.
        rounds: how often a face is read.
        threshold: faces less probable than this are dropped.
        batch_size: views a batch.
    """
    boxes, photo = candidates.box_xywh, candidates.photo
    deciding = min(rounds, DECIDING_ROUNDS)
    # A place that is no face often reads like one in one square and not in the other: more than one round has a say.
    product = np.ones(len(photo))
    for number in range(rounds):
        decides = number >= rounds - deciding
        faces = _read(model, photos, photo, boxes, batch_size, mirrored=decides)
        if decides:
            product *= faces.probability
            # No factor exceeds 1, so what is too little by now stays so.
            hopeful = (product >= threshold**deciding) & (product > 0)
        else:
            hopeful = faces.probability >= min(HOPELESS, threshold)
        faces, product = faces.take(hopeful), product[hopeful]
        boxes, photo = faces.box_xywh, faces.photo
    return replace(faces, probability=(product ** (1 / deciding)).astype(np.float32))


def boxes_towards(around_landmarks: Floats, before: Floats) -> Floats:
    """The boxes around landmarks, held near to those that the landmarks were read in.

    Landmarks of a profile, of half a face or of no face can ask for any box; the next round is to see something else,
    but not something elsewhere. A box is at least a third as wide as it is high and the other way round.

    Args:
        around_landmarks: [M, 4].
        before: [M, 4], each with an area.
    """
    side_before = before[:, 2:].max(axis=1, keepdims=True)
    middle, middle_before = (boxes[:, :2] + boxes[:, 2:] / 2 for boxes in (around_landmarks, before))
    middle = middle_before + np.clip(middle - middle_before, -side_before / 2, side_before / 2)
    side = np.maximum(around_landmarks[:, 2:].max(axis=1, keepdims=True), 1e-6)
    shape = np.maximum(around_landmarks[:, 2:] / side, 1 / 3)
    size = shape * np.clip(side, side_before / LARGEST_CHANGE, side_before * LARGEST_CHANGE)
    return np.concatenate([middle - size / 2, size], axis=1).astype(np.float32)


def _read(
    model: FaceModel,
    photos: Sequence[PhotoViews],
    photo: Integers,
    boxes: Floats,
    batch_size: int,
    *,
    mirrored: bool,
) -> LocatedFaces:
    batches = []
    for start in range(0, len(photo), batch_size):
        rows = slice(start, start + batch_size)
        views = [
            photos[index].box_view(box, model.input_size) for index, box in zip(photo[rows], boxes[rows], strict=True)
        ]
        said = _said(model, np.stack(views), mirrored=mirrored)
        batches.append(_located(said, photo[rows], boxes[rows], model.landmark_scheme))
    if not batches:
        return no_faces(int(model.landmark_scheme))
    return LocatedFaces(
        **{
            field.name: np.concatenate([getattr(each, field.name) for each in batches])
            for field in fields(LocatedFaces)
        }
    )


@dataclass(frozen=True, kw_only=True)
class _Said:
    # Of N views: [N], [N, K, 2] in units of the view's side, [N, K], [N, 3], and [N] each.
    probability: Floats
    landmarks: Floats
    visibility: Floats
    pose_deg: Floats
    smile_probability: Floats
    male_probability: Floats
    age_years: Floats


def _said(model: FaceModel, views: Images, *, mirrored: bool) -> _Said:
    straight = model.read(views)
    said = _Said(
        probability=logistic(straight["face_logit"]),
        landmarks=straight["landmarks"],
        visibility=logistic(straight["visibility_logit"]),
        pose_deg=straight["pose_deg"],
        smile_probability=logistic(straight["smile_logit"]),
        male_probability=logistic(straight["gender_logit"]),
        age_years=straight["age_years"],
    )
    if not mirrored:
        return said
    other = model.read(np.ascontiguousarray(views[:, :, ::-1]))
    order = MIRRORED_ORDER[model.landmark_scheme]
    landmarks = other["landmarks"][:, order] * np.array((-1, 1), dtype=np.float32)
    landmarks[..., 0] += (model.input_size - 1) / model.input_size
    return _Said(
        probability=np.sqrt(said.probability * logistic(other["face_logit"])),
        landmarks=_mean(said.landmarks, landmarks),
        visibility=_mean(said.visibility, logistic(other["visibility_logit"][:, order])),
        pose_deg=_mean(said.pose_deg, other["pose_deg"] * np.array((-1, 1, -1), dtype=np.float32)),
        smile_probability=_mean(said.smile_probability, logistic(other["smile_logit"])),
        male_probability=_mean(said.male_probability, logistic(other["gender_logit"])),
        age_years=_mean(said.age_years, other["age_years"]),
    )


def _mean(one: Floats, other: Floats) -> Floats:
    return np.asarray((one + other) / 2, dtype=np.float32)


def _located(said: _Said, photo: Integers, boxes: Floats, scheme: str) -> LocatedFaces:
    landmarks = landmarks_in_photo(said.landmarks, boxes)
    points = np.stack([five_points(face, scheme) for face in landmarks])
    spread = np.ptp(points, axis=1).max(axis=1)
    is_spread = spread > SMALLEST_SPREAD * boxes[:, 2:].max(axis=1)
    return LocatedFaces(
        photo=photo,
        box_xywh=boxes_towards(boxes_around_five_points(points), boxes),
        probability=np.where(is_spread, said.probability, np.float32(0)),
        landmarks=landmarks,
        visibility=said.visibility,
        pose_deg=said.pose_deg,
        smile_probability=said.smile_probability,
        male_probability=said.male_probability,
        age_years=said.age_years,
    )


def no_faces(points: int) -> LocatedFaces:
    """Not a single face, of a scheme with so many points."""
    return LocatedFaces(
        photo=np.empty(0, dtype=np.int64),
        box_xywh=np.empty((0, 4), dtype=np.float32),
        probability=np.empty(0, dtype=np.float32),
        landmarks=np.empty((0, points, 2), dtype=np.float32),
        visibility=np.empty((0, points), dtype=np.float32),
        pose_deg=np.empty((0, 3), dtype=np.float32),
        smile_probability=np.empty(0, dtype=np.float32),
        male_probability=np.empty(0, dtype=np.float32),
        age_years=np.empty(0, dtype=np.float32),
    )


def logistic(logit: Floats) -> Floats:
    """1 / (1 + exp(-logit)), element by element, without overflow."""
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * logit)), dtype=np.float32)
