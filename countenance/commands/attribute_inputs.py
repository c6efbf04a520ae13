"""Labels and predictions of ``countenance evaluate attributes`` brought together, whichever form they have."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.assessment.found_faces import found_of_labelled
from countenance.data.analysed_photos import photos_by_ending, read_analysed_photos
from countenance.data.face_tables import FaceTable, read_face_table
from countenance.errors import DataError

EVERY_SPLIT: Final = "all"
_HELD_OUT: Final = "test"
_SCHEMES: Final = ("5", "21", "68")
_ANSWERS: Final = {
    "gender": "male_probability",
    "smiling": "smile_probability",
    "age_years": "age_years",
    "yaw_deg": "yaw_deg",
    "pitch_deg": "pitch_deg",
    "roll_deg": "roll_deg",
    "yaw_range": "yaw_deg",
    "landmarks": "landmarks_5",
}
"""By label, the column that answers it."""


@dataclass(frozen=True, eq=False)
class AttributeInputs:
    """Two tables about the same faces.

    Attributes:
        labels: of each face.
        predictions: of each face, in the same order.
        not_found: labelled faces that are in neither since they weren't found.
        not_searched: labelled faces that are in neither since their photo wasn't looked through.
    """

    labels: FaceTable
    predictions: FaceTable
    not_found: int = 0
    not_searched: int = 0


def read_labels(path: Path) -> FaceTable:
    """Read labelled faces: a manifest, or any table with some of its columns.

    Raises:
        DataError: a value isn't what its column holds; names file, row and column.
    """
    labels = read_face_table(path)
    _check_labels(labels)
    return labels


def of_split(labels: FaceTable, split: str | None) -> FaceTable:
    """The faces of a split, or of "all"; None takes "test" where the table has splits.

    Raises:
        DataError: there is no such split.
    """
    if "split" not in labels.rows.columns:
        if split not in (None, EVERY_SPLIT):
            raise DataError(f"{labels.path} has no column 'split': leave --split out.")
        return labels
    splits, chosen = labels.column("split"), split or _HELD_OUT
    kept = np.asarray(splits == chosen) if chosen != EVERY_SPLIT else np.ones(len(labels), dtype=np.bool_)
    if not kept.any():
        there = ", ".join(sorted({str(name) for name in splits if name is not None}))
        raise DataError(f"{labels.path} has no face of split '{chosen}': take '{EVERY_SPLIT}' or one of {there}.")
    return labels.where(kept)


def split_name(labels: FaceTable, split: str | None) -> str:
    """What a set of labels is called: its file, and its split where it has one."""
    has_splits = "split" in labels.rows.columns
    return f"{labels.path.stem}, {split or _HELD_OUT}" if has_splits else labels.path.stem


def labelled_faces(labels: FaceTable) -> FaceTable:
    """The rows that aren't labelled as no face."""
    return labels.where(_is_face(labels))


def _is_face(labels: FaceTable) -> NDArray[np.bool_]:
    flags = labels.column("is_face")
    return np.array([pd.isna(flag) or bool(flag) for flag in flags], dtype=np.bool_)


def read_attribute_inputs(
    predictions: Path, labels: Path, *, split: str | None, unanswered_ages: bool = False
) -> AttributeInputs:
    """Read both and bring them together: by ``face_id``, or found faces by photo and box.

    Args:
        predictions: a table with ``face_id``; a table of found faces, with ``photo_sha256`` or ``photo`` and
            ``box_xywh``; or the JSON of ``countenance analyze``.
        labels: as for :func:`read_labels`.
        split: as for :func:`of_split`.
        unanswered_ages: whether a face may have no predicted age where others have.

    Raises:
        DataError: they don't fit each other; names file, row and column.
    """
    every = read_labels(labels)
    truth = of_split(every, split)
    if predictions.suffix.lower() == ".json":
        said = read_analysed_photos(predictions).faces
    else:
        said = read_face_table(predictions)
        if "face_id" in said.rows.columns:
            return _by_face(said, truth, every, unanswered_ages)
    return _by_box(said, truth)


def photo_keys(found: FaceTable, labels: FaceTable) -> tuple[NDArray[Any], NDArray[Any]]:
    """What the photos of both tables are known by, [M] and [N]: their content's hash, or the end of their path.

    Raises:
        DataError: a table has neither, or no photo is in both.
    """
    name = next((key for key in ("photo_sha256", "photo") if _have(found, key) and _have(labels, key)), None)
    if name is None or not _have(found, "box_xywh"):
        raise DataError(
            f"{found.path} has neither 'face_id' nor 'box_xywh' with a photo that {labels.path} knows by "
            "'photo_sha256' or 'photo': give one of them."
        )
    of_found, of_labels = found.column(name), labels.column(name)
    if name == "photo":
        of_found = photos_by_ending([str(path) for path in of_found], labels)
    if not pd.Series(of_labels).isin(pd.Series(of_found).dropna()).any():
        raise DataError(f"{found.path} and {labels.path} have no photo in common: give the photos that are labelled.")
    return of_found, of_labels


