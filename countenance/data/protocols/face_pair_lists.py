"""Published lists of pairs: LFW, RFW and BFW.

LFW (Huang et al., UMass TR 07-49, 2007): a header with the number of folds and of pairs of each kind in a fold, then
for each fold its mated pairs (person, photo number, photo number) and its non-mated ones (person, number, person,
number); the development lists of View 1 have one number in the header and are one fold. RFW (Wang et al., ICCV 2019):
the same lines, no header, one list a race. BFW (Robinson et al., CVPRW 2020): a comma-separated table with a header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from countenance.data.protocols.delimited_text import Column, decoded_lines, read_headed_columns
from countenance.data.protocols.face_pairs import (
    FacePairs,
    check_face_pairs,
    consecutive_folds,
)
from countenance.data.protocols.row_origins import JoinedRows, TextFile, refuse_rows
from countenance.data.protocols.template_protocol import Names, Truths
from countenance.errors import DataError

_RFW_ENDING: Final = "_pairs.txt"
_COUNT: Final = re.compile(r"[0-9]{1,9}")
_LABELS: Final = {"0": False, "0.0": False, "1": True, "1.0": True}
_BFW: Final = (
    Column(name="first photo", kind="text", headers=("p1",)),
    Column(name="second photo", kind="text", headers=("p2",)),
    Column(name="label", kind="text", headers=("label",)),
    Column(name="fold", kind="integer", headers=("fold",)),
    Column(name="first group", kind="text", headers=("att1",), required=False),
    Column(name="second group", kind="text", headers=("att2",), required=False),
)


def read_lfw_pairs(path: Path, *, suffix: str = ".jpg") -> FacePairs:
    """Read LFW's ``pairs.txt`` (View 2, any number of folds) or ``pairsDevTest.txt`` (View 1).

    Photos are ``<person>/<person>_<number, four digits><suffix>``; folds are numbered from 0.

    Raises:
        DataError: a line can't be read, or there are other pairs than the header says; the line is named.
    """
    found = _read_numbered(path, suffix)
    if found.header is None:
        raise DataError(
            f"{path}, line 1, does not hold the number of folds and of pairs: restore the header of LFW's list."
        )
    folds, pairs = found.header
    expected = 2 * folds * pairs
    if len(found.mated) != expected:
        raise DataError(
            f"{path} has {len(found.mated):,} pairs where its header stands for {expected:,}: restore the list."
        )
    fold = np.repeat(np.arange(folds), 2 * pairs)
    origin = TextFile(path, header_lines=1)
    # A fold begins with its mated pairs; a line of the other kind is out of place.
    wrong = found.mated != np.tile(np.repeat([True, False], pairs), folds)
    refuse_rows(wrong, origin, "the pair is of the other kind than its place in the fold says", "restore the list")
    return check_face_pairs(FacePairs(found.first, found.second, found.mated, fold), origin)


def read_rfw_list(path: Path, *, suffix: str = ".jpg") -> FacePairs:
    """Read one of RFW's lists, ``<Race>_pairs.txt``; the group of all its pairs is the race.

    Photos are ``<id>/<id>_<number, four digits><suffix>``. Without a header there are ten folds: tenths of the mated
    and of the non-mated pairs in their order, which are the list's own folds of 300 and 300.

    Raises:
        DataError: a line can't be read; it is named.
    """
    found = _read_numbered(path, suffix)
    fold = np.empty(len(found.mated), dtype=np.int64)
    folds = {} if found.header is None else {"folds": found.header[0]}
    for kind in (found.mated, ~found.mated):
        fold[kind] = consecutive_folds(int(kind.sum()), **folds)
    race = path.name.removesuffix(_RFW_ENDING)
    group = np.full(len(fold), race, dtype=np.object_)
    origin = TextFile(path, header_lines=0 if found.header is None else 1)
    return check_face_pairs(FacePairs(found.first, found.second, found.mated, fold, group), origin)


def read_rfw(folder: Path, *, suffix: str = ".jpg") -> FacePairs:
    """Read all of RFW's lists in a folder (``txts/<Race>/<Race>_pairs.txt``, at any depth) one after the other.

    Photos are named from the folder that holds the races' folders: ``<Race>/<id>/<id>_<number><suffix>``.

    Raises:
        DataError: there is no list, or a line can't be read.
    """
    paths = sorted(folder.rglob(f"*{_RFW_ENDING}"), key=lambda path: path.name)
    if not paths:
        raise DataError(f"{folder} holds no list *{_RFW_ENDING}: point it at your copy of RFW.")
    lists = [read_rfw_list(path, suffix=suffix) for path in paths]
    races = [path.name.removesuffix(_RFW_ENDING) for path in paths]
    if len(set(races)) < len(races):
        raise DataError(f"{folder} holds two lists for one race: keep one of them.")
    return FacePairs(
        first=np.concatenate([f"{race}/" + pairs.first for race, pairs in zip(races, lists, strict=True)]),
        second=np.concatenate([f"{race}/" + pairs.second for race, pairs in zip(races, lists, strict=True)]),
        mated=np.concatenate([pairs.mated for pairs in lists]),
        fold=np.concatenate([pairs.fold for pairs in lists]),
        group=np.repeat(np.array(races, dtype=np.object_), [len(pairs) for pairs in lists]),
        origin=JoinedRows(tuple(pairs.origin for pairs in lists), tuple(len(pairs) for pairs in lists)),
    )


def read_bfw(path: Path) -> FacePairs:
    """Read BFW's table (``bfw-v0.1.5-datatable.csv``): p1, p2, label, fold, and att1 and att2 where it has them.

    The group of a pair within one subgroup is the subgroup, otherwise both, sorted, with ``and`` between them. Folds
    keep their order and are numbered from 0.

    Raises:
        DataError: a column is missing or a line can't be read; it is named.
    """
    columns = read_headed_columns(path, _BFW)
    origin = TextFile(path, header_lines=1)
    for name in ("first photo", "second photo"):
        refuse_rows(columns[name] == "", origin, f"the {name} is not named", "mend the line")
    place, labels = pd.factorize(columns["label"])
    known = np.array([label in _LABELS for label in labels])
    refuse_rows(~known[place], origin, "the label is neither 0 nor 1", "mend the line")
    mated = np.array([_LABELS[label] for label in labels], dtype=np.bool_)[place]
    fold = np.unique(columns["fold"], return_inverse=True)[1].astype(np.int64)
    group = None
    if "first group" in columns and "second group" in columns:
        group = _joint_groups(columns["first group"], columns["second group"])
    return check_face_pairs(FacePairs(columns["first photo"], columns["second photo"], mated, fold, group), origin)


def _joint_groups(first: Names, second: Names) -> Names:
    group = first.copy()
    mixed = np.flatnonzero(first != second)
    group[mixed] = [" and ".join(sorted((first[row], second[row]))) for row in mixed]
    return group


@dataclass(frozen=True, eq=False)
class _NumberedList:
    """Lines of persons and photo numbers; ``header`` holds the numbers of folds and of pairs of a kind in each."""

    header: tuple[int, int] | None
    first: Names
    second: Names
    mated: Truths


def _read_numbered(path: Path, suffix: str) -> _NumberedList:
    header: tuple[int, int] | None = None
    first: list[str] = []
    second: list[str] = []
    mated: list[bool] = []
    for index, (number, text) in enumerate(decoded_lines(path)):
        parts = [part.strip() for part in text.split("\t" if "\t" in text else None)]
        if index == 0 and len(parts) <= 2:
            header = _header(parts, path, number)
            continue
        mated.append(len(parts) == 3)
        person, *numbers = parts
        other = numbers.pop(1) if len(numbers) == 3 else person
        if len(numbers) != 2 or not all(_COUNT.fullmatch(count) for count in numbers) or not person or not other:
            raise DataError(
                f"{path}, line {number}, is no pair: write person, number, number or person, number, person, number."
            )
        if len(parts) == 4 and person == other:
            raise DataError(f"{path}, line {number}, is a non-mated pair of one person: mend or remove the line.")
        first.append(f"{person}/{person}_{int(numbers[0]):04d}{suffix}")
        second.append(f"{other}/{other}_{int(numbers[1]):04d}{suffix}")
    if not mated:
        raise DataError(f"{path} has no pairs: restore the list.")
    return _NumberedList(header, np.array(first, np.object_), np.array(second, np.object_), np.array(mated))


def _header(parts: list[str], path: Path, number: int) -> tuple[int, int]:
    if not all(_COUNT.fullmatch(count) and int(count) for count in parts):
        raise DataError(f"{path}, line {number}, does not hold the number of folds and of pairs: restore the header.")
    return (1, int(parts[0])) if len(parts) == 1 else (int(parts[0]), int(parts[1]))
