"""A tiny made-up set of faces: crops in memory and the manifest that goes with them."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.network.configuration import NetworkConfiguration

NETWORK = NetworkConfiguration(
    input_size=32, widths=(4, 6, 8, 12), depths=(0, 0, 0, 1), embedding_dimension=16, identity_width=16, fused_width=6,
    local_width=16, global_width=8,
)  # fmt: skip

MANIFEST_COLUMNS = (
    "face_id", "source", "is_face", "box_xywh", "crop", "subject_id", "landmarks", "landmark_scheme", "visibility",
    "yaw_deg", "pitch_deg", "roll_deg", "yaw_range", "gender", "smiling", "age_years", "age_std",
)  # fmt: skip


class CropsInMemory:
    """A crop reader over arrays, which counts how often it decodes."""

    def __init__(self, crops: dict[str, dict[str, NDArray[np.uint8]]]) -> None:
        self.keys = list(crops)
        self.crops = crops
        self.reads = 0

    def rows(self, crops: Sequence[str]) -> NDArray[np.int64]:
        return np.array([self.keys.index(key) for key in crops], dtype=np.int64)

    def encoded(self, row: int, view: str) -> object | None:
        return self.crops[self.keys[row]].get(view)

    def read_row(self, row: int, view: str) -> NDArray[np.uint8]:
        self.reads += 1
        return self.crops[self.keys[row]][view]


def pattern(seed: int) -> NDArray[np.uint8]:
    """A smooth random picture [112, 112, 3]."""
    coarse = np.random.default_rng(seed).integers(0, 255, (7, 7, 3), dtype=np.uint8)
    return np.asarray(cv2.resize(coarse, (112, 112), interpolation=cv2.INTER_CUBIC), dtype=np.uint8)


def manifest_row(face_id: str, **labels: object) -> dict[str, object]:
    """A row without labels, but for those given; the box crop spans (0, 0) to (112, 112) of its photo."""
    row: dict[str, object] = dict.fromkeys(MANIFEST_COLUMNS)
    return row | {
        "face_id": face_id, "crop": face_id, "source": "made", "is_face": True, "box_xywh": [21.0, 21.0, 70.0, 70.0],
    } | labels  # fmt: skip


def manifest(*rows: dict[str, object]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(MANIFEST_COLUMNS))
    return frame.astype({"smiling": "boolean", "yaw_deg": float, "pitch_deg": float, "roll_deg": float,
                         "age_years": float, "age_std": float})  # fmt: skip


FIVE_POINTS = [40.0, 45.0, 72.0, 45.0, 56.0, 62.0, 44.0, 78.0, 68.0, 78.0]


def small_world(people: int = 4, photos: int = 3) -> tuple[pd.DataFrame, CropsInMemory]:
    """People with all labels, as many unnamed faces with an age alone, as many crops of no face."""
    rows, crops = [], {}
    for person in range(people):
        for photo in range(photos):
            name = f"face-{person}-{photo}"
            shade = pattern(person) // 2 + pattern(1000 + 10 * person + photo) // 4
            crops[name] = {"aligned": shade, "box": shade}
            rows.append(
                manifest_row(
                    name, subject_id=f"person-{person}", landmarks=FIVE_POINTS, landmark_scheme="5",
                    visibility=[1.0, 1.0, 1.0, 1.0, 0.0], yaw_deg=20.0, pitch_deg=5.0, roll_deg=-10.0,
                    gender="male" if person % 2 else "female", smiling=photo == 0, age_years=20.0 + 10 * person,
                )
            )  # fmt: skip
        crops[f"unnamed-{person}"] = {"aligned": pattern(50 + person)}
        rows.append(manifest_row(f"unnamed-{person}", source="ages", age_years=40.0, age_std=2.0, box_xywh=None))
        crops[f"nobody-{person}"] = {"box": pattern(90 + person)}
        rows.append(manifest_row(f"nobody-{person}", source="walls", is_face=False, box_xywh=None))
    return manifest(*rows), CropsInMemory(crops)
