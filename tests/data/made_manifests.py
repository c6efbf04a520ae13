"""Manifests of any length, made in one go: clean ones, for tests to spoil a row of and for measuring time."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from countenance.data.manifest import MANIFEST_SCHEMA, to_frame

FACES_A_SUBJECT = 5
UNNAMED_SHARE = 0.1


def made_manifest(rows: int, *, seed: int = 0, landmarks: int = 5) -> pd.DataFrame:
    """A clean manifest of two sources: ``embedded`` (all tasks) and, of every tenth row, background crops.

    A subject has five faces, and one split; every face has a photo of its own.
    """
    random = np.random.default_rng(seed)
    number = np.arange(rows)
    face = number % 10 != 9
    subject = number // FACES_A_SUBJECT
    split = np.array(["train", "train", "validation", "test"])[subject // 2 % 4]
    boxes = np.column_stack([random.uniform(0, 50, (rows, 2)), random.uniform(60, 120, (rows, 2))]).astype(np.float32)
    points = boxes[:, None, :2] + random.uniform(0.2, 0.8, (rows, landmarks, 2)) * boxes[:, None, 2:]
    columns: dict[str, Any] = {
        "face_id": pa.array([f"face-{row:07d}" for row in number]),
        "source": pa.array(["embedded"] * rows),
        "photo": pa.array([f"photo-{row}" for row in number]),
        "photo_sha256": pa.array([f"{row:064x}" for row in number]),
        "is_face": pa.array(face),
        "box_xywh": _lists(boxes),
        "crop": pa.array([f"face-{row:07d}" for row in number]),
        "subject_id": pa.array([f"subject-{row}" for row in subject], mask=~face),
        "landmarks": _lists(points.reshape(rows, -1), mask=~face),
        "landmark_scheme": pa.array([str(landmarks)] * rows, mask=~face),
        "visibility": _lists(np.ones((rows, landmarks)), mask=~face),
        **{
            name: pa.array(random.uniform(-60, 60, rows).astype(np.float32), mask=~face)
            for name in ("yaw_deg", "pitch_deg", "roll_deg")
        },
        "gender": pa.array(np.array(["male", "female"])[subject % 2], mask=~face),
        "smiling": pa.array(random.random(rows) < 0.5, mask=~face),
        "age_years": pa.array((20 + subject % 50 + random.random(rows)).astype(np.float32), mask=~face),
        "license": pa.array(["Apache-2.0"] * rows),
        "purpose": pa.array(["demonstration"] * rows),
        "split": pa.array(split),
    }
    arrays = [
        columns[field.name].cast(field.type) if field.name in columns else pa.nulls(rows, field.type)
        for field in MANIFEST_SCHEMA
    ]
    return to_frame(pa.table(arrays, schema=MANIFEST_SCHEMA))


def _lists(values: np.ndarray, mask: np.ndarray | None = None) -> pa.Array:
    length = values.shape[1]
    flat = pa.array(values.astype(np.float32).ravel())
    offsets = pa.array(np.arange(0, length * len(values) + 1, length, dtype=np.int32))
    return pa.ListArray.from_arrays(offsets, flat, mask=None if mask is None else pa.array(mask))
