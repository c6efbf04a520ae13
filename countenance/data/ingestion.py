"""From importers to a manifest, a crop store and a table of protected attributes, in one pass."""

from __future__ import annotations

import hashlib
import hmac
import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from countenance.data.alignment import align, crop_box, five_points, intersection_over_union
from countenance.data.crop_store import SCENE_SIDE, Crop, write_crop_store
from countenance.data.importers.labelled import Importer, LabelledFace, LabelledPhoto
from countenance.data.manifest import manifest_table
from countenance.data.photographs import decode_photo, encode_photo, photo_sha256
from countenance.data.splits import SplitConfiguration, assign_splits
from countenance.errors import DataError
from countenance.progress import track

_PHOTOS_IN_FLIGHT: Final = 256

GROUP_COLUMNS: Final = ("subject_key", "attribute", "group", "group_source")
"""The table of protected attributes: one row a subject (or unnamed face) and attribute."""


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What an ingestion gives beside the crop store: the manifest and the table of protected attributes."""

    manifest: pa.Table
    groups: pd.DataFrame


@dataclass(kw_only=True)
class _CutFace:
    row: dict[str, Any]
    crop: Crop
    groups: dict[str, str]


def ingest(
    importers: Sequence[Importer],
    *,
    crop_folder: Path,
    splits: SplitConfiguration,
    subject_secret: bytes,
    non_face_share: float = 0.15,
    workers: int = 2,
) -> Ingested:
    """Read every source into one manifest and one crop store.

    Args:
        importers: the sources.
        crop_folder: where the crop store goes; what was there is replaced only when everything was read.
        splits: shares and seed.
        subject_secret: key of the HMAC that hides the subject in the table of protected attributes.
        non_face_share: background crops (``is_face`` false), as a share of the faces with a box.
        workers: decoding threads.

    Raises:
        DataError: a photo cannot be read, a label is malformed, or one face appears twice.
    """
    if not importers:
        raise DataError("No source is configured: name at least one under 'sources' in parameters_ingestion.yml.")
    rows: list[dict[str, Any]] = []
    groups: list[dict[str, str]] = []
    with write_crop_store(crop_folder) as store:
        for importer in importers:
            for face in _cut_all(importer, non_face_share, workers):
                store.add(face.crop)
                rows.append(face.row)
                groups.extend(_group_rows(face, importer, subject_secret))
        splits_of_rows = assign_splits(pd.DataFrame(rows, columns=["subject_id", "photo_sha256"]), splits)
        for row, split in zip(rows, splits_of_rows, strict=True):
            row["split"] = split
        manifest = manifest_table(rows)
    table = pd.DataFrame(groups, columns=list(GROUP_COLUMNS)).drop_duplicates().reset_index(drop=True)
    return Ingested(manifest=manifest, groups=table)


def subject_key(subject_id: str | None, face_id: str, secret: bytes) -> str:
    """The key of a person (or of an unnamed face) in the table of protected attributes: HMAC-SHA256, hexadecimal."""
    owner = subject_id if subject_id is not None else f"face:{face_id}"
    return hmac.new(secret, owner.encode(), hashlib.sha256).hexdigest()[:32]


def group_of_faces(manifest: pd.DataFrame, groups: pd.DataFrame, attribute: str, secret: bytes) -> pd.Series[str]:
    """Look up the protected attribute of every face of a manifest; [N], null where it is not known.

    Only the bias room and the rollout's replay call this; training never sees ``groups``.
    """
    owners = zip(manifest["subject_id"], manifest["face_id"], strict=True)
    keys = [subject_key(_text(subject), str(face), secret) for subject, face in owners]
    rows = groups[groups["attribute"] == attribute]
    # A person may be labelled differently by photo: the most frequent label stands for the person.
    by_key = rows.groupby("subject_key")["group"].agg(lambda labels: labels.mode().iloc[0])
    return pd.Series(keys, index=manifest.index).map(by_key)


def groups_by_face(
    manifest: pd.DataFrame, groups: pd.DataFrame, attributes: Sequence[str], secret: bytes
) -> pd.DataFrame:
    """The group of every face for several attributes: ``face_id`` and one column an attribute, null where unknown.

    Raises:
        DataError: no face of the manifest has a group of some attribute.
    """
    table = pd.DataFrame({"face_id": manifest["face_id"].to_numpy()})
    for attribute in attributes:
        column = group_of_faces(manifest, groups, attribute, secret)
        if column.isna().all():
            raise DataError(
                f"No face has a group of '{attribute}': check 'attributes' in parameters_bias.yml, and that the "
                "subject secret is the one of the ingestion."
            )
        table[attribute] = column.to_numpy(dtype=object)
    return table


def _cut_all(importer: Importer, non_face_share: float, workers: int) -> Iterator[_CutFace]:
    progress = track(importer.photos(), what=f"Importing {importer.name}", total=len(importer), unit="photo")
    with ThreadPoolExecutor(workers) as pool:
        for photos in _chunks(progress, _PHOTOS_IN_FLIGHT):
            for faces in pool.map(lambda photo: _cut(photo, importer, non_face_share), photos):
                yield from faces


def _chunks(photos: Iterable[LabelledPhoto], size: int) -> Iterator[list[LabelledPhoto]]:
    iterator = iter(photos)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


def _cut(photo: LabelledPhoto, importer: Importer, non_face_share: float) -> list[_CutFace]:
    encoded = photo.read()
    image = decode_photo(encoded, name=f"{importer.name}/{photo.name}")
    digest = photo_sha256(encoded)
    shared = {
        "source": importer.name,
        "photo": photo.name,
        "photo_sha256": digest,
        "license": importer.license,
        "purpose": importer.purpose,
    }
    cut = [
        _cut_face(
            face,
            image,
            encoded if photo.is_aligned else None,
            _face_id(importer.name, photo.name, index),
            shared,
        )
        for index, face in enumerate(photo.faces)
    ]
    _add_scene(cut, photo, encoded, image)
    background = _background_box(photo, image.shape[:2], digest, non_face_share)
    if background is not None:
        face_id = _face_id(importer.name, photo.name, -1)
        cut.append(_cut_background(background, image, face_id, shared))
    return cut


def _cut_face(
    face: LabelledFace, image: NDArray[np.uint8], aligned: bytes | None, face_id: str, shared: dict[str, str]
) -> _CutFace:
    if face.landmarks is not None and face.landmark_scheme is not None:
        aligned = encode_photo(align(image, five_points(face.landmarks, face.landmark_scheme)))
    box = None if face.box_xywh is None else encode_photo(crop_box(image, face.box_xywh))
    if aligned is None and box is None:
        raise DataError(
            f"Face {face_id} of source '{shared['source']}' has neither a box nor landmarks: it gives no crop."
        )
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
    }
    crop = Crop(crop=face_id, owner=face.subject_id or face_id, aligned=aligned, box=box)
    return _CutFace(row=row, crop=crop, groups=dict(face.groups))


def _add_scene(cut: list[_CutFace], photo: LabelledPhoto, encoded: bytes, image: NDArray[np.uint8]) -> None:
    """Keep the whole photo with one of its faces, where every face has a box.

    A photo of several named people is not kept: it could not be erased with one of them.
    """
    subjects = {face.subject_id for face in photo.faces if face.subject_id is not None}
    if photo.is_aligned or len(subjects) > 1 or any(face.box_xywh is None for face in photo.faces):
        return
    owner = next((face for face in cut if face.row["subject_id"] is not None), cut[0] if cut else None)
    if owner is None:
        return
    scale = min(1.0, SCENE_SIDE / max(image.shape[:2]))
    if scale < 1.0:
        small = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        encoded = encode_photo(np.asarray(small, dtype=np.uint8))
    elif not _decodes_to(encoded, image):
        encoded = encode_photo(image)
    owner.row["scene_scale"] = scale
    owner.crop = replace(owner.crop, scene=encoded)


def _decodes_to(encoded: bytes, image: NDArray[np.uint8]) -> bool:
    """Whether the photo's own bytes are an upright picture as the crop store reads it."""
    decoded = cv2.imdecode(np.frombuffer(encoded, dtype=np.uint8), cv2.IMREAD_COLOR_RGB)
    return decoded is not None and decoded.shape == image.shape and bool(np.abs(decoded.astype(int) - image).max() < 8)


