"""What can be said of each face before anything is trained on it: one scalar column a fact."""

from __future__ import annotations

import cv2
import numpy as np
import pandas as pd

from countenance.data.crop_store import VIEWS, CropStore
from countenance.progress import track

FACT_COLUMNS = (
    "face_id",
    "source",
    "is_face",
    "split",
    "license",
    "purpose",
    "gender",
    "age_years",
    "yaw_deg",
    "pitch_deg",
    "roll_deg",
)
"""Manifest columns that are facts as they are."""


def face_facts(manifest: pd.DataFrame, crops: CropStore) -> pd.DataFrame:
    """Facts of every face, for expectations to be written against.

    Beside :data:`FACT_COLUMNS`: ``box_width``, ``box_height`` (pixels), ``landmark_count_fits``,
    ``landmarks_outside_box`` (share of points farther than half a box from it), ``subject_splits`` and ``photo_splits``
    (in how many splits the face's subject and photo are), ``crop_decodes``, ``luminance`` (mean, 0 to 255),
    ``contrast`` (standard deviation of the luminance), ``sharpness`` (variance of the Laplacian).

    Returns:
        [N] rows in the manifest's order; null where a fact does not apply.
    """
    facts = manifest[list(FACT_COLUMNS)].copy()
    boxes = manifest["box_xywh"]
    facts["box_width"] = [np.nan if box is None else float(box[2]) for box in boxes]
    facts["box_height"] = [np.nan if box is None else float(box[3]) for box in boxes]
    facts["landmark_count_fits"] = [
        None if points is None else len(points) == 2 * int(scheme)
        for points, scheme in zip(manifest["landmarks"], manifest["landmark_scheme"], strict=True)
    ]
    facts["landmarks_outside_box"] = [
        _share_outside(points, box) for points, box in zip(manifest["landmarks"], boxes, strict=True)
    ]
    for column, fact in (("subject_id", "subject_splits"), ("photo_sha256", "photo_splits")):
        facts[fact] = manifest.groupby(column)["split"].transform("nunique")
    return facts.join(_crop_facts(manifest, crops))


def _share_outside(points: np.ndarray | None, box: np.ndarray | None) -> float:
    if points is None or box is None:
        return float("nan")
    position = (np.asarray(points).reshape(-1, 2) - box[:2]) / np.maximum(box[2:], 1e-6)
    return float(((position < -0.5) | (position > 1.5)).any(axis=1).mean())


def _crop_facts(manifest: pd.DataFrame, crops: CropStore) -> pd.DataFrame:
    rows = crops.rows(manifest["crop"].tolist())
    facts = [
        _picture_facts(crops, int(row)) for row in track(rows, what="Looking at crops", total=len(rows), unit="crop")
    ]
    columns = ["crop_decodes", "luminance", "contrast", "sharpness"]
    return pd.DataFrame(facts, columns=columns, index=manifest.index)


def _picture_facts(crops: CropStore, row: int) -> tuple[bool, float, float, float]:
    view = next((view for view in VIEWS if crops.encoded(row, view) is not None), None)
    if view is None:
        return False, float("nan"), float("nan"), float("nan")
    encoded = np.frombuffer(crops.encoded(row, view) or b"", dtype=np.uint8)
    grey = cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE)
    if grey is None:
        return False, float("nan"), float("nan"), float("nan")
    mean, deviation = cv2.meanStdDev(grey)
    sharpness = cv2.Laplacian(grey, cv2.CV_32F).var()
    return True, float(mean[0, 0]), float(deviation[0, 0]), float(sharpness)
