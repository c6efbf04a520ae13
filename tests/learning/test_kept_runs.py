import pandas as pd
import pytest

from countenance.errors import DataError
from countenance.learning.kept_runs import data_digest, done_once, keep_table, kept_table, what_counts
from countenance.learning.recipe import Recipe
from countenance.learning.training import TrainingConfiguration
from tests.learning.faces import small_world

TABLE = pd.DataFrame({"face_id": ["a"], "embedding": [[0.5, 0.25]]})


class Run:
    """Gives one table; fails after it has written its session as often as it is told to."""

    def __init__(self, failures=0):
        self.failures, self.times, self.went_on = failures, 0, False

    def __call__(self, folder):
        self.times += 1
        self.went_on = (folder / "session").is_dir()
        (folder / "session").mkdir(parents=True, exist_ok=True)
        if self.times <= self.failures:
            raise RuntimeError("killed")
        keep_table(TABLE, folder, "outputs")
        return {"minutes": 1.5}

    def done_in(self, folder):
        return done_once(folder, self, gives=("outputs",))


def test_a_run_is_done_once_and_its_session_goes_when_its_note_is_there(tmp_path):
    run = Run()
    assert run.done_in(tmp_path / "run") == run.done_in(tmp_path / "run") == {"minutes": 1.5}
    assert run.times == 1
    assert sorted(file.name for file in (tmp_path / "run").iterdir()) == ["outputs.parquet", "run.json"]


def test_a_run_that_failed_is_done_again_and_finds_its_session(tmp_path):
    run = Run(failures=1)
    with pytest.raises(RuntimeError):
        run.done_in(tmp_path / "run")
    assert not run.went_on and not (tmp_path / "run" / "run.json").exists()
    assert run.done_in(tmp_path / "run") == {"minutes": 1.5}
    assert run.went_on and run.times == 2


def test_a_session_that_was_left_behind_by_a_run_killed_at_its_very_end_goes(tmp_path):
    run = Run()
    run.done_in(tmp_path / "run")
    (tmp_path / "run" / "session").mkdir()
    run.done_in(tmp_path / "run")
    assert run.times == 1 and not (tmp_path / "run" / "session").exists()


def test_a_run_that_lost_what_it_gave_is_done_again(tmp_path):
    run = Run()
    run.done_in(tmp_path / "run")
    (tmp_path / "run" / "outputs.parquet").unlink()
    run.done_in(tmp_path / "run")
    assert run.times == 2 and (tmp_path / "run" / "outputs.parquet").is_file()


@pytest.mark.parametrize("damaged", ["", "{", "[1]"])
def test_a_damaged_note_is_told_with_what_to_do(tmp_path, damaged):
    run = Run()
    run.done_in(tmp_path / "run")
    (tmp_path / "run" / "run.json").write_text(damaged)
    with pytest.raises(DataError, match="is damaged: remove its folder"):
        run.done_in(tmp_path / "run")


def test_a_table_is_kept_under_its_run_and_a_missing_one_is_named(tmp_path):
    (tmp_path / "abc").mkdir()
    keep_table(TABLE, tmp_path / "abc", "outputs")
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
