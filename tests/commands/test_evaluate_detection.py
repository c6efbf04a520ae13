import json
import math
from pathlib import Path

import pandas as pd
import pytest

from countenance.commands import main
from countenance.data.manifest import manifest_table, write_manifest
from tests.conftest import picture, write_jpeg
from tests.data.protocols.detection_files import (
    FDDB,
    write_fddb_found,
    write_fddb_labels,
    write_wider_found,
    write_wider_labels,
    write_wider_list,
)

Captured = pytest.CaptureFixture[str]

BAND, OTHER = "0_Parade_marchingband_1_465", "0_Parade_Parade_0_628"


def evaluate(which: str, truth: Path, predictions: Path, *more: object) -> int:
    given = ["--set", which, "--truth", truth, "--predictions", predictions, "--resamples", 50, *more]
    return main(["evaluate", "detection", *(str(word) for word in given)])


@pytest.fixture
def wider_found(tmp_path: Path) -> Path:
    """Best first: a face of all subsets, a false box, a face that isn't easy; the third photo's face isn't found."""
    return write_wider_found(tmp_path / "found", {BAND: [(0, 0, 9, 9, 0.9), (200, 200, 9, 9, 0.8), (50, 0, 9, 9, 0.7)]})


def test_wider_face_is_measured_by_hand_in_each_subset(tmp_path: Path, wider_found: Path, capsys: Captured):
    truth, out, plots = write_wider_labels(tmp_path / "truth"), tmp_path / "r.json", tmp_path / "plots"
    assert evaluate("wider", truth, wider_found, "--out", out, "--name", "ours", "--plots", plots) == 0
    table = capsys.readouterr().out
    assert "ours on WIDER FACE: 3 photos, 3 labelled faces" in table
    assert "average precision, easy" in table
    report = json.loads(out.read_text())
    values = {name: figure["value"] for name, figure in report["figures"].items()}
    assert values == {
        "average_precision.easy": 1.0,
        "average_precision.medium": pytest.approx((1 + 2 / 3) / 2),
        "average_precision.hard": pytest.approx((1 + 2 / 3) / 3),
    }
    assert report["protocol"]["subsets"] == {"easy": 1, "medium": 2, "hard": 3}
    assert "</svg>" in (plots / "precision_recall.svg").read_text()
    assert evaluate("wider", truth, wider_found, "--one-thousand-thresholds", "--json") == 0
    assert json.loads(capsys.readouterr().out)["options"]["thresholds"] == "one_thousand"


def test_wider_face_without_the_matlab_files_has_the_valid_faces_alone(
    tmp_path: Path, wider_found: Path, capsys: Captured
):
    truth = write_wider_list(tmp_path / "wider_face_val_bbx_gt.txt", invalid=[(OTHER, 0)])
    assert evaluate("wider", truth, wider_found, "--json") == 0
    figures = json.loads(capsys.readouterr().out)["figures"]
    assert list(figures) == ["average_precision.valid"]
    assert figures["average_precision.valid"]["value"] == pytest.approx((1 + 2 / 3) / 2)


def test_fddb_is_measured_by_hand(tmp_path: Path, capsys: Captured):
    truth = write_fddb_labels(tmp_path / "FDDB-folds")
    first, second, third = FDDB
    found = write_fddb_found(
        tmp_path / "found.txt",
        {first: [(40, 40, 20, 20, 0.9)], second: [(0, 0, 5, 5, 0.8)], third: [(40, 40, 20, 20, 0.7)]},
    )
    assert evaluate("fddb", truth, found, "--out", tmp_path / "r.json", "--plots", tmp_path) == 0
    table = capsys.readouterr().out
    assert "FDDB: 3 photos, 3 labelled faces" in table
    assert "discrete, at most 100 false faces: threshold 0.7, 1 false, 2 of 3" in table
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["figures"]["discrete.1000"]["value"] == pytest.approx(2 / 3)
    # A square around a circle overlaps it by a quarter of pi.
    assert report["figures"]["continuous.1000"]["value"] == pytest.approx(2 * (math.pi / 4) / 3)
    assert (tmp_path / "rates.svg").is_file()
    for name in FDDB:
        write_jpeg(tmp_path / "originalPics" / f"{name}.jpg", picture(100, 160, seed=0))
    assert evaluate("fddb", truth, found, "--photos", tmp_path / "originalPics", "--json") == 0
    assert json.loads(capsys.readouterr().out)["options"]["within_photo"] is True


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    known = {"source": "made", "crop": "c", "license": "l", "split": "test", "is_face": True}
    rows = [
        {"face_id": "a", "photo": "one.jpg", "photo_sha256": "1", "box_xywh": [0.0, 0.0, 9.0, 9.0], "subject_id": "x"},
        {"face_id": "b", "photo": "two.jpg", "photo_sha256": "2", "box_xywh": [0.0, 0.0, 9.0, 9.0]},
        {"face_id": "c", "photo": "far.jpg", "photo_sha256": "3", "box_xywh": [0.0, 0.0, 9.0, 9.0]},
        {"face_id": "d", "photo": "two.jpg", "photo_sha256": "2", "is_face": False},
    ]
    path = tmp_path / "manifest.parquet"
    write_manifest(manifest_table([known | row for row in rows]), path)
    return path


