"""Which held-out faces the page shows, and what was said of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from countenance.configuration import Configuration, narrow
from countenance.data.alignment import apply_affine, box_transform, five_points


class NextCommand(Configuration):
    """A command that the reader may want to run next, and what it does."""

    command: str
    what: str


class ReportingConfiguration(Configuration):
    """Parameters of the reporting room.

    ``shown_licenses``: faces under these licences may be pictured in the page; all others stay unseen.
    ``headings``: how each model's column is headed, in order.
    """

    title: str
    headings: dict[str, str]
    faces: int = 12
    shown_licenses: tuple[str, ...] = ()
    page: str
    registry: str
    next_commands: tuple[NextCommand, ...] = ()


def choose_faces(
    manifest: pd.DataFrame, crops: Any, outputs: pd.DataFrame, reporting: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Every n-th held-out face with a box whose licence lets it be shown: crop key, points, words and truth."""
    configuration = narrow(ReportingConfiguration, reporting, where="parameters_reporting.yml")
    allowed = manifest["is_face"] & manifest["license"].isin(configuration.shown_licenses)
    rows = manifest[allowed & (manifest["split"] == "test") & manifest["box_xywh"].notna()].sort_values("face_id")
    chosen = rows.iloc[:: max(1, len(rows) // max(1, configuration.faces))].head(configuration.faces)
    said = outputs.set_index("face_id")
    return [_picture(row, said.loc[row["face_id"]]) for row in chosen.to_dict("records")]


def _picture(row: dict[str, Any], said: pd.Series) -> dict[str, Any]:
    matrix = box_transform(np.asarray(row["box_xywh"], dtype=np.float32))
    said_points = _in_crop(said["landmarks_5"], matrix)
    true_points = None
    if row["landmarks"] is not None:
        true_points = _in_crop(five_points(np.asarray(row["landmarks"], np.float32), row["landmark_scheme"]), matrix)
    return {
        "crop": row["crop"],
        "landmarks": said_points,
        "true_landmarks": true_points,
        "said": {
            "gender": "male" if said["male_probability"] > 0.5 else "female",
            "age": float(said["age_years"]),
            "smile": float(said["smile_probability"]),
            "yaw": float(said["yaw_deg"]),
        },
        "truth": {
            "gender": row["gender"],
            "age": _number(row["age_years"]),
            "smile": None if row["smiling"] is None or pd.isna(row["smiling"]) else bool(row["smiling"]),
            "yaw": _number(row["yaw_deg"]),
        },
    }


def _in_crop(points: Any, matrix: Any) -> list[list[float]] | None:
    if points is None:
        return None
    inside = apply_affine(matrix, np.asarray(points, dtype=np.float32).reshape(-1, 2))
    return [[float(x), float(y)] for x, y in inside]


def _number(value: Any) -> float | None:
    return None if value is None or pd.isna(value) else float(value)
