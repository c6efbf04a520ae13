"""The manifest's labels as arrays, one row a face, ready to be sliced into batches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.alignment import apply_affine, box_transform, five_points
from countenance.errors import DataError
from countenance.network.configuration import LandmarkScheme

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class FaceLabels:
    """Labels of M faces; NaN (identity: -1) where a face isn't labelled.

    Attributes:
        is_face: [M] 1 or 0.
        landmarks: [M, K, 2] pixels of the 112 x 112 box crop.
        visibility: [M, K] in 0..1.
        pose_deg: [M, 3] yaw, pitch, roll.
        yaw_range_deg: [M, 2] lowest and highest yaw.
        smile: [M] 1 or 0.
        gender: [M] 1 = male, 0 = female.
        age_years: [M].
        age_std: [M] years.
        identity: [M] int64; contiguous over the subjects in sorted order, -1 = nobody.
        classes: number of identities.
    """

    is_face: Floats
    landmarks: Floats
    visibility: Floats
    pose_deg: Floats
    yaw_range_deg: Floats
    smile: Floats
    gender: Floats
    age_years: Floats
    age_std: Floats
    identity: NDArray[np.int64]
    classes: int

    def with_own_classes(self, faces: NDArray[np.bool_]) -> FaceLabels:
        """The same labels, but each of the unnamed ``faces`` ([M] mask) is one more class of its own."""
        alone = np.flatnonzero(faces & (self.identity < 0))
        identity = self.identity.copy()
        identity[alone] = self.classes + np.arange(len(alone))
        return replace(self, identity=identity, classes=self.classes + len(alone))


def subjects_of(manifest: pd.DataFrame) -> tuple[str, ...]:
    """The named people in the order of their classes."""
    return tuple(sorted(str(name) for name in manifest["subject_id"].dropna().unique()))


def labels_of(manifest: pd.DataFrame, *, landmark_scheme: LandmarkScheme) -> FaceLabels:
    """Read the labels of all rows.

    Rows with 68 points serve a network of 5 (an eye is the mean of its contour); rows with 5 don't serve one of 68.
    A face without a box can't have landmarks: where its box crop lies in the photo isn't known.

    Raises:
        DataError: a gender isn't ``male`` or ``female``, or a point list has the wrong length.
    """
    subject, subjects = manifest["subject_id"], subjects_of(manifest)
    place = {name: index for index, name in enumerate(subjects)}
    points = [_points(row, landmark_scheme) for row in manifest[_POINT_COLUMNS].to_dict("records")]
    return FaceLabels(
        is_face=_numbers(manifest["is_face"]),
        landmarks=np.stack([landmarks for landmarks, _ in points]),
        visibility=np.stack([visibility for _, visibility in points]),
        pose_deg=np.column_stack([_numbers(manifest[f"{angle}_deg"]) for angle in ("yaw", "pitch", "roll")]),
        yaw_range_deg=np.stack([_vector(value, 2, "yaw_range") for value in manifest["yaw_range"]]),
        smile=_numbers(manifest["smiling"]),
        gender=_gender(manifest["gender"]),
        age_years=_numbers(manifest["age_years"]),
        age_std=_numbers(manifest["age_std"]),
        identity=np.array([-1 if pd.isna(name) else place[str(name)] for name in subject], dtype=np.int64),
        classes=len(subjects),
    )


_POINT_COLUMNS = ["box_xywh", "landmarks", "landmark_scheme", "visibility"]


def _numbers(column: pd.Series[Any]) -> Floats:
    return column.astype("Float32").to_numpy(dtype=np.float32, na_value=np.nan)


def _gender(column: pd.Series[Any]) -> Floats:
    unknown = set(column.dropna().unique()) - {"male", "female"}
    if unknown:
        raise DataError(f"The manifest's column 'gender' holds {min(unknown)!r}: use 'male', 'female' or null.")
    return np.array([np.nan if pd.isna(value) else float(value == "male") for value in column], dtype=np.float32)


def _is_null(value: object) -> bool:
    return value is None or (isinstance(value, float) and np.isnan(value))


def _vector(value: Sequence[float] | None, length: int, column: str) -> Floats:
    if value is None or _is_null(value):
        return np.full(length, np.nan, dtype=np.float32)
    vector = np.asarray(value, dtype=np.float32)
    if vector.shape != (length,):
        raise DataError(f"The manifest's column '{column}' holds a list of {vector.size}: it needs {length} numbers.")
    return vector


def _points(row: dict[Any, Any], scheme: str) -> tuple[Floats, Floats]:
    count = int(scheme)
    unknown = np.full((count, 2), np.nan, dtype=np.float32), np.full(count, np.nan, dtype=np.float32)
    given = row["landmark_scheme"]
    if _is_null(row["landmarks"]) or _is_null(row["box_xywh"]) or scheme not in ("5", given):
        return unknown
    photo_xy = _vector(row["landmarks"], 2 * int(given), "landmarks").reshape(-1, 2)
    visibility = _vector(row["visibility"], int(given), "visibility")
    if scheme == "5":
        photo_xy = five_points(photo_xy, given)
        # The same means, taken of the visibility: an eye is as visible as its contour is on average.
        visibility = five_points(np.column_stack([visibility, visibility]), given)[:, 0]
    to_crop = box_transform(np.asarray(row["box_xywh"], dtype=np.float32))
    return apply_affine(to_crop, photo_xy), visibility
