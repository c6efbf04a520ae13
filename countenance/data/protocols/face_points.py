"""Which photos of a set are embedded, and where their faces' five points lie: from whichever file says it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from countenance.data.protocols.delimited_text import Column, Columns, Kind, decoded_lines, read_columns
from countenance.data.protocols.delimited_text import read_headed_columns as read_headed
from countenance.data.protocols.ijb import find_ijb_files
from countenance.data.protocols.parquet_protocol import open_protocol
from countenance.data.protocols.row_origins import InMemory, RowOrigin, TextFile
from countenance.data.protocols.template_protocol import Names
from countenance.errors import DataError

_PLACES: Final = ("left_eye", "right_eye", "nose", "left_mouth", "right_mouth")
_COORDINATES: Final = tuple(f"{axis}{point}" for point in range(1, 6) for axis in "xy")
_WITHOUT_HEADER: Final[dict[str, Kind]] = {
    "name": "text",
    **dict.fromkeys(_COORDINATES, "number"),
    "detector score": "number",
}
_WITH_HEADER: Final = (
    Column(name="name", kind="text", headers=("photo", "name")),
    *(
        Column(name=f"{axis}{point}", kind="number", headers=(f"{axis}{point}", f"{place}_{axis}"))
        for point, place in enumerate(_PLACES, start=1)
        for axis in "xy"
    ),
)


@dataclass(frozen=True, eq=False)
class FacePoints:
    """The faces to embed, one a row.

    Attributes:
        names: of the photos in the set's image folder, [N] strings.
        five_points: left eye, right eye, nose, left and right corner of the mouth in pixels of the photo, [N, 5, 2]
            float32.
        origin: where each row comes from, for messages.
    """

    names: Names
    five_points: NDArray[np.float32]
    origin: RowOrigin

    def __len__(self) -> int:
        return len(self.names)


def read_face_points(path: Path) -> FacePoints:
    """Read five points in whichever form they are.

    Args:
        path: a text file without a header as IJB-B and IJB-C have it (``*_name_5pts_score.txt``: name, x1 y1 ... x5 y5,
            detector score), a ``.csv`` with a header (``photo`` or ``name``, and ``x1 y1 ... x5 y5`` or ``left_eye_x``
            ...), or a folder with a template protocol.

    Raises:
        DataError: the file is missing, a line can't be read (it is named), or the protocol has no points.
    """
    if path.is_dir():
        return _of_protocol(path)
    is_headed = path.suffix.lower() == ".csv"
    columns = read_headed(path, _WITH_HEADER) if is_headed else read_columns(path, _WITHOUT_HEADER)
    return FacePoints(columns["name"], _stacked(columns), TextFile(path, header_lines=int(is_headed)))


def has_points(path: Path) -> bool:
    """Whether the header of a ``.csv`` names any of the columns of five points.

    Raises:
        DataError: the file is missing or has no rows.
    """
    optional = [replace(column, required=False) for column in _WITH_HEADER]
    return len(read_headed(path, optional).keys() - {"name"}) > 0


def read_photo_names(path: Path) -> Names:
    """Read names of photos, one a line, [N].

    Raises:
        DataError: the file is missing, empty, or no text.
    """
    names = [text for _, text in decoded_lines(path)]
    if not names:
        raise DataError(f"{path} has no rows: list a photo a line.")
    return np.array(names, dtype=np.object_)


@dataclass(frozen=True, eq=False)
class RowNames:
    """Which photo each row of a file of embeddings is of.

    Attributes:
        names: of the photos, [N] strings.
        origin: where each row comes from, for messages.
    """

    names: Names
    origin: RowOrigin

    def __len__(self) -> int:
        return len(self.names)


def read_row_names(path: Path) -> RowNames:
    """Read the names of photos from whichever file told ``countenance embed`` its rows.

    Args:
        path: what :func:`read_face_points` takes (of a ``.csv`` the ``photo`` or ``name`` column is enough), or a text
            file with a name a line.

    Raises:
        DataError: the file is missing or empty, or a line can't be read.
    """
    if path.is_dir():
        files = find_ijb_files(path)
        origin = InMemory(f"samples of {path}") if files is None or files.points is None else TextFile(files.points)
        return RowNames(open_protocol(path).samples.names, origin)
    if path.suffix.lower() == ".csv":
        return RowNames(read_headed(path, _WITH_HEADER[:1])["name"], TextFile(path, header_lines=1))
    first = next((text for _, text in decoded_lines(path)), "")
    if len(re.split(r"[\t, ]+", first)) == len(_WITHOUT_HEADER):
        return RowNames(read_columns(path, _WITHOUT_HEADER)["name"], TextFile(path))
    return RowNames(read_photo_names(path), TextFile(path))


def _of_protocol(folder: Path) -> FacePoints:
    files = find_ijb_files(folder)
    samples = open_protocol(folder).samples
    if samples.five_points is None:
        raise DataError(f"The protocol in {folder} has no five points: put its *_name_5pts_score.txt beside the lists.")
    origin = InMemory(f"samples of {folder}") if files is None or files.points is None else TextFile(files.points)
    return FacePoints(samples.names, samples.five_points, origin)


def _stacked(columns: Columns) -> NDArray[np.float32]:
    coordinates = np.stack([columns[name] for name in _COORDINATES], axis=1)
    return np.asarray(coordinates, dtype=np.float32).reshape(-1, 5, 2)
