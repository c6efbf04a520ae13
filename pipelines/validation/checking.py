"""One expectation, run by Great Expectations on one table, and what it found as a plain dictionary."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd

from pipelines.validation.configuration import KEYS, Expectation

HOLDS: Final = "holds"
BAD_DATA: Final = "bad data"
BROKEN_CHECK: Final = "broken check"
NOT_CHECKED: Final = "not checked"

_OWN_WORDS: Final = (
    "columns_missing",
    "columns_blank",
    "labels_missing",
    "labels_undeclared",
    "near_copy_in_other_split",
    "near_copy_under_other_name",
    "other_name",
)
"""Text columns whose values are ours (columns, tasks, face ids), so that a report may show them; of others, a misplaced
column of a manifest could hold anything, also a name."""

_COLUMN_ARGUMENTS: Final = ("column", "column_A", "column_B", "column_list", "column_set", "sum_columns")


class BrokenCheckError(Exception):
    """A check can't run as it is written; that says nothing of the data."""


@dataclass(frozen=True)
class Absent:
    """A table or column that isn't there, and why that is no mistake."""

    reason: str


class Checker:
    """Runs expectations with one Great Expectations context.

    Args:
        tables: by name; rows numbered from 0.
        optional: columns of the table ``faces`` that need not be there, with the reason.
        named_rows: named by a finding at most.
    """

    def __init__(
        self, tables: dict[str, pd.DataFrame | Absent], *, optional: dict[str, Absent], named_rows: int
    ) -> None:
        import great_expectations as gx

        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False}
        asset = context.data_sources.add_pandas("tables").add_dataframe_asset("table")
        self._batches = asset.add_batch_definition_whole_dataframe("all")
        self._tables = tables
        self._optional = optional
        self._named_rows = named_rows

    def finding(self, name: str, expectation: Expectation) -> dict[str, Any]:
        """Run one expectation.

        Returns:
            What was expected and why; ``status``, one of the four words of this module; ``holds``, null unless it was
            checked; rows ``checked`` and ``broken``, and of the first of these their number, id and value; ``problem``,
            where it could not be checked.
        """
        told: dict[str, Any] = {
            "name": name,
            "expectation": expectation.type,
            "table": expectation.table,
            "column": expectation.arguments.get("column"),
            "why": expectation.why,
            "severity": expectation.severity,
        }
        nothing = {"checked": 0, "broken": 0, "observed": None, "first_rows": []}
        absent = self._absent(expectation)
        if absent is not None:
            return {**told, "status": NOT_CHECKED, "holds": None, **nothing, "problem": absent.reason}
        try:
            return {**told, **self._checked(expectation)}
        except BrokenCheckError as error:
            return {**told, "status": BROKEN_CHECK, "holds": None, **nothing, "problem": str(error)}

    def _absent(self, expectation: Expectation) -> Absent | None:
        table = self._tables[expectation.table]
        if isinstance(table, Absent):
            return table
        column = expectation.arguments.get("column")
        return None if column is None or column in table.columns else self._optional.get(column)

    def _checked(self, expectation: Expectation) -> dict[str, Any]:
        table = self._tables[expectation.table]
        assert isinstance(table, pd.DataFrame)
        rows = _restricted(table, expectation)
        result = self._result(expectation, rows)
        details = result.get("result", {})
        values = details.get("element_count", len(rows)) - details.get("missing_count", 0)
        vacuous = "element_count" in details and values == 0
        broken = int(details.get("unexpected_count") or 0)
        status = NOT_CHECKED if vacuous else HOLDS if result["success"] else BAD_DATA
        return {
            "status": status,
            "holds": None if vacuous else status == HOLDS,
            "checked": int(values),
            "broken": broken,
            "observed": _plain(details.get("observed_value")),
            "first_rows": self._first_rows(expectation, table, details) if broken else [],
            "problem": "no row has a value to check" if vacuous else None,
        }

    def _first_rows(self, expectation: Expectation, table: pd.DataFrame, details: dict[str, Any]) -> list[Any]:
        numbers = details.get("partial_unexpected_index_list") or []
        key, column = KEYS[expectation.table], expectation.arguments.get("column")
        return [
            {"row": int(number), "id": _id(table.at[number, key]), "value": _shown(table, number, column)}
            for number in numbers[: self._named_rows]
        ]

    def _result(self, expectation: Expectation, rows: pd.DataFrame) -> dict[str, Any]:
        import great_expectations as gx

        name = "".join(part.capitalize() for part in expectation.type.split("_"))
        kind = getattr(gx.expectations, name, None)
        if kind is None:
            raise BrokenCheckError(f"the type '{expectation.type}' is unknown to Great Expectations")
        try:
            check = kind(**expectation.arguments)
        except (TypeError, ValueError) as error:
            raise BrokenCheckError(f"it has wrong arguments: {_one_line(error)}") from error
        try:
            result = self._batches.get_batch({"dataframe": rows}).validate(
                check, result_format={"result_format": "SUMMARY", "partial_unexpected_count": self._named_rows}
            )
        except (gx.exceptions.GreatExpectationsError, TypeError, ValueError, KeyError, AttributeError) as error:
            raise BrokenCheckError(f"it could not run: {_one_line(error)}") from error
        plain: dict[str, Any] = result.to_json_dict()
        _require_no_exception(plain)
        return plain


def _restricted(table: pd.DataFrame, expectation: Expectation) -> pd.DataFrame:
    """The rows that are meant, and of their columns only what is asked for: all of them would be hashed each time."""
    unknown = next((column for column in expectation.only if column not in table.columns), None)
    if unknown is not None:
        raise BrokenCheckError(f"it is restricted by the unknown column '{unknown}'")
    rows = pd.Series(True, index=table.index)
    for column, value in expectation.only.items():
        rows &= (table[column] == value).fillna(False).astype(bool)
    asked: list[str] = []
    for argument in _COLUMN_ARGUMENTS:
        given = expectation.arguments.get(argument) or []
        asked += [given] if isinstance(given, str) else list(given)
    columns = [column for column in dict.fromkeys(asked) if column in table.columns]
    if not asked:
        columns = [KEYS[expectation.table]] if "row_count" in expectation.type else list(table.columns)
    return table.loc[rows, columns or list(table.columns[:1])]


def _require_no_exception(result: dict[str, Any]) -> None:
    """A check that could not run is broken; it must not read as bad data."""
    information = result.get("exception_info") or {}
    raised = [information] if "raised_exception" in information else list(information.values())
    for item in raised:
        if item.get("raised_exception"):
            raise BrokenCheckError(f"it could not run: {_one_line(item.get('exception_message'))}")


def _one_line(message: object) -> str:
    return re.sub(r"\s+", " ", str(message)).strip().rstrip(".")[:300]


def _id(value: Any) -> str:
    return "without an id" if pd.isna(value) or not str(value).strip() else str(value)


def _shown(table: pd.DataFrame, number: int, column: str | None) -> Any:
    if column is None or column not in table.columns:
        return None
    value = table.at[number, column]
    if isinstance(value, str):
        return value if column in _OWN_WORDS else None
    return None if pd.isna(value) else _plain(value)


def _plain(value: Any) -> Any:
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return round(value, 6) if math.isfinite(value) else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)
