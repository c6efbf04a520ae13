"""Asking the all-in-one teacher what it makes of the training faces, beside identity."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from countenance.errors import DataError, ModelError
from countenance.learning.batches import CropReader
from countenance.learning.readings import SeenView, canonical_views, with_mirror_image
from countenance.learning.soft_targets import VIEWS, SoftTable
from countenance.learning.views import CANONICAL_WARP
from countenance.network.allinone import AllInOneNetwork

SMALLEST_PROBABILITY = 1e-12


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
