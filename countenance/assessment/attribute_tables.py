"""Two tables about the same faces, what is labelled and what a model said, brought into one order and into arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd

from countenance.assessment.arrays import AnyArray, FloatArray, is_null
from countenance.assessment.results import Measurement
from countenance.errors import AssessmentError

SCHEMES: Final = ("5", "21", "68")
NOT_PREDICTED: Final = "not measurable: the model says nothing of it"


def joined_by_face(predictions: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """Return the labels in their order, with what a model says of each face under ``said_`` names.

    Args:
        predictions: one row a face, ``face_id`` and any other columns.
        labels: one row a face, ``face_id`` and any other columns; the same faces in any order.

    Raises:
        AssessmentError: a table has no ``face_id``, names no face or a face twice, or a face is in one table only; one
            sentence with the table and the first row, counted from 0. Ids are not repeated: they may name people.
    """
    ids = {name: _face_ids(table, name) for name, table in (("predictions", predictions), ("labels", labels))}
    place = pd.Index(ids["predictions"]).get_indexer(pd.Index(ids["labels"]))
    _refuse(place < 0, "labels", "a face isn't in the predictions: give the same faces in both tables")
    labelled = pd.Index(ids["labels"]).get_indexer(pd.Index(ids["predictions"]))
    _refuse(labelled < 0, "predictions", "a face isn't in the labels: give the same faces in both tables")
    said = predictions.drop(columns="face_id").add_prefix("said_").iloc[place].reset_index(drop=True)
    clash = [name for name in said.columns if name in labels.columns]
    if clash:
        raise AssessmentError(f"The labels have a column '{clash[0]}', which is the model's: rename or drop it.")
    return pd.concat([labels.reset_index(drop=True), said], axis=1)


def _face_ids(table: pd.DataFrame, name: str) -> AnyArray:
    if "face_id" not in table.columns:
        raise AssessmentError(f"The {name} have no column 'face_id': give one row a face, with its id.")
    ids = table["face_id"].to_numpy(dtype=object)
    _refuse(is_null(ids), name, "a face has no id: mend or drop the row")
    _refuse(np.asarray(pd.Series(ids).duplicated()), name, "a face is there for the second time: drop the row")
    return ids


def _refuse(wrong: AnyArray, table: str, problem: str) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        more = f" and {len(rows) - 1:,} more" if len(rows) > 1 else ""
        raise AssessmentError(f"In row {int(rows[0])}{more} of the {table} {problem}.")


def not_predicted(unit: str, *, higher_is_better: bool) -> Measurement:
    """The measurement of something that a model says nothing of."""
    return Measurement.missing(unit, higher_is_better=higher_is_better, note=NOT_PREDICTED)


def says(rows: pd.DataFrame, name: str) -> bool:
    """Whether the model says anything at all in a column of its."""
    return f"said_{name}" in rows.columns and bool(rows[f"said_{name}"].notna().any())


def objects(rows: pd.DataFrame, column: str) -> AnyArray:
    """A copy of a column as it is, [N]; None throughout where the table has none."""
    if column not in rows.columns:
        return np.full(len(rows), None, dtype=object)
    return rows[column].to_numpy(dtype=object, copy=True)


def numbers(rows: pd.DataFrame, column: str) -> FloatArray:
    """A column as numbers, [N]; NaN where null, and throughout where the table has none.

    Raises:
        AssessmentError: a value is no number.
    """
    values = objects(rows, column)
    null = is_null(values)
    found = np.full(len(values), np.nan)
    try:
        found[~null] = values[~null].astype(np.float64)
    except (TypeError, ValueError) as error:
        raise AssessmentError(f"The column '{column}' holds something that is no number: mend the table.") from error
    return found


def lists(rows: pd.DataFrame, column: str, length: int, *, where: AnyArray | None = None) -> FloatArray:
    """A column of lists as [N, length]; NaN where null, where ``where`` is False, and where the table has none.

    Raises:
        AssessmentError: a list has another length; names the row.
    """
    values = objects(rows, column)
    found = np.full((len(values), length), np.nan)
    for row, value in enumerate(values):
        if _is_missing(value) or (where is not None and not where[row]):
            continue
        flat = np.asarray(value, dtype=np.float64).reshape(-1)
        if len(flat) != length:
            raise AssessmentError(
                f"In row {row} the column '{column}' holds {len(flat)} numbers, not {length}: mend or drop the row."
            )
        found[row] = flat
    return found


def schemes_of(rows: pd.DataFrame) -> tuple[AnyArray, Sequence[str]]:
    """The landmark scheme of each row that has landmarks, else None, [N]; and the schemes there are, smallest first.

    Raises:
        AssessmentError: a face has landmarks of no known scheme; names the row.
    """
    values = objects(rows, "landmarks")
    labelled = np.array([not _is_missing(value) for value in values], dtype=np.bool_)
    schemes = objects(rows, "landmark_scheme")
    schemes[~labelled] = None
    _refuse(
        labelled & ~np.isin(schemes.astype(str), SCHEMES),
        "labels",
        "landmarks are of no known scheme: use '5', '21' or '68'",
    )
    return schemes, [scheme for scheme in SCHEMES if (schemes == scheme).any()]


def _is_missing(value: object) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and np.isnan(value))
