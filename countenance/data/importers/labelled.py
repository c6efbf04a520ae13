"""What every importer gives: photos with labelled faces, in the source's own pixels, and the records that aren't."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal, Protocol, TypeVar, runtime_checkable

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from pydantic import Field

from countenance.configuration import Configuration
from countenance.data.photographs import read_photo_bytes
from countenance.errors import DataError

Reason = Literal[
    "photo missing",
    "photo does not decode",
    "bad number",
    "unknown code",
    "box without size",
    "box outside the photo",
    "not in the middle",
    "coincident landmarks",
    "wrong size",
    "nothing to cut",
    "unreadable record",
]
"""Why a record is quarantined."""

_ROWS_AT_ONCE: Final = 4096


class CorruptRecordError(DataError):
    """One photo or face of a source can't be used; it is quarantined, and the import goes on."""

    def __init__(self, reason: Reason, sentence: str) -> None:
        super().__init__(sentence)
        self.reason: Reason = reason


@dataclass(frozen=True, kw_only=True)
class CorruptRecord:
    """A record that isn't imported: which photo (or face of it), why, and one sentence that names nobody.

    ``subject_ids`` are the people of it, as far as its labels could be read; they aren't written anywhere.
    """

    photo: str
    reason: Reason
    detail: str
    subject_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class LabelledFace:
    """One face as a source labels it; None means that the source does not say.

    ``box_xywh`` [4] and ``landmarks`` [K, 2] are photo pixels, ``visibility`` is [K] in 0..1, angles are degrees. A
    point that the source leaves out (because one can't see it) is NaN with visibility 0. ``age_std`` says how sure the
    age is, in years.
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
    age_std: float | None = None
    alignment_points: NDArray[np.float32] | None = None
    """[5, 2] where a source that aligns its photos puts the five points: good for cutting, but no label."""
    is_central: bool = False
    """Whether the source promises that this face is the one in the middle of its photo."""
    groups: Mapping[str, str] = field(default_factory=dict)
    """Protected attributes, e.g. ``{"skin_tone": "darker"}``; they go to their own table."""


@dataclass(frozen=True, kw_only=True)
class LabelledPhoto:
    """One photo and its faces.

    ``is_aligned`` says that the photo itself is an aligned 112 x 112 crop; ``unlabelled_boxes`` [M, 4] are where faces
    are that are too small or too unclear to be labelled: no background is cut there; ``kept_with`` is shared by photos
    that come from one another (renderings of one photo, a person's photos without a label of identity), which never go
    to different splits.
    """

    name: str
    read: Callable[[], bytes]
    faces: tuple[LabelledFace, ...]
    is_aligned: bool = False
    unlabelled_boxes: NDArray[np.float32] | None = None
    kept_with: str | None = None

    def key_of(self, face: int) -> str:
        """How the quarantine names one of the photo's faces: by its place where there are several."""
        return f"{self.name}#{face}" if len(self.faces) > 1 else self.name


Record = LabelledPhoto | CorruptRecord


class Importer(Protocol):
    """A source of labelled photos."""

    name: str
    license: str
    purpose: str
    group_source: str

    def photos(self) -> Iterator[Record]:
        """Every photo of the source in a fixed order, one at a time; what can't be read comes as a corrupt record."""
        ...

    def __len__(self) -> int:
        """How many photos there are."""
        ...


@runtime_checkable
class Selective(Protocol):
    """An importer that leaves photos or faces out on purpose, and says how many and why."""

    @property
    def left_out(self) -> Mapping[str, int]:
        """Counts by reason, complete once :meth:`Importer.photos` has been read through."""
        ...


class FolderSource(Configuration):
    """A set that lies in a folder of the user's.

    Attributes:
        folder: where.
        name: of the source in the manifest; needed where two sets of one format are imported.
    """

    folder: str
    name: str | None = Field(default=None, pattern=r"^[a-z0-9_]+$")


Row = TypeVar("Row")


def each_record(
    rows: Iterable[Row], *, photo: Callable[[Row], str], label: Callable[[Row], LabelledPhoto]
) -> Iterator[Record]:
    """Label each row; a row that can't be labelled becomes a corrupt record and the rest goes on."""
    for row in rows:
        try:
            yield label(row)
        except CorruptRecordError as error:
            yield CorruptRecord(photo=photo(row), reason=error.reason, detail=str(error))


def rows_of(frame: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """The rows of a table as dictionaries; only a few thousand exist at once."""
    for start in range(0, len(frame), _ROWS_AT_ONCE):
        yield from frame.iloc[start : start + _ROWS_AT_ONCE].to_dict("records")  # type: ignore[misc]


def read_labels(folder: Path, source: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """Read ``faces.csv`` of a source and check its columns.

    Raises:
        DataError: the folder, the file or a column is missing.
    """
    file = folder / "faces.csv"
    if not file.is_file():
        raise DataError(f"Source '{source}' has no label file {file}: point its folder at your copy of the set.")
    return checked_labels(pd.read_csv(file), file, source, columns)


def checked_labels(labels: pd.DataFrame, file: Path, source: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """The table of a label file, if it has rows and these columns.

    Raises:
        DataError: a column is missing, or there are no rows.
    """
    missing = [column for column in columns if column not in labels.columns]
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        raise DataError(f"Label file {file} has no column {names}: '{source}' needs it.")
    if labels.empty:
        raise DataError(f"Label file {file} has no rows: '{source}' would import nothing.")
    return labels


def find_file(folder: Path, *candidates: str, source: str) -> Path:
    """The first of several places in which a source's file may lie.

    Raises:
        DataError: it is in none of them.
    """
    found = next((folder / candidate for candidate in candidates if (folder / candidate).exists()), None)
    if found is None:
        places = " or ".join(candidates)
        raise DataError(f"Source '{source}' has no {places} in {folder}: point its folder at your copy of the set.")
    return found


def reader_of(path: Path) -> Callable[[], bytes]:
    """A function that reads this file when it is called."""
    return lambda: read_photo_bytes(path)


def photo_size(path: Path) -> tuple[int, int]:
    """Width and height of a photo file, from its header alone.

    Raises:
        CorruptRecordError: the file is missing or no image.
    """
    try:
        with Image.open(path) as image:
            return image.size
    except UnidentifiedImageError as error:
        raise CorruptRecordError("photo does not decode", "A photo is not an image.") from error
    except OSError as error:
        raise CorruptRecordError("photo missing", "A photo file cannot be read.") from error


def numbers(values: Iterable[Any], *, what: str, source: str) -> NDArray[np.float32]:
    """Labels as numbers; [N] float32, NaN where a cell is empty.

    Raises:
        CorruptRecordError: one is no number.
    """
    try:
        return np.array([np.nan if is_empty(value) else float(value) for value in values], dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise CorruptRecordError("bad number", f"The {what} of source '{source}' is not a number.") from error


def category(value: Any, names: Mapping[Any, str], *, column: str, source: str) -> str | None:
    """Translate a coded label; an empty cell is None.

    Raises:
        CorruptRecordError: the source has no such code.
    """
    if is_empty(value):
        return None
    if value not in names:
        known = ", ".join(str(name) for name in names)
        raise CorruptRecordError(
            "unknown code", f"Column '{column}' of source '{source}' holds '{value}': it must be one of {known}."
        )
    return names[value]


def is_empty(value: Any) -> bool:
    """Whether a cell is empty: None, NaN or NA."""
    return value is None or value is pd.NA or (isinstance(value, float | np.floating) and bool(np.isnan(value)))
