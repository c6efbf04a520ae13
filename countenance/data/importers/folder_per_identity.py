"""Any set that keeps a person's photos in a folder of the person's.

Expected under the folder: ``<subject>/.../<file>``; either aligned crops of 112 x 112 (``aligned: true``), or photos
and a table ``faces.csv``, a face a row: ``photo`` (``<subject>/<file>``) with a box ``x y w h`` and/or five points
``x1 y1 ... x5 y5`` (left eye, right eye, nose, left and right mouth corner as seen), and, where known, ``subject_id``
(else the folder's name), ``gender`` (male, female), ``age`` (years) and ``smiling`` (0, 1).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Final

import numpy as np
import pandas as pd

from countenance.data.face_boxes import boxes_around_five_points
from countenance.data.importers.labelled import (
    FolderSource,
    LabelledFace,
    LabelledPhoto,
    Record,
    category,
    each_record,
    is_empty,
    numbers,
    read_labels,
    reader_of,
    rows_of,
)
from countenance.errors import DataError

_BOX: Final = ("x", "y", "w", "h")
_POINTS: Final = tuple(f"{axis}{point}" for point in range(1, 6) for axis in "xy")
_GENDER: Final = {"male": "male", "female": "female"}
_SMILING: Final = {0: "no", 1: "yes"}
_PHOTO_SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})


class FolderPerIdentitySource(FolderSource):
    """A folder of folders.

    Attributes:
        aligned: whether the photos are aligned crops of 112 x 112.
        license, purpose: what the photos may be used for.
    """

    aligned: bool = False
    license: str = "unstated"
    purpose: str = "research"


class FolderPerIdentityImporter:
    """Reads a folder of folders; a subject is known by the name of the folder."""

    def __init__(self, source: FolderPerIdentitySource) -> None:
        self.name = source.name or "folder_per_identity"
        self.license, self.purpose = source.license, source.purpose
        self.group_source = f"{self.name} labels"
        self._folder = Path(source.folder)
        self._aligned = source.aligned
        self._labels = None if source.aligned else self._read_labels()
        if not len(self):
            raise DataError(f"Source '{self.name}' has no photos in folders under {self._folder}: point it elsewhere.")

    def __len__(self) -> int:
        return self._count

    def photos(self) -> Iterator[Record]:
        """Every photo, subject by subject."""
        if self._labels is None:
            return (self._aligned_photo(photo) for photo in self._walk())
        by_photo = itertools.groupby(rows_of(self._labels), key=lambda row: str(row["photo"]))
        return each_record(
            ((photo, list(rows)) for photo, rows in by_photo),
            photo=lambda item: item[0],
            label=lambda item: self._labelled(*item),
        )

    @cached_property
    def _count(self) -> int:
        if self._labels is None:
            return sum(1 for _ in self._walk())
        return int(self._labels["photo"].nunique())

    def _read_labels(self) -> pd.DataFrame:
        labels = read_labels(self._folder, self.name, ("photo",))
        if not (set(_BOX) <= set(labels.columns) or set(_POINTS) <= set(labels.columns)):
            raise DataError(
                f"Label file {self._folder / 'faces.csv'} has neither a box (x, y, w, h) nor five points "
                "(x1, y1 to x5, y5): add them, or set 'aligned: true' where the photos are aligned crops."
            )
        return labels.sort_values("photo", kind="stable")

    def _walk(self) -> Iterator[str]:
        # Sorted within each folder only, so that no list of all photos is ever needed.
        subjects = sorted(entry.name for entry in os.scandir(self._folder) if entry.is_dir())
        for subject in subjects:
            files = (file for file in (self._folder / subject).rglob("*") if file.suffix.lower() in _PHOTO_SUFFIXES)
            yield from sorted(file.relative_to(self._folder).as_posix() for file in files)

    def _aligned_photo(self, photo: str) -> LabelledPhoto:
        face = LabelledFace(subject_id=self._subject(photo, None))
        return LabelledPhoto(name=photo, read=reader_of(self._folder / photo), faces=(face,), is_aligned=True)

    def _labelled(self, photo: str, rows: list[dict[str, Any]]) -> LabelledPhoto:
        faces = tuple(self._face(photo, row) for row in rows)
        return LabelledPhoto(name=photo, read=reader_of(self._folder / photo), faces=faces)

    def _face(self, photo: str, row: dict[str, Any]) -> LabelledFace:
        box = numbers((row.get(name) for name in _BOX), what="box", source=self.name)
        points = numbers((row.get(name) for name in _POINTS), what="points", source=self.name).reshape(5, 2)
        has_box, has_points = not np.isnan(box).all(), not np.isnan(points).all()
        if not has_box and has_points:
            box, has_box = boxes_around_five_points(points)[0], True
        gender = category(row.get("gender"), _GENDER, column="gender", source=self.name)
        smiling = category(row.get("smiling"), _SMILING, column="smiling", source=self.name)
        age = float(numbers([row.get("age")], what="age", source=self.name)[0])
        return LabelledFace(
            subject_id=self._subject(photo, row.get("subject_id")),
            box_xywh=box if has_box else None,
            landmarks=points if has_points else None,
            landmark_scheme="5" if has_points else None,
            gender=gender,
            smiling=None if smiling is None else smiling == "yes",
            age_years=None if np.isnan(age) else age,
            groups={"gender": gender} if gender else {},
        )

    def _subject(self, photo: str, stated: Any) -> str:
        subject = PurePosixPath(photo).parts[0] if is_empty(stated) else str(stated)
        return f"{self.name}:{subject}"
