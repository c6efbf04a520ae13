"""Labeled Faces in the Wild, deep-funneled: identity, gender, a detector's box and five points.

Source: Huang et al., "Labeled Faces in the Wild", UMass TR 07-49, 2007. Expected under the folder:
``photos/<subject>/<file>.jpg`` and ``faces.csv``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

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

    def photos(self) -> Iterator[Record]:
        """One photo a row, one labelled face a photo."""
        return each_record(rows_of(self._labels), photo=lambda row: str(row["photo"]), label=self._labelled)

    def _labelled(self, row: dict[str, Any]) -> LabelledPhoto:
        gender = category(row["gender"], _GENDER, column="gender", source=self.name)
        face = LabelledFace(
            subject_id=f"lfw:{row['subject_id']}",
            box_xywh=numbers((row[column] for column in _BOX), what="box", source=self.name),
            # A detector's points, nobody's labels: to align by, neither to learn from nor to be measured against.
            alignment_points=numbers((row[column] for column in _POINTS), what="points", source=self.name).reshape(
                5, 2
            ),
            gender=gender,
            # The photos were cut out around the person who is named; a detector may have preferred somebody else.
            is_central=True,
            groups={"gender": gender} if gender else {},
        )
        return LabelledPhoto(
            name=str(row["photo"]), read=reader_of(self._folder / "photos" / str(row["photo"])), faces=(face,)
        )
