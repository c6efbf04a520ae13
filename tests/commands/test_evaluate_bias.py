import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from countenance.commands import main
from tests.assessment.populations import embeddings

PEOPLE, PHOTOS = 60, 4
PRICES = "currency: EUR\ncost_false_match: 500.0\ncost_false_non_match: 2.0\nmated_prior: 0.95\n"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Embeddings, labels and predictions of 60 people; the faces of women spread over 6 of 16 dimensions only."""
    person = np.repeat(np.arange(PEOPLE), PHOTOS)
    women = person % 2 == 0
    rows = embeddings(PEOPLE, PHOTOS, noise=0.8, seed=2)
    rows[women, 6:] = 0.0
    rows[0] = 0.0  # of a woman, not extracted
    np.save(tmp_path / "E.npy", rows)
    yaw = np.where(women, 20.0, 0.0) + np.tile([0.0, 5.0, 10.0, 15.0], PEOPLE)
    age = 20.0 + person % 30
    labels = pd.DataFrame(
        {
            "subject_id": [f"p{number:02d}" for number in person],
            "gender": np.where(women, "female", "male"),
            "race": np.where(person % 4 < 2, "x", "y"),
            "smiling": ["true", "false", "", "true"] * PEOPLE,
            "age_years": age,
            "yaw_deg": yaw,
        }
    )
    labels.to_csv(tmp_path / "L.csv", index=False)
    said = pd.DataFrame(
        {
            "gender": np.where(yaw > 30, "male", labels["gender"]),
            "smiling": "true",
            "age_years": age + 1.0 + 0.1 * yaw,
        }
    )
    said.to_csv(tmp_path / "P.csv", index=False)
    (tmp_path / "prices.yml").write_text(PRICES)
    return tmp_path


def evaluated(files: Path, *options: str, capsys) -> dict:
    args = ["--labels", str(files / "L.csv"), "--resamples", "100", "--sufficient", "20", *options, "--json"]
    assert main(["evaluate", "bias", *args]) == 0
    return json.loads(capsys.readouterr().out)


def embedded(files: Path) -> list[str]:
    return ["--embeddings", str(files / "E.npy"), "--rate", "0.01"]


def test_the_group_that_is_mistaken_more_often_is_named_with_its_rates_and_its_money(files: Path, capsys):
    said = evaluated(files, "--group", "gender", *embedded(files), "--prices", str(files / "prices.yml"), capsys=capsys)
    identity = said["identity"]
    female, male = identity["cells"]["differential"]["groups"]
    assert (female["group"], male["group"]) == ("female", "male")
    assert female["fmr"]["low"] > male["fmr"]["high"]
    # One of a woman's four photos was not extracted: it matches nobody.
    assert identity["failures"] == {"female": 1, "male": 0}
    assert female["fnmr"]["comparisons"] == 30 * 6
    assert female["fnmr"]["errors"] >= 3
    assert female["fmr"]["comparisons"] == (119 * 118 - 29 * 12 - 3 * 2) // 2
    assert identity["cost"]["worst_group"] == "female"
    verdicts = {gate["name"]: gate["verdict"] for gate in identity["gates"]}
    # So few people leave room for doubt, which is said.
    assert verdicts["FMR of every group"] == "INCONCLUSIVE"
    assert "group female" in next(gate["reason"] for gate in identity["gates"] if gate["name"] == "FMR of every group")
    assert said["tasks"] == {}


def test_two_attributes_make_cells_and_the_first_faces_of_each_can_be_compared_alone(files: Path, capsys):
    options = ["--group", "gender", "--group", "race", "--faces-per-subject", "2", *embedded(files)]
    said = evaluated(files, *options, capsys=capsys)
    assert said["groups"] == "gender x race"
    matrix = said["identity"]["cells"]["matrix"]
    assert matrix["groups"] == ["female | x", "female | y", "male | x", "male | y"]
    assert said["identity"]["samples"] == 2 * PEOPLE
    assert matrix["rates"][2][3]["comparisons"] == 30 * 30


def test_predictions_are_held_against_labels_by_group_with_the_pose_taken_out(files: Path, capsys):
    said = evaluated(
        files, "--group", "gender", "--predictions", str(files / "P.csv"), "--adjust", "yaw_deg", capsys=capsys
    )
    assert said["identity"] is None
    assert set(said["tasks"]) == {"gender", "smile", "age"}
    age = said["tasks"]["age"]
    assert age["gap"]["value"] == pytest.approx(2.0)
    assert age["adjusted"]["gap"]["value"] == pytest.approx(0.0, abs=1e-9)
    smile = said["tasks"]["smile"]["measured"]
    assert smile["overall"]["count"] == 3 * PEOPLE  # a quarter is not labelled
    assert smile["overall"]["value"] == pytest.approx(2 / 3)


def test_the_tables_tell_the_same_and_the_report_is_written(files: Path, capsys):
    out = files / "new" / "report.json"
    args = ["--labels", str(files / "L.csv"), "--group", "gender", *embedded(files), "--sufficient", "50"]
    more = ["--predictions", str(files / "P.csv"), "--adjust", "yaw_deg", "--out", str(out), "--resamples", "50"]
    assert main(["evaluate", "bias", *args, *more, "--prices", str(files / "prices.yml")]) == 0
    text = capsys.readouterr().out
    assert "240 faces of 60 people, every pair; common threshold" in text
    assert "female *" in text
    assert "* fewer people than an answer needs" in text
    assert "EUR per 1,000 transactions" in text
    assert "INCONCLUSIVE  evidence in every group: Too few subjects in female, male." in text
    assert "age by gender" in text
    assert "yaw_deg held equal" in text
    assert json.loads(out.read_text())["kind"] == "bias"


def test_a_threshold_can_be_given(files: Path, capsys):
    args = ["--group", "gender", "--embeddings", str(files / "E.npy"), "--threshold", "0.9"]
    said = evaluated(files, *args, capsys=capsys)
    assert said["identity"]["rate"] is None
    assert said["identity"]["cells"]["differential"]["threshold"] == 0.9


def test_normalised_scores_are_measured_beside_those_as_they_are(files: Path, capsys):
    others = embeddings(400, 1, noise=0.8, seed=9)
    others[::2, 6:] = 0.0
    np.save(files / "C.npy", others)
    options = ["--group", "gender", *embedded(files), "--cohort", str(files / "C.npy"), "--neighbours", "50"]
    said = evaluated(files, *options, capsys=capsys)
    before, after = (said[way]["cells"]["differential"]["fmr_disparity"]["value"] for way in ("identity", "normalised"))
    assert after < before
    args = ["--labels", str(files / "L.csv"), "--resamples", "50", *options]
    assert main(["evaluate", "bias", *args]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-3].startswith("worst / geometric mean")
    assert lines[-2].startswith("scores as they are")
    assert lines[-1].startswith("scores normalised by the cohort")


def test_people_of_no_known_group_are_counted_and_groups_that_are_too_small_leave_it_open(files: Path, capsys):
    labels = pd.read_csv(files / "L.csv", dtype=str)
    labels.loc[labels["subject_id"].isin(["p01", "p02"]), "gender"] = ""
    labels.to_csv(files / "L.csv", index=False)
    assert evaluated(files, "--group", "gender", *embedded(files), capsys=capsys)["identity"]["ungrouped"] == 2
    args = ["--labels", str(files / "L.csv"), "--group", "gender", *embedded(files), "--resamples", "20"]
    assert main(["evaluate", "bias", *args, "--minimum", "100", "--prices", str(files / "prices.yml")]) == 0
    text = capsys.readouterr().out
    assert "2 people are in no group that is known" in text
    assert "INCONCLUSIVE  FMR of every group: FMR of every group was not measured: every group is suppressed." in text


def test_a_table_without_a_row_is_told(files: Path, capsys):
    pd.read_csv(files / "L.csv", dtype=str).iloc[:0].to_csv(files / "L.csv", index=False)
    np.save(files / "none.npy", np.empty((0, 16), dtype=np.float32))
    assert "below 1 in 0 non-mated comparisons" in told(files, "--embeddings", str(files / "none.npy"), capsys=capsys)


def told(files: Path, *options: str, capsys) -> str:
    assert main(["evaluate", "bias", "--labels", str(files / "L.csv"), "--group", "gender", *options]) == 1
    return capsys.readouterr().err


def test_what_does_not_fit_is_told_by_file_and_line(files: Path, capsys):
    np.save(files / "short.npy", np.ones((3, 4), dtype=np.float32))
    assert "short.npy has 3 rows and" in told(files, "--embeddings", str(files / "short.npy"), capsys=capsys)
    pd.DataFrame({"gender": ["male"]}).to_csv(files / "few.csv")
    assert "few.csv has 1 rows and" in told(files, "--predictions", str(files / "few.csv"), capsys=capsys)
    said = pd.read_csv(files / "P.csv", dtype=str)
    said.assign(gender=["male", "robot", *said["gender"][2:]]).to_csv(files / "odd.csv", index=False)
    assert "odd.csv, line 3: column 'gender' is none of male" in told(
        files, "--predictions", str(files / "odd.csv"), capsys=capsys
    )
    said.assign(age_years=["", *said["age_years"][1:]]).to_csv(files / "mute.csv", index=False)
    assert "mute.csv, line 2: column 'age_years' is empty" in told(
        files, "--predictions", str(files / "mute.csv"), capsys=capsys
    )
    said.rename(columns=lambda name: f"my_{name}").to_csv(files / "none.csv", index=False)
    assert "share none of the columns" in told(files, "--predictions", str(files / "none.csv"), capsys=capsys)
    assert "has no column 'nose'" in told(
        files, "--predictions", str(files / "P.csv"), "--adjust", "nose", capsys=capsys
    )
    assert "column 'race' holds no number" in told(
        files, "--predictions", str(files / "P.csv"), "--adjust", "race", capsys=capsys
    )


def test_a_person_in_two_groups_is_told_by_both_lines_and_without_a_name(files: Path, capsys):
    labels = pd.read_csv(files / "L.csv", dtype=str)
    labels.loc[2, "gender"] = "male"
    labels.to_csv(files / "L.csv", index=False)
    text = told(files, *embedded(files), capsys=capsys)
    assert "L.csv, line 4: the subject is in another group than on line 2" in text
    assert "p00" not in text


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["--embeddings", "E.npy", "--threshold", "0.3", "--cohort", "C.npy"],
        ["--embeddings", "E.npy", "--threshold", "nan"],
        ["--group", "race", "--group", "age_years", "--embeddings", "E.npy"],
    ],
)
def test_wrong_usage_ends_with_2(files: Path, wrong: list[str]):
    with pytest.raises(SystemExit) as stopped:
        main(["evaluate", "bias", "--labels", str(files / "L.csv"), "--group", "gender", *wrong])
    assert stopped.value.code == 2


def test_prices_that_are_no_prices_are_told(files: Path, capsys):
    for content, why in (
        ("- 1\n", "holds no prices"),
        ("{", "cannot be read as YAML"),
        ("currency: EUR\n", "is missing in"),
    ):
        (files / "prices.yml").write_text(content)
        assert why in told(files, *embedded(files), "--prices", str(files / "prices.yml"), capsys=capsys)
