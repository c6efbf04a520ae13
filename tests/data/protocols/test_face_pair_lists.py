from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from countenance.data.protocols.face_pair_lists import (
    read_bfw,
    read_lfw_pairs,
    read_rfw,
    read_rfw_list,
)
from countenance.errors import DataError
from tests.data.protocols.published import change_line, write_lines

FOLDS = (
    ["Ann\t1\t4", "Bob\t2\t13", "Ann\t1\tBob\t3", "Cem\t1\tBob\t1"],
    ["Dee\t1\t2", "Dee\t2\t3", "Dee\t1\tEve\t1", "Eve\t2\tDee\t2"],
)
VIEW_2 = ["2\t2", *FOLDS[0], *FOLDS[1]]


def test_lfw_view_2_gives_its_folds(tmp_path: Path):
    pairs = read_lfw_pairs(write_lines(tmp_path / "pairs.txt", VIEW_2))
    assert pairs.first.tolist()[:3] == ["Ann/Ann_0001.jpg", "Bob/Bob_0002.jpg", "Ann/Ann_0001.jpg"]
    assert pairs.second.tolist()[:3] == ["Ann/Ann_0004.jpg", "Bob/Bob_0013.jpg", "Bob/Bob_0003.jpg"]
    assert pairs.mated.tolist() == [True, True, False, False] * 2
    assert pairs.fold.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert pairs.group is None


def test_lfw_view_1_is_one_fold_and_photos_may_end_otherwise(tmp_path: Path):
    path = write_lines(tmp_path / "pairsDevTest.txt", ["2", *FOLDS[0]])
    pairs = read_lfw_pairs(path, suffix=".png")
    assert pairs.fold.tolist() == [0] * 4 and pairs.first[0] == "Ann/Ann_0001.png"


@pytest.mark.parametrize(
    ("number", "line", "text"),
    [
        (1, "2", "pairs.txt has 8 pairs where its header stands for 4"),
        (1, "3\t2", "pairs.txt has 8 pairs where its header stands for 12"),
        (1, "two\t2", "pairs.txt, line 1, does not hold the number of folds and of pairs"),
        (1, None, "pairs.txt, line 1, does not hold the number of folds and of pairs"),
        (3, None, "pairs.txt has 7 pairs where its header stands for 8"),
        (3, "Ann\t1", "pairs.txt, line 3, is no pair"),
        (3, "Ann\tone\t2", "pairs.txt, line 3, is no pair"),
        (3, "Ann\t1\tBob", "pairs.txt, line 3, is no pair"),
        (3, "Ann\t1\tBob\t2\t3", "pairs.txt, line 3, is no pair"),
        (3, "Ann\t1\t1", "pairs.txt, line 3, a photo is compared with itself"),
        (4, "Ann\t1\tAnn\t3", "pairs.txt, line 4, is a non-mated pair of one person"),
        (3, "Ann\t1\tBob\t2", "pairs.txt, line 3, the pair is of the other kind than its place in the fold says"),
    ],
)
def test_the_line_of_an_lfw_list_is_named_and_nobody_in_it(tmp_path: Path, number: int, line: str | None, text: str):
    path = write_lines(tmp_path / "pairs.txt", VIEW_2)
    change_line(path, number, line)
    with pytest.raises(DataError, match=text) as caught:
        read_lfw_pairs(path)
    assert not any(person in str(caught.value) for person in ("Ann", "Bob"))


def test_an_lfw_list_must_be_there_and_hold_pairs(tmp_path: Path):
    with pytest.raises(DataError, match="pairs.txt cannot be read"):
        read_lfw_pairs(tmp_path / "pairs.txt")
    with pytest.raises(DataError, match="pairs.txt has no pairs"):
        read_lfw_pairs(write_lines(tmp_path / "pairs.txt", ["1\t2"]))


def test_the_shared_list_of_lfw_has_five_folds_of_its_photos(real_faces: Path):
    pairs = read_lfw_pairs(real_faces / "lfw" / "pairs.txt")
    assert len(pairs) == 3000 and pairs.mated.sum() == 1500
    assert np.bincount(pairs.fold).tolist() == [600] * 5
    assert np.bincount(pairs.fold, weights=pairs.mated).tolist() == [300] * 5
    assert all((real_faces / "lfw" / "photos" / photo).is_file() for photo in pairs.photos())


def rfw_lines(folds: int = 10, each: int = 2) -> list[str]:
    lines = []
    for fold in range(folds):
        lines += [f"m.0{fold}\t{number + 1}\t{number + 2}" for number in range(each)]
        lines += [f"m.0{fold}\t1\tm.1{number}\t3" for number in range(each)]
    return lines


