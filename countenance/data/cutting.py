"""One labelled photo becomes the views of its faces, or a corrupt record with its reason."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final

import cv2
import numpy as np
from numpy.typing import NDArray

from countenance.data.alignment import CROP_SIZE, align, crop_box, five_points, intersection_over_union
from countenance.data.crop_store import SCENE_SIDE, Crop
from countenance.data.importers.labelled import (
    CorruptRecord,
    CorruptRecordError,
    Importer,
    LabelledFace,
    LabelledPhoto,
    Record,
)
from countenance.data.photographs import decode_photo, encode_photo, photo_sha256
from countenance.data.quarantine import require_face_in_photo, require_sound_face
from countenance.errors import DataError

_VISIBLE_FACE_PX: Final = 8
"""An unlabelled face that is shorter than this in a stored scene can't be told there."""


@dataclass(kw_only=True)
class CutFace:
    """A face (or a piece of background) with its manifest row, its views and its protected attributes."""

    row: dict[str, Any]
    crop: Crop
    groups: dict[str, str]
    kept_with: str | None


def cut_photo(record: Record, importer: Importer, non_face_share: float) -> list[CutFace | CorruptRecord]:
    """Decode a photo and cut its faces, and a piece of background for a share of the photos.

    Returns:
        The faces; where a face is corrupt, its record in place of it; where the photo is, one record alone.
    """
    if isinstance(record, CorruptRecord):
        return [record]
    try:
        encoded, image = _read(record, importer.name)
    except CorruptRecordError as error:
        subjects = _named(record.faces)
        return [CorruptRecord(photo=record.name, reason=error.reason, detail=str(error), subject_ids=subjects)]
    shared = {
        "source": importer.name,
        "photo": record.name,
        "photo_sha256": photo_sha256(encoded),
        "license": importer.license,
        "purpose": importer.purpose,
    }
    cut: list[CutFace] = []
    corrupt: list[CorruptRecord] = []
    for index, face in enumerate(record.faces):
        try:
            cut.append(_cut_face(face, index, record, encoded, image, shared))
        except CorruptRecordError as error:
            key, subjects = record.key_of(index), _named((face,))
            corrupt.append(CorruptRecord(photo=key, reason=error.reason, detail=str(error), subject_ids=subjects))
    if not corrupt:
        # Where a face's box isn't known, what lies around the other faces isn't known either.
        _add_scene(cut, record, encoded, image)
        cut.extend(_cut_background(record, image, shared, non_face_share))
    return [*cut, *corrupt]


def _named(faces: Iterable[LabelledFace]) -> tuple[str, ...]:
    return tuple(face.subject_id for face in faces if face.subject_id is not None)


def _read(photo: LabelledPhoto, source: str) -> tuple[bytes, NDArray[np.uint8]]:
    try:
        encoded = photo.read()
    except CorruptRecordError:
        raise
    except DataError as error:
        raise CorruptRecordError(
            "photo missing",
            f"A photo of source '{source}' cannot be read: restore the file or remove it from the labels.",
        ) from error
    try:
        image = decode_photo(encoded, name=f"of source '{source}'")
    except DataError as error:
        raise CorruptRecordError("photo does not decode", str(error)) from error
    if photo.is_aligned and image.shape[:2] != (CROP_SIZE, CROP_SIZE):
        height, width = image.shape[:2]
        raise CorruptRecordError(
            "wrong size", f"An aligned photo is {width} x {height} pixels: it must be {CROP_SIZE} x {CROP_SIZE}."
        )
    return encoded, image


def _cut_face(
    face: LabelledFace,
    index: int,
    photo: LabelledPhoto,
    encoded: bytes,
    image: NDArray[np.uint8],
    shared: dict[str, str],
) -> CutFace:
    require_sound_face(face)
    require_face_in_photo(face, image.shape)
    face_id = _face_id(shared["source"], photo.name, index)
    aligned = _aligned_view(face, image, encoded if photo.is_aligned else None)
    box = None if face.box_xywh is None else encode_photo(crop_box(image, face.box_xywh))
    if aligned is None and box is None:
        raise CorruptRecordError("nothing to cut", "A face has neither a box nor five landmarks: it gives no crop.")
    row: dict[str, Any] = {
        **shared,
        "face_id": face_id,
        "is_face": True,
        "crop": face_id,
        "subject_id": face.subject_id,
        "box_xywh": _flat(face.box_xywh),
        "landmarks": _flat(face.landmarks),
        "landmark_scheme": face.landmark_scheme,
        "visibility": _flat(face.visibility),
        "yaw_deg": face.yaw_deg,
        "pitch_deg": face.pitch_deg,
        "roll_deg": face.roll_deg,
        "yaw_range": None if face.yaw_range is None else list(face.yaw_range),
        "gender": face.gender,
        "smiling": face.smiling,
        "age_years": face.age_years,
        "age_std": face.age_std,
    }
    crop = Crop(crop=face_id, owner=face.subject_id or face_id, aligned=aligned, box=box)
    return CutFace(row=row, crop=crop, groups=dict(face.groups), kept_with=photo.kept_with)


