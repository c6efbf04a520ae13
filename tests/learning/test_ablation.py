import shutil

import numpy as np
import pandas as pd
import pytest

from countenance.errors import DataError
from countenance.learning import ablation
from countenance.learning.ablation import (
    TASKS,
    TOGETHER,
    AblationConfiguration,
    ablation_recipes,
    labelled_for,
    labelled_tasks,
    planned_runs,
    run_ablation,
    said_by,
)
from countenance.learning.batches import BatchConfiguration, FaceDataset
from countenance.learning.recipe import Recipe
from countenance.learning.recognition import RecognitionConfiguration
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.training import TrainingConfiguration
from tests.learning.faces import NETWORK, small_world

RECIPE = Recipe(
    seed=3,
    network=NETWORK,
    batches=BatchConfiguration(batch_size=12, identity_share=0.5, attributes_share=0.2, localisation_share=0.3),
    training=TrainingConfiguration(steps=200, warmup_steps=20, threads=1, gradient_statistics_every=5),
)
QUICK = AblationConfiguration(steps=1, seeds=(3,))


@pytest.fixture(scope="module")
def world():
    rows, crops = small_world(people=3, photos=4)
    held_out = rows["face_id"].str.endswith("-3") | (rows["face_id"] == "unnamed-0")
    return rows.assign(split=np.where(held_out, "test", "train"), source="made"), crops


def alone(task, recipe=RECIPE, steps=50, seed=9):
    return ablation_recipes(recipe, steps=steps, seed=seed)[task]


def test_every_run_has_the_same_network_budget_and_seed():
    recipes = ablation_recipes(RECIPE, steps=50, seed=9)
    assert list(recipes) == [TOGETHER, "face", "landmarks", "pose", "gender", "smile", "age", "identity"]
    for recipe in recipes.values():
        assert (recipe.training.steps, recipe.training.warmup_steps, recipe.seed) == (50, 5, 9)
        assert (recipe.network, recipe.batches.batch_size) == (RECIPE.network, 12)
        assert recipe.training.learning_rate == RECIPE.training.learning_rate


def test_alone_a_task_keeps_its_weight_and_no_other_loss_has_any():
    weights = alone("landmarks").training.weights.model_dump()
    given = RECIPE.training.weights
    assert {name for name, weight in weights.items() if weight} == {"landmarks", "visibility"}
    assert (weights["landmarks"], weights["visibility"]) == (given.landmarks, given.visibility)
    assert {name for name, weight in alone("face").training.weights.model_dump().items() if weight} == {
        "face",
        "proposal",
    }


def test_together_keeps_the_weights_and_the_mix_of_the_recipe():
    together = alone(TOGETHER)
    assert together.training.weights == RECIPE.training.weights
    assert together.batches == RECIPE.batches


def test_recognition_first_counts_as_steps_and_a_task_alone_spends_none_on_it():
    recipe = RECIPE.model_copy(update={"recognition": RecognitionConfiguration(steps=50, teacher="a.onnx")})
    recipes = ablation_recipes(recipe, steps=100, seed=1)
    # 50 of 250 steps: a fifth.
    assert (recipes[TOGETHER].recognition.steps, recipes[TOGETHER].training.steps) == (20, 80)
    assert recipes[TOGETHER].training.warmup_steps == 8
    for task in TASKS:
        assert (recipes[task].recognition.steps, recipes[task].training.steps) == (0, 100)
    assert [task for task in TASKS if recipes[task].recognition.teacher] == ["identity"]


def labelled_crops(task, world):
    """For a batch of a task alone: how many of its crops the task's loss is asked for."""
    rows, crops = world
    recipe = alone(task)
    chosen = ablation._rows_for(task, rows[rows["split"] == "train"], nameless_too=False)
    targets = (
        FaceDataset(chosen, crops, recipe.network, recipe.batches, recipe.augmentation, seed=recipe.seed)
        .batch(0)
        .targets
    )
    labels = {
        "face": targets.is_face,
        "landmarks": targets.landmarks[:, 0, 0],
        "pose": targets.pose_deg[:, 0],
        "gender": targets.gender,
        "smile": targets.smile,
        "age": targets.age_years,
        "identity": targets.identity.float().where(targets.identity >= 0, float("nan")),
    }[task]
    named = int((targets.identity >= 0).sum())
    return int((~labels.isnan()).sum()), named


@pytest.mark.parametrize("task", TASKS)
def test_alone_every_crop_of_a_batch_serves_the_task_and_nobody_is_named_but_for_identity(task, world):
    served, named = labelled_crops(task, world)
    assert served == 12
    assert named == (12 if task == "identity" else 0)


def test_a_row_is_labelled_for_pose_by_any_angle_or_by_a_range(world):
    rows, _ = world
    bare = rows.assign(yaw_deg=np.nan, pitch_deg=np.nan, roll_deg=np.nan)
    assert not labelled_for("pose", bare).any()
    ranges = [[-30.0, 30.0], *([None] * (len(rows) - 1))]
    assert labelled_for("pose", bare.assign(yaw_range=pd.Series(ranges, dtype=object))).sum() == 1


def test_a_task_without_labels_in_the_test_rows_is_left_out(world):
    rows, _ = world
    assert labelled_tasks(rows) == list(TASKS)
    assert "smile" not in labelled_tasks(rows.assign(smiling=rows["smiling"].where(rows["split"] == "train")))


