"""Faces and what a model says of them, given by hand: an embedding is an angle on the unit circle."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.assessment.held_out import OUTPUT_COLUMNS

POINTS = np.array([40, 45, 72, 45, 56, 62, 44, 78, 68, 78], dtype=np.float32)  # the eyes are 32 px apart

LABELS = (
    "face_id", "source", "photo_sha256", "split", "subject_id", "is_face", "box_xywh", "landmarks_5", "yaw_deg",
    "pitch_deg", "roll_deg", "yaw_range", "gender", "smiling", "age_years",
)  # fmt: skip
ANGLES = ("yaw_deg", "pitch_deg", "roll_deg", "age_years")


def face(face_id: str, subject: str | None = None, split: str = "test", **labels: object) -> dict[str, object]:
    """A manifest row without labels, but for those given."""
    nothing = dict.fromkeys(LABELS)
    known = {
        "face_id": face_id,
        "source": "made",
        "photo_sha256": face_id,
        "split": split,
        "subject_id": subject,
        "is_face": True,
    }
    return nothing | known | labels


def manifest(*rows: dict[str, object]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(LABELS))
    return frame.astype(dict.fromkeys(ANGLES, float) | {"smiling": "boolean", "is_face": bool})


def direction(degrees: float) -> NDArray[np.float32]:
    """The unit vector at an angle: the cosine of two of them is that of the angle between."""
    return np.array([np.cos(np.deg2rad(degrees)), np.sin(np.deg2rad(degrees))], dtype=np.float32)


def said(at: dict[str, float], **columns: object) -> pd.DataFrame:
    """What a model says: an embedding at an angle for each face, and ``columns``; nothing of other tasks."""
    table = pd.DataFrame({"face_id": list(at), "embedding": [direction(degrees) for degrees in at.values()]})
    return table.assign(**(dict.fromkeys(name for name in OUTPUT_COLUMNS if name not in table) | columns))
