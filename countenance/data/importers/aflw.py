"""AFLW: 21 landmarks with visibility, head angles, sex, glasses and a box.

Source: Köstinger et al., "Annotated Facial Landmarks in the Wild", BeFIT 2011. Expected under the folder:
``aflw.sqlite`` (or ``data/aflw.sqlite``) and the photos that its table ``FaceImages`` names, in ``flickr`` or
``data/flickr``. Features 1 to 21 of ``FeatureCoords`` are the scheme ``21`` of
:func:`countenance.data.alignment.five_points`; what can't be seen has no row. Angles are radians;
:func:`countenance.data.head_angles.angles_from_aflw` says how they become ours.
"""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.head_angles import HeadAngles, angles_from_aflw
from countenance.data.importers.labelled import (
    FolderSource,
    LabelledFace,
    LabelledPhoto,
    Record,
    category,
    each_record,
    find_file,
    is_empty,
    numbers,
    reader_of,
)
from countenance.errors import DataError

_POINTS: Final = 21
_GENDER: Final = {"m": "male", "f": "female"}
_GLASSES: Final = {1: "glasses", 0: "no glasses", "1": "glasses", "0": "no glasses", "t": "glasses", "f": "no glasses"}
_FACES: Final = """
    SELECT FaceImages.filepath AS photo, Faces.face_id AS face, x, y, w, h, roll, pitch, yaw, sex, glasses
    FROM Faces JOIN FaceImages ON Faces.file_id = FaceImages.file_id
    LEFT JOIN FaceRect ON FaceRect.face_id = Faces.face_id
    LEFT JOIN FacePose ON FacePose.face_id = Faces.face_id
    LEFT JOIN FaceMetaData ON FaceMetaData.face_id = Faces.face_id
    ORDER BY photo, face, FaceRect.rowid, FacePose.rowid
"""
_COORDINATES: Final = "SELECT face_id, feature_id, x, y FROM FeatureCoords WHERE feature_id BETWEEN 1 AND 21"
_COUNT: Final = "SELECT COUNT(DISTINCT filepath) FROM FaceImages JOIN Faces ON Faces.file_id = FaceImages.file_id"


class AflwSource(FolderSource):
    """A folder of AFLW."""


class AflwImporter:
    """Reads AFLW's database. Nobody is named in it."""

    name = "aflw"
    license = "research-only"
    purpose = "research"
    group_source = "aflw labels"

    def __init__(self, source: AflwSource) -> None:
        self.name = source.name or self.name
        folder = Path(source.folder)
        self._database = find_file(folder, "aflw.sqlite", "data/aflw.sqlite", source=self.name)
        self._photos = find_file(folder, "flickr", "data/flickr", source=self.name)
        self._query(f"{_FACES} LIMIT 1")
        self._count = int(self._query(_COUNT)[0][0])
        if not self._count:
            raise DataError(f"{self._database} has no faces: restore your copy of AFLW.")

    def __len__(self) -> int:
        return self._count

    def photos(self) -> Iterator[Record]:
        """One photo at a time with all of its faces, in the order of the paths."""
        points = self._landmarks()
        with closing(self._connect()) as connection:
            connection.row_factory = sqlite3.Row
            by_photo = itertools.groupby(connection.execute(_FACES), key=lambda row: str(row["photo"]))
            yield from each_record(
                ((photo, list(rows)) for photo, rows in by_photo),
                photo=lambda item: item[0],
                label=lambda item: self._labelled(*item, points),
            )

    def _labelled(self, photo: str, rows: list[Any], points: dict[int, NDArray[np.float32]]) -> LabelledPhoto:
        # A face may have several boxes or poses, measured in several ways: the first counts.
        faces = {int(row["face"]): row for row in reversed(rows)}
        return LabelledPhoto(
            name=photo,
            read=reader_of(self._photos / photo),
            faces=tuple(self._face(faces[face], points.get(face)) for face in sorted(faces)),
        )

    def _face(self, row: Any, points: NDArray[np.float32] | None) -> LabelledFace:
        box = numbers((row[name] for name in "xywh"), what="box", source=self.name)
        sex = category(row["sex"] or None, _GENDER, column="sex", source=self.name)
        glasses = category(row["glasses"], _GLASSES, column="glasses", source=self.name)
        angles = self._angles(row)
        return LabelledFace(
            box_xywh=None if np.isnan(box).all() else box,
            landmarks=points,
            landmark_scheme=None if points is None else str(_POINTS),
            visibility=None if points is None else np.isfinite(points[:, 0]).astype(np.float32),
            yaw_deg=None if angles is None else angles.yaw,
            pitch_deg=None if angles is None else angles.pitch,
            roll_deg=None if angles is None else angles.roll,
            gender=sex,
            groups={name: value for name, value in (("gender", sex), ("glasses", glasses)) if value},
        )

    def _angles(self, row: Any) -> HeadAngles | None:
        angles = [row[name] for name in ("roll", "pitch", "yaw")]
        if any(is_empty(angle) for angle in angles):
            return None
        radians = numbers(angles, what="head angles", source=self.name).astype(np.float64)
        # An angle that was never measured is a number far beyond a turn.
        return angles_from_aflw(*map(float, radians)) if np.abs(radians).max() <= 2 * np.pi else None

    def _landmarks(self) -> dict[int, NDArray[np.float32]]:
        """[21, 2] by face; NaN where a point isn't seen. A few megabytes for the whole set."""
        rows = pd.DataFrame(self._query(_COORDINATES), columns=["face", "feature", "x", "y"])
        coordinates = np.array(rows[["x", "y"]].apply(pd.to_numeric, errors="coerce"), dtype=np.float32)
        coordinates[coordinates.min(axis=1) < 0] = np.nan  # as the set's own tools understand it
        faces, place = np.unique(rows["face"].to_numpy(dtype=np.int64), return_inverse=True)
        points = np.full((len(faces), _POINTS, 2), np.nan, dtype=np.float32)
        points[place, rows["feature"].to_numpy(dtype=np.int64) - 1] = coordinates
        seen = np.flatnonzero(np.isfinite(points[..., 0]).any(axis=1))
        return {int(faces[row]): points[row] for row in seen}

    def _query(self, statement: str) -> list[Any]:
        with closing(self._connect()) as connection:
            try:
                return connection.execute(statement).fetchall()
            except sqlite3.Error as error:
                raise DataError(f"{self._database} is not AFLW's database: restore your copy.") from error

    def _connect(self) -> sqlite3.Connection:
        return sqlite3.connect(f"{self._database.resolve().as_uri()}?mode=ro", uri=True)
