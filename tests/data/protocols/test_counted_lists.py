from pathlib import Path

import numpy as np
import pytest

from countenance.data.protocols.counted_lists import by_photo, read_counted_lists
from countenance.errors import DataError


def lists(tmp_path: Path, text: str, *widths: int, zeros: bool = False):
    (tmp_path / "l.txt").write_text(text)
    return list(read_counted_lists(tmp_path / "l.txt", widths or (2,), a_line_of_zeros=zeros))


def test_photos_are_read_with_their_faces_and_lines(tmp_path: Path):
    first, second = lists(tmp_path, "a\n2\n1 2\n\n3 4e-1\nb\n0\n")
    assert (first.name, first.line, first.lines.tolist()) == ("a", 1, [3, 5])
    np.testing.assert_array_equal(first.values, [[1, 2], [3, 0.4]])
    assert (second.name, second.line, second.values.shape) == ("b", 6, (0, 2))
    assert first.place(1) == f"{tmp_path / 'l.txt'}, line 5"


def test_a_photo_without_faces_may_have_a_line_of_zeros_or_none(tmp_path: Path):
    read = lists(tmp_path, "a\n0\n0 0 \nb\n0\nc\n1\n1 2\nd\n0\n0 0\n", zeros=True)
    assert [(entry.name, len(entry.values)) for entry in read] == [("a", 0), ("b", 0), ("c", 1), ("d", 0)]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a\n2\n1 2\n", "ends after 1 of the 2 faces that line 2 tells"),
        ("a\nb\n", "line 2, must hold the number of faces"),
        ("a\n", "line 2, must hold the number of faces"),
        ("a\n1\n1 2 3\n", "line 3, holds 3 values where 2 belong"),
        ("a\n1\n1 two\n", "line 3, holds something that is no number"),
        ("a\n1\n1 nan\n", "line 3, holds a number that isn't finite"),
        ("a\n1\n1 2\n3 4\n", "ends|line 5"),
    ],
)
def test_what_does_not_belong_is_told_with_its_line(tmp_path: Path, text: str, told: str):
    with pytest.raises(DataError, match=told):
        lists(tmp_path, text)


def test_all_faces_of_a_file_have_as_many_numbers(tmp_path: Path):
    with pytest.raises(DataError, match="line 6, holds 3 values where 2 belong"):
        lists(tmp_path, "a\n1\n1 2\nb\n1\n1 2 3\n", 2, 3)


def test_a_photo_that_is_listed_twice_is_refused_with_both_places(tmp_path: Path):
    with pytest.raises(DataError, match=r"line 3, a photo is listed again that .*line 1 has"):
        by_photo(iter(lists(tmp_path, "a\n0\na\n0\n")))
