"""UTKFace, aligned and cropped: age, gender and race.

Source: Zhang, Song and Qi, "Age Progression/Regression by Conditional Adversarial Autoencoder", CVPR 2017. Expected
under the folder: ``photos/…`` (112 x 112) and ``faces.csv``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np

from countenance.data.importers.labelled import (
    LabelledFace,
    LabelledPhoto,
    Record,
    category,
    each_record,
    numbers,
    read_labels,
    reader_of,
    rows_of,
)

_GENDER: Final = {"M": "male", "F": "female"}
_RACE: Final = {name: name for name in ("White", "Black", "Asian", "Indian", "Other")}


class UtkFaceImporter:
    """Reads a UTKFace folder. Nobody is named in UTKFace, so it gives no identities, and it has no boxes."""

    name = "utkface"
    license = "research-only"
    purpose = "research"
    group_source = "utkface labels"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._labels = read_labels(folder, self.name, ("photo", "age", "gender", "race"))

    def __len__(self) -> int:
        return len(self._labels)

    def photos(self) -> Iterator[Record]:
        """One aligned photo a row."""
        return each_record(rows_of(self._labels), photo=lambda row: str(row["photo"]), label=self._labelled)

    def _labelled(self, row: dict[str, Any]) -> LabelledPhoto:
        age = float(numbers([row["age"]], what="age", source=self.name)[0])
        gender = category(row["gender"], _GENDER, column="gender", source=self.name)
        race = category(row["race"], _RACE, column="race", source=self.name)
        groups = {name: value for name, value in (("gender", gender), ("race", race)) if value}
        return LabelledPhoto(
            name=str(row["photo"]),
            read=reader_of(self._folder / "photos" / str(row["photo"])),
            faces=(LabelledFace(gender=gender, age_years=None if np.isnan(age) else age, groups=groups),),
            is_aligned=True,
        )
