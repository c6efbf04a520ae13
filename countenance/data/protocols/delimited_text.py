"""Columns of large text files, read by Arrow; where it gives up, a slow pass names the line or reads what it can.

Arrow reads the 15.7 million lines of IJB-C's pairs in a second or two, but says little about a line it can't read and
takes no irregular white space. Both are rare, so the second pass over the lines may take its time.
"""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import csv as arrow_csv

from countenance.errors import DataError

Kind = Literal["text", "integer", "label", "number"]
"""``label`` is a small integer (int8), ``number`` a float32."""

Columns = dict[str, NDArray[Any]]

_ARROW_TYPES: Final = {"text": pa.string(), "integer": pa.int64(), "label": pa.int8(), "number": pa.float32()}
_NUMPY_TYPES: Final = {"text": np.object_, "integer": np.int64, "label": np.int8, "number": np.float32}
_WORDS: Final = {"integer": "a whole number", "label": "0 or 1", "number": "a number"}
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,18}")
# Larger blocks are no faster, and many of them are in memory at once.
_BLOCK_BYTES: Final = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column that is looked for in a file with a header.

    Attributes:
        name: what it is called in the answer.
        kind: what its values are.
        headers: how the header may call it; capitals and underscores don't matter.
        required: whether its absence is an error.
        remedy: what to do about a value of another kind.
    """

    name: str
    kind: Kind
    headers: tuple[str, ...]
    required: bool = True
    remedy: str = "mend the line"


def read_columns(path: Path, columns: Mapping[str, Kind]) -> Columns:
    """Read a file without a header: one row a line, columns between spaces, tabs or commas.

    Args:
        path: the file.
        columns: names and kinds of all its columns, in order.

    Returns:
        one array [N] a column; text as Python strings.

    Raises:
        DataError: the file is missing or has no rows, or a line (which is named) can't be read.
    """
    delimiter = _delimiter(_first_line(path))
    table = _GrowingTable(path, columns)
    if not table.fill_by_arrow(list(columns), delimiter, header_lines=0):
        lines = ((number, text.split(delimiter.strip() or None)) for number, text in decoded_lines(path, table.count))
        table.fill_by_line(lines, dict(enumerate(columns)), len(columns))
    return table.columns()


def read_headed_columns(path: Path, columns: Iterable[Column]) -> Columns:
    """Read some columns of a comma-separated file whose first line names them; other columns are left alone.

    Raises:
        DataError: the file is missing or has no rows, a required column is missing, or a line can't be read.
    """
    header = next(csv.reader([_first_line(path)]))
    places = _places(path, header, columns)
    kinds = {column.name: column.kind for column in columns if column.name in places.values()}
    names = [places.get(index, f"column {index}") for index in range(len(header))]
    table = _GrowingTable(path, kinds, {column.name: column.remedy for column in columns})
    if not table.fill_by_arrow(names, ",", header_lines=1):
        lines = ((number, next(csv.reader([text]))) for number, text in decoded_lines(path, 1 + table.count))
        table.fill_by_line(lines, places, len(header))
    return table.columns()


def _places(path: Path, header: list[str], columns: Iterable[Column]) -> dict[int, str]:
    plain = [_plain(title) for title in header]
    places: dict[int, str] = {}
    for column in columns:
        wanted = [_plain(title) for title in column.headers]
        index = next((plain.index(title) for title in wanted if title in plain), None)
        if index is not None:
            places[index] = column.name
        elif column.required:
            raise DataError(f"{path}, line 1, names no column '{column.headers[0]}': add the header that the set has.")
    return places


def _plain(title: str) -> str:
    return re.sub(r"[^a-z0-9]", "", title.lower())


def _first_line(path: Path) -> str:
    try:
        with path.open("rb") as lines:
            first = next((line for line in lines if line.strip()), b"")
    except OSError as error:
        raise DataError(f"{path} cannot be read: check that the file is there.") from error
    if not first:
        raise DataError(f"{path} has no rows: restore the file.")
    return first.decode("utf-8-sig", errors="replace").rstrip("\r\n")


def _delimiter(line: str) -> str:
    return next((mark for mark in "\t," if mark in line), " ")


def decoded_lines(path: Path, skip: int = 0) -> Iterator[tuple[int, str]]:
    """Number (from 1) and text of the lines that have content, without the white space around it.

    Args:
        path: the file.
        skip: how many lines with content to leave out at the beginning.

    Raises:
        DataError: the file is missing, or a line is not text.
    """
    try:
        with path.open("rb") as content:
            filled = ((number, line) for number, line in enumerate(content, start=1) if line.strip())
            for number, line in itertools.islice(filled, skip, None):
                yield number, line.decode("utf-8-sig" if number == 1 else "utf-8").strip()
    except OSError as error:
        raise DataError(f"{path} cannot be read: check that the file is there.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}, line {number}, is not text in UTF-8: restore the file.") from error


class _GrowingTable:
    """The columns of a file, filled from its beginning: by Arrow as far as it gets, by line from there."""

    def __init__(self, path: Path, kinds: Mapping[str, Kind], remedies: Mapping[str, str] | None = None) -> None:
        self._path, self._kinds, self._remedies = path, kinds, remedies or {}
        # There are no more rows than lines, so the arrays can be made first and a large file is never in memory twice.
        lines = _line_count(path)
        self._values: Columns = {name: np.empty(lines, dtype=_NUMPY_TYPES[kind]) for name, kind in kinds.items()}
        self.count = 0

    def columns(self) -> Columns:
        """What was read, [N] a column."""
        if not self.count:
            raise DataError(f"{self._path} has no rows: restore the file.")
        return {name: values[: self.count] for name, values in self._values.items()}

    def fill_by_arrow(self, names: list[str], delimiter: str, *, header_lines: int) -> bool:
        """Read blocks of lines until Arrow finds one that it can't read; return whether there was none."""
        reading = arrow_csv.ReadOptions(column_names=names, skip_rows=header_lines, block_size=_BLOCK_BYTES)
        parsing = arrow_csv.ParseOptions(delimiter=delimiter, quote_char='"' if header_lines else False)
        types = {name: _ARROW_TYPES[kind] for name, kind in self._kinds.items()}
        converting = arrow_csv.ConvertOptions(
            column_types=types, include_columns=list(types), null_values=[], strings_can_be_null=False
        )
        try:
            with arrow_csv.open_csv(self._path, reading, parsing, converting) as batches:
                for batch in batches:
                    for name, values in self._values.items():
                        part = batch[name].to_numpy(zero_copy_only=False)
                        values[self.count : self.count + len(batch)] = part
                    self.count += len(batch)
        except pa.ArrowInvalid:
            return False
        return True

    def fill_by_line(self, lines: Iterable[tuple[int, list[str]]], places: Mapping[int, str], width: int) -> None:
        """Read the remaining lines, whose ``width`` parts are at hand; ``places`` says which part is which column."""
        for number, parts in lines:
            if len(parts) != width:
                raise DataError(
                    f"{self._path}, line {number}, holds {len(parts)} values where {width} belong: mend the line."
                )
            for index, name in places.items():
                kind = self._kinds[name]
                try:
                    self._values[name][self.count] = _PARSERS[kind](parts[index].strip())
                except ValueError as error:
                    remedy = self._remedies.get(name, "mend the line")
                    raise DataError(
                        f"{self._path}, line {number}, holds a {name} that is not {_WORDS[kind]}: {remedy}."
                    ) from error
            self.count += 1


def _line_count(path: Path) -> int:
    """How many lines there are at most."""
    with path.open("rb") as content:
        blocks = (np.frombuffer(block, dtype=np.uint8) for block in iter(lambda: content.read(_BLOCK_BYTES), b""))
        return 1 + sum(int(np.count_nonzero((block == ord("\n")) | (block == ord("\r")))) for block in blocks)


def _integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise ValueError("no whole number")
    return int(text)


def _label(text: str) -> int:
    if text not in ("0", "1"):
        raise ValueError("no label")
    return int(text)


def _number(text: str) -> float:
    value = float(text)
    if "_" in text or not abs(value) <= np.finfo(np.float32).max:
        raise ValueError("no number")
    return value


_PARSERS: Final[dict[str, Callable[[str], Any]]] = {
    "text": str,
    "integer": _integer,
    "label": _label,
    "number": _number,
}
