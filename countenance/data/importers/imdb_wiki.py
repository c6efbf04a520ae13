"""IMDB-WIKI: age and gender of the one face of each photo, from dates of birth and the year of the photo.

Source: Rothe, Timofte and Van Gool, "Deep expectation of real and apparent age from a single image without facial
landmarks", IJCV 2018. Expected under the folder: ``imdb.mat`` or ``wiki.mat`` and the photos that it names, either the
whole photos or the crops (``imdb_crop``, ``wiki_crop``: the face with 40 % of its width and height on each side).

Nobody has looked at the photos: whose face it is and when it was taken are taken from the web. What can be filtered
is: photos with a second face, without a face, and with an age that can't be.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from countenance.data.importers.labelled import (
    FolderSource,
    LabelledFace,
    LabelledPhoto,
    Record,
    category,
    each_record,
    find_file,
    photo_size,
    reader_of,
    rows_of,
)
from countenance.errors import DataError

_GENDER: Final = {0.0: "female", 1.0: "male"}
_CROP_MARGIN: Final = 0.4
_DAYS_A_YEAR: Final = 365.2425
_DAYS_BEFORE_YEAR_ONE: Final = 366
"""MATLAB counts days from the year 0, Python's ordinals from the year 1."""


class ImdbWikiSource(FolderSource):
    """A folder with one of the two sets.

    Attributes:
        photos: the whole photos, or the crops.
        youngest, oldest: ages outside are not believed, years.
        smallest_score: of the set's face detector.
        identities: whether the celebrity is a label of identity; it is often somebody else.
    """

    photos: Literal["whole", "crops"] = "whole"
    youngest: float = 0.0
    oldest: float = 100.0
    smallest_score: float = Field(default=1.0, allow_inf_nan=False)
    identities: bool = False


class ImdbWikiImporter:
    """Reads one of the two sets. A person's photos are kept in one split, though nobody is named."""

    name = "imdb_wiki"
    license = "research-only"
    purpose = "research"
    group_source = "imdb-wiki labels"

    def __init__(self, source: ImdbWikiSource) -> None:
        self.name = source.name or self.name
        self._source = source
        self._folder = Path(source.folder)
        file = find_file(self._folder, "imdb.mat", "wiki.mat", source=self.name)
        self._set = file.stem
        labels = _read_mat(file, self._set)
        reasons = _reasons_to_leave_out(labels, source)
        self._left_out = {str(reason): int(count) for reason, count in reasons[reasons != ""].value_counts().items()}
        self._labels = labels[reasons == ""]

    def __len__(self) -> int:
        return len(self._labels)

    @property
    def left_out(self) -> Mapping[str, int]:
        """Photos that the filters leave out, by reason."""
        return self._left_out

    def photos(self) -> Iterator[Record]:
        """One face a photo, in the order of the file."""
        return each_record(rows_of(self._labels), photo=lambda row: str(row["photo"]), label=self._labelled)

    def _labelled(self, row: dict[str, Any]) -> LabelledPhoto:
        gender = category(row["gender"], _GENDER, column="gender", source=self.name)
        person = f"{self._set}:{row['person']}"
        face = LabelledFace(
            subject_id=person if self._source.identities else None,
            box_xywh=self._box(row),
            gender=gender,
            age_years=float(row["age"]),
            groups={"gender": gender} if gender else {},
        )
        return LabelledPhoto(
            name=row["photo"], read=reader_of(self._folder / row["photo"]), faces=(face,), kept_with=person
        )

    def _box(self, row: dict[str, Any]) -> NDArray[np.float32]:
        if self._source.photos == "crops":
            size = np.array(photo_size(self._folder / row["photo"]), dtype=np.float32)
            box = size / (1 + 2 * _CROP_MARGIN)
            return np.concatenate([(size - box) / 2, box])
        left, top, right, bottom = (float(row[side]) for side in ("left", "top", "right", "bottom"))
        return np.array([left - 1, top - 1, right - left, bottom - top], dtype=np.float32)  # pixels start at 1


def _reasons_to_leave_out(labels: pd.DataFrame, source: ImdbWikiSource) -> pd.Series[str]:
    reasons = pd.Series("", index=labels.index, dtype="str")
    reasons[~labels["age"].between(source.youngest, source.oldest)] = "age not plausible"
    reasons[labels["second_face_score"].notna()] = "a second face"
    reasons[~(labels["face_score"] >= source.smallest_score)] = "no clear face"
    return reasons


def _read_mat(file: Path, name: str) -> pd.DataFrame:
    from scipy.io import loadmat

    try:
        table = loadmat(file, variable_names=[name])[name][0, 0]
        return _as_table(table)
    except DataError:
        raise
    except Exception as error:  # SciPy raises many kinds of errors on a damaged file
        raise DataError(f"{file} is damaged or not the labels of IMDB-WIKI: restore it.") from error


def _as_table(table: Any) -> pd.DataFrame:
    corners = np.array([np.ravel(box)[:4] if np.size(box) >= 4 else [np.nan] * 4 for box in table["face_location"][0]])
    born = np.ravel(table["dob"]).astype(np.float64)
    taken = np.ravel(table["photo_taken"]).astype(np.int64)
    paths = [str(path[0]) for path in table["full_path"][0]]
    return pd.DataFrame(
        {
            "photo": paths,
            "person": _people(table, paths),
            "age": ages_at_mid_year(born, taken),
            "gender": np.ravel(table["gender"]).astype(np.float64),
            "face_score": np.ravel(table["face_score"]).astype(np.float64),
            "second_face_score": np.ravel(table["second_face_score"]).astype(np.float64),
            **dict(zip(("left", "top", "right", "bottom"), corners.T.astype(np.float64), strict=True)),
        }
    )


def _people(table: Any, paths: list[str]) -> NDArray[np.object_]:
    """Who is in each photo: IMDB's number of the celebrity; else a number for each name, or for each photo."""
    if "celeb_id" in (table.dtype.names or ()):
        return np.ravel(table["celeb_id"]).astype(np.int64).astype(str).astype(object)
    if "name" in (table.dtype.names or ()):
        given = zip(table["name"][0], paths, strict=True)
        names = [str(name[0]) if np.size(name) else f" {path}" for name, path in given]
        return pd.factorize(np.array(names, dtype=object), sort=True)[0].astype(str).astype(object)
    return np.array(paths, dtype=object)


def ages_at_mid_year(born: NDArray[np.float64], taken: NDArray[np.int64]) -> NDArray[np.float64]:
    """Ages in years on 1 July of the year in which a photo was taken; dates of birth are MATLAB's serial days.

    Both [N]; the answer is NaN where the year isn't one.
    """
    known = (taken >= 1) & (taken <= 9999)
    years = np.unique(taken[known])
    first_of_july = {year: date(int(year), 7, 1).toordinal() + _DAYS_BEFORE_YEAR_ONE for year in years}
    days = np.array([first_of_july.get(year, np.nan) for year in taken], dtype=np.float64)
    return np.asarray((days - born) / _DAYS_A_YEAR, dtype=np.float64)
