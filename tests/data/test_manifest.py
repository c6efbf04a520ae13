from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from countenance.data.manifest import (
    ingestion_counts,
    manifest_table,
    read_manifest,
    to_frame,
    with_five_points,
    write_manifest,
)
from countenance.errors import DataError


def row(face_id: str, **labels: object) -> dict[str, object]:
    fixed = {"source": "lfw", "photo": "p", "photo_sha256": face_id, "is_face": True, "license": "l", "split": "train"}
    return {"face_id": face_id, "crop": face_id, **fixed, **labels}


def test_what_is_not_labelled_comes_back_as_null_and_never_as_zero(tmp_path: Path):
    write_manifest(manifest_table([row("a"), row("b", age_years=0.0, smiling=False)]), tmp_path / "m.parquet")
    manifest = read_manifest(tmp_path / "m.parquet")
    assert manifest["age_years"].isna().tolist() == [True, False]
    assert manifest["smiling"].isna().tolist() == [True, False]
    assert manifest["landmarks"].tolist() == [None, None]


def test_a_missing_column_is_named(tmp_path: Path):
    table = manifest_table([row("a")])
    pq.write_table(table.drop_columns(["gender"]), tmp_path / "m.parquet")
    with pytest.raises(DataError, match=r"has no column 'gender': run the ingestion pipeline again"):
        read_manifest(tmp_path / "m.parquet")


def test_a_missing_file_says_what_to_run(tmp_path: Path):
    with pytest.raises(DataError, match="run the ingestion pipeline first"):
        read_manifest(tmp_path / "m.parquet")


def test_a_file_that_is_no_parquet_is_refused(tmp_path: Path):
    (tmp_path / "m.parquet").write_text("not parquet")
    with pytest.raises(DataError, match="not a readable Parquet file"):
        read_manifest(tmp_path / "m.parquet")


def test_an_unknown_column_and_a_wrong_type_are_refused_before_anything_is_written():
    with pytest.raises(DataError, match="unknown column 'smile'"):
        manifest_table([row("a", smile=True)])
    with pytest.raises(DataError, match="wrong type in column 'age_years'") as refused:
        manifest_table([row("a", age_years="Ada Lovelace")])
    assert "Ada" not in str(refused.value)


@pytest.mark.parametrize("column", ["age_years", "box_xywh", "smiling", "expires_at"])
def test_a_column_of_the_wrong_type_is_named_without_its_values(tmp_path: Path, column: str):
    table = manifest_table([row("a")])
    spoilt = table.set_column(table.schema.get_field_index(column), column, pa.array(["Ada Lovelace"]))
    pq.write_table(spoilt, tmp_path / "m.parquet")
    with pytest.raises(DataError, match=f"the column '{column}' of the wrong type, string") as refused:
        read_manifest(tmp_path / "m.parquet")
    assert "Ada" not in str(refused.value)


def test_rows_without_what_no_row_may_lack_are_named_unless_gaps_are_allowed(tmp_path: Path):
    table = manifest_table([row("a"), row("b")])
    spoilt = table.set_column(table.schema.get_field_index("license"), "license", pa.array(["l", None]))
    pq.write_table(spoilt, tmp_path / "m.parquet")
    with pytest.raises(DataError, match=r"no 'license' in 1 of its rows \(1\): mend the source"):
        read_manifest(tmp_path / "m.parquet")
    assert read_manifest(tmp_path / "m.parquet", gaps_allowed=True)["license"].isna().tolist() == [False, True]


def test_counts_tell_people_faces_and_labels_apart():
    rows = [
        row("a", subject_id="s", gender="male"),
        row("b", subject_id="s"),
        row("c", split="test"),
        row("d", is_face=False),
    ]
    aside = pd.DataFrame({"source": ["lfw", "lfw"], "reason": ["bad number", "photo missing"]})
    counts = ingestion_counts(to_frame(manifest_table(rows)), aside)
    assert counts["train"] == {"faces": 2, "background": 1, "subjects": 1}
    assert counts["test"] == {"faces": 1, "background": 0, "subjects": 0}
    assert counts["lfw"]["gender"] == 1
    assert counts["lfw"]["identity"] == 2
    assert counts["lfw"]["age"] == 0
    assert counts["quarantined"] == {"records": 2, "lfw": 2, "bad number": 1, "photo missing": 1}


def test_five_points_are_given_only_where_all_five_are_labelled():
    seen = np.arange(42, dtype=np.float32)
    hidden = seen.copy()
    hidden[2 * 10 : 2 * 10 + 2] = np.nan  # the right eye's centre
    ear = seen.copy()
    ear[2 * 12 : 2 * 12 + 2] = np.nan
    rows = [
        row(name, landmarks=points, landmark_scheme="21")
        for name, points in zip("abc", (seen, hidden, ear), strict=True)
    ]
    five = with_five_points(to_frame(manifest_table([*rows, row("d")])))["landmarks_5"]
    assert [points is not None for points in five] == [True, False, True, False]
    assert five[0].tolist() == [14, 15, 20, 21, 28, 29, 34, 35, 38, 39]
