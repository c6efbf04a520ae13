"""Reads how often each face is trained on: numbers, where nobody's group may be known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def as_sampled(manifest: pd.DataFrame, weights: pd.DataFrame | None, room: Mapping[str, Any]) -> pd.DataFrame:
    """The manifest with the weights that a room's training is asked to use; as it is where it isn't.

    Args:
        manifest: rows to train on.
        weights: of the ingestion room, or None where it made none.
        room: the training or the distillation room's parameters.

    Raises:
        DataError: a balance was asked for, and there are no weights.
    """
    if not room.get("balanced", False):
        return manifest
    from countenance.learning.balance import WEIGHT_COLUMNS, with_weights

    return with_weights(manifest, pd.DataFrame(columns=list(WEIGHT_COLUMNS)) if weights is None else weights)
