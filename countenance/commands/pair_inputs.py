"""What ``countenance evaluate pairs`` reads: the pairs, the embeddings, and which photo each row is of."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from countenance.commands.finished_file import finished_file
from countenance.data.protocols.face_pair_lists import read_bfw, read_lfw_pairs, read_rfw, read_rfw_list
from countenance.data.protocols.face_pairs import FacePairs, bin_pairs, read_parquet_pairs
from countenance.data.protocols.face_points import RowNames, read_row_names
from countenance.data.protocols.row_origins import InMemory, refuse_rows
from countenance.errors import DataError

PHOTO_ENDING: Final = ".jpg"
_PARQUET: Final = "pairs.parquet"
# In these sets a folder holds the photos of one person.
_BY_PERSON: Final = ("lfw", "rfw", "bfw")
_PLAIN_STEMS: Final = ("pairs", "txts")


@dataclass(frozen=True, eq=False)
class PairInputs:
    """Pairs, and the embeddings of their photos.

    Attributes:
        pairs: which photos are compared.
        embeddings: [N, D], or [N, 2, D] of photos and their mirror images, mapped.
        names: which photo each row is of.
        first: row of one photo of each pair, [P].
        second: row of the other, [P].
        failed: which rows could not be embedded, [N]; None where nothing is told.
        subjects: of each row, [N], None where unknown; None where the set doesn't tell.
        model: what made the embeddings, where it is told beside them.
    """

    pairs: FacePairs
    embeddings: NDArray[Any]
    names: RowNames
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    failed: NDArray[np.bool_] | None
    subjects: NDArray[np.object_] | None
    model: str | None


def pair_format(path: Path) -> str:
    """The form of a list of pairs, by its name.

    Raises:
        DataError: there is nothing, or its name tells no form.
    """
    if path.is_dir():
        return "parquet" if (path / _PARQUET).is_file() else "rfw"
    if path.suffix == ".txt":
        return "rfw" if path.name.endswith("_pairs.txt") else "lfw"
    forms = {".bin": "bin", ".parquet": "parquet", ".csv": "bfw"}
    if path.suffix not in forms:
        raise DataError(f"The name of {path} doesn't tell which form of list it is: say it with --format.")
    return forms[path.suffix]


def read_pairs(path: Path, form: str, ending: str = PHOTO_ENDING) -> FacePairs:
    """Read pairs.

    Args:
        path: a file, or a folder with RFW's lists or with ``pairs.parquet``.
        form: "lfw", "bin", "rfw", "bfw" or "parquet".
        ending: of the photos' names, which the lists of LFW and RFW leave away.

    Raises:
        DataError: it can't be read; the line is named.
    """
    readers: dict[str, Callable[[], FacePairs]] = {
        "lfw": lambda: read_lfw_pairs(path, suffix=ending),
        "rfw": lambda: read_rfw(path, suffix=ending) if path.is_dir() else read_rfw_list(path, suffix=ending),
        "bfw": lambda: read_bfw(path),
        "parquet": lambda: read_parquet_pairs(path / _PARQUET if path.is_dir() else path),
        "bin": lambda: bin_pairs(path),
    }
    return readers[form]()


def set_name(path: Path) -> str:
    """What a set is called after its list: the file's name, or its folder's where the file's tells nothing."""
    stem = path.name if path.is_dir() else path.stem
    return path.resolve().parent.name if stem in _PLAIN_STEMS else stem


def chosen_folds(pairs: FacePairs, numbers: list[int] | None, path: Path) -> FacePairs:
    """The pairs of some folds; all when None. Folds are renumbered from 0 in their order.

    Args:
        pairs: of a list.
        numbers: of the folds, from 1.
        path: of the list, for messages.

    Raises:
        DataError: there are fewer folds.
    """
    known, place = np.unique(pairs.fold, return_inverse=True)
    pairs = replace(pairs, fold=place.astype(np.int64))
    if numbers is None:
        return pairs
    beyond = [number for number in numbers if number > len(known)]
    if beyond:
        raise DataError(
            f"Fold {beyond[0]} of {path} was asked for, and it has {len(known)}: give folds 1 to {len(known)}."
        )
    return pairs.of_folds([number - 1 for number in numbers])


def join_embeddings(pairs: FacePairs, form: str, pairs_path: Path, embeddings: Path, rows: Path | None) -> PairInputs:
    """Find the embeddings of the photos in pairs.

    Args:
        pairs: the pairs.
        form: of their list.
        pairs_path: their list, for messages and for packs.
        embeddings: a ``.npy`` file; what couldn't be embedded is told beside it.
        rows: what tells which photo each row is of; None for packs, whose rows are their photos.

    Raises:
        DataError: a file can't be read, the rows and their names don't match, a photo is listed twice, or a photo of a
            pair isn't among them; the file and the line are named.
    """
    found = finished_file(embeddings)
    values = found.values
    names = _pack_rows(pairs_path) if rows is None else read_row_names(rows)
    if len(names) != len(values):
        raise DataError(
            f"{embeddings} holds {len(values):,} rows where {rows or pairs_path} lists {len(names):,} photos: give the "
            "list that the embeddings were made of."
        )
    _refuse_twice(names)
    first, second = pairs.rows_among(names.names)
    subjects = None
    if form in _BY_PERSON:
        subjects = np.array([name.rpartition("/")[0] or None for name in names.names], dtype=np.object_)
    return PairInputs(pairs, values, names, first, second, found.failed, subjects, found.model)


def _pack_rows(path: Path) -> RowNames:
    count = 2 * len(bin_pairs(path))
    names = np.array([str(row) for row in range(count)], dtype=np.object_)
    return RowNames(names, InMemory(f"photos in {path}"))


def _refuse_twice(names: RowNames) -> None:
    _, earliest, place = np.unique(names.names.astype(np.str_), return_index=True, return_inverse=True)
    again = earliest[place] != np.arange(len(names))
    problem = "the photo is listed a second time"
    refuse_rows(again, names.origin, problem, "list each photo once, with the face that the pairs are about")
