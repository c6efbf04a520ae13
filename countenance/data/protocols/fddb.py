"""FDDB: labelled ellipses in ten folds, and what a detector found.

Source: Jain and Learned-Miller, "FDDB: A Benchmark for Face Detection in Unconstrained Settings", UMass Amherst
technical report UM-CS-2010-009, and the README published with it.

Labels: ``FDDB-folds/FDDB-fold-XX-ellipseList.txt`` with a photo's name, the number of its faces, and a line a face:
major radius, minor radius, angle in radians, centre x, centre y, and a 1.

Found faces: one text file, or a folder of them, of the same shape: a line a face with left, top, width, height and
score, or with an ellipse's five numbers and its score.
"""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Final

import numpy as np

from countenance.data.protocols.counted_lists import CountedList, by_photo, read_counted_lists
from countenance.data.protocols.photo_boxes import FoundRegions, LabelledRegions
from countenance.errors import DataError

_LISTS: Final = "FDDB-fold-*-ellipseList.txt"
_ENDINGS: Final = (".jpg", ".jpeg", ".png")


def read_fddb_labels(folder: Path) -> LabelledRegions:
    """Read the labelled ellipses of all folds that are there.

    Args:
        folder: ``FDDB-folds``, or the folder that holds it.

    Returns:
        photos as in the lists, such as ``2002/08/11/big/img_591``; no subsets.

    Raises:
        DataError: there are no lists, a line can't be read, or a photo is listed twice.
    """
    paths = sorted(folder.glob(_LISTS)) or sorted(folder.glob(f"FDDB-folds/{_LISTS}"))
    if not paths:
        raise DataError(f"{folder} has no {_LISTS}: give the folder FDDB-folds.")
    entries = by_photo(itertools.chain.from_iterable(read_counted_lists(path, (6,)) for path in paths))
    if not entries:
        raise DataError(f"The lists of ellipses in {folder} name no photos: restore them.")
    for entry in entries.values():
        entry.refuse((entry.values[:, :2] <= 0).any(axis=1), "an ellipse has no area", "restore the file")
    return LabelledRegions(tuple(entries), tuple(entry.values[:, :5] for entry in entries.values()), {})


def read_fddb_found(path: Path, photos: tuple[str, ...]) -> FoundRegions:
    """Read what a detector found, in the order of ``photos``.

    Args:
        path: a text file, or a folder of ``.txt`` files that are read one after the other.
        photos: names as in the labels; the found ones may end in ``.jpg``.

    Returns:
        boxes or ellipses, as the files have them.

    Raises:
        DataError: a photo is missing, unknown or there twice, a file has boxes and another ellipses, or a line can't be
            read.
    """
    paths = sorted(path.glob("*.txt")) if path.is_dir() else [path]
    if not paths:
        raise DataError(f"{path} has no .txt files: give the file with what was found, or their folder.")
    entries = by_photo(itertools.chain.from_iterable(read_counted_lists(file, (5, 6)) for file in paths), _name)
    known = set(photos)
    for name, entry in entries.items():
        if name not in known:
            raise DataError(f"In {entry.place()}, a photo is named that the labels don't have: remove it.")
        _check(entry)
    missing = [name for name in photos if name not in entries]
    if missing:
        raise DataError(
            f"{path} lacks {len(missing):,} of {len(photos):,} labelled photos, '{missing[0]}' first: list each, with "
            "0 where nothing was found."
        )
    found = [entries[name] for name in photos]
    _refuse_both_kinds(path, found)
    width = max((entry.values.shape[1] for entry in found if len(entry.values)), default=5) - 1
    return FoundRegions(
        tuple(entry.values[:, :-1] if len(entry.values) else np.empty((0, width)) for entry in found),
        tuple(entry.values[:, -1] for entry in found),
    )


def read_fddb_photo_sizes(folder: Path, photos: tuple[str, ...]) -> tuple[tuple[float, float], ...]:
    """Read width and height of each photo from its file under ``folder`` (``originalPics``), without decoding it.

    Raises:
        DataError: a photo is missing or no picture.
    """
    return tuple(_size(folder / f"{photo}.jpg") for photo in photos)


def _size(path: Path) -> tuple[float, float]:
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as picture:
            return float(picture.width), float(picture.height)
    except FileNotFoundError as error:
        raise DataError(f"{path} is missing: give the folder originalPics, or leave the photos' sizes out.") from error
    except (OSError, UnidentifiedImageError) as error:
        raise DataError(f"{path} is not a readable picture: restore it.") from error


def _name(written: str) -> str:
    return next((written[: -len(ending)] for ending in _ENDINGS if written.lower().endswith(ending)), written)


def _check(entry: CountedList) -> None:
    sizes = entry.values[:, 2:4] if entry.values.shape[1] == 5 else entry.values[:, :2]
    entry.refuse((sizes <= 0).any(axis=1), "a found face has no area", "mend or remove the line")


def _refuse_both_kinds(path: Path, found: list[CountedList]) -> None:
    kinds: dict[int, CountedList] = {}
    for entry in found:
        if len(entry.values):
            kinds.setdefault(entry.values.shape[1], entry)
    if len(kinds) > 1:
        raise DataError(f"{kinds[5].place(0)} has a box and {kinds[6].place(0)} an ellipse: give one kind in {path}.")
