"""Text files of photos with their faces: a line with the photo's name, one with a number, then a line a face.

WIDER FACE and FDDB publish labels in this form, and both take what a detector found in it.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from countenance.data.protocols.delimited_text import decoded_lines
from countenance.errors import DataError

_COUNT: Final = re.compile(r"[0-9]{1,7}")

Lines = Iterator[tuple[int, str]]


@dataclass(frozen=True, eq=False)
class CountedList:
    """One photo of such a file.

    Attributes:
        name: of the photo, as written.
        path: the file.
        line: of the name, counted from 1.
        lines: of each face, [F], counted from 1.
        values: [F, W] float64, all finite; [0, W] where the photo has no face.
    """

    name: str
    path: Path
    line: int
    lines: NDArray[np.int64]
    values: NDArray[np.float64]

    def place(self, face: int | None = None) -> str:
        """The file and line of a face, or of the photo's name."""
        return f"{self.path}, line {self.line if face is None else int(self.lines[face])}"

    def refuse(self, wrong: ArrayLike, problem: str, remedy: str) -> None:
        """Raise a DataError for the first wrong face, [F] bool, if there is one."""
        rows = np.flatnonzero(np.asarray(wrong, dtype=np.bool_))
        if len(rows):
            raise DataError(f"In {self.place(int(rows[0]))}, {problem}: {remedy}.")


def read_counted_lists(path: Path, widths: Sequence[int], *, a_line_of_zeros: bool = False) -> Iterator[CountedList]:
    """Read photo by photo.

    Args:
        path: the file.
        widths: how many numbers a face may have; all faces of the file have as many as its first one.
        a_line_of_zeros: a photo without a face may have one line of zeros all the same, as in WIDER FACE's labels.

    Raises:
        DataError: the file is missing, or a line (which is named) isn't what belongs there.
    """
    lines = decoded_lines(path)
    width: int | None = None
    while (entry := next(lines, None)) is not None:
        line, name = entry
        count = _count(path, line, next(lines, None))
        faces = list(itertools.islice(lines, count))
        if len(faces) < count:
            raise DataError(
                f"{path} ends after {len(faces)} of the {count} faces that line {line + 1} tells: restore it."
            )
        if not count and a_line_of_zeros:
            lines = _without_zeros(lines)
        width = _width(path, faces, widths, width)
        values = _numbers(path, faces, width or widths[0])
        numbers = np.array([number for number, _ in faces], dtype=np.int64)
        yield CountedList(name=name, path=path, line=line, lines=numbers, values=values)


def by_photo(lists: Iterator[CountedList], name_of: Callable[[str], str] = str) -> dict[str, CountedList]:
    """The lists by their photos' names, in order.

    Args:
        lists: of one file or of several.
        name_of: what a written name means.

    Raises:
        DataError: a photo is listed twice.
    """
    found: dict[str, CountedList] = {}
    for entry in lists:
        before = found.setdefault(name_of(entry.name), entry)
        if before is not entry:
            raise DataError(f"In {entry.place()}, a photo is listed again that {before.place()} has: keep one of them.")
    return found


def _count(path: Path, line: int, told: tuple[int, str] | None) -> int:
    if told is None or not _COUNT.fullmatch(told[1]):
        at = line + 1 if told is None else told[0]
        raise DataError(f"{path}, line {at}, must hold the number of faces of the photo before it: mend the file.")
    return int(told[1])


def _without_zeros(lines: Lines) -> Lines:
    """The same lines, less a first one that holds nothing but zeros."""
    first = next(lines, None)
    if first is None:
        return lines
    is_zeros = len(first[1].split()) > 1 and not set(first[1]) - set("0. \t")
    return lines if is_zeros else itertools.chain([first], lines)


def _width(path: Path, faces: list[tuple[int, str]], widths: Sequence[int], width: int | None) -> int | None:
    """How many numbers the faces of this file have; None where none was met yet."""
    for number, text in faces:
        found = len(text.split())
        if width is None and found in widths:
            width = found
        if found != width:
            belong = " or ".join(str(count) for count in ([width] if width else widths))
            raise DataError(f"{path}, line {number}, holds {found} values where {belong} belong: mend the line.")
    return width


def _numbers(path: Path, faces: list[tuple[int, str]], width: int) -> NDArray[np.float64]:
    values = np.empty((len(faces), width))
    for row, (number, text) in enumerate(faces):
        try:
            values[row] = [float(part) for part in text.split()]
        except ValueError as error:
            raise DataError(f"{path}, line {number}, holds something that is no number: mend the line.") from error
        if not np.isfinite(values[row]).all():
            raise DataError(f"{path}, line {number}, holds a number that isn't finite: mend the line.")
    return values
