import pandas as pd
import pytest

from countenance.errors import DataError
from countenance.learning.kept_runs import data_digest, done_once, keep_table, kept_table, what_counts
from countenance.learning.recipe import Recipe
from countenance.learning.training import TrainingConfiguration
from tests.learning.faces import small_world


def test_a_run_is_done_once_and_its_session_goes_when_its_note_is_there(tmp_path):
    done = []

    def do(folder):
        done.append(folder)
        (folder / "session").mkdir(parents=True)
        return {"minutes": 1.5}

    assert done_once(tmp_path / "run", do) == done_once(tmp_path / "run", do) == {"minutes": 1.5}
    assert done == [tmp_path / "run"]
    assert not (tmp_path / "run" / "session").exists()


def test_a_run_that_failed_is_done_again_and_finds_its_session(tmp_path):
    def fail(folder):
        (folder / "session").mkdir(parents=True)
        raise RuntimeError("killed")

    with pytest.raises(RuntimeError):
        done_once(tmp_path / "run", fail)
    assert done_once(tmp_path / "run", lambda folder: {"there": (folder / "session").is_dir()}) == {"there": True}


def test_a_table_is_kept_under_its_run_and_a_missing_one_is_named(tmp_path):
    table = pd.DataFrame({"face_id": ["a"], "embedding": [[0.5, 0.25]]})
    (tmp_path / "abc").mkdir()
    keep_table(table, tmp_path / "abc", "outputs")
    assert kept_table(tmp_path, "abc", "outputs", run="of 'alone'")["face_id"].tolist() == ["a"]
    for digest in ("", "other"):
        with pytest.raises(DataError, match="The run of 'alone' is not in"):
            kept_table(tmp_path, digest, "outputs", run="of 'alone'")


def test_another_label_or_crop_is_other_data():
    rows, crops = small_world(people=2, photos=2)
    usual = data_digest(rows.assign(split="train"), crops, "5")
    assert data_digest(rows.assign(split="train"), crops, "5") == usual
    assert data_digest(rows.assign(split="test"), crops, "5") != usual
    assert data_digest(rows.assign(split="train", age_years=3.0), crops, "5") != usual
    crops.crops["face-0-0"]["aligned"] = crops.crops["face-1-0"]["aligned"]
    assert data_digest(rows.assign(split="train"), crops, "5") != usual


def test_where_a_training_is_done_does_not_count_and_how_it_is_done_does():
    def settings(**training):
        return what_counts(Recipe(seed=1, training=TrainingConfiguration(steps=5, **training)))

    assert settings(threads=1, processes=2, device="auto", checkpoint_every=9) == settings()
    assert settings(learning_rate=0.3) != settings()


def test_how_a_teacher_is_run_does_not_count():
    def settings(**teacher):
        given = {"teacher": {"path": "teacher.onnx", **teacher}}
        return what_counts(Recipe.model_validate({"seed": 1, "training": {"steps": 5}, "recognition": given}))

    assert settings(threads=3) == settings()