def _cut_background(
    box: NDArray[np.float32], image: NDArray[np.uint8], face_id: str, shared: dict[str, str]
) -> _CutFace:
    row = {**shared, "face_id": face_id, "is_face": False, "crop": face_id, "box_xywh": _flat(box)}
    crop = Crop(crop=face_id, owner=face_id, aligned=None, box=encode_photo(crop_box(image, box)))
    return _CutFace(row=row, crop=crop, groups={})


def _background_box(
    photo: LabelledPhoto, shape: tuple[int, ...], digest: str, share: float
) -> NDArray[np.float32] | None:
    """A square of the photo that shows no labelled face, or None; the same for the same photo in every run."""
    boxes = [face.box_xywh for face in photo.faces if face.box_xywh is not None]
    generator = np.random.default_rng(int(digest[:16], 16))
    if not boxes or len(boxes) != len(photo.faces) or generator.random() > share * len(boxes):
        return None
    height, width = shape
    for _ in range(20):
        side = float(np.median([box[2:].max() for box in boxes]) * generator.uniform(0.4, 1.0))
        corner = generator.uniform([0, 0], [max(width - side, 1), max(height - side, 1)])
        box = np.array([*corner, side, side], dtype=np.float32)
        if intersection_over_union(box, np.stack(boxes)).max() < 0.1:
            return box
    return None


def _group_rows(face: _CutFace, importer: Importer, secret: bytes) -> Iterator[dict[str, str]]:
    key = subject_key(face.row.get("subject_id"), face.row["face_id"], secret)
    for attribute, group in face.groups.items():
        values = (key, attribute, group, importer.group_source)
        yield dict(zip(GROUP_COLUMNS, values, strict=True))


def _face_id(source: str, photo: str, index: int) -> str:
    """Stable, and says nothing about who is in the photo."""
    return f"{source}-{hashlib.sha256(f'{photo}#{index}'.encode()).hexdigest()[:16]}"


def _flat(values: NDArray[np.float32] | None) -> list[float] | None:
    return None if values is None else [float(value) for value in values.ravel()]


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
