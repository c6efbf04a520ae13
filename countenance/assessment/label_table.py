"""Labels of faces from a CSV file, one row a face, and which group each subject is in."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from countenance.assessment.arrays import AnyArray, FloatArray
from countenance.assessment.groups import cross_groups
from countenance.errors import AssessmentError

FIRST_LINE = 2
"""Line of the first row in the file: the header is line 1."""


class LabelTable:
    """A table of labels; its errors name the file and the line.

    Args:
        path: of a CSV file with a header; an empty cell is a label that is not known.

    Raises:
        AssessmentError: the file isn't there, or is no such table.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._rows = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
        except (OSError, ValueError) as error:
            raise AssessmentError(f"{path} cannot be read as a table: write a CSV file with a header.") from error

    def __len__(self) -> int:
        return len(self._rows)

    @property
    def columns(self) -> tuple[str, ...]:
        """Names in the header."""
        return tuple(self._rows.columns)

    def words(self, column: str) -> AnyArray:
        """Texts of a column, [N] object; None where a cell is empty."""
        if column not in self._rows.columns:
            raise AssessmentError(f"{self.path} has no column '{column}': name one of {', '.join(self._rows.columns)}.")
        cells = self._rows[column].to_numpy(dtype=object)
        return np.array([cell.strip() or None for cell in cells], dtype=object)

    def numbers(self, column: str) -> FloatArray:
        """Numbers of a column, [N] float64; NaN where a cell is empty."""
        words = self.words(column)
        values = np.full(len(words), np.nan)
        for row, word in enumerate(words):
            if word is None:
                continue
            try:
                values[row] = float(word)
            except ValueError as error:
                raise AssessmentError(
                    f"{self.path}, line {row + FIRST_LINE}: column '{column}' holds no number: mend the cell."
                ) from error
        return values

    def cells(self, columns: Sequence[str]) -> AnyArray:
        """The group of each row by one column, or the cell of several; None where one of them is empty."""
        words = [self.words(column) for column in columns]
        return words[0] if len(words) == 1 else cross_groups(*words)

    def groups_of_subjects(self, subject: str, columns: Sequence[str]) -> dict[str, str]:
        """Subject -> group; a subject of no known group is left out.

        Raises:
            AssessmentError: a subject is in two groups; the text names the two lines.
        """
        seen: dict[str, tuple[str, int]] = {}
        for row, (name, group) in enumerate(zip(self.words(subject), self.cells(columns), strict=True)):
            if name is None or group is None:
                continue
            before, line = seen.setdefault(name, (group, row + FIRST_LINE))
            if before != group:
                raise AssessmentError(
                    f"{self.path}, line {row + FIRST_LINE}: the subject is in another group than on line {line}: "
                    "a person is in one group; mend the labels."
                )
        return {name: group for name, (group, _) in seen.items()}
