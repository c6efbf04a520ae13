"""What a model says of every face, as a table row-aligned with the manifest: what assessment reads."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.alignment import five_points
from countenance.data.crop_store import CropStore
from countenance.learning.crop_reader import CropReader
from countenance.learning.readings import read_faces
from countenance.learning.recipe import DistillationConfiguration
from countenance.learning.teacher_features import features_of
from countenance.learning.teachers.asking import aligned_faces
from countenance.learning.teachers.configuration import TeacherConfiguration
from countenance.network.allinone import AllInOneNetwork

LOG: Final = logging.getLogger(__name__)

ATTRIBUTE_COLUMNS = (
    "face_probability",
    "yaw_deg",
    "pitch_deg",
    "roll_deg",
    "smile_probability",
    "male_probability",
    "age_years",
)


def network_outputs(network: AllInOneNetwork, manifest: pd.DataFrame, crops: CropReader) -> pd.DataFrame:
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


def teacher_outputs(
    teacher: TeacherConfiguration, manifest: pd.DataFrame, crops: CropStore, *, cache: Path | None = None
) -> pd.DataFrame:
    """What a recogniser says of the named aligned faces of a manifest: nothing but identity.

    Args:
        teacher: a file; a table of embeddings need not have all faces.
        manifest: the rows to read.
        crops: the crop store.
        cache: the folder of teachers' features that are kept; None: none are.

    Returns:
        The columns of :func:`network_outputs`; all but ``face_id`` and ``embedding`` are null.
    """
    named = manifest[manifest["subject_id"].notna()]
    both = features_of(teacher, named, crops, only_known=True, cache=cache)
    sums = both.features.astype(np.float32).sum(axis=1)
    known = both.rows_of(face_ids := [str(face_id) for face_id in manifest["face_id"]])
    embedding = np.full((len(face_ids), both.dimension), np.nan, dtype=np.float32)
    embedding[known >= 0] = (sums / np.linalg.norm(sums, axis=1, keepdims=True))[known[known >= 0]]
    nothing = dict.fromkeys(("landmarks_5", *ATTRIBUTE_COLUMNS), None)
    return pd.DataFrame({"face_id": manifest["face_id"].to_numpy(), "embedding": _rows_or_none(embedding)}).assign(
        **nothing
    )


def outputs_of_teacher(
    configuration: DistillationConfiguration,
    manifest: pd.DataFrame,
    crops: CropStore,
    trained: pd.DataFrame,
    *,
    cache: Path | None = None,
) -> pd.DataFrame:
    """The outputs of the configured teacher: those of the trained network, or of a file's.

    A table that doesn't have all named aligned faces, as one of a training set alone, can't be held against networks
    that were asked about all of them: then there are no outputs, and the log says why.

    Args:
        configuration: names the teacher.
        manifest: the rows to read.
        crops: the crop store.
        trained: outputs of the all-in-one network on the same rows.
        cache: the folder of teachers' features that are kept; None: none are.
    """
    if configuration.teacher.kind_of_file == "trained":
        return trained
    said = teacher_outputs(configuration.teacher, manifest, crops, cache=cache)
    asked, _ = aligned_faces(manifest[manifest["subject_id"].notna()], crops)
    silent = len(asked) - int(said["embedding"].notna().sum())
    if silent:
        LOG.warning(
            "the teacher's table %s lacks %d of %d held-out faces: it is left out of the evaluation",
            Path(configuration.teacher.path).name, silent, len(asked),
        )  # fmt: skip
        return no_outputs()
    return said


def _rows_or_none(values: NDArray[np.float32]) -> list[NDArray[np.float32] | None]:
    return [None if np.isnan(row).any() or not len(row) else row for row in values]
