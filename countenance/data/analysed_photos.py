"""What ``countenance analyze --json`` wrote, as a table of found faces."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.alignment import five_points
from countenance.data.face_tables import FaceTable
from countenance.errors import DataError

_NUMBERS: Final = ("face_probability", "smile_probability", "male_probability", "age_years")
_ANGLES: Final = ("yaw", "pitch", "roll")


@dataclass(frozen=True, eq=False)
class AnalysedPhotos:
    """The faces that were found in some photos.

    Attributes:
        faces: ``photo`` (as it was given to the command), ``box_xywh``, ``landmarks_5``, angles, probabilities and age
            of each found face; a photo without one has a row that holds nothing but its name.
        is_unread: which of its rows are photos that could not be analysed, [N].
    """

    faces: FaceTable
    is_unread: NDArray[np.bool_]


def read_analysed_photos(path: Path) -> AnalysedPhotos:
    """Read the JSON list, an object a photo.

    Raises:
        DataError: the file is missing or isn't what the command writes; names the photo's number, from 1.
    """
    try:
        photos = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path} cannot be read: check that the file is there.") from error
    except ValueError as error:
        raise DataError(f"{path} is not whole JSON: write it again with 'countenance analyze --json'.") from error
    if not isinstance(photos, list) or not photos:
        raise DataError(f"{path} is no list of photos: write it with 'countenance analyze --json'.")
    rows, numbers, unread = list[dict[str, Any]](), list[int](), list[bool]()
    for number, photo in enumerate(photos, start=1):
        try:
            found = _rows(photo)
        except (KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"In {path}, photo {number} isn't as 'countenance analyze --json' writes it: write it again."
            ) from error
        rows += found
        unread += ["problem" in photo] * len(found)
        numbers += [number] * len(found)
    columns = ("photo", "box_xywh", "landmarks_5", *_NUMBERS, *(f"{angle}_deg" for angle in _ANGLES))
    table = pd.DataFrame(rows, columns=list(columns))
    return AnalysedPhotos(FaceTable(table, path, "photo", np.array(numbers, dtype=np.int64)), np.array(unread))


def photos_by_ending(given: Sequence[str], labelled: FaceTable) -> NDArray[Any]:
    """The labels' name of each photo, [M]: that with which its path ends, the longest where there are several.

    ``photos/lfw/Anna/1.jpg`` is the labels' ``Anna/1.jpg``. None where the labels know no such photo.

    Args:
        given: paths as the command got them, [M].
        labelled: a table with the column ``photo``.
    """
    known = {PurePath(str(name)).parts: str(name) for name in labelled.column("photo") if name is not None}
    longest = max((len(parts) for parts in known), default=0)
    found = np.full(len(given), None, dtype=object)
    for row, path in enumerate(given):
        parts = PurePath(path).parts
        endings = (parts[-length:] for length in range(min(longest, len(parts)), 0, -1))
        found[row] = next((known[ending] for ending in endings if ending in known), None)
    return found


def _rows(photo: Mapping[str, Any]) -> list[dict[str, Any]]:
    name = {"photo": str(photo["photo"])}
    if "problem" in photo or not photo["faces"]:
        return [name]
    return [name | _face(face) for face in photo["faces"]]


def _face(face: Mapping[str, Any]) -> dict[str, Any]:
    box = np.asarray(face["box_xywh"], dtype=np.float64)
    if box.shape != (4,):
        raise ValueError("a box has four numbers")
    points = five_points(np.asarray(face["landmarks"], dtype=np.float32), str(face["landmark_scheme"]))
    return {
        "box_xywh": box,
        "landmarks_5": points.ravel().astype(np.float64),
        **{name: float(face[name]) for name in _NUMBERS},
        **{f"{angle}_deg": float(face["pose_deg"][angle]) for angle in _ANGLES},
    }
