import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from countenance.commands import main
from countenance.data.manifest import manifest_table, write_manifest
from tests.conftest import picture, write_jpeg

Captured = pytest.CaptureFixture[str]

EYES_10_APART = [0.0, 0.0, 10.0, 0.0, 5.0, 5.0, 2.0, 8.0, 8.0, 8.0]
MOVED = [value + 0.9 if place % 2 else value for place, value in enumerate(EYES_10_APART)]


def evaluate(predictions: Path, labels: Path, *more: object) -> int:
    given = ["--predictions", predictions, "--labels", labels, "--resamples", 50, *more]
    return main(["evaluate", "attributes", *(str(word) for word in given)])


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Two test faces, labelled by hand, and one of training."""
    known = {"source": "made", "is_face": True, "crop": "c", "license": "l", "split": "test", "landmark_scheme": "5"}
    rows: list[dict[str, Any]] = [
        {
            "face_id": "f1", "photo": "anna/1.jpg", "photo_sha256": "1", "subject_id": "anna", "gender": "female",
            "smiling": True, "age_years": 30.0, "age_std": 2.0, "yaw_deg": 10.0, "pitch_deg": 0.0, "roll_deg": 0.0,
            "landmarks": EYES_10_APART, "box_xywh": [0.0, 0.0, 5.0, 20.0],
        },
        {
            "face_id": "f2", "photo": "bela/1.jpg", "photo_sha256": "2", "subject_id": "bela", "gender": "male",
            "age_years": 40.0, "yaw_deg": -70.0, "landmarks": EYES_10_APART, "box_xywh": [0.0, 0.0, 5.0, 20.0],
        },
        {"face_id": "f0", "photo": "x.jpg", "photo_sha256": "0", "gender": "male", "split": "train"},
    ]  # fmt: skip
    path = tmp_path / "manifest.parquet"
    write_manifest(manifest_table([known | row for row in rows]), path)
    return path


def said() -> pd.DataFrame:
    """One gender wrong, ages off by 2 and 3 years, yaws by 4 and 20 degrees, one face's points by .09 of the eyes."""
    return pd.DataFrame(
        {
            "face_id": ["f2", "f1"],
            "embedding": [[0.6, 0.8]] * 2,
            "landmarks_5": [EYES_10_APART, MOVED],
            "male_probability": [0.9, 0.8],
            "smile_probability": [0.9, 0.9],
            "age_years": [43.0, 32.0],
            "yaw_deg": [-90.0, 14.0],
            "pitch_deg": [0.0, 3.0],
            "roll_deg": [0.0, 0.0],
        }
    )


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    said().to_parquet(tmp_path / "outputs.parquet")
    return tmp_path / "outputs.parquet"


def test_every_attribute_of_the_test_faces_is_measured_by_hand(
    predictions: Path, manifest: Path, tmp_path: Path, capsys: Captured
):
    out, plots = tmp_path / "report.json", tmp_path / "plots"
    assert evaluate(predictions, manifest, "--out", out, "--name", "ours", "--plots", plots) == 0
    table = capsys.readouterr().out
    assert "ours on manifest, test: 2 faces, 2 named people" in table
    report = json.loads(out.read_text())
    assert (report["kind"], report["version"], report["model"]) == ("attributes", 1, "ours")
    values = {name: figure["value"] for name, figure in report["figures"].items()}
    assert values["gender.accuracy"] == 0.5
    assert values["smile.accuracy"] == 1.0
    assert values["age.mean_absolute_error"] == 2.5
    assert values["age.epsilon_error"] == pytest.approx(1 - math.exp(-0.5))
    assert (values["pose.yaw"], values["pose.pitch"], values["pose.roll"]) == (12.0, 3.0, 0.0)
    assert (values["pose.mean"], values["pose.yaw_within_15"]) == (5.0, 0.5)
    eyes = "landmarks.5.eye_centres"
    assert values[f"{eyes}.error"] == pytest.approx(0.045)
    assert [values[f"{eyes}.yaw_{band}"] for band in ("0_30", "30_60", "60_90")] == [pytest.approx(0.09), None, 0.0]
    assert (values[f"{eyes}.area_to_0.08"], values[f"{eyes}.failures_beyond_0.08"]) == (0.5, 0.5)
    assert report["curves"]["5.eye_centres"]["share"][0] == 0.5
    assert "</svg>" in (plots / "landmark_errors.svg").read_text()
    assert (plots / "landmark_errors.png").exists()


