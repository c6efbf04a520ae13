from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from countenance.data.protocols.delimited_text import Column, read_columns, read_headed_columns
from countenance.errors import DataError

KINDS = {"name": "text", "template": "integer", "label": "label", "score": "number"}
TABLE = (
    Column(name="template", kind="integer", headers=("TEMPLATE_ID", "template")),
    Column(name="note", kind="text", headers=("note",), required=False),
)


def write(path: Path, content: str) -> Path:
    path.write_bytes(content.encode())
    return path


@pytest.mark.parametrize(
    "content",
    [
        "a.jpg 1 0 .5\nb.jpg -2 1 3\n",
        "a.jpg 1 0 .5\r\nb.jpg -2 1 3",
        "\ufeffa.jpg\t1\t0\t.5\nb.jpg\t-2\t1\t3\n",
        "a.jpg,1,0,.5\nb.jpg,-2,1,3\n",
        "a.jpg  1 0 .5 \n\n b.jpg -2 1  3\n",
        "a.jpg 1 0 .5\n   \nb.jpg -2 1 3\n",
    ],
    ids=["spaces", "carriage returns", "tabs and a byte order mark", "commas", "irregular", "blank lines"],
)
def test_columns_come_back_however_they_are_set_apart(tmp_path: Path, content: str):
    columns = read_columns(write(tmp_path / "x.txt", content), KINDS)
    assert {name: values.tolist() for name, values in columns.items()} == {
        "name": ["a.jpg", "b.jpg"],
        "template": [1, -2],
        "label": [0, 1],
        "score": [0.5, 3],
    }
    assert [values.dtype for values in columns.values()] == [np.object_, np.int64, np.int8, np.float32]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a.jpg 1 0", "holds 3 values where 4 belong"),
        ("a.jpg 1 0 1 1", "holds 5 values where 4 belong"),
        ("a.jpg 1.5 0 1", "holds a template that is not a whole number"),
        ("a.jpg 1_0 0 1", "holds a template that is not a whole number"),
        ("a.jpg 99999999999999999999 0 1", "holds a template that is not a whole number"),
        ("a.jpg 1 x 1", "holds a label that is not 0 or 1"),
        ("a.jpg 1 300 1", "holds a label that is not 0 or 1"),
        ("a.jpg 1 0 high", "holds a score that is not a number"),
        ("a.jpg 1 0 1_0", "holds a score that is not a number"),
    ],
)
@pytest.mark.parametrize("before", [2, 100_000], ids=["early", "in a later block"])
def test_the_line_that_cannot_be_read_is_named(tmp_path: Path, line: str, problem: str, before: int):
    path = write(tmp_path / "x.txt", "b.jpg 1 0 1\n" * (before - 1) + f"\nb.jpg 1 0 1\n{line}\nb.jpg 1 0 x\n")
    with pytest.raises(DataError, match=f"x.txt, line {before + 2}, {problem}"):
        read_columns(path, KINDS)


def test_a_line_that_arrow_cannot_read_is_read_with_all_others(tmp_path: Path):
    path = write(tmp_path / "x.txt", "b.jpg 1 0 1\n" * 100_000 + "c.jpg  2 1 4\n" + "d.jpg 3 0 5\n" * 100_000)
    columns = read_columns(path, KINDS)
    assert columns["template"].tolist() == [1] * 100_000 + [2] + [3] * 100_000
    assert columns["name"][100_000] == "c.jpg"


def test_a_file_without_rows_or_text_is_refused(tmp_path: Path):
    with pytest.raises(DataError, match="x.txt cannot be read: check that the file is there"):
        read_columns(tmp_path / "x.txt", KINDS)
    for content in ("", "\n \n"):
        with pytest.raises(DataError, match="x.txt has no rows"):
            read_columns(write(tmp_path / "x.txt", content), KINDS)
    (tmp_path / "x.txt").write_bytes(b"a.jpg 1 0 1\n\xff.jpg 1 0 1\n")
    with pytest.raises(DataError, match="x.txt, line 2, is not text in UTF-8"):
        read_columns(tmp_path / "x.txt", KINDS)


@pytest.mark.parametrize(
    "header", ["TEMPLATE_ID,NOTE,extra", "template,note,extra", '"Template_Id","Note","extra"', "TemplateID,note,note"]
)
def test_a_header_may_vary(tmp_path: Path, header: str):
    columns = read_headed_columns(write(tmp_path / "x.csv", f'{header}\n3,"a, b",x\n\n4,,y\n'), TABLE)
    assert columns["template"].tolist() == [3, 4]
    assert columns["note"].tolist() == ["a, b", ""]


def test_an_optional_column_may_be_missing_and_a_required_one_not(tmp_path: Path):
    assert set(read_headed_columns(write(tmp_path / "x.csv", "a,template\n1,2\n"), TABLE)) == {"template"}
    with pytest.raises(DataError, match=r"x.csv, line 1, names no column 'TEMPLATE_ID'"):
        read_headed_columns(write(tmp_path / "x.csv", "1,2\n3,4\n"), TABLE)


def test_the_line_of_a_headed_file_is_named(tmp_path: Path):
    with pytest.raises(DataError, match="x.csv, line 4, holds a template that is not a whole number"):
        read_headed_columns(write(tmp_path / "x.csv", "template,note\n1,a\n\n,b\n"), TABLE)
    with pytest.raises(DataError, match="x.csv, line 3, holds 3 values where 2 belong"):
        read_headed_columns(write(tmp_path / "x.csv", 'template,note\n1,"a,"\n2,b,c\n'), TABLE)
    with pytest.raises(DataError, match="x.csv has no rows"):
        read_headed_columns(write(tmp_path / "x.csv", "template,note\n"), TABLE)
