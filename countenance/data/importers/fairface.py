"""FairFace: age as a range, gender and race, of photos that were aligned in the set's own way.

Source: Kärkkäinen and Joo, "FairFace: Face Attribute Dataset for Balanced Race, Gender, and Age", WACV 2021. Expected
under the folder: ``fairface_label_train.csv`` and ``fairface_label_val.csv``, and the photos that they name
(``train/1.jpg``, ``val/1.jpg``), from the archive with a margin of 0.25 (224 x 224) or of 1.25 (448 x 448).

The photos are chips of dlib's face alignment: its mean face, turned upright, with the margin added on each side. So
where eyes, nose and mouth lie is known on average; it serves for cutting and gives the box, but it's no landmark label.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.face_boxes import boxes_around_five_points
from countenance.data.importers.labelled import (
    FolderSource,
    LabelledFace,
    LabelledPhoto,
    Record,
    category,
    checked_labels,
    each_record,
    find_file,
    photo_size,
    reader_of,
    rows_of,
)

_COLUMNS: Final = ("file", "age", "gender", "race", "service_test")
_GENDER: Final = {"Male": "male", "Female": "female"}
_RACES: Final = ("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian", "Middle Eastern")
_RACE: Final = {name: name for name in _RACES}
_AGES: Final = {
    "0-2": (0, 2),
    "3-9": (3, 9),
    **{f"{low}-{low + 9}": (low, low + 9) for low in range(10, 70, 10)},
    # An open range; few people in the photos are older than 85.
    "more than 70": (70, 85),
}
_AGE_NAMES: Final = {name: name for name in _AGES}

MEAN_FACE: Final[NDArray[np.float32]] = np.array(
    [[0.2255, 0.2160], [0.7548, 0.2160], [0.4901, 0.5156], [0.2541, 0.7802], [0.7261, 0.7802]], dtype=np.float32
)
"""Eyes, nose tip and mouth corners of dlib's mean face in its unit square, around which a chip shows the margin."""


class FairFaceSource(FolderSource):
    """A FairFace folder.

    Attributes:
        labels: which of the two label files.
        margin: of the photos' archive, as a share of the face's side.
        service_test: True keeps the photos of the set's test of face services only, False all others, None both.
    """

    labels: Literal["train", "val", "both"] = "both"
    margin: Literal["0.25", "1.25"] = "0.25"
    service_test: bool | None = None


class FairFaceImporter:
    """Reads a FairFace folder. Nobody is named in it."""

    name = "fairface"
    license = "CC-BY-4.0"
    purpose = "research"
    group_source = "fairface labels"

    def __init__(self, source: FairFaceSource) -> None:
        self.name = source.name or self.name
        self._folder = Path(source.folder)
        self._margin = float(source.margin)
        parts = ("train", "val") if source.labels == "both" else (source.labels,)
        labels = pd.concat([self._read(part) for part in parts], ignore_index=True)
        if source.service_test is not None:
            labels = labels[labels["service_test"] == source.service_test]
        self._labels = labels

    def __len__(self) -> int:
        return len(self._labels)

    def photos(self) -> Iterator[Record]:
        """One face a photo."""
        return each_record(rows_of(self._labels), photo=lambda row: str(row["file"]), label=self._labelled)

    def _read(self, part: str) -> pd.DataFrame:
        file = find_file(self._folder, f"fairface_label_{part}.csv", source=self.name)
        return checked_labels(pd.read_csv(file, dtype={"age": str}), file, self.name, _COLUMNS)

    def _labelled(self, row: dict[str, Any]) -> LabelledPhoto:
        age = category(row["age"], _AGE_NAMES, column="age", source=self.name)
        gender = category(row["gender"], _GENDER, column="gender", source=self.name)
        race = category(row["race"], _RACE, column="race", source=self.name)
        path = self._folder / str(row["file"])
        points = points_of_chip(photo_size(path), self._margin)
        years, spread = (None, None) if age is None else middle_and_spread(*_AGES[age])
        face = LabelledFace(
            box_xywh=boxes_around_five_points(points)[0],
            alignment_points=points,
            gender=gender,
            age_years=years,
            age_std=spread,
            groups={name: value for name, value in (("gender", gender), ("race", race)) if value},
        )
        return LabelledPhoto(name=str(row["file"]), read=reader_of(path), faces=(face,))


def points_of_chip(size: tuple[int, int], margin: float) -> NDArray[np.float32]:
    """Where the five points of an average face lie in a chip of this (width, height) and margin; [5, 2] pixels."""
    return np.asarray((MEAN_FACE + margin) / (1 + 2 * margin) * np.array(size), dtype=np.float32)


def middle_and_spread(youngest: int, oldest: int) -> tuple[float, float]:
    """Mean and standard deviation, years, of an age that may be any whole number of a range, both ends included."""
    count = oldest - youngest + 1
    return (youngest + oldest) / 2, float(np.sqrt((count**2 - 1) / 12))
