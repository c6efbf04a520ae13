"""Training records as tables, the way the rooms hand them on."""

from __future__ import annotations

from typing import Any

import pandas as pd

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
