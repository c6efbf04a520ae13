"""Training records and teacher features as tables, the way the rooms hand them on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from countenance.errors import ModelError
from countenance.learning.teacher import TeacherFeatures
from countenance.learning.training import TrainingRecord


def curves_table(record: TrainingRecord) -> pd.DataFrame:
    """A training run's curves: one row a logged step, one column a curve, null where a task was not in the batch."""
    return pd.DataFrame({"step": record.steps, **record.curves})


def effort_summary(record: TrainingRecord) -> dict[str, Any]:
    """What a training run cost: images seen, minutes, images a second, share of waiting for data, parameters."""
    return {
        "images_seen": record.images_seen,
        "minutes": record.seconds / 60,
        "images_per_second": record.images_seen / max(record.seconds, 1e-9),
        "data_wait_share": record.data_wait_share,
        "parameters": record.parameters,
    }


def features_table(features: TeacherFeatures | None) -> pd.DataFrame:
    """Teacher features as a table: ``face_id``, ``feature`` [D], ``mirrored`` [D]; without a teacher, no row."""
    if features is None:
        return pd.DataFrame({"face_id": [], "feature": [], "mirrored": []}, dtype="object")
    return pd.DataFrame(
        {
            "face_id": features.face_ids,
            "feature": list(features.features[:, 0]),
            "mirrored": list(features.features[:, 1]),
        }
    )


def features_from_table(table: pd.DataFrame) -> TeacherFeatures:
    """The inverse of :func:`features_table`.

    Raises:
        ModelError: there is no row, a feature is not finite or rows differ in length.
    """
    if table.empty:
        raise ModelError("The teacher's feature table holds no face: run the distillation pipeline again.")
    lengths = sorted({len(feature) for column in ("feature", "mirrored") for feature in table[column]})
    if len(lengths) > 1:
        raise ModelError(
            f"The teacher's feature table holds features of {' and '.join(map(str, lengths))} numbers: "
            "run the distillation pipeline again."
        )
    features = np.stack([np.stack(table["feature"].to_list()), np.stack(table["mirrored"].to_list())], axis=1)
    face_ids = tuple(str(face_id) for face_id in table["face_id"])
    return TeacherFeatures(face_ids=face_ids, features=features.astype(np.float32))