def test_rfw_has_ten_folds_of_both_kinds_and_its_race_as_group(tmp_path: Path):
    pairs = read_rfw_list(write_lines(tmp_path / "African_pairs.txt", rfw_lines()))
    assert pairs.first[0] == "m.00/m.00_0001.jpg" and pairs.second[2] == "m.10/m.10_0003.jpg"
    assert pairs.fold.tolist() == [fold for fold in range(10) for _ in range(4)]
    assert pairs.group is not None and set(pairs.group) == {"African"}


def test_rfw_folds_hold_both_kinds_in_whichever_order_they_are(tmp_path: Path):
    lines = sorted(rfw_lines(), key=lambda line: line.count("\t"))
    pairs = read_rfw_list(write_lines(tmp_path / "African_pairs.txt", lines))
    assert np.bincount(pairs.fold[pairs.mated]).tolist() == np.bincount(pairs.fold[~pairs.mated]).tolist() == [2] * 10


def test_a_folder_of_rfw_joins_the_races(tmp_path: Path):
    for race in ("Indian", "Asian"):
        (tmp_path / "txts" / race).mkdir(parents=True)
        write_lines(tmp_path / "txts" / race / f"{race}_pairs.txt", ["10\t2", *rfw_lines()])
        write_lines(tmp_path / "txts" / race / f"{race}_people.txt", ["m.00\t3"])
    pairs = read_rfw(tmp_path)
    assert len(pairs) == 80 and pairs.first[0] == "Asian/m.00/m.00_0001.jpg"
    assert pairs.group is not None and pairs.group.tolist() == ["Asian"] * 40 + ["Indian"] * 40
    assert np.bincount(pairs.fold).tolist() == [8] * 10
    # Beyond the first list's header and its 40 pairs.
    assert pairs.origin.place(41) == f"{tmp_path}/txts/Indian/Indian_pairs.txt, line 3"
    (tmp_path / "other").mkdir()
    write_lines(tmp_path / "other" / "Asian_pairs.txt", rfw_lines())
    with pytest.raises(DataError, match="holds two lists for one race"):
        read_rfw(tmp_path)
    with pytest.raises(DataError, match=r"holds no list \*_pairs.txt"):
        read_rfw(tmp_path / "txts" / "nothing")


BFW = [
    "fold,p1,p2,label,id1,id2,att1,att2,vgg16,a1,a2",
    "1,asian_females/n0/0.jpg,asian_females/n0/1.jpg,1,0,0,asian_females,asian_females,.9,AF,AF",
    "5,asian_females/n0/0.jpg,asian_females/n1/1.jpg,0.0,0,1,asian_females,asian_females,.1,AF,AF",
    "2,white_males/n2/0.jpg,asian_females/n1/1.jpg,0,2,1,white_males,asian_females,.1,WM,AF",
]


def test_bfw_gives_folds_from_zero_and_subgroups(tmp_path: Path):
    pairs = read_bfw(write_lines(tmp_path / "bfw.csv", BFW))
    assert pairs.first[2] == "white_males/n2/0.jpg" and pairs.second[0] == "asian_females/n0/1.jpg"
    assert pairs.mated.tolist() == [True, False, False] and pairs.fold.tolist() == [0, 2, 1]
    assert pairs.group is not None
    assert pairs.group.tolist() == ["asian_females", "asian_females", "asian_females and white_males"]


def test_bfw_may_have_other_columns_and_no_groups(tmp_path: Path):
    lines = [",p2,P1,Fold,label", "0,b.jpg,a.jpg,1,1", "1,c.jpg,a.jpg,1,0"]
    pairs = read_bfw(write_lines(tmp_path / "bfw.csv", lines))
    assert pairs.group is None and pairs.first.tolist() == ["a.jpg", "a.jpg"]


@pytest.mark.parametrize(
    ("number", "line", "text"),
    [
        (1, "fold,p1,label", "bfw.csv, line 1, names no column 'p2'"),
        (3, "1,a,b,2,,,,,,,", "bfw.csv, line 3, the label is neither 0 nor 1"),
        (3, "1,a,b,,,,,,,,", "bfw.csv, line 3, the label is neither 0 nor 1"),
        (3, "1,a,,1,,,,,,,", "bfw.csv, line 3, the second photo is not named"),
        (3, "x,a,b,1,,,,,,,", "bfw.csv, line 3, holds a fold that is not a whole number"),
        (3, "1,a,b,1", "bfw.csv, line 3, holds 4 values where 11 belong"),
        (3, "1,a,a,1,,,,,,,", "bfw.csv, line 3, a photo is compared with itself"),
        (
            3,
            "1,asian_females/n0/1.jpg,asian_females/n0/0.jpg,0,,,,,,,",
            "bfw.csv, line 3, the pair has the other label than in .*bfw.csv, line 2",
        ),
    ],
)
def test_the_line_of_a_bfw_table_is_named(tmp_path: Path, number: int, line: str, text: str):
    path = write_lines(tmp_path / "bfw.csv", BFW)
    change_line(path, number, line)
    with pytest.raises(DataError, match=text):
        read_bfw(path)
