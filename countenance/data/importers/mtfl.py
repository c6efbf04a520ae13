"""MTFL: five points, gender, smile, glasses and a five-way head pose.

Source: Zhang et al., "Facial Landmark Detection by Deep Multi-task Learning", ECCV 2014. Expected under the folder:
``photos/…`` and ``faces.csv``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from countenance.data.face_boxes import boxes_around_five_points
from countenance.data.importers.labelled import (
    CorruptRecordError,
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

_POINT_NAMES: Final = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
_POINTS: Final = tuple(f"{name}_{axis}" for name in _POINT_NAMES for axis in ("x", "y"))
_GENDER: Final = {1: "male", 2: "female"}
_SMILE: Final = {1: "smiling", 2: "neutral"}

YAW_RANGES: Final[dict[int, tuple[float, float]]] = {
    1: (-90.0, -45.0),
    2: (-45.0, -15.0),
    3: (-15.0, 15.0),
    4: (15.0, 45.0),
    5: (45.0, 90.0),
}
"""The five head poses (left profile … frontal … right profile; -60, -30, 0, 30, 60 degrees) as intervals of yaw."""


class MtflImporter:
    """Reads an MTFL folder. Nobody is named in MTFL, so it gives no identities."""

    name = "mtfl"
    license = "research-only"
    purpose = "research"
    group_source = "mtfl labels"

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._labels = read_labels(folder, self.name, ("photo", *_POINTS, "gender", "smile", "head_pose"))

    def __len__(self) -> int:
        return len(self._labels)

    def photos(self) -> Iterator[Record]:
        """One photo a row, one labelled face a photo; the box follows from the five points."""
        return each_record(rows_of(self._labels), photo=lambda row: str(row["photo"]), label=self._labelled)

    def _labelled(self, row: dict[str, Any]) -> LabelledPhoto:
        points = numbers((row[column] for column in _POINTS), what="points", source=self.name).reshape(5, 2)
        gender = category(row["gender"], _GENDER, column="gender", source=self.name)
        smile = category(row["smile"], _SMILE, column="smile", source=self.name)
        pose = row["head_pose"]
        if pose not in YAW_RANGES:
            raise CorruptRecordError(
                "unknown code", f"Column 'head_pose' of source 'mtfl' holds '{pose}': it must be 1, 2, 3, 4 or 5."
            )
        face = LabelledFace(
            box_xywh=boxes_around_five_points(points)[0],
            landmarks=points,
            landmark_scheme="5",
            yaw_range=YAW_RANGES[pose],
            gender=gender,
            smiling=None if smile is None else smile == "smiling",
            groups={"gender": gender} if gender else {},
        )
        return LabelledPhoto(
            name=str(row["photo"]), read=reader_of(self._folder / "photos" / str(row["photo"])), faces=(face,)
        )
