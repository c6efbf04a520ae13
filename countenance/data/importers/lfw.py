"""Labeled Faces in the Wild, deep-funneled: identity, gender, a detector's box and five points.

Source: Huang et al., "Labeled Faces in the Wild", UMass TR 07-49, 2007. Expected under the folder:
``photos/<subject>/<file>.jpg`` and ``faces.csv``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from countenance.data.importers.labelled import LabelledFace, LabelledPhoto, category, read_labels, reader_of

_BOX: Final = ("x", "y", "w", "h")
_POINTS: Final = ("x1", "y1", "x2", "y2", "x3", "y3", "x4", "y4", "x5", "y5")
_GENDER: Final = {"male": "male", "female": "female"}


class LfwImporter:
    """Reads an LFW folder."""

    name = "lfw"
    license = "research-only"
    purpose = "research"
    group_source = "lfw labels"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._labels = read_labels(folder, self.name, ("photo", "subject_id", "gender", *_BOX, *_POINTS))

    def __len__(self) -> int:
        return len(self._labels)

    def photos(self) -> Iterator[LabelledPhoto]:
        """One photo a row, one labelled face a photo."""
        for row in self._labels.to_dict("records"):
            gender = category(row["gender"], _GENDER, column="gender", source=self.name)
            face = LabelledFace(
                subject_id=f"lfw:{row['subject_id']}",
                box_xywh=np.array([row[column] for column in _BOX], dtype=np.float32),
                landmarks=np.array([row[column] for column in _POINTS], dtype=np.float32).reshape(5, 2),
                landmark_scheme="5",
                gender=gender,
                groups={"gender": gender} if gender else {},
            )
            yield LabelledPhoto(
                name=str(row["photo"]), read=reader_of(self._folder / "photos" / row["photo"]), faces=(face,)
            )