def test_json_and_csv_tell_the_same_as_the_table_of_parquet(
    predictions: Path, manifest: Path, tmp_path: Path, capsys: Captured
):
    frame = said().drop(columns="embedding")
    frame["landmarks_5"] = [" ".join(str(value) for value in points) for points in frame["landmarks_5"]]
    frame.to_csv(tmp_path / "outputs.csv", index=False)
    (tmp_path / "labels.csv").write_text(
        f"face_id,gender,age_years,landmark_scheme,landmarks\nf1,female,30,5,{' '.join(map(str, EYES_10_APART))}\n"
        "f2,male,40,,\n"
    )
    assert evaluate(tmp_path / "outputs.csv", tmp_path / "labels.csv", "--json", "--protocol", "mine") == 0
    by_text = json.loads(capsys.readouterr().out)
    assert evaluate(predictions, manifest, "--json") == 0
    by_parquet = json.loads(capsys.readouterr().out)
    assert by_text["protocol"]["name"] == "mine"
    for name in ("gender.accuracy", "age.mean_absolute_error"):
        assert by_text["figures"][name]["value"] == by_parquet["figures"][name]["value"]
    assert by_text["figures"]["landmarks.5.eye_centres.error"]["value"] == pytest.approx(0.09)


def test_options_of_the_field_are_kept(predictions: Path, manifest: Path, capsys: Captured):
    frame = said().astype({"age_years": object})
    frame.loc[frame["face_id"] == "f1", "age_years"] = None
    frame.astype({"age_years": float}).to_parquet(predictions)
    assert evaluate(predictions, manifest) == 1
    assert "row 1, column 'age_years' is empty for a face whose 'age_years' is labelled" in capsys.readouterr().err
    assert evaluate(predictions, manifest, "--unanswered-ages-count-as-one", "--leave-out-beyond", 60, "--json") == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert figures["age.epsilon_error"]["value"] == 1.0
    assert (figures["age.mean_absolute_error"]["value"], figures["pose.yaw"]["value"]) == (3.0, 4.0)