def _aligned_view(face: LabelledFace, image: NDArray[np.uint8], given: bytes | None) -> bytes | None:
    points = face.alignment_points
    if face.landmarks is not None and face.landmark_scheme is not None:
        points = five_points(face.landmarks, face.landmark_scheme)
    if points is None or not np.isfinite(points).all():
        return given
    return encode_photo(align(image, points))


def _add_scene(cut: list[CutFace], photo: LabelledPhoto, encoded: bytes, image: NDArray[np.uint8]) -> None:
    """Keep the whole photo with one of its faces, where every face has a box.

    A photo of several named people is not kept: it could not be erased with one of them. Nor is one on which a face
    can be seen that isn't labelled: it would be learned as background.
    """
    subjects = {face.subject_id for face in photo.faces if face.subject_id is not None}
    if photo.is_aligned or len(subjects) > 1 or any(face.box_xywh is None for face in photo.faces):
        return
    owner = next((face for face in cut if face.row["subject_id"] is not None), cut[0] if cut else None)
    scale = min(1.0, SCENE_SIDE / max(image.shape[:2]))
    if owner is None or scale * _largest_side(photo.unlabelled_boxes) >= _VISIBLE_FACE_PX:
        return
    if scale < 1.0:
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        encoded = encode_photo(np.asarray(small, dtype=np.uint8))
    elif not _decodes_to(encoded, image):
        encoded = encode_photo(image)
    owner.row["scene_scale"] = scale
    owner.crop = replace(owner.crop, scene=encoded)


def _largest_side(boxes: NDArray[np.float32] | None) -> float:
    return 0.0 if boxes is None else float(boxes[:, 2:].max())


def _decodes_to(encoded: bytes, image: NDArray[np.uint8]) -> bool:
    """Whether the photo's own bytes are an upright picture as the crop store reads it."""
    decoded = cv2.imdecode(np.frombuffer(encoded, dtype=np.uint8), cv2.IMREAD_COLOR_RGB)
    return decoded is not None and decoded.shape == image.shape and bool(np.abs(decoded.astype(int) - image).max() < 8)


def _cut_background(
    photo: LabelledPhoto, image: NDArray[np.uint8], shared: dict[str, str], share: float
) -> list[CutFace]:
    box = _background_box(photo, image.shape[:2], shared["photo_sha256"], share)
    if box is None:
        return []
    face_id = _face_id(shared["source"], photo.name, -1)
    row = {**shared, "face_id": face_id, "is_face": False, "crop": face_id, "box_xywh": _flat(box)}
    crop = Crop(crop=face_id, owner=face_id, aligned=None, box=encode_photo(crop_box(image, box)))
    return [CutFace(row=row, crop=crop, groups={}, kept_with=photo.kept_with)]


def _background_box(
    photo: LabelledPhoto, shape: tuple[int, ...], digest: str, share: float
) -> NDArray[np.float32] | None:
    """A square of the photo that shows no face, or None; the same for the same photo in every run."""
    boxes = [face.box_xywh for face in photo.faces if face.box_xywh is not None]
    generator = np.random.default_rng(int(digest[:16], 16))
    if not boxes or len(boxes) != len(photo.faces) or generator.random() > share * len(boxes):
        return None
    height, width = shape
    for _ in range(20):
        side = float(np.median([box[2:].max() for box in boxes]) * generator.uniform(0.4, 1.0))
        corner = generator.uniform([0, 0], [max(width - side, 1), max(height - side, 1)])
        box = np.array([*corner, side, side], dtype=np.float32)
        if _shows_no_face(box, np.stack(boxes), photo.unlabelled_boxes):
            return box
    return None


def _shows_no_face(
    box: NDArray[np.float32], faces: NDArray[np.float32], unlabelled: NDArray[np.float32] | None
) -> bool:
    # A face that is much smaller than the square hardly shows in the IoU, so its own share counts as well.
    if intersection_over_union(box, faces).max() >= 0.1 or _shares_covered(box, faces).max() >= 0.25:
        return False
    return unlabelled is None or bool(_shares_covered(box, unlabelled).max() <= 0.0)


def _shares_covered(box: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float64]:
    """How much of each of [M, 4] other boxes a box covers; [M] in 0..1."""
    low = np.maximum(box[:2], others[:, :2])
    high = np.minimum(box[:2] + box[2:], others[:, :2] + others[:, 2:])
    return np.asarray(np.clip(high - low, 0, None).prod(axis=1) / np.maximum(others[:, 2:].prod(axis=1), 1e-9))


def _face_id(source: str, photo: str, index: int) -> str:
    """Stable, and says nothing about who is in the photo."""
    return f"{source}-{hashlib.sha256(f'{photo}#{index}'.encode()).hexdigest()[:16]}"


def _flat(values: NDArray[np.float32] | None) -> list[float] | None:
    return None if values is None else [float(value) for value in values.ravel()]
