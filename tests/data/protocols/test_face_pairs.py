from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.data.protocols.face_pairs import (
    FacePairs,
    bin_pairs,
    check_face_pairs,
    consecutive_folds,
    read_parquet_pairs,
)
from countenance.data.protocols.row_origins import InMemory
from countenance.errors import DataError

from .published import write_parquet_pairs


def names(*values: str) -> np.ndarray:
    return np.array(values, dtype=np.object_)


def small_pairs() -> FacePairs:
    return FacePairs(
        first=names("ann/1", "ann/1", "bob/1"),
        second=names("ann/2", "bob/1", "cem/1"),
        mated=np.array([True, False, False]),
        fold=np.array([0, 0, 1]),
        group=names("x", "x", "y"),
    )


def test_photos_are_listed_once_and_found_in_any_list():
    pairs = small_pairs()
    assert pairs.photos().tolist() == ["ann/1", "ann/2", "bob/1", "cem/1"]
    first, second = pairs.rows_among(["cem/1", "ann/2", "none", "ann/1", "bob/1"])
    assert first.tolist() == [3, 3, 4] and second.tolist() == [1, 4, 0]


def test_pairs_of_some_folds_keep_their_places():
    pairs = replace(small_pairs(), fold=np.array([2, 0, 2]), origin=InMemory("pairs in x.bin")).of_folds([2, 5])
    assert pairs.first.tolist() == ["ann/1", "bob/1"] and pairs.mated.tolist() == [True, False]
    assert pairs.group is not None and pairs.group.tolist() == ["x", "y"] and pairs.fold.tolist() == [2, 2]
    assert pairs.origin.place(1) == "row 2 of the pairs in x.bin"


def test_a_photo_that_is_not_listed_is_told_by_its_pair_and_not_by_name():
    with pytest.raises(
        DataError, match=r"In row 1 of the pairs, a photo is not among those listed \(and 1 more"
    ) as caught:
        small_pairs().rows_among(["ann/1", "ann/2", "cem/1"])
    assert "bob" not in str(caught.value)
    with pytest.raises(DataError, match="A photo is listed twice"):
        small_pairs().rows_among(["ann/1", "ann/1"])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"second": names("ann/2", "ann/1", "cem/1")}, "In row 1 of the pairs, a photo is compared with itself"),
        ({"fold": np.array([0, 0])}, "The columns of the pairs have 3, 3, 3, 2, 3 rows"),
        (
            {"first": names("ann/1", "ann/2", "bob/1"), "second": names("ann/2", "ann/1", "cem/1")},
            "In row 1 of the pairs, the pair has the other label than in row 0 of the pairs: keep one",
        ),
    ],
)
def test_unsound_pairs_are_refused(changes: dict[str, np.ndarray], text: str):
    with pytest.raises(DataError, match=text):
        check_face_pairs(replace(small_pairs(), **changes))


def test_a_pair_may_be_listed_twice_as_published_lists_do():
    pairs = small_pairs()
    twice = replace(pairs, first=names("ann/1", "ann/2", "bob/1"), second=names("ann/2", "ann/1", "cem/1"))
    check_face_pairs(replace(twice, mated=np.array([True, True, False])))


@given(st.integers(0, 60), st.integers(1, 12))
def test_consecutive_folds_are_unbroken_and_differ_by_one_row_at_most(count: int, folds: int):
    fold = consecutive_folds(count, folds)
    sizes = np.bincount(fold, minlength=folds)
    assert len(fold) == count and (np.diff(fold) >= 0).all() and sizes.max() - sizes.min() <= 1


@pytest.mark.parametrize("grouped", [True, False])
def test_pairs_come_back_from_parquet(tmp_path: Path, grouped: bool):
    pairs = small_pairs() if grouped else replace(small_pairs(), group=None)
    write_parquet_pairs(pairs, tmp_path / "deep" / "pairs.parquet")
    found = read_parquet_pairs(tmp_path / "deep" / "pairs.parquet")
    assert found.origin.place(2) == f"{tmp_path}/deep/pairs.parquet, row 2"
    for name in ("first", "second", "mated", "fold", "group"):
        mine, theirs = getattr(pairs, name), getattr(found, name)
        assert (mine is None) == (theirs is None)
        if mine is not None:
            assert mine.tolist() == theirs.tolist() and mine.dtype == theirs.dtype


@pytest.mark.parametrize(
    ("column", "values", "text"),
    [
        ("mated", pa.array([True, None, False]), "x.parquet, row 1, 'mated' is empty"),
        ("mated", pa.array([1, 0, 3]), "x.parquet, row 2, 'mated' is neither 0 nor 1"),
        ("fold", pa.array(["a", "b", "c"]), "The column 'fold' of .*x.parquet does not hold whole numbers"),
        ("fold", None, "x.parquet has no column 'fold'"),
        ("second", pa.array(["ann/2", "ann/1", "cem/1"]), "x.parquet, row 1, a photo is compared with itself"),
    ],
)
def test_the_row_of_a_parquet_table_is_named(tmp_path: Path, column: str, values: pa.Array, text: str):
    path = tmp_path / "x.parquet"
    write_parquet_pairs(small_pairs(), path)
    table = pq.read_table(path).drop_columns([column])
    pq.write_table(table if values is None else table.append_column(column, values), path)
    with pytest.raises(DataError, match=text):
        read_parquet_pairs(path)


def test_a_pack_has_its_photos_by_number_and_ten_unbroken_folds(tmp_path: Path):
    path = tmp_path / "lfw.bin"
    path.write_bytes(pickle.dumps(([b"photo"] * 40, [True, False] * 10)))
    pairs = bin_pairs(path)
    assert pairs.first[:2].tolist() == ["0", "2"] and pairs.second[:2].tolist() == ["1", "3"]
    assert pairs.mated.tolist() == [True, False] * 10 and pairs.group is None
    assert pairs.fold.tolist() == [fold for fold in range(10) for _ in range(2)]
    with pytest.raises(DataError, match="cannot be read"):
        bin_pairs(tmp_path / "none.bin")


def test_any_other_list_has_another_digest():
    pairs = small_pairs()
    assert small_pairs().sha256() == pairs.sha256() and len(pairs.sha256()) == 64
    others = [
        replace(pairs, first=names("ann/1", "ann/1", "bob/2")),
        replace(pairs, first=pairs.second, second=pairs.first),
        replace(pairs, mated=~pairs.mated),
        replace(pairs, fold=np.array([0, 1, 1])),
        replace(pairs, group=names("x", "y", "y")),
        replace(pairs, group=None),
        pairs.of_folds([0]),
    ]
    assert len({pairs.sha256(), *(other.sha256() for other in others)}) == 8
