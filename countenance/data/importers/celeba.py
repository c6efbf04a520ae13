"""CelebA: gender, smile, identity, five points and a box, in the wild or aligned.

Source: Liu et al., "Deep Learning Face Attributes in the Wild", ICCV 2015. Under the folder, either as published
(``Anno``, ``Eval``, ``Img``) or side by side: ``list_attr_celeba.txt``, ``list_landmarks_celeba.txt`` or
``list_landmarks_align_celeba.txt``; if they are there, ``identity_CelebA.txt``, ``list_bbox_celeba.txt`` and
``list_eval_partition.txt``; and the photos in ``img_celeba`` or ``img_align_celeba``. Tables as ``.csv`` are read, too.

The set says "young" or not; that is no age, so it isn't imported as one.
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
    each_record,
    find_file,
    is_empty,
    numbers,
    reader_of,
    rows_of,
)
from countenance.errors import DataError

_POINTS: Final = tuple(
    f"{name}_{axis}" for name in ("lefteye", "righteye", "nose", "leftmouth", "rightmouth") for axis in ("x", "y")
)
_BOX: Final = ("x_1", "y_1", "width", "height")
_GENDER: Final = {1: "male", -1: "female"}
_SMILE: Final = {1: "smiling", -1: "neutral"}
_PARTITIONS: Final = {"train": 0, "validation": 1, "test": 2}
_PHOTOS: Final = {"in_the_wild": "img_celeba", "aligned": "img_align_celeba"}
_LANDMARKS: Final = {"in_the_wild": "list_landmarks_celeba", "aligned": "list_landmarks_align_celeba"}


class CelebaSource(FolderSource):
    """A CelebA folder.

    Attributes:
        images: the photos as found, or the 178 x 218 ones turned and scaled by the eyes.
        boxes: from the five points as everywhere else, or as published (photos in the wild only; they are looser).
        partition: only this part of the set's own evaluation protocol; None reads all.
    """

    images: Literal["in_the_wild", "aligned"] = "in_the_wild"
    boxes: Literal["points", "published"] = "points"
    partition: Literal["train", "validation", "test"] | None = None


class CelebaImporter:
    """Reads a CelebA folder; identities are the set's numbers, nobody is named."""

    name = "celeba"
    license = "research-only"
    purpose = "research"
    group_source = "celeba labels"

    def __init__(self, source: CelebaSource) -> None:
        self.name = source.name or self.name
        self._source = source
        folder = Path(source.folder)
        photos = _PHOTOS[source.images]
        self._photos = find_file(folder, photos, f"Img/{photos}", f"{photos}/{photos}", source=self.name)
        if (self._photos / photos).is_dir():
            self._photos = self._photos / photos
        if source.boxes == "published" and source.images == "aligned":
            raise DataError("CelebA has no published boxes of its aligned photos: set 'boxes: points'.")
        self._labels = _read_labels(folder, source)

    def __len__(self) -> int:
        return len(self._labels)

    def photos(self) -> Iterator[Record]:
        """One labelled face a photo, in the order of the attribute list."""
        return each_record(rows_of(self._labels), photo=lambda row: str(row["photo"]), label=self._labelled)

    def _labelled(self, row: dict[str, Any]) -> LabelledPhoto:
        points = numbers((row[name] for name in _POINTS), what="points", source=self.name).reshape(5, 2)
        gender = category(row["Male"], _GENDER, column="Male", source=self.name)
        smile = category(row["Smiling"], _SMILE, column="Smiling", source=self.name)
        face = LabelledFace(
            subject_id=None if is_empty(row["identity"]) else f"celeba:{int(row['identity'])}",
            box_xywh=self._box(row, points),
            landmarks=points,
            landmark_scheme="5",
            gender=gender,
            smiling=None if smile is None else smile == "smiling",
            groups={"gender": gender} if gender else {},
        )
        return LabelledPhoto(name=row["photo"], read=reader_of(self._photos / row["photo"]), faces=(face,))

    def _box(self, row: dict[str, Any], points: NDArray[np.float32]) -> NDArray[np.float32]:
        if self._source.boxes == "points":
            return np.asarray(boxes_around_five_points(points)[0], dtype=np.float32)
        return numbers((row[name] for name in _BOX), what="box", source=self.name)


def _read_labels(folder: Path, source: CelebaSource) -> pd.DataFrame:
    labels = _table(folder, "list_attr_celeba", ("Male", "Smiling"))
    labels = labels.join(_table(folder, _LANDMARKS[source.images], _POINTS))
    if source.boxes == "published":
        labels = labels.join(_table(folder, "list_bbox_celeba", _BOX))
    labels["identity"] = _column(folder, "identity_CelebA", "identity", needed=False)
    if source.partition is not None:
        partition = _column(folder, "list_eval_partition", "partition", needed=True)
        labels = labels[partition.reindex(labels.index) == _PARTITIONS[source.partition]]
    return labels.rename_axis("photo").reset_index()


def _table(folder: Path, name: str, columns: tuple[str, ...]) -> pd.DataFrame:
    """Columns of one list: a line with the count, a line with the names, then a photo a line."""
    file = _find_list(folder, name)
    header = [0] if file.suffix == ".csv" else [1]
    with file.open(encoding="utf-8") as lines:
        names = next(line for number, line in enumerate(lines) if number == header[0])
    separator = "," if file.suffix == ".csv" else None
    found = [column.strip() for column in names.split(separator) if column.strip() and column.strip() != "image_id"]
    missing = [column for column in columns if column not in found]
    if missing:
        raise DataError(f"Label file {file} has no column '{missing[0]}': 'celeba' needs it.")
    return _read(file, ["photo", *found], header[0] + 1)[list(columns)]


def _column(folder: Path, name: str, column: str, *, needed: bool) -> pd.Series[Any]:
    """The second column of a list without a header; empty where the list isn't there and isn't needed."""
    try:
        file = _find_list(folder, name)
    except DataError:
        if needed:
            raise
        return pd.Series(dtype="float64")
    return _read(file, ["photo", column], 1 if file.suffix == ".csv" else 0)[column]


def _find_list(folder: Path, name: str) -> Path:
    places = [f"{place}{name}{suffix}" for suffix in (".txt", ".csv") for place in ("", "Anno/", "Eval/")]
    return find_file(folder, *places, source="celeba")


def _read(file: Path, columns: list[str], skip: int) -> pd.DataFrame:
    separator = "," if file.suffix == ".csv" else r"\s+"
    try:
        table = pd.read_csv(file, sep=separator, names=columns, skiprows=skip, index_col="photo", dtype={"photo": str})
    except (pd.errors.ParserError, UnicodeDecodeError) as error:
        raise DataError(f"Label file {file} is not a CelebA list: restore it.") from error
    if not table.index.is_unique:
        raise DataError(f"Label file {file} lists a photo twice: restore it.")
    return table