def test_without_labels_anywhere_the_ablation_is_refused(world):
    rows, crops = world
    with pytest.raises(DataError, match="No task is labelled in both training and test rows"):
        run_ablation(rows.assign(split="train"), crops, RECIPE, QUICK, teacher=None, folder=None)


def with_gender_and_identity(world):
    """Rows that are labelled for face, gender and identity alone, so that few runs are needed."""
    rows, crops = world
    nothing = dict.fromkeys(("landmarks", "landmark_scheme", "visibility", "yaw_range"))
    angles = dict.fromkeys(("yaw_deg", "pitch_deg", "roll_deg", "age_years"), np.nan)
    return rows.assign(**nothing, **angles, smiling=pd.Series([pd.NA] * len(rows), dtype="boolean").array), crops


@pytest.fixture(scope="module")
def finished(world, tmp_path_factory):
    folder = tmp_path_factory.mktemp("ablation")
    return run_ablation(*with_gender_and_identity(world), RECIPE, QUICK, teacher=None, folder=folder), folder


def test_each_network_is_asked_only_what_its_task_is_labelled_for(world, finished):
    runs, folder = finished
    assert [(run["task"], run["seed"]) for run in runs] == [
        (TOGETHER, 3), ("face", 3), ("gender", 3), ("identity", 3),
    ]  # fmt: skip
    assert {run["images_seen"] for run in runs} == {12}
    test = world[0][world[0]["split"] == "test"]
    assert set(said_by(runs, folder, TOGETHER, 3)["face_id"]) == set(test["face_id"])
    assert set(said_by(runs, folder, "gender", 3)["face_id"]) == set(test.loc[test["gender"].notna(), "face_id"])
    with pytest.raises(DataError, match="task 'gender' and seed 4 is not in"):
        said_by(runs, folder, "gender", 4)


def test_a_finished_run_is_not_done_again_and_leaves_no_session_behind(world, finished):
    runs, folder = finished
    rows, crops = with_gender_and_identity(world)
    decoded = crops.reads
    assert run_ablation(rows, crops, RECIPE, QUICK, teacher=None, folder=folder) == runs
    assert crops.reads == decoded
    assert not list(folder.glob("*/session"))


def digests(world, *, rows=None, teacher=None, configuration=QUICK, **training):
    given, crops = with_gender_and_identity(world)
    recipe = RECIPE.model_copy(update={"training": RECIPE.training.model_copy(update=training)})
    plan = planned_runs(given if rows is None else rows, crops, recipe, configuration, teacher=teacher)
    return {(run.task, run.recipe.seed): run.digest for run in plan}


def test_another_seed_recipe_or_label_gives_other_runs_and_another_place_to_work_does_not(world):
    rows, _ = with_gender_and_identity(world)
    usual = digests(world)
    assert len(set(usual.values())) == 4
    assert digests(world, threads=2, processes=2, device="auto", checkpoint_every=5) == usual
    assert not set(digests(world, learning_rate=0.05).values()) & set(usual.values())
    swapped = rows.assign(gender=rows["gender"].map({"male": "female", "female": "male"}))
    assert not set(digests(world, rows=swapped).values()) & set(usual.values())
    both = digests(world, configuration=AblationConfiguration(steps=1, seeds=(3, 4)))
    assert len(set(both.values())) == 8 and usual.items() < both.items()


def test_a_teacher_teaches_identity_together_and_alone_and_changes_no_other_run(world):
    faces = tuple(world[0].loc[world[0]["is_face"], "face_id"])
    features = np.full((len(faces), 2, NETWORK.embedding_dimension), 0.25, dtype=np.float32)
    table, usual = TeacherFeatures(faces, features), digests(world)
    changed = digests(world, teacher=table)
    assert {task for task, seed in usual if usual[task, seed] != changed[task, seed]} == {TOGETHER, "identity"}
    plan = planned_runs(*with_gender_and_identity(world), RECIPE, QUICK, teacher=table)
    assert {run.task for run in plan if run.teacher is table} == {TOGETHER, "identity"}


def test_a_network_of_identity_alone_learns_from_the_teacher_without_a_name(world, tmp_path):
    rows, crops = world
    faces = tuple(rows.loc[rows["is_face"], "face_id"])
    features = np.full((len(faces), 2, NETWORK.embedding_dimension), 0.25, dtype=np.float32)
    plan = planned_runs(rows, crops, RECIPE, QUICK, teacher=TeacherFeatures(faces, features))
    ablation._train_and_read(plan[-1], rows, crops, tmp_path)
    said = pd.read_parquet(tmp_path / "outputs.parquet")
    assert said["embedding"].notna().all()
    assert set(said["face_id"]) == set(rows.loc[(rows["split"] == "test") & rows["subject_id"].notna(), "face_id"])


def test_of_an_interrupted_ablation_only_what_is_missing_is_done_and_to_the_same_result(world, finished, tmp_path):
    whole, folder = finished
    shutil.copytree(folder, tmp_path / "stopped")
    interrupted = tmp_path / "stopped" / whole[2]["digest"]
    (interrupted / "run.json").unlink()
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "stopped").rglob("*.parquet")}
    runs = run_ablation(*with_gender_and_identity(world), RECIPE, QUICK, teacher=None, folder=tmp_path / "stopped")
    done_again = {file.parent for file, written in before.items() if file.stat().st_mtime_ns != written}
    assert done_again == {interrupted}
    assert [run["digest"] for run in runs] == [run["digest"] for run in whole]
    mine, theirs = (said_by(runs, place, "gender", 3) for place in (tmp_path / "stopped", folder))
    pd.testing.assert_frame_equal(mine, theirs)
