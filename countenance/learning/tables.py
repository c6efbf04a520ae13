"""Training records and teacher features as tables, the way the rooms hand them on."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from countenance.learning.teacher import TeacherFeatures
from countenance.learning.training import TrainingRecord


def curves_table(record: TrainingRecord) -> pd.DataFrame:
    """A training run's curves: one row a logged step, one column a curve, null where a task was not in the batch."""
    return pd.DataFrame({"step": record.steps, **record.curves})


def effort_summary(record: TrainingRecord) -> dict[str, Any]:
    """What a training run cost: images seen, minutes of wall clock, images a second, parameters."""
    return {
        "images_seen": record.images_seen,
        "minutes": record.seconds / 60,
        "images_per_second": record.images_seen / max(record.seconds, 1e-9),
        "parameters": record.parameters,
    }


def features_table(features: TeacherFeatures) -> pd.DataFrame:
    """Teacher features as a table: ``face_id``, ``feature`` [D], ``mirrored`` [D]."""
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
        ModelError: a feature is not finite or rows differ in length.
    """
    features = np.stack([np.stack(table["feature"].to_list()), np.stack(table["mirrored"].to_list())], axis=1)
    face_ids = tuple(str(face_id) for face_id in table["face_id"])
    return TeacherFeatures(face_ids=face_ids, features=features.astype(np.float32))
