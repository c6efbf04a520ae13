"""Columns of a Parquet table as arrays of one type, without gaps; the first row with a gap is named."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from countenance.data.protocols.row_origins import ParquetFile, refuse_rows
from countenance.data.protocols.template_protocol import Integers, Names, Truths
from countenance.errors import DataError


class TableReader:
    """Reads a Parquet file column by column; every method raises a DataError that names the file and the problem."""

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._file = pq.ParquetFile(path)
        except OSError as error:
            raise DataError(f"{path} cannot be read: check that the file is there.") from error
        except pa.ArrowInvalid as error:
            raise DataError(f"{path} is not a readable Parquet file: write it again.") from error
        self._columns = set(self._file.schema_arrow.names)

    def has(self, name: str) -> bool:
        """Whether there is such a column."""
        return name in self._columns

    def texts(self, name: str) -> Names:
        """A column of strings, [N]."""
        return self._values(name, pa.string(), np.dtype(np.object_), "text")

    def integers(self, name: str, remedy: str = "write it again") -> Integers:
        """A column of whole numbers, [N] int64; ``remedy`` is told where it holds something else."""
        return self._values(name, pa.int64(), np.dtype(np.int64), "whole numbers", remedy)

    def numbers(self, name: str) -> NDArray[np.float32]:
        """A column of numbers, [N] float32."""
        return self._values(name, pa.float32(), np.dtype(np.float32), "numbers")

    def truths(self, name: str) -> Truths:
        """A column of truth values or of 0 and 1, [N] bool."""
        if self.has(name) and pa.types.is_boolean(self._file.schema_arrow.field(name).type):
            return self._values(name, pa.bool_(), np.dtype(np.bool_), "truth values")
        labels = self.integers(name)
        wrong = (labels != 0) & (labels != 1)
        refuse_rows(wrong, ParquetFile(self._path), f"'{name}' is neither 0 nor 1", "mend the row")
        return np.asarray(labels == 1)

    def points(self, name: str) -> NDArray[np.float32]:
        """A column of lists x1 y1 ... x5 y5, [N, 5, 2] float32."""
        values = np.empty((self._file.metadata.num_rows, 5, 2), dtype=np.float32)
        for start, lists in self._parts(name, pa.list_(pa.float32()), "lists of numbers"):
            wrong = np.flatnonzero(pc.list_value_length(lists).to_numpy() != 10) + start
            refuse_rows(wrong, ParquetFile(self._path), f"'{name}' is not a list of 10 numbers", "mend the row")
            values[start : start + len(lists)] = pc.list_flatten(lists).to_numpy().reshape(-1, 5, 2)
        return values

    def _values(
        self, name: str, kind: Any, dtype: np.dtype[Any], what: str, remedy: str = "write it again"
    ) -> NDArray[Any]:
        values = np.empty(self._file.metadata.num_rows, dtype=dtype)
        for start, part in self._parts(name, kind, what, remedy):
            values[start : start + len(part)] = part.to_numpy()
        return values

    def _parts(self, name: str, kind: Any, what: str, remedy: str = "write it again") -> Iterator[tuple[int, Any]]:
        """The column group by group, each with its first row, so that no large column is in memory twice."""
        if not self.has(name):
            raise DataError(f"{self._path} has no column '{name}': add it or write the file again.")
        start = 0
        for group in range(self._file.num_row_groups):
            try:
                part = self._file.read_row_group(group, [name], use_threads=False)[name].cast(kind)
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise DataError(f"The column '{name}' of {self._path} does not hold {what}: {remedy}.") from error
            except OSError as error:
                raise DataError(f"{self._path} is damaged: write it again.") from error
            gaps = np.flatnonzero(part.is_null().to_numpy()) + start
            refuse_rows(gaps, ParquetFile(self._path), f"'{name}' is empty", "fill it or remove the row")
            yield start, part
            start += len(part)
