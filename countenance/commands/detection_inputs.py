"""Labelled and found faces of ``countenance evaluate detection --set manifest``, photo by photo."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.commands.attribute_inputs import labelled_faces, of_split, photo_keys, read_labels, split_name
from countenance.data.analysed_photos import read_analysed_photos
from countenance.data.face_tables import FaceTable, read_face_table

Regions = tuple[NDArray[np.float64], ...]


@dataclass(frozen=True, eq=False)
class DetectionInputs:
    """Photos that are labelled and were looked through.

    Attributes:
        name: of the set.
        labelled: boxes of each photo, [F, 4].
        found: boxes of each photo, [D, 4].
        scores: of each photo, [D].
        subjects: who a photo shows, where it shows one known person, else None, [P].
        unread: how many of these photos could not be analysed.
    """

    name: str
    labelled: Regions
    found: Regions
    scores: Regions
    subjects: NDArray[Any]
    unread: int


def read_detection_inputs(predictions: Path, truth: Path, *, split: str | None) -> DetectionInputs:
    """Read both and bring them together by photo; only photos with a labelled face count, as all their faces must be
    labelled.

    Args:
        predictions: found faces: a table with ``photo_sha256`` or ``photo``, ``box_xywh`` and ``face_probability``, one
            row of nulls for a photo without a face; or the JSON of ``countenance analyze``.
        truth: a manifest.
        split: whose photos; None takes "test".

    Raises:
        DataError: a table doesn't have what is needed; names file, row and column.
    """
    if predictions.suffix.lower() == ".json":
        analysed = read_analysed_photos(predictions)
        found, unread = analysed.faces, analysed.is_unread
    else:
        found = read_face_table(predictions)
        unread = np.zeros(len(found), dtype=np.bool_)
    labels = of_split(read_labels(truth), split)
    faces = labelled_faces(labels)
    of_found, of_labels = photo_keys(found, faces)
    shown = _frame(of_labels, faces, "subject_id")
    shown = shown[shown["photo"].isin(pd.Series(of_found).dropna())]
    _check(faces.where(np.isin(np.arange(len(faces)), shown.index)), found)
    said = _frame(of_found, found, "face_probability")
    by_photo = dict(list(said.dropna(subset=["box"]).groupby("photo", sort=False)))
    none = said.iloc[:0]
    photos = [(str(photo), rows) for photo, rows in shown.groupby("photo", sort=True)]
    return DetectionInputs(
        name=split_name(labels, split),
        labelled=tuple(np.stack(rows["box"].tolist()) for _, rows in photos),
        found=tuple(_stacked(by_photo.get(photo, none)["box"]) for photo, _ in photos),
        scores=tuple(by_photo.get(photo, none)["face_probability"].to_numpy(dtype=np.float64) for photo, _ in photos),
        subjects=np.array([_only(rows["subject_id"]) for _, rows in photos], dtype=object),
        unread=0
        if unread is None
        else int(np.isin([photo for photo, _ in photos], of_found[unread].astype(str)).sum()),
    )


def _frame(photos: NDArray[Any], table: FaceTable, more: str) -> pd.DataFrame:
    return pd.DataFrame({"photo": photos, "box": table.column("box_xywh"), more: table.column(more)})


def _check(faces: FaceTable, found: FaceTable) -> None:
    null = np.asarray(pd.isna(pd.Series(faces.column("box_xywh"))), dtype=np.bool_)
    faces.refuse(null, "box_xywh", "is empty for a face", "label the box, or drop the whole photo")
    boxed = ~np.asarray(pd.isna(pd.Series(found.column("box_xywh"))), dtype=np.bool_)
    silent = np.asarray(pd.isna(pd.Series(found.column("face_probability"))), dtype=np.bool_)
    found.refuse(boxed & silent, "face_probability", "is empty for a found face")
    for table, is_boxed in ((faces, ~null), (found, boxed)):
        wrong = [
            bool(has) and not (np.isfinite(box).all() and (box[2:] >= 0).all())
            for has, box in zip(is_boxed, table.column("box_xywh"), strict=True)
        ]
        table.refuse(np.array(wrong, dtype=np.bool_), "box_xywh", "is no box")


def _stacked(boxes: pd.Series) -> NDArray[np.float64]:
    return np.stack(boxes.tolist()) if len(boxes) else np.empty((0, 4))


def _only(subjects: pd.Series) -> str | None:
    """The one person of a photo of one face."""
    return str(subjects.iloc[0]) if len(subjects) == 1 and pd.notna(subjects.iloc[0]) else None
