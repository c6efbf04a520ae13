"""How often each face comes in training, so that groups of people may be balanced without any training knowing them.

The weights are made where groups may be known (:mod:`countenance.assessment.balanced_sampling`, from the table of
protected attributes) and come here as ``face_id`` and ``weight``, nothing else.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.errors import DataError

SAMPLING_WEIGHT: Final = "sampling_weight"
WEIGHT_COLUMNS: Final = ("face_id", "weight")


def with_weights(manifest: pd.DataFrame, weights: pd.DataFrame) -> pd.DataFrame:
    """The manifest with a column :data:`SAMPLING_WEIGHT`; 1 for a face without a weight of its own.

    Args:
        manifest: rows to train on.
        weights: ``face_id`` and ``weight``.

    Raises:
        DataError: the table has other columns, no row, or says twice or not at all how often a face comes.
    """
    if tuple(weights.columns) != WEIGHT_COLUMNS:
        raise DataError(
            f"The table of sampling weights has the columns {', '.join(map(str, weights.columns))}: a training is "
            f"given {' and '.join(WEIGHT_COLUMNS)}, and nothing else."
        )
    if weights.empty:
        raise DataError(
            "A balanced training was asked for, but there are no sampling weights: set 'balance' in "
            "parameters_ingestion.yml and run the ingestion again."
        )
    numbers = weights["weight"].to_numpy(dtype=np.float64)
    if weights["face_id"].duplicated().any() or not (np.isfinite(numbers) & (numbers >= 0.0)).all():
        raise DataError("The table of sampling weights needs one number of zero or more a face: make it again.")
    own = pd.Series(numbers, index=weights["face_id"])
    return manifest.assign(**{SAMPLING_WEIGHT: manifest["face_id"].map(own).fillna(1.0).astype(np.float64)})


def weights_of(manifest: pd.DataFrame) -> NDArray[np.float64] | None:
    """How often each row comes, [N]; None where all come alike."""
    if SAMPLING_WEIGHT not in manifest.columns:
        return None
    return manifest[SAMPLING_WEIGHT].to_numpy(dtype=np.float64)