def test_photos_of_a_manifest_are_measured_by_hand(manifest: Path, tmp_path: Path, capsys: Captured):
    # Right .9, false .8, right .7; photo 3 wasn't looked through, photo 9 isn't labelled.
    pd.DataFrame(
        {
            "photo_sha256": ["1", "1", "2", "9"],
            "box_xywh": [[0.0, 0.0, 9.0, 9.0], [50.0, 0.0, 9.0, 9.0], [0.0, 1.0, 9.0, 9.0], None],
            "face_probability": [0.9, 0.8, 0.7, None],
        }
    ).to_parquet(tmp_path / "found.parquet")
    assert evaluate("manifest", manifest, tmp_path / "found.parquet", "--plots", tmp_path, "--name", "m") == 0
    assert "m on manifest, test: 2 photos, 2 labelled faces" in capsys.readouterr().out
    assert evaluate("manifest", manifest, tmp_path / "found.parquet", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["figures"]["average_precision.all"]["value"] == pytest.approx((1 + 2 / 3) / 2)
    assert report["figures"]["recall.0.1"]["value"] == 0.5
    assert (tmp_path / "recall.svg").is_file()


def test_photos_that_could_not_be_analysed_count_as_nothing_found(manifest: Path, tmp_path: Path, capsys: Captured):
    face = {
        "box_xywh": [0, 0, 9, 9], "face_probability": 0.9, "landmark_scheme": "5", "landmarks": [[0, 0]] * 5,
        "visibility": [1] * 5, "pose_deg": {"yaw": 0, "pitch": 0, "roll": 0}, "smile_probability": 0.5,
        "male_probability": 0.5, "age_years": 30,
    }  # fmt: skip
    photos = [
        {"photo": "p/one.jpg", "width": 9, "height": 9, "faces": [face]},
        {"photo": "p/two.jpg", "problem": "It is no picture."},
    ]
    (tmp_path / "found.json").write_text(json.dumps(photos))
    assert evaluate("manifest", manifest, tmp_path / "found.json", "--out", tmp_path / "r.json") == 0
    assert "1 photo could not be analysed: nothing was found there" in capsys.readouterr().out
    report = json.loads((tmp_path / "r.json").read_text())
    assert (report["failures"], report["figures"]["recall.1"]["value"]) == ({"photos": 1}, 0.5)


def test_found_faces_of_no_use_are_told_with_their_row(manifest: Path, tmp_path: Path, capsys: Captured):
    found = tmp_path / "found.parquet"
    for table, told in (
        ({"box_xywh": [[0.0, 0.0, 9.0, 9.0]], "face_probability": [None]}, "row 0, column 'face_probability' is empty"),
        ({"box_xywh": [[0.0, 0.0, -9.0, 9.0]], "face_probability": [0.5]}, "row 0, column 'box_xywh' is no box"),
    ):
        pd.DataFrame({"photo_sha256": ["1"], **table}).to_parquet(found)
        assert evaluate("manifest", manifest, found) == 1
        assert told in capsys.readouterr().err


def test_a_wrong_line_is_told_with_its_file(tmp_path: Path, wider_found: Path, capsys: Captured):
    truth = write_wider_labels(tmp_path / "truth")
    (wider_found / "0--Parade" / f"{BAND}.txt").write_text(f"{BAND}\n1\n1 2 3 x 0.5\n")
    assert evaluate("wider", truth, wider_found) == 1
    assert f"{BAND}.txt, line 3, holds something that is no number" in capsys.readouterr().err


def test_an_option_of_another_set_is_wrong_usage(tmp_path: Path, capsys: Captured):
    for which, option in (
        ("wider", ["--photos", tmp_path]),
        ("fddb", ["--one-thousand-thresholds"]),
        ("wider", ["--split", "test"]),
    ):
        with pytest.raises(SystemExit):
            evaluate(which, tmp_path, tmp_path, *option)
        assert "belongs to --set" in capsys.readouterr().err


def test_intervals_are_of_the_level_that_is_asked_for(tmp_path: Path, wider_found: Path, capsys: Captured):
    assert evaluate("wider", write_wider_labels(tmp_path / "truth"), wider_found, "--level", 0.999) == 0
    assert "99.9 % interval" in capsys.readouterr().out
