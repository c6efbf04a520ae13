"""Tables about faces from outside, labels or what a model says of them: read and checked column by column.

Parquet, or comma-separated text with a header. In text an empty cell is null, truth is ``true`` or ``false`` (or 1, 0),
and a list is numbers between spaces, commas or semicolons, with or without brackets. What is wrong is told with the
file, the row (Parquet, from 0) or line, and the column.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from countenance.errors import DataError

Kind = Literal["text", "flag", "number", "probability", "list"]

COLUMNS: Final[dict[str, Kind]] = {
    **dict.fromkeys(("face_id", "source", "photo", "photo_sha256", "subject_id", "gender", "split"), "text"),
    **dict.fromkeys(("is_face", "smiling"), "flag"),
    **dict.fromkeys(("yaw_deg", "pitch_deg", "roll_deg", "age_years", "age_std"), "number"),
    **dict.fromkeys(("face_probability", "male_probability", "smile_probability"), "probability"),
    **dict.fromkeys(("box_xywh", "landmarks", "visibility", "yaw_range", "landmarks_5"), "list"),
    "landmark_scheme": "text",
}
"""The columns that are read, by what they hold; a table may have others, too."""

_LENGTHS: Final = {"box_xywh": 4, "yaw_range": 2, "landmarks_5": 10}
_NAMES: Final = {"flag": "true or false", "number": "a number", "probability": "a number", "list": "a list of numbers"}
_FLAGS: Final = {"true": True, "1": True, "false": False, "0": False}


@dataclass(frozen=True, eq=False)
class FaceTable:
    """A table and where its rows are from.

    Attributes:
        rows: [N]; lists as float64 arrays or None, ``is_face`` and ``smiling`` nullable, index 0 to N - 1.
        path: the file.
        word: what a number of ``numbers`` counts: "row", "line" or "photo".
        numbers: of each row, [N].
    """

    rows: pd.DataFrame
    path: Path
    word: str
    numbers: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.rows)

    def place(self, row: int) -> str:
        """The file and the row in it."""
        return f"{self.path}, {self.word} {int(self.numbers[row])}"

    def where(self, kept: NDArray[np.bool_]) -> FaceTable:
        """The rows that are kept, [N] bool, which remember where they are from."""
        return FaceTable(self.rows[kept].reset_index(drop=True), self.path, self.word, self.numbers[kept])

    def refuse(self, wrong: NDArray[np.bool_], column: str, problem: str, remedy: str = "mend or drop it") -> None:
        """Raise a DataError for the first wrong row, [N] bool, if there is one."""
        rows = np.flatnonzero(wrong)
        if len(rows):
            more = f" (and {len(rows) - 1:,} more like it)" if len(rows) > 1 else ""
            raise DataError(f"In {self.place(int(rows[0]))}, column '{column}' {problem}{more}: {remedy}.")

    def column(self, name: str) -> NDArray[Any]:
        """A column as objects, [N]; None throughout where there is none."""
        if name not in self.rows.columns:
            return np.full(len(self), None, dtype=object)
        return self.rows[name].to_numpy(dtype=object)

    def has(self, name: str) -> bool:
        """Whether any row has a value in a column."""
        return name in self.rows.columns and bool(self.rows[name].notna().any())


def read_face_table(path: Path) -> FaceTable:
    """Read the known columns of a ``.parquet`` or ``.csv`` file.

    Raises:
        DataError: the file is missing, of another kind or without rows, or a value isn't what its column holds.
    """
    readers = {".parquet": _read_parquet, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise DataError(f"{path} is neither .parquet nor .csv: write the table as one of them.")
    if not path.is_file():
        raise DataError(f"{path} is missing: check the name.")
    table = readers[path.suffix.lower()](path)
    if not len(table):
        raise DataError(f"{path} has no rows: write it again.")
    _check(table)
    return table


def _check(table: FaceTable) -> None:
    for name in table.rows.columns:
        kind, values = COLUMNS[name], table.column(name)
        if kind in ("number", "probability"):
            number = values.astype(np.float64)
            table.refuse(np.isinf(number), name, "holds a number that isn't finite")
            if kind == "probability":
                table.refuse((number < 0) | (number > 1), name, "holds a probability beyond 0 to 1")
        length = _LENGTHS.get(name)
        if length is not None:
            wrong = np.array([value is not None and len(value) != length for value in values], dtype=np.bool_)
            table.refuse(wrong, name, f"doesn't hold {length} numbers")


def _read_parquet(path: Path) -> FaceTable:
    try:
        names = [name for name in pq.read_schema(path).names if name in COLUMNS]
        table = pq.read_table(path, columns=names)
    except (OSError, pa.ArrowException) as error:
        raise DataError(f"{path} is not a readable Parquet file: write it again.") from error
    columns = {name: _of_arrow(path, name, table.column(name)) for name in names}
    rows = pd.DataFrame(columns, index=pd.RangeIndex(table.num_rows))
    return FaceTable(rows, path, "row", np.arange(table.num_rows))


def _of_arrow(path: Path, name: str, column: pa.ChunkedArray) -> pd.Series:
    kind = COLUMNS[name]
    if not _fits(column.type, kind):
        words = _NAMES.get(kind, "text")
        raise DataError(f"In {path}, column '{name}' holds {column.type} where {words} belongs: write it again.")
    if kind == "list":
        lists = [None if value is None else np.asarray(value, dtype=np.float64) for value in column.to_pylist()]
        return pd.Series(lists, dtype=object)
    if kind == "flag":
        return pd.Series(column.to_pylist(), dtype="boolean")
    if kind == "text":
        return pd.Series([None if value is None else str(value) for value in column.to_pylist()], dtype=object)
    return pd.Series(column.cast(pa.float64()).to_numpy().astype(np.float64))


def _fits(found: pa.DataType, kind: Kind) -> bool:
    types = pa.types
    if types.is_null(found):
        return True
    if types.is_dictionary(found):
        return _fits(found.value_type, kind)
    if kind == "list":
        is_list = types.is_list(found) or types.is_large_list(found) or types.is_fixed_size_list(found)
        return bool(is_list) and _fits(found.value_type, "number")
    if kind == "text":
        return bool(types.is_string(found) or types.is_large_string(found) or types.is_integer(found))
    if kind == "flag":
        return bool(types.is_boolean(found))
    return bool(types.is_integer(found) or types.is_floating(found))


def _read_csv(path: Path) -> FaceTable:
    try:
        with path.open(encoding="utf-8-sig", newline="") as content:
            reader = csv.reader(content)
            header = [title.strip() for title in next(reader, [])]
            read, numbers = [], []
            for cells in reader:
                if not any(cell.strip() for cell in cells):
                    continue
                if len(cells) != len(header):
                    raise DataError(
                        f"{path}, line {reader.line_num}, holds {len(cells)} values where {len(header)} belong."
                    )
                read.append(cells)
                numbers.append(reader.line_num)
    except (UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path} is not comma-separated text in UTF-8: write it again.") from error
    twice = next((name for name in header if name in COLUMNS and header.count(name) > 1), None)
    if twice is not None:
        raise DataError(f"{path}, line 1, names the column '{twice}' twice: rename one.")
    places = [(name, place) for place, name in enumerate(header) if name in COLUMNS]
    columns = {name: _of_cells(path, name, [cells[place] for cells in read], numbers) for name, place in places}
    return FaceTable(
        pd.DataFrame(columns, index=pd.RangeIndex(len(read))), path, "line", np.array(numbers, dtype=np.int64)
    )


def _of_cells(path: Path, name: str, cells: list[str], lines: list[int]) -> pd.Series:
    kind = COLUMNS[name]
    values: list[Any] = []
    for line, cell in zip(lines, cells, strict=True):
        text = cell.strip()
        try:
            values.append(_PARSERS[kind](text) if text else None)
        except (ValueError, KeyError) as error:
            words = _NAMES[kind]
            raise DataError(f"{path}, line {line}, column '{name}', doesn't hold {words}: mend the line.") from error
    types: dict[Kind, Any] = {"flag": "boolean", "number": np.float64, "probability": np.float64}
    column: pd.Series = pd.Series(values, dtype=types.get(kind, object))
    return column


def _parsed_list(text: str) -> NDArray[np.float64]:
    return np.array([float(part) for part in re.split(r"[\s,;]+", text.strip("[]() ")) if part])


_PARSERS: Final[dict[Kind, Callable[[str], Any]]] = {
    "text": str,
    "flag": lambda text: _FLAGS[text.lower()],
    "number": float,
    "probability": float,
    "list": _parsed_list,
}
