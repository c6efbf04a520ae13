"""Array types and the checks that every measurement makes before it counts anything."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from countenance.errors import AssessmentError

FloatArray = NDArray[np.floating[Any]]
IntArray = NDArray[np.integer[Any]]
BoolArray = NDArray[np.bool_]
AnyArray = NDArray[Any]


class RowError(AssessmentError):
    """An AssessmentError about a row, for callers who know where the row comes from.

    Attributes:
        row: the first one's number.
        problem: what is wrong with it, without its number.
        more: how many more are like it.
    """

    def __init__(self, text: str, *, row: int, problem: str, more: int = 0) -> None:
        super().__init__(text)
        self.row, self.problem, self.more = row, problem, more


def score_vector(scores: ArrayLike, *, what: str, failures_allowed: bool = False) -> FloatArray:
    """Return ``scores`` as a one-dimensional float array, float32 or float64.

    Args:
        scores: comparison scores, [N].
        what: the name used in error texts, e.g. "mated scores".
        failures_allowed: accept minus infinity, which stands for a failure to extract.

    Raises:
        AssessmentError: wrong shape, or a score that is not a finite number; the text names the row.
    """
    vector = np.asarray(scores)
    if vector.ndim != 1:
        raise AssessmentError(f"The {what} have shape {vector.shape}: give a vector, one score a row.")
    if vector.dtype not in (np.float32, np.float64):
        vector = vector.astype(np.float64)
    wrong = ~np.isfinite(vector)
    if failures_allowed:
        wrong &= ~np.isneginf(vector)
    refuse_rows(wrong, f"the {what} hold a value that is not a finite number")
    return vector


def refuse_rows(wrong: ArrayLike, problem: str) -> None:
    """Raise a RowError that says ``problem`` and the first row where ``wrong`` is True."""
    rows = np.flatnonzero(np.asarray(wrong, dtype=np.bool_))
    if len(rows):
        row, more = int(rows[0]), len(rows) - 1
        others = f" and {more:,} more" if more else ""
        raise RowError(f"In row {row}{others} {problem}: mend or drop the row.", row=row, problem=problem, more=more)


def same_length(**columns: int) -> None:
    """Raise an AssessmentError unless all the named lengths are equal."""
    if len(set(columns.values())) > 1:
        lengths = ", ".join(f"{name} has {length:,}" for name, length in columns.items())
        raise AssessmentError(f"Columns that must match row by row do not: {lengths} rows.")


def is_null(values: ArrayLike) -> BoolArray:
    """Return where ``values`` (any dtype, [N]) is None, NaN or pandas' NA."""
    return np.asarray(pd.isna(pd.Series(values)), dtype=np.bool_)


def codes_of(labels: ArrayLike) -> tuple[IntArray, AnyArray]:
    """Number the distinct labels in sorted order.

    Returns:
        codes [N], -1 where the label is null, and the distinct labels [S].
    """
    codes, labels_seen = pd.factorize(pd.Series(labels), sort=True)
    return np.asarray(codes, dtype=np.int64), np.asarray(labels_seen, dtype=object)


def cluster_codes(subjects: ArrayLike | None, count: int) -> IntArray:
    """Return the resampling unit of each of ``count`` rows: its subject, or the photo itself where none is known."""
    if subjects is None:
        return np.arange(count, dtype=np.int64)
    codes, names = codes_of(subjects)
    same_length(subjects=len(codes), rows=count)
    alone = codes < 0
    codes[alone] = len(names) + np.arange(int(alone.sum()))
    return codes
