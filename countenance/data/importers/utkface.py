"""UTKFace, aligned and cropped: age, gender and race.

Source: Zhang, Song and Qi, "Age Progression/Regression by Conditional Adversarial Autoencoder", CVPR 2017. Expected
under the folder: ``photos/…`` (112 x 112) and ``faces.csv``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from countenance.data.importers.labelled import LabelledFace, LabelledPhoto, category, read_labels, reader_of
from countenance.errors import DataError

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

    def photos(self) -> Iterator[LabelledPhoto]:
        """One aligned photo a row."""
        for row in self._labels.to_dict("records"):
            age = float(row["age"])
            if not (np.isnan(age) or 0 <= age <= 120):
                raise DataError(f"Column 'age' of source 'utkface' holds {age:g}: it must lie in 0 to 120 years.")
            gender = category(row["gender"], _GENDER, column="gender", source=self.name)
            race = category(row["race"], _RACE, column="race", source=self.name)
            groups = {name: value for name, value in (("gender", gender), ("race", race)) if value}
            face = LabelledFace(gender=gender, age_years=None if np.isnan(age) else age, groups=groups)
            yield LabelledPhoto(
                name=str(row["photo"]),
                read=reader_of(self._folder / "photos" / row["photo"]),
                faces=(face,),
                is_aligned=True,
            )
