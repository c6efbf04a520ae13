"""Cell arrays of MATLAB files, checked as they are unpacked: a cell array comes as an array of objects.

Only numbers, texts and cells are read; a MATLAB file holds no code, unlike a pickle.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from countenance.errors import DataError


class MatlabFile:
    """A file of MATLAB 5 (up to -v7), read whole.

    Args:
        path: the file.

    Raises:
        DataError: it is missing, damaged or of another version.
    """

    def __init__(self, path: Path) -> None:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError

        self.path = path
        if not path.is_file():
            raise DataError(f"{path} is missing: restore the file.")
        try:
            self._variables: dict[str, Any] = loadmat(path, appendmat=False)
        except NotImplementedError as error:
            raise DataError(f"{path} is of MATLAB 7.3, which isn't read: save it with -v7.") from error
        except (MatReadError, OSError, ValueError, TypeError, KeyError, EOFError, zlib.error) as error:
            raise DataError(f"{path} is not a readable MATLAB file: restore it.") from error

    def has(self, name: str) -> bool:
        """Whether there is such a variable."""
        return name in self._variables

    def cells(self, name: str) -> list[Any]:
        """The cells of a variable that is a row or column of them.

        Raises:
            DataError: there is no such variable, or it isn't one.
        """
        if name not in self._variables:
            raise DataError(f"{self.path} has no variable '{name}': give the published file.")
        return self.cells_of(self._variables[name], f"'{name}'")

    def cells_of(self, value: object, what: str) -> list[Any]:
        """The cells of a row or column of them; ``what`` names it in errors."""
        if isinstance(value, np.ndarray) and not value.size:
            return []
        if not (isinstance(value, np.ndarray) and value.dtype == np.object_ and value.ndim == 2 and 1 in value.shape):
            raise DataError(f"In {self.path}, {what} is no list of cells: give the published file.")
        return list(value.ravel())

    def text_of(self, value: object, what: str) -> str:
        """A text; ``what`` names it in errors."""
        if not (isinstance(value, np.ndarray) and value.dtype.kind == "U" and value.size == 1):
            raise DataError(f"In {self.path}, {what} is no text: give the published file.")
        return str(value.item())

    def numbers_of(self, value: object, columns: int, what: str) -> NDArray[np.float64]:
        """A table of finite numbers, [N, columns]; an empty one may have any shape."""
        is_table = isinstance(value, np.ndarray) and value.dtype.kind in "iuf"
        if is_table and not value.size:  # type: ignore[attr-defined]
            return np.empty((0, columns))
        if not is_table or value.ndim != 2 or value.shape[1] != columns:  # type: ignore[attr-defined]
            raise DataError(f"In {self.path}, {what} is no table of {columns} numbers a face: give the published file.")
        table = np.asarray(value, dtype=np.float64)
        if not np.isfinite(table).all():
            raise DataError(f"In {self.path}, {what} holds a number that isn't finite: restore the file.")
        return table
