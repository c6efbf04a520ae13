"""What a source says that it labels, against what its rows hold: a null is right or wrong only by this."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.manifest import LABEL_COLUMNS

Declarations = Mapping[str, Mapping[str, float]]
"""By source and task (a key of :data:`countenance.data.manifest.LABEL_COLUMNS`), the least share of its faces that
carry the label; a task that a source doesn't name is labelled on none of them."""


def declaration_facts(manifest: pd.DataFrame, declared: Declarations) -> pd.DataFrame:
    """Hold the labels of every face against its source's declaration.

    Returns:
        [N] rows numbered from 0: ``source_is_declared``; ``labels_missing``, the tasks of which the face has no label
        though its source declares one *and* labels fewer faces than it declares; ``labels_undeclared``, the tasks of
        which it has a label that its source doesn't declare. The last two are null where there is no such task, and of
        crops that show no face or whose source declares nothing.
    """
    sources = manifest["source"].to_numpy(dtype=object)
    faces = manifest["is_face"].to_numpy(dtype=np.bool_)
    missing, undeclared = np.full(len(manifest), None, dtype=object), np.full(len(manifest), None, dtype=object)
    for task, columns in LABEL_COLUMNS.items():
        labelled = manifest[list(columns)].notna().any(axis=1).to_numpy()
        for source, shares in declared.items():
            rows = faces & (sources == source)
            if task not in shares:
                _add(undeclared, rows & labelled, task)
            elif rows.any() and labelled[rows].mean() < shares[task]:
                _add(missing, rows & ~labelled, task)
    return pd.DataFrame(
        {
            "source_is_declared": manifest["source"].isin(list(declared)).to_numpy(),
            "labels_missing": pd.Series(missing, dtype="str"),
            "labels_undeclared": pd.Series(undeclared, dtype="str"),
        }
    )


def _add(words: NDArray[Any], rows: NDArray[np.bool_], task: str) -> None:
    have = np.array([word is not None for word in words[rows]], dtype=np.bool_)
    at = np.flatnonzero(rows)
    words[at[~have]] = task
    words[at[have]] = words[at[have]] + f", {task}"
