"""What a model says of every face, as a table row-aligned with the manifest: what assessment reads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.alignment import five_points
from countenance.data.crop_store import CropStore
from countenance.learning.readings import read_faces
from countenance.learning.recipe import TRAINED_TEACHER, DistillationConfiguration
from countenance.learning.teacher import embed_with_onnx
from countenance.network.allinone import AllInOneNetwork

ATTRIBUTE_COLUMNS = (
    "face_probability",
    "yaw_deg",
    "pitch_deg",
    "roll_deg",
    "smile_probability",
    "male_probability",
    "age_years",
)


def network_outputs(network: AllInOneNetwork, manifest: pd.DataFrame, crops: CropStore) -> pd.DataFrame:
    """Run a network over the faces of a manifest.

    Returns:
        [N] rows: ``face_id``, ``embedding`` [D] unit norm or None, ``landmarks_5`` [10] photo pixels or None, and
        :data:`ATTRIBUTE_COLUMNS`, NaN where a face has no crop for it.
    """
    said = read_faces(network, manifest, crops)
    scheme = network.configuration.landmark_scheme
    points = [None if np.isnan(face).any() else five_points(face, scheme).ravel() for face in said.landmarks]
    yaw, pitch, roll = said.pose_deg.T
    return pd.DataFrame(
        {
            "face_id": manifest["face_id"].to_numpy(),
            "embedding": _rows_or_none(said.embedding),
            "landmarks_5": points,
            "face_probability": said.face_probability,
            "yaw_deg": yaw,
            "pitch_deg": pitch,
            "roll_deg": roll,
            "smile_probability": said.smile_probability,
            "male_probability": said.male_probability,
            "age_years": said.age_years,
        }
    )


def no_outputs() -> pd.DataFrame:
    """The outputs of a model that isn't there: the columns of :func:`network_outputs` without a row."""
    return pd.DataFrame(columns=["face_id", "embedding", "landmarks_5", *ATTRIBUTE_COLUMNS])


def teacher_outputs(model: Path, manifest: pd.DataFrame, crops: CropStore, *, threads: int) -> pd.DataFrame:
    """Run a recogniser from an ONNX file over the named aligned faces of a manifest; it says nothing but identity.

    Returns:
        The columns of :func:`network_outputs`; all but ``face_id`` and ``embedding`` are null.
    """
    rows = crops.rows(manifest["crop"].tolist())
    is_named = manifest["subject_id"].notna().to_numpy()
    aligned = [
        index for index, row in enumerate(rows) if is_named[index] and crops.encoded(int(row), "aligned") is not None
    ]
    face_ids = manifest["face_id"].to_numpy()
    named = [str(face_ids[index]) for index in aligned]
    both = embed_with_onnx(model, named, lambda at: crops.read_row(int(rows[aligned[at]]), "aligned"), threads=threads)
    features = both.features.sum(axis=1)
    embedding = np.full((len(rows), features.shape[1]), np.nan, dtype=np.float32)
    embedding[aligned] = features / np.linalg.norm(features, axis=1, keepdims=True)
    nothing = dict.fromkeys(("landmarks_5", *ATTRIBUTE_COLUMNS), None)
    return pd.DataFrame({"face_id": face_ids, "embedding": _rows_or_none(embedding)}).assign(**nothing)


def outputs_of_teacher(
    configuration: DistillationConfiguration, manifest: pd.DataFrame, crops: CropStore, trained: pd.DataFrame
) -> pd.DataFrame:
    """The outputs of the configured teacher: those of the trained network, or of an ONNX file run now.

    Args:
        configuration: names the teacher.
        manifest: the rows to read.
        crops: the crop store.
        trained: outputs of the all-in-one network on the same rows.
    """
    if configuration.teacher == TRAINED_TEACHER:
        return trained
    return teacher_outputs(Path(configuration.teacher), manifest, crops, threads=configuration.training.threads)


def _rows_or_none(values: NDArray[np.float32]) -> list[NDArray[np.float32] | None]:
    return [None if np.isnan(row).any() else row for row in values]
