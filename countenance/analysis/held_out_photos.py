"""What the analyzer finds in the held-out photos of a manifest, as a table that assessment reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
from pydantic import Field

from countenance.analysis.analyzer import AnalyzedFace, FaceAnalyzer
from countenance.analysis.configuration import AnalyzerConfiguration
from countenance.analysis.model import FaceModel
from countenance.configuration import Configuration
from countenance.data.alignment import five_points
from countenance.data.crop_store import CropStore
from countenance.progress import track

FOUND_COLUMNS = (
    "photo_sha256",
    "box_xywh",
    "face_probability",
    "landmarks_5",
    "yaw_deg",
    "pitch_deg",
    "roll_deg",
    "smile_probability",
    "male_probability",
    "age_years",
)
"""One row a found face, in photo pixels; a photo without one has a single row that holds nulls."""

PHOTOS_AT_A_TIME = 16


class PhotoSearchConfiguration(Configuration):
    """How the held-out photos are looked through.

    Attributes:
        photos_per_source: of each source and split, at most; chosen by their hash.
        analyzer: what is looked for. Its ``face_threshold`` is a floor: a low one lets the whole curve be measured.
    """

    photos_per_source: int = Field(default=1000, ge=1)
    analyzer: AnalyzerConfiguration = AnalyzerConfiguration(face_threshold=0.05)


def search_held_out_photos(
    model: FaceModel, manifest: pd.DataFrame, crops: CropStore, configuration: PhotoSearchConfiguration
) -> pd.DataFrame:
    """Look for the faces in the validation and test photos whose scene is stored.

    Args:
        model: finds and reads faces.
        manifest: every row.
        crops: the crop store.
        configuration: how many photos, and what is looked for.

    Returns:
        :data:`FOUND_COLUMNS`; positions in pixels of the photo, not of its stored scene.
    """
    scenes = chosen_scenes(manifest, configuration.photos_per_source)
    analyzer = FaceAnalyzer(model, configuration.analyzer)
    rows: list[dict[str, Any]] = []
    starts = range(0, len(scenes), PHOTOS_AT_A_TIME)
    for start in track(starts, what="Searching photos", total=len(starts), unit="batch"):
        batch = scenes.iloc[start : start + PHOTOS_AT_A_TIME]
        photos = [crops.read(str(crop), "scene") for crop in batch["crop"]]
        for photo, scale, faces in zip(
            batch["photo_sha256"], batch["scene_scale"], analyzer.analyze(photos), strict=True
        ):
            rows.extend(_rows(str(photo), float(scale), faces))
    return pd.DataFrame(rows, columns=list(FOUND_COLUMNS))


def chosen_scenes(manifest: pd.DataFrame, per_source: int) -> pd.DataFrame:
    """The held-out rows that hold a scene, so many of each source and split at most, ordered by photo."""
    held_out = manifest[(manifest["split"] != "train") & manifest["scene_scale"].notna()].sort_values("photo_sha256")
    turn = held_out.groupby(["source", "split"]).cumcount()
    return held_out[turn < per_source]


def _rows(photo: str, scale: float, faces: list[AnalyzedFace]) -> Iterator[dict[str, Any]]:
    if not faces:
        yield {"photo_sha256": photo}
    for face in faces:
        yield {
            "photo_sha256": photo,
            "box_xywh": (face.box_xywh / scale).astype(np.float32),
            "face_probability": face.face_probability,
            "landmarks_5": (five_points(face.landmarks, face.scheme) / scale).ravel().astype(np.float32),
            **dict(zip(("yaw_deg", "pitch_deg", "roll_deg"), map(float, face.pose_deg), strict=True)),
            "smile_probability": face.smile_probability,
            "male_probability": face.male_probability,
            "age_years": face.age_years,
        }