def test_faces_that_were_found_are_joined_by_photo_and_box(manifest: Path, tmp_path: Path, capsys: Captured):
    face = {
        "box_xywh": [0, 1, 5, 20], "face_probability": 0.9, "landmark_scheme": "5",
        "landmarks": np.reshape(MOVED, (5, 2)).tolist(), "visibility": [1] * 5,
        "pose_deg": {"yaw": 14, "pitch": 3, "roll": 0}, "smile_probability": 0.9, "male_probability": 0.1,
        "age_years": 32,
    }  # fmt: skip
    analysed = [
        {"photo": "photos/anna/1.jpg", "width": 9, "height": 9, "faces": [{**face, "box_xywh": [90, 0, 5, 5]}, face]},
        {"photo": "photos/bela/1.jpg", "width": 9, "height": 9, "faces": []},
        {"photo": "photos/holiday.jpg", "width": 9, "height": 9, "faces": [face]},
    ]
    (tmp_path / "found.json").write_text(json.dumps(analysed))
    assert evaluate(tmp_path / "found.json", manifest, "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["failures"] == {"faces": 1}
    assert report["protocol"]["faces"] == 1
    figures = report["figures"]
    assert (figures["gender.accuracy"]["value"], figures["age.mean_absolute_error"]["value"]) == (1.0, 2.0)
    assert figures["face.accuracy"]["value"] is None
    # The same as a table, as the evaluation room writes it, of one photo alone.
    found = pd.DataFrame({"photo_sha256": ["1"], "box_xywh": [[0.0, 1.0, 5.0, 20.0]], "male_probability": [0.1]})
    found.to_parquet(tmp_path / "found.parquet")
    assert evaluate(tmp_path / "found.parquet", manifest) == 0
    table = capsys.readouterr().out
    assert "1 labelled faces are in photos that were not looked through" in table


def test_what_analyze_prints_can_be_measured(tmp_path: Path, model_file: Path, capsys: Captured):
    write_jpeg(tmp_path / "photos" / "one.jpg", picture(70, 90, seed=0))
    photo = str(tmp_path / "photos" / "one.jpg")
    assert main(["analyze", photo, "--model", str(model_file), "--threads", "1", "--threshold", "0", "--json"]) == 0
    (tmp_path / "found.json").write_text(capsys.readouterr().out)
    found = json.loads((tmp_path / "found.json").read_text())[0]["faces"][0]
    box = " ".join(str(value) for value in found["box_xywh"])
    (tmp_path / "labels.csv").write_text(f"photo,box_xywh,gender,age_years\none.jpg,{box},male,{found['age_years']}\n")
    assert evaluate(tmp_path / "found.json", tmp_path / "labels.csv", "--json") == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert figures["age.mean_absolute_error"]["value"] == 0.0
    assert figures["gender.accuracy"]["count"] == 1


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"face_id": ["f2", "f9"]}, r"outputs\.parquet, row 1, column 'face_id' names a face that .*manifest"),
        ({"face_id": ["f2", "f2"]}, r"outputs\.parquet, row 1, column 'face_id' names a face for the second time"),
        ({"face_id": ["f2", None]}, r"outputs\.parquet, row 1, column 'face_id' is empty"),
        ({"face_id": ["f2", "f0"]}, r"manifest\.parquet, row 0, column 'face_id' names a face that .*outputs"),
        ({"male_probability": [0.5, None]}, r"row 1, column 'male_probability' is empty for a face whose 'gender'"),
        ({"male_probability": [0.5, 7.0]}, r"row 1, column 'male_probability' holds a probability beyond 0 to 1"),
        ({"landmarks_5": [MOVED, [*MOVED[:9], np.nan]]}, r"row 1, column 'landmarks_5' holds a number that isn't"),
    ],
)
def test_predictions_that_do_not_fit_are_told_with_row_and_column(
    predictions: Path, manifest: Path, capsys: Captured, change: dict, told: str
):
    said().assign(**change).to_parquet(predictions)
    assert evaluate(predictions, manifest) == 1
    error = capsys.readouterr().err
    assert pd.Series([error]).str.contains(told).item(), error
    assert error.count("\n") == 1 and "anna" not in error


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ("face_id,gender\nf1,boy\nf2,male\n", "line 2, column 'gender' is neither male nor female"),
        ("face_id,landmarks\nf1,1 2\nf2,\n", "line 2, column 'landmark_scheme' is not 5, 21 or 68"),
        ("face_id,landmarks,landmark_scheme\nf1,1 2,5\nf2,,\n", "line 2, column 'landmarks' has another number"),
        ("gender\nmale\n", "has no column 'face_id'"),
        ("face_id,age_years,age_std\nf1,30,-1\nf2,1,1\n", "labels.csv, line 2, or in"),
    ],
)
def test_labels_that_are_wrong_are_told_with_line_and_column(
    predictions: Path, tmp_path: Path, capsys: Captured, labels: str, told: str
):
    (tmp_path / "labels.csv").write_text(labels)
    assert evaluate(predictions, tmp_path / "labels.csv") == 1
    assert told in capsys.readouterr().err


def test_a_split_that_is_not_there_is_told(predictions: Path, manifest: Path, tmp_path: Path, capsys: Captured):
    assert evaluate(predictions, manifest, "--split", "validation") == 1
    assert "has no face of split 'validation': take 'all' or one of test, train" in capsys.readouterr().err
    (tmp_path / "labels.csv").write_text("face_id,gender\nf1,male\nf2,male\n")
    assert evaluate(predictions, tmp_path / "labels.csv", "--split", "test") == 1
    assert "has no column 'split'" in capsys.readouterr().err
    assert evaluate(predictions, manifest, "--split", "all") == 1
    assert "row 2, column 'face_id' names a face that" in capsys.readouterr().err


def test_found_faces_that_meet_no_label_are_told(manifest: Path, tmp_path: Path, capsys: Captured):
    found = tmp_path / "found.parquet"
    for table, told in (
        ({"male_probability": [0.5]}, "has neither 'face_id' nor 'box_xywh' with a photo"),
        ({"photo_sha256": ["9"], "box_xywh": [[0.0, 0.0, 5.0, 20.0]]}, "have no photo in common"),
        ({"photo_sha256": ["1"], "box_xywh": [[90.0, 0.0, 5.0, 20.0]]}, "None of the faces of"),
    ):
        pd.DataFrame(table).to_parquet(found)
        assert evaluate(found, manifest) == 1
        assert told in capsys.readouterr().err


def test_intervals_are_of_the_level_that_is_asked_for(predictions: Path, manifest: Path, capsys: Captured):
    assert evaluate(predictions, manifest, "--level", 0.9) == 0
    assert "90 % interval" in capsys.readouterr().out
    assert evaluate(predictions, manifest, "--level", 0.999, "--json") == 0
    assert json.loads(capsys.readouterr().out)["options"]["level"] == 0.999
