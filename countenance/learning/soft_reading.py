"""Asking the all-in-one teacher what it makes of the training faces, beside identity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from pydantic import TypeAdapter
from torch import Tensor

from countenance.errors import DataError, ModelError
from countenance.learning.crop_reader import CropReader
from countenance.learning.readings import SeenView, canonical_views, with_mirror_image
from countenance.learning.recipe import DistillationConfiguration, training_rows
from countenance.learning.soft_targets import VIEWS, SoftTable
from countenance.learning.views import CANONICAL_WARP
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import LandmarkScheme

SMALLEST_PROBABILITY = 1e-12


def read_configured(
    network: AllInOneNetwork, manifest: pd.DataFrame, crops: CropReader, configuration: DistillationConfiguration
) -> SoftTable | None:
    """What a network says of every training face, if the students are to learn anything from it."""
    if not configuration.soft.asked:
        return None
    rows = training_rows(manifest)
    return read_softly(network, rows[rows["is_face"]], crops)


def read_softly(
    network: AllInOneNetwork,
    faces: pd.DataFrame,
    reader: CropReader,
    *,
    device: torch.device | str = "cpu",
    batch_size: int = 128,
) -> SoftTable:
    """Ask a network about both views of all rows of ``faces`` and about their mirror images, and average the two.

    Logits, angles and points are averaged as they are, distributions over years as probabilities.

    Raises:
        DataError: there is no face, or a crop isn't in the store or doesn't decode.
        ModelError: the network does identity alone, or a reading isn't finite.
    """
    if faces.empty:
        raise DataError("There is no training face for the teacher of the other tasks to look at: check the splits.")
    if network.configuration.tasks != "all":
        raise ModelError(
            "The teacher of the other tasks does identity alone: train it with 'network.tasks' set to all."
        )
    table = _empty([str(face_id) for face_id in faces["face_id"]], network)
    for seen in canonical_views(network, faces, reader, device=device, batch_size=batch_size):
        _put(table, seen, network)
    return table


def _empty(face_ids: list[str], network: AllInOneNetwork) -> SoftTable:
    points, years = network.configuration.landmark_count, network.configuration.age_classes

    def unknown(*shape: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
        return np.full((len(face_ids), *shape), np.nan, dtype=np.float32)

    return SoftTable(
        face_ids=tuple(face_ids),
        scheme=network.configuration.landmark_scheme,
        gender_logit=unknown(2),
        smile_logit=unknown(2),
        age_years=unknown(2),
        age_logits=unknown(2, years),
        pose_deg=unknown(3),
        landmarks=unknown(points, 2),
        visibility_logit=unknown(points),
    )


def _put(table: SoftTable, seen: SeenView, network: AllInOneNetwork) -> None:
    rows, view = seen.rows, VIEWS.index(seen.view)
    one, other = seen.outputs, seen.mirrored
    readings: dict[str, Tensor] = {
        "gender_logit": (one.gender_logit + other.gender_logit) / 2,
        "smile_logit": (one.smile_logit + other.smile_logit) / 2,
        "age_years": (one.age_years + other.age_years) / 2,
        "age_logits": mean_distribution(one.age_logits, other.age_logits),
    }
    for name, values in readings.items():
        getattr(table, name)[rows, view] = _finite(values, name)
    if seen.view == "aligned":
        return
    both, size = with_mirror_image(one, other, network.configuration), network.configuration.input_size
    table.pose_deg[rows] = _finite(both.pose_deg, "pose_deg")
    table.visibility_logit[rows] = _finite(both.visibility_logit, "visibility_logit")
    view_xy = _finite(both.landmarks, "landmarks") * size
    table.landmarks[rows] = np.stack([CANONICAL_WARP["box"].points_back(points, size) for points in view_xy])


def mean_distribution(logits: Tensor, others: Tensor) -> Tensor:
    """Logarithm of the mean of two distributions over years: [N, A] logits each -> [N, A]."""
    mean = (logits.softmax(dim=1) + others.softmax(dim=1)) / 2
    return mean.clamp(min=SMALLEST_PROBABILITY).log()


def _finite(values: Tensor, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    if not bool(torch.isfinite(values).all()):
        raise ModelError(f"The teacher's '{name}' is not finite for some face: use an undamaged teacher.")
    return values.float().cpu().numpy()


_LISTS = ("gender_logit", "smile_logit", "age_years", "age_logits", "pose_deg", "landmarks", "visibility_logit")


def soft_frame(table: SoftTable | None) -> pd.DataFrame:
    """A soft table as a data frame, a row a face with every reading as a flat list; without a table, no row."""
    if table is None:
        return pd.DataFrame({"face_id": [], "landmark_scheme": [], **{name: [] for name in _LISTS}}, dtype="object")
    lists = {name: list(getattr(table, name).reshape(len(table.face_ids), -1)) for name in _LISTS}
    return pd.DataFrame({"face_id": table.face_ids, "landmark_scheme": table.scheme, **lists})


def soft_table(frame: pd.DataFrame) -> SoftTable | None:
    """The inverse of :func:`soft_frame`.

    Raises:
        ModelError: a column is missing, rows differ in length, or a reading is infinite.
    """
    if frame.empty:
        return None
    faces = len(frame)
    shapes = {"age_logits": (faces, 2, -1), "landmarks": (faces, -1, 2)}
    try:
        readings = {name: np.stack([np.asarray(row, dtype=np.float32) for row in frame[name]]) for name in _LISTS}
        shaped = {name: values.reshape(shapes.get(name, values.shape)) for name, values in readings.items()}
        scheme = TypeAdapter(LandmarkScheme).validate_python(str(frame["landmark_scheme"].iloc[0]))
    except (KeyError, ValueError) as error:
        raise ModelError(
            "The table of the teacher's soft outputs isn't what was written: run the distillation pipeline again."
        ) from error
    return SoftTable(face_ids=tuple(str(face_id) for face_id in frame["face_id"]), scheme=scheme, **shaped)
