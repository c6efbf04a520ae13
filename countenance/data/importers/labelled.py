"""What every importer gives: photos with labelled faces, in the source's own pixels."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.photographs import read_photo_bytes
from countenance.errors import DataError


@dataclass(frozen=True, kw_only=True)
class LabelledFace:
    """One face as a source labels it; None means that the source does not say.

    ``box_xywh`` [4] and ``landmarks`` [K, 2] are photo pixels, ``visibility`` is [K] in 0..1, angles are degrees.
    """

    subject_id: str | None = None
    box_xywh: NDArray[np.float32] | None = None
    landmarks: NDArray[np.float32] | None = None
    landmark_scheme: str | None = None
    visibility: NDArray[np.float32] | None = None
    yaw_deg: float | None = None
    pitch_deg: float | None = None
    roll_deg: float | None = None
    yaw_range: tuple[float, float] | None = None
    gender: str | None = None
    smiling: bool | None = None
    age_years: float | None = None
    groups: Mapping[str, str] = field(default_factory=dict)
    """Protected attributes, e.g. ``{"skin_tone": "darker"}``; they go to their own table."""


@dataclass(frozen=True, kw_only=True)
class LabelledPhoto:
    """One photo and its faces. ``is_aligned`` says that the photo itself is an aligned 112 x 112 crop."""

    name: str
    read: Callable[[], bytes]
    faces: tuple[LabelledFace, ...]
    is_aligned: bool = False


class Importer(Protocol):
    """A source of labelled photos."""

    name: str
    license: str
    purpose: str
    group_source: str

    def photos(self) -> Iterator[LabelledPhoto]:
        """Every photo of the source, in a fixed order."""
        ...

    def __len__(self) -> int:
        """How many photos there are."""
        ...


def read_labels(folder: Path, source: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read ``faces.csv`` of a source and check its columns.

    Raises:
        DataError: the folder, the file or a column is missing.
    """
    file = folder / "faces.csv"
    if not file.is_file():
        raise DataError(f"Source '{source}' has no label file {file}: point its folder at your copy of the set.")
    labels = pd.read_csv(file)
    missing = [column for column in columns if column not in labels.columns]
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        raise DataError(f"Label file {file} has no column {names}: '{source}' needs it.")
    if labels.empty:
        raise DataError(f"Label file {file} has no rows: '{source}' would import nothing.")
    return labels


def reader_of(path: Path) -> Callable[[], bytes]:
    """A function that reads this file when it is called."""
    return lambda: read_photo_bytes(path)


def category(value: Any, names: Mapping[Any, str], *, column: str, source: str) -> str | None:
    """Translate a coded label; an empty cell is None, a code that the source does not have is an error."""
    if value is None or (isinstance(value, float) and np.isnan(value)) or value is pd.NA:
        return None
    if value not in names:
        known = ", ".join(str(name) for name in names)
        raise DataError(f"Column '{column}' of source '{source}' holds '{value}': it must be one of {known}.")
    return names[value]
