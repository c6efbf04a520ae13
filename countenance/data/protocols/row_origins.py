"""Where the rows of a table come from, so that a problem is told with its file and line."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

import numpy as np
from numpy.typing import NDArray

from countenance.errors import DataError


class RowOrigin(Protocol):
    """Names the place of a row, counted from 0."""

    def place(self, row: int) -> str:
        """The place in words, such as ``/sets/ijbc/meta/ijbc_face_tid_mid.txt, line 17``."""
        ...


@dataclass(frozen=True)
class InMemory:
    """Rows that no file holds; ``what`` names them, such as ``pairs``."""

    what: str

    def place(self, row: int) -> str:
        """The row's number, counted from 0."""
        return f"row {row} of the {self.what}"


@dataclass(frozen=True, eq=False)
class TextFile:
    """Rows of a text file, one a line; lines without content don't count as rows.

    Attributes:
        path: the file.
        header_lines: how many lines with content come before the first row.
        rows: the file's row behind each row of the table, where some were left out.
    """

    path: Path
    header_lines: int = 0
    rows: NDArray[np.int64] | None = None

    def place(self, row: int) -> str:
        """The file and the line, counted from 1."""
        return f"{self.path}, line {self.line(row)}"

    def line(self, row: int) -> int:
        """The line of a row, counted from 1; reads the file up to there, so it's for errors only."""
        left = self.header_lines + (row if self.rows is None else int(self.rows[row]))
        with self.path.open("rb") as lines:
            filled = (number for number, line in enumerate(lines, start=1) if line.strip())
            return next(itertools.islice(filled, left, None))


@dataclass(frozen=True, eq=False)
class ParquetFile:
    """Rows of a Parquet file; ``rows`` as in :class:`TextFile`."""

    path: Path
    rows: NDArray[np.int64] | None = None

    def place(self, row: int) -> str:
        """The file and the row, counted from 0."""
        return f"{self.path}, row {row if self.rows is None else int(self.rows[row])}"


@dataclass(frozen=True, eq=False)
class JoinedRows:
    """Rows of several origins, one after the other.

    Attributes:
        parts: the origins.
        lengths: how many rows each of them has.
    """

    parts: tuple[RowOrigin, ...]
    lengths: tuple[int, ...]

    def place(self, row: int) -> str:
        """The place within the origin that the row is of."""
        for part, length in zip(self.parts, self.lengths, strict=True):
            if row < length:
                return part.place(row)
            row -= length
        raise IndexError(row)


@dataclass(frozen=True, eq=False)
class ChosenRows:
    """Some rows of an origin.

    Attributes:
        origin: of all rows.
        rows: the origin's row behind each row, [K].
    """

    origin: RowOrigin
    rows: NDArray[np.int64]

    def place(self, row: int) -> str:
        """The place of the row that was chosen."""
        return self.origin.place(int(self.rows[row]))


def refuse_rows(
    wrong: NDArray[np.bool_] | NDArray[np.int64], origin: RowOrigin, problem: str | Callable[[int], str], remedy: str
) -> None:
    """Raise a DataError for the first wrong row, if there is one.

    Args:
        wrong: which rows are wrong, as truth values [N] or as row numbers.
        origin: where the rows come from.
        problem: what is wrong with a row, e.g. ``a pair has no label``.
        remedy: what to do about it, e.g. ``remove the line``.
    """
    rows: NDArray[Any] = np.flatnonzero(wrong) if wrong.dtype == np.bool_ else np.sort(wrong)
    if len(rows):
        refuse_row(int(rows[0]), origin, problem, remedy, more=len(rows) - 1)


def refuse_row(
    row: int, origin: RowOrigin, problem: str | Callable[[int], str], remedy: str, *, more: int = 0
) -> NoReturn:
    """Raise a DataError for one row and say how many ``more`` there are of the same kind."""
    told = problem if isinstance(problem, str) else problem(row)
    others = f" (and {more:,} more like it)" if more else ""
    raise DataError(f"In {origin.place(row)}, {told}{others}: {remedy}.")
