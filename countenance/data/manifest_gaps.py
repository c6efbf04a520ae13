"""What the rows of a manifest are without: values that no row may lack, and texts that say nothing."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from countenance.data.manifest import MANIFEST_SCHEMA, REQUIRED_COLUMNS

TEXT_COLUMNS: Final = tuple(field.name for field in MANIFEST_SCHEMA if field.type == pa.string())


def gap_facts(manifest: pd.DataFrame) -> pd.DataFrame:
    """Where a manifest has gaps.

    Returns:
        [N] rows numbered from 0: ``columns_missing``, the columns that no row may lack and this one does;
        ``columns_blank``, those whose text is empty or white space, where null would say that nothing is known. Both
        are null where there is no such column.
    """
    missing = {name: manifest[name].isna().to_numpy(dtype=np.bool_) for name in REQUIRED_COLUMNS}
    blank = {name: is_blank(manifest[name]) for name in TEXT_COLUMNS}
    return pd.DataFrame(
        {"columns_missing": _named(missing, len(manifest)), "columns_blank": _named(blank, len(manifest))}
    )


def is_blank(texts: pd.Series[Any]) -> NDArray[np.bool_]:
    """Which texts are there and say nothing; a column has few different ones, so each is looked at once."""
    code, different = pd.factorize(texts)
    blank = np.array([isinstance(text, str) and not text.strip() for text in different] + [False], dtype=np.bool_)
    return np.asarray(blank[code], dtype=np.bool_)


def taken_for_faces(manifest: pd.DataFrame) -> pd.DataFrame:
    """The manifest with rows that don't say whether they show a face taken for faces, so that they are looked at."""
    return manifest.assign(is_face=manifest["is_face"].fillna(True).astype(bool))


def _named(rows_by_column: dict[str, NDArray[np.bool_]], rows: int) -> pd.Series[Any]:
    names = np.full(rows, None, dtype=object)
    for column, hit in rows_by_column.items():
        names[hit] = [_joined(before, column) for before in names[hit]]
    return pd.Series(names, dtype="str")


def _joined(before: str | None, column: str) -> str:
    return column if before is None else f"{before}, {column}"