def _have(table: FaceTable, name: str) -> bool:
    return name in table.rows.columns


def _check_labels(labels: FaceTable) -> None:
    genders = labels.column("gender")
    strange = ~pd.isna(genders) & ~np.isin(genders.astype(str), ("male", "female"))
    labels.refuse(strange, "gender", "is neither male nor female")
    schemes, points, seen = (labels.column(name) for name in ("landmark_scheme", "landmarks", "visibility"))
    labelled = np.array([value is not None for value in points], dtype=np.bool_)
    unknown = labelled & ~np.isin(schemes.astype(str), _SCHEMES)
    labels.refuse(unknown, "landmark_scheme", "is not 5, 21 or 68 beside landmarks")
    for name, values, per_point in (("landmarks", points, 2), ("visibility", seen, 1)):
        wrong = [
            bool(known) and value is not None and len(value) != per_point * int(scheme)
            for known, value, scheme in zip(labelled, values, schemes, strict=True)
        ]
        labels.refuse(np.array(wrong, dtype=np.bool_), name, "has another number of points than the scheme")


def _by_face(said: FaceTable, truth: FaceTable, every: FaceTable, unanswered_ages: bool) -> AttributeInputs:
    for table in (said, every):
        if "face_id" not in table.rows.columns:
            raise DataError(f"{table.path} has no column 'face_id': give one row a face, with its id.")
        ids = pd.Series(table.column("face_id"))
        table.refuse(np.asarray(ids.isna()), "face_id", "is empty")
        table.refuse(np.asarray(ids.duplicated()), "face_id", "names a face for the second time", "drop the row")
    known = pd.Index(every.column("face_id"))
    strange = known.get_indexer(pd.Index(said.column("face_id"))) < 0
    said.refuse(np.asarray(strange), "face_id", f"names a face that {truth.path} doesn't have", "drop the row")
    place = pd.Index(said.column("face_id")).get_indexer(pd.Index(truth.column("face_id")))
    truth.refuse(np.asarray(place < 0), "face_id", f"names a face that {said.path} doesn't have", "predict it, too")
    chosen = FaceTable(said.rows.iloc[place].reset_index(drop=True), said.path, said.word, said.numbers[place])
    _check_answers(chosen, truth, unanswered_ages)
    return AttributeInputs(truth, chosen)


def _check_answers(said: FaceTable, truth: FaceTable, unanswered_ages: bool) -> None:
    for name in ("landmarks", "landmarks_5"):
        broken = [value is not None and not np.isfinite(value).all() for value in said.column(name)]
        said.refuse(np.array(broken, dtype=np.bool_), name, "holds a number that isn't finite")
    is_face = _is_face(truth)
    for label, answer in _ANSWERS.items():
        if said.has(answer) and not (answer == "age_years" and unanswered_ages):
            silent = is_face & ~_is_null(truth.column(label)) & _is_null(said.column(answer))
            said.refuse(silent, answer, f"is empty for a face whose '{label}' is labelled", "predict it for every face")


def _is_null(values: NDArray[Any]) -> NDArray[np.bool_]:
    return np.asarray(pd.isna(pd.Series(values)), dtype=np.bool_)


def _by_box(found: FaceTable, truth: FaceTable) -> AttributeInputs:
    faces = labelled_faces(truth)
    of_found, of_labels = photo_keys(found, faces)
    searched = np.asarray(pd.Series(of_labels).isin(pd.Series(of_found).dropna()), dtype=np.bool_)
    there = faces.where(searched)
    there.refuse(_is_null(there.column("box_xywh")), "box_xywh", "is empty, and found faces are joined by boxes")
    match = found_of_labelled(of_labels[searched], there.column("box_xywh"), of_found, found.column("box_xywh"))
    is_found = match.found >= 0
    if not is_found.any():
        raise DataError(f"None of the faces of {found.path} is one that {truth.path} labels: nothing can be measured.")
    labels, rows = there.where(is_found), match.found[is_found]
    said = found.rows.iloc[rows].reset_index(drop=True).drop(columns="face_probability", errors="ignore")
    ids = [str(row) for row in range(len(labels))]
    return AttributeInputs(
        labels=FaceTable(labels.rows.assign(face_id=ids), labels.path, labels.word, labels.numbers),
        predictions=FaceTable(said.assign(face_id=ids), found.path, found.word, found.numbers[rows]),
        not_found=int((~is_found).sum()),
        not_searched=int((~searched).sum()),
    )
