from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from countenance.data.face_tables import FaceTable, read_face_table
from countenance.data.manifest import MANIFEST_SCHEMA, manifest_table, write_manifest
from countenance.errors import DataError


def csv_file(tmp_path: Path, text: str) -> Path:
    (tmp_path / "t.csv").write_text(text)
    return tmp_path / "t.csv"


def test_text_is_read_column_by_column_and_other_columns_are_left_alone(tmp_path: Path):
    table = read_face_table(
        csv_file(
            tmp_path,
            "face_id,age_years,smiling,landmarks_5,gender,remark\n"
            'a,31.5,true,"[1 2 3 4 5; 6, 7, 8 9 10]",male,x\n'
            "\n"
            "b,,,,,\n",
        )
    )
    assert list(table.rows.columns) == ["face_id", "age_years", "smiling", "landmarks_5", "gender"]
    first, second = (table.rows.iloc[row] for row in (0, 1))
    assert (first["age_years"], first["smiling"], first["gender"]) == (31.5, True, "male")
    np.testing.assert_array_equal(first["landmarks_5"], np.arange(1, 11))
    assert np.isnan(second["age_years"]) and second["smiling"] is pd.NA and second["landmarks_5"] is None
    assert table.place(1) == f"{tmp_path / 't.csv'}, line 4"
    assert table.where(np.array([False, True])).place(0).endswith("line 4")
    assert table.has("gender") and not table.has("yaw_deg")


def test_a_cell_of_several_lines_keeps_the_line_numbers_right(tmp_path: Path):
    # As NumPy prints ten numbers.
    with pytest.raises(DataError, match=r"t\.csv, line 4, column 'age_years', doesn't hold a number"):
        read_face_table(csv_file(tmp_path, 'face_id,landmarks_5,age_years\na,"[1 2 3 4 5\n 6 7 8 9 10]",3\nb,,young\n'))


def test_a_manifest_is_read_like_any_other_table(tmp_path: Path):
    known = {"source": "s", "photo": "p", "photo_sha256": "h", "crop": "c", "license": "l", "split": "test"}
    rows = [
        {**known, "face_id": "a", "is_face": True, "box_xywh": [1.0, 2.0, 3.0, 4.0], "smiling": False},
        {**known, "face_id": "b", "is_face": False},
    ]
    write_manifest(manifest_table(rows), tmp_path / "m.parquet")
    table = read_face_table(tmp_path / "m.parquet")
    assert set(table.rows.columns) < set(MANIFEST_SCHEMA.names)
    assert table.column("is_face").tolist() == [True, False]
    assert table.column("box_xywh")[1] is None
    assert table.column("no_such").tolist() == [None, None]
    assert table.place(1) == f"{tmp_path / 'm.parquet'}, row 1"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("face_id,smiling\na,perhaps\n", "line 2, column 'smiling', doesn't hold true or false"),
        ("face_id,box_xywh\na,1 2 3\n", "line 2, column 'box_xywh' doesn't hold 4 numbers"),
        ("face_id,box_xywh\na,1 2 x 3\n", "line 2, column 'box_xywh', doesn't hold a list of numbers"),
        ("face_id,male_probability\na,.5\nb,1.5\nc,2\n", r"line 3, column 'male_probability' holds .*\(and 1 more"),
        ("face_id,age_years\na,inf\n", "line 2, column 'age_years' holds a number that isn't finite"),
        ("face_id,age_years\na\n", "line 2, holds 1 values where 2 belong"),
        ("face_id,age_years,age_years\na,1,1\n", "names the column 'age_years' twice"),
        ("face_id\n", "has no rows"),
    ],
)
def test_a_value_that_does_not_belong_is_told_with_line_and_column(tmp_path: Path, text: str, told: str):
    with pytest.raises(DataError, match=told):
        read_face_table(csv_file(tmp_path, text))


def test_a_parquet_column_of_another_type_is_told(tmp_path: Path):
    for column, values in (("age_years", ["x"]), ("smiling", [0.5]), ("landmarks_5", [["a"]]), ("gender", [0.5])):
        pd.DataFrame({"face_id": ["a"], column: values}).to_parquet(tmp_path / "t.parquet")
        with pytest.raises(DataError, match=f"column '{column}' holds .* belongs"):
            read_face_table(tmp_path / "t.parquet")
    pd.DataFrame({"face_id": ["a", "b"], "yaw_range": [[0.0, 1.0], [0.0]]}).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(DataError, match=r"t\.parquet, row 1, column 'yaw_range' doesn't hold 2 numbers"):
        read_face_table(tmp_path / "t.parquet")


def test_categories_and_columns_of_nulls_are_read(tmp_path: Path):
    frame = pd.DataFrame({"face_id": ["a"], "gender": pd.Categorical(["male"]), "age_years": [None]})
    frame.to_parquet(tmp_path / "t.parquet")
    table: FaceTable = read_face_table(tmp_path / "t.parquet")
    assert table.column("gender").tolist() == ["male"]
    assert not table.has("age_years")


def test_files_of_no_use_are_told(tmp_path: Path):
    (tmp_path / "t.parquet").write_text("no parquet")
    (tmp_path / "t.csv").write_bytes(b"face_id\n\xff\xfe\n")
    for name, told in (
        ("t.txt", r"neither \.parquet nor \.csv"),
        ("gone.csv", "is missing"),
        ("t.parquet", "not a readable Parquet file"),
        ("t.csv", "not comma-separated text"),
    ):
        with pytest.raises(DataError, match=told):
            read_face_table(tmp_path / name)
