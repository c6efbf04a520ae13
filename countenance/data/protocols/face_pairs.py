"""Pairs of photos, as verification sets list them: same person or not, in folds, perhaps by group."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

from countenance.data.protocols.parquet_columns import TableReader
from countenance.data.protocols.row_origins import (
    ChosenRows,
    InMemory,
    ParquetFile,
    RowOrigin,
    refuse_row,
    refuse_rows,
)
from countenance.data.protocols.template_protocol import Integers, Names, Truths
from countenance.errors import DataError

FOLDS: Final = 10
"""Into how many parts a list is cut that doesn't say itself, as its publishers do."""
_IN_MEMORY: Final = InMemory("pairs")


@dataclass(frozen=True, eq=False)
class FacePairs:
    """Comparisons of two photos, one a row.

    Attributes:
        first, second: names of the photos in the set, [P] strings.
        mated: whether both show one person, [P] bool.
        fold: the part of the list that each pair is in, [P] int64; thresholds come from the other parts.
        group: the protected group of the pair, [P] strings, where the set is about groups.
        origin: where each row comes from, for messages.
    """

    first: Names
    second: Names
    mated: Truths
    fold: Integers
    group: Names | None = None
    origin: RowOrigin = _IN_MEMORY

    def __len__(self) -> int:
        return len(self.mated)

    def photos(self) -> Names:
        """The names of all photos, each once, sorted, [N]."""
        names = np.unique(np.concatenate([self.first, self.second]))
        return np.asarray(names, dtype=np.object_)

    def sha256(self) -> str:
        """A digest of the list, in hexadecimal: of both photos, label, fold and group of each pair, in its order."""
        found = hashlib.sha256(f"{len(self)} pairs".encode())
        for name, column in (("first", self.first), ("second", self.second), ("group", self.group)):
            if column is not None:
                found.update("\0".join([name, *column.tolist(), ""]).encode())
        found.update(np.ascontiguousarray(self.mated, dtype=np.uint8).tobytes())
        found.update(np.ascontiguousarray(self.fold, dtype="<i8").tobytes())
        return found.hexdigest()

    def of_folds(self, folds: Sequence[int]) -> FacePairs:
        """The pairs in some folds only."""
        rows = np.flatnonzero(np.isin(self.fold, folds))
        group = None if self.group is None else self.group[rows]
        origin = ChosenRows(self.origin, rows)
        return FacePairs(self.first[rows], self.second[rows], self.mated[rows], self.fold[rows], group, origin)

    def rows_among(self, names: Sequence[str] | Names) -> tuple[Integers, Integers]:
        """The rows of both photos of each pair in a list of photos, two arrays [P].

        Raises:
            DataError: a photo of a pair is not in the list, or the list names one twice.
        """
        listed = pd.Index(np.asarray(names, dtype=np.object_))
        if not listed.is_unique:
            raise DataError("A photo is listed twice: list each photo once.")
        first, second = listed.get_indexer(pd.Index(self.first)), listed.get_indexer(pd.Index(self.second))
        refuse_rows(
            (first < 0) | (second < 0),
            self.origin,
            "a photo is not among those listed",
            "embed every photo of the pairs",
        )
        return first.astype(np.int64), second.astype(np.int64)


def check_face_pairs(pairs: FacePairs, origin: RowOrigin | None = None) -> FacePairs:
    """The same pairs, if they are sound, from where ``origin`` says. A pair may be listed twice, as published lists do.

    Raises:
        DataError: columns differ in length or there are no rows, a photo is compared with itself, or a pair is labelled
            both mated and non-mated. No photo is named, since many sets name the person in it.
    """
    origin = origin or pairs.origin
    group = len(pairs) if pairs.group is None else len(pairs.group)
    lengths = (len(pairs.first), len(pairs.second), len(pairs), len(pairs.fold), group)
    if len(set(lengths)) > 1 or not lengths[0]:
        told = ", ".join(f"{length:,}" for length in lengths)
        raise DataError(f"The columns of the pairs have {told} rows: give one value a row in each, and at least one.")
    refuse_rows(pairs.first == pairs.second, origin, "a photo is compared with itself", "remove the pair")
    codes, _ = pd.factorize(np.concatenate([pairs.first, pairs.second]))
    one, other = codes[: len(pairs)], codes[len(pairs) :]
    keys = np.minimum(one, other) * np.int64(2 * len(pairs)) + np.maximum(one, other)
    _, earliest, place = np.unique(keys, return_index=True, return_inverse=True)
    earliest = earliest[place]
    wrong = np.flatnonzero(pairs.mated != pairs.mated[earliest])
    if len(wrong):
        problem = f"the pair has the other label than in {origin.place(int(earliest[wrong[0]]))}"
        refuse_row(int(wrong[0]), origin, problem, "keep one of them", more=len(wrong) - 1)
    return replace(pairs, origin=origin)


def consecutive_folds(count: int, folds: int = FOLDS) -> Integers:
    """The fold of each of ``count`` rows, [count]: unbroken parts, the first ones larger by a row where need be."""
    parts = [np.full(len(part), fold) for fold, part in enumerate(np.array_split(np.arange(count), folds))]
    return np.concatenate(parts).astype(np.int64)


def read_parquet_pairs(path: Path) -> FacePairs:
    """Read pairs from Parquet: first, second, mated, fold and, where the set has groups, group.

    Raises:
        DataError: the file or a column is missing, a cell is empty, or the pairs are unsound; the row is named.
    """
    table = TableReader(path)
    pairs = FacePairs(
        first=table.texts("first"),
        second=table.texts("second"),
        mated=table.truths("mated"),
        fold=table.integers("fold"),
        group=table.texts("group") if table.has("group") else None,
    )
    return check_face_pairs(pairs, ParquetFile(path))


def bin_pairs(path: Path) -> FacePairs:
    """The pairs of a verification pack (``lfw.bin`` ...): photos ``0``, ``1``, ... in the pack's order, ten folds.

    Raises:
        DataError: the pack is missing, damaged, or asks for what a pack doesn't need.
    """
    from countenance.data.importers.bin_pack import read_bin_pack

    _, mated = read_bin_pack(path)
    names = np.array([str(index) for index in range(2 * len(mated))], dtype=np.object_)
    pairs = FacePairs(names[0::2], names[1::2], mated, consecutive_folds(len(mated)))
    return check_face_pairs(pairs, InMemory(f"pairs in {path}"))
