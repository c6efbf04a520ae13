import json
import shutil

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from countenance.errors import DataError, ModelError, TrainingError
from countenance.learning.batches import BatchConfiguration
from countenance.learning.compared_methods import ComparedMethod, MethodComparisonConfiguration
from countenance.learning.method_comparison import (
    curves_by_row,
    planned_students,
    run_comparison,
    said_by,
    student_of,
)
from countenance.learning.recipe import (
    DistillationConfiguration,
    FaultyContinuation,
    StudentAlone,
    train_student_distilled,
)
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.training import TrainingConfiguration
from tests.learning.faces import NETWORK, small_world

STUDENT = DistillationConfiguration(
    seed=3,
    network=NETWORK,
    batches=BatchConfiguration(batch_size=12),
    training=TrainingConfiguration(steps=40, warmup_steps=10, threads=1, curve_every=1, gradient_statistics_every=5),
)
ALONE = {"learning_rate": 0.05, "method": {"name": "alone"}}


def weighted(**changes):
    return {"learning_rate": 0.1, "method": {"name": "weighted"}, "unnamed_as_classes": True} | changes


def comparison(seeds=(3,), **rows):
    rows = rows or {"alone": ALONE, "weighted": weighted(), "named_only": weighted(unnamed_as_classes=False)}
    return MethodComparisonConfiguration.model_validate({"steps": 2, "seeds": seeds, "rows": rows})


@pytest.fixture(scope="module")
def world():
    rows, crops = small_world(people=4, photos=3)
    held_out = rows["subject_id"].isin(["person-2", "person-3"])
    split = np.where(held_out, np.where(rows["subject_id"] == "person-3", "validation", "test"), "train")
    return rows.assign(split=split), crops


@pytest.fixture(scope="module")
def teacher(world):
    faces = tuple(str(face) for face in world[0].loc[world[0]["is_face"], "face_id"])
    features = np.random.default_rng(1).normal(size=(len(faces), 2, NETWORK.embedding_dimension)).astype(np.float32)
    return TeacherFeatures(faces, features / np.linalg.norm(features, axis=2, keepdims=True))


@pytest.fixture(scope="module")
def finished(world, teacher, tmp_path_factory):
    folder = tmp_path_factory.mktemp("comparison")
    return run_comparison(*world, STUDENT, comparison(), teacher=teacher, folder=folder), folder


def test_every_row_has_the_same_student_and_budget_and_only_its_method_and_rate_are_its_own():
    compared = comparison()
    rows = {row: student_of(STUDENT, compared, row, 9) for row in compared.rows}
    for row, student in rows.items():
        assert (student.seed, student.network, student.training.steps, student.training.warmup_steps) == (
            9, NETWORK.model_copy(update={"tasks": "identity"}), 2, 0,
        )  # fmt: skip
        assert student.distilled.learning_rate == compared.rows[row].learning_rate
        assert student.batches == rows["alone"].batches and student.batches.identity_share == 1.0
        assert {name for name, weight in student.training.weights.model_dump().items() if weight} == {"identity"}
    assert rows["weighted"].distilled.method.name == "weighted" and rows["weighted"].distilled.unnamed_as_classes


def test_the_warm_up_keeps_its_share():
    compared = comparison().model_copy(update={"steps": 20})
    assert student_of(STUDENT, compared, "alone", 1).training.warmup_steps == 5


def test_the_student_may_be_another_than_the_distillation_rooms_and_only_a_taught_one_has_a_teacher_that_looks():
    larger = NETWORK.model_copy(update={"widths": (8, 8, 16, 16)})
    compared = comparison().model_copy(update={"network": larger, "teacher_sees": "augmented", "batch_size": 7})
    alone, taught = (student_of(STUDENT, compared, row, 1) for row in ("alone", "weighted"))
    assert alone.network == taught.network == larger.model_copy(update={"tasks": "identity"})
    assert (alone.batches.batch_size, student_of(STUDENT, comparison(), "alone", 1).batches.batch_size) == (7, 12)
    assert (alone.distilled.teacher_sees, taught.distilled.teacher_sees) == ("crop", "augmented")


def test_only_the_wanted_rows_are_trained_and_held_against_one_another(world, teacher):
    compared = MethodComparisonConfiguration.model_validate({
        **comparison().model_dump(), "only": ["weighted", "alone"],
        "judged": {"contrasts": [["weighted", "named_only"], ["weighted", "alone"]]},
    })  # fmt: skip
    assert [run.row for run in planned_students(*world, STUDENT, compared, teacher=teacher)] == ["alone", "weighted"]
    assert compared.judged_wanted.contrasts == (("weighted", "alone"),)
    assert list(comparison().wanted) == ["alone", "weighted", "named_only"]


class Watchful:
    """A teacher that says the same of every crop, and counts them."""

    name, identity, dimension = "watchful", "watchful", NETWORK.embedding_dimension

    def __init__(self) -> None:
        self.seen: list[np.ndarray] = []

    def embed(self, crops: np.ndarray) -> np.ndarray:
        self.seen.extend(crops)
        return np.full((len(crops), self.dimension), 0.5, dtype=np.float32)


def test_a_teacher_that_is_to_look_sees_every_crop_as_it_is_varied(world, teacher, tmp_path):
    rows = {"alone": ALONE, "weighted": weighted(), "fixed": weighted(method={"name": "fixed_centres"})}
    watchful, crop = Watchful(), comparison(**rows)
    augmented = crop.model_copy(update={"teacher_sees": "augmented"})
    runs = run_comparison(*world, STUDENT, augmented, teacher=teacher.with_live(watchful), folder=tmp_path)
    assert len(watchful.seen) == 2 * 12  # the student alone has no teacher, and fixed centres ask none about a batch
    assert len({seen.tobytes() for seen in watchful.seen}) == len(watchful.seen)
    digests = [run.digest for run in planned_students(*world, STUDENT, crop, teacher=teacher)]
    assert [run["digest"] in digests for run in runs] == [True, False, True]


def test_each_student_is_told_with_its_method_and_asked_about_named_held_out_people_alone(world, finished):
    runs, folder = finished
    assert [(run["row"], run["method"], run["unnamed_as_classes"]) for run in runs] == [
        ("alone", "alone", False), ("weighted", "weighted", True), ("named_only", "weighted", False),
    ]  # fmt: skip
    assert {run["images_seen"] for run in runs} == {2 * 12}
    said = said_by(runs, folder, "weighted", 3)
    rows = world[0]
    assert set(said["face_id"]) == set(rows.loc[rows["subject_id"].notna() & (rows["split"] != "train"), "face_id"])
    assert said["embedding"].notna().all() and said["landmarks_5"].isna().all()
    with pytest.raises(DataError, match="'weighted' of seed 4 is not in"):
        said_by(runs, folder, "weighted", 4)


def test_unnamed_faces_join_where_the_row_says_so(finished):
    runs, folder = finished
    students = [said_by(runs, folder, row, 3)["embedding"].tolist() for row in ("weighted", "named_only")]
    assert not np.allclose(students[0], students[1])


def test_the_curves_of_a_row_are_means_over_its_seeds(world, teacher, finished, tmp_path):
    runs, folder = finished
    assert {"alpha", "teacher_agreement", "centre_agreement"} <= set(curves_by_row(runs, folder)["weighted"])
    assert "alpha" not in curves_by_row(runs, folder)["alone"]
    for digest, value in (("one", 0.2), ("two", 0.4)):
        (tmp_path / digest).mkdir()
        pd.DataFrame({"step": [0, 5], "alpha": [value, 1.0]}).to_parquet(tmp_path / digest / "curves.parquet")
    both = curves_by_row([{"row": "w", "seed": 1, "digest": "one"}, {"row": "w", "seed": 2, "digest": "two"}], tmp_path)
    assert both["w"]["alpha"].tolist() == pytest.approx([0.3, 1.0])


def test_finished_runs_are_not_done_again_and_of_an_interrupted_comparison_only_what_is_missing(
    world, teacher, finished, tmp_path
):
    runs, folder = finished
    shutil.copytree(folder, tmp_path / "stopped")
    (tmp_path / "stopped" / runs[1]["digest"] / "run.json").unlink()
    before = {file: file.stat().st_mtime_ns for file in (tmp_path / "stopped").rglob("outputs.parquet")}
    again = run_comparison(*world, STUDENT, comparison(), teacher=teacher, folder=tmp_path / "stopped")
    changed = [file.parent.name for file, written in before.items() if file.stat().st_mtime_ns != written]
    assert changed == [runs[1]["digest"]]
    mine, theirs = (said_by(runs, place, "weighted", 3) for place in (tmp_path / "stopped", folder))
    pd.testing.assert_frame_equal(mine, theirs)
    assert [run["digest"] for run in again] == [run["digest"] for run in runs]
    assert not list((tmp_path / "stopped").glob("*/session"))


class Killed(BaseException):
    pass


def interrupted(world, teacher, folder, *, seed, after):
    """The state of a weighted student whose training was killed after so many steps; returns its run's folder."""
    compared = comparison(seeds=(seed,)).model_copy(update={"steps": 4})
    (run,) = (run for run in planned_students(*world, SAVED, compared, teacher=teacher) if run.row == "weighted")

    def kill(step, network):
        if step == after:
            raise Killed

    with pytest.raises(Killed):
        train_student_distilled(*world, teacher, run.student, session=folder / run.digest / "session", watch=kill)
    return folder / run.digest


SAVED = STUDENT.model_copy(update={"training": STUDENT.training.model_copy(update={"checkpoint_every": 1})})
LONGER = comparison(alone=ALONE, weighted=weighted()).model_copy(update={"steps": 4})


def test_a_training_killed_halfway_goes_on_and_gives_what_it_would_have_given(world, teacher, tmp_path):
    left = interrupted(world, teacher, tmp_path / "killed", seed=3, after=3)
    assert list((left / "session").rglob("state.safetensors")) and not (left / "run.json").exists()
    runs = run_comparison(*world, SAVED, LONGER, teacher=teacher, folder=tmp_path / "killed")
    whole = run_comparison(*world, SAVED, LONGER, teacher=teacher, folder=tmp_path / "whole")
    mine, theirs = (said_by(runs, tmp_path / place, "weighted", 3) for place in ("killed", "whole"))
    pd.testing.assert_frame_equal(mine, theirs)
    assert [run["images_seen"] for run in runs] == [run["images_seen"] for run in whole] == [4 * 12, 4 * 12]
    assert not (left / "session").exists()


def test_what_an_interrupted_training_left_is_read_so_that_of_another_run_is_refused(world, teacher, tmp_path):
    theirs = interrupted(world, teacher, tmp_path / "other", seed=4, after=2)
    (mine,) = (run for run in planned_students(*world, SAVED, LONGER, teacher=teacher) if run.row == "weighted")
    shutil.copytree(theirs, tmp_path / "runs" / mine.digest)
    with pytest.raises(TrainingError, match="another run"):
        run_comparison(*world, SAVED, LONGER, teacher=teacher, folder=tmp_path / "runs")


def digests(world, teacher, compared=None, student=STUDENT):
    plan = planned_students(*world, student, compared or comparison(), teacher=teacher)
    return {(run.row, run.student.seed): run.digest for run in plan}


def test_what_a_run_depends_on_is_in_its_name_and_a_student_alone_depends_on_no_teacher(world, teacher):
    usual = digests(world, teacher)
    assert len(set(usual.values())) == 3
    other = TeacherFeatures(teacher.face_ids, teacher.features[:, ::-1].copy())
    changed = digests(world, other)
    assert {row for row, seed in usual if usual[row, seed] != changed[row, seed]} == {"weighted", "named_only"}
    faster = comparison(alone=ALONE, weighted=weighted(learning_rate=0.3))
    assert digests(world, teacher, faster)["weighted", 3] != usual["weighted", 3]
    assert digests(world, teacher, faster)["alone", 3] == usual["alone", 3]
    elsewhere = STUDENT.model_copy(update={"training": STUDENT.training.model_copy(update={"processes": 2})})
    assert digests(world, teacher, student=elsewhere) == usual
    unread = STUDENT.model_copy(update={"faulty": FaultyContinuation(steps=9), "alone": StudentAlone(learning_rate=1)})
    assert digests(world, teacher, student=unread) == usual
    assert usual.items() < digests(world, teacher, comparison(seeds=(3, 4))).items()


def test_a_teacher_that_does_not_know_the_unnamed_faces_is_refused_where_they_are_to_join(world, teacher, tmp_path):
    named = tuple(face for face in teacher.face_ids if not face.startswith("unnamed"))
    with pytest.raises(ModelError, match="no feature for"):
        run_comparison(
            *world, STUDENT, comparison(alone=ALONE, weighted=weighted()), teacher=teacher.of(named), folder=tmp_path
        )


def test_a_student_alone_cannot_learn_from_faces_without_a_name():
    with pytest.raises(ValidationError, match="faces without one cannot join"):
        ComparedMethod.model_validate(ALONE | {"unnamed_as_classes": True})


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"seeds": (3, 3)}, "a seed is there twice"),
        (
            {"rows": {"alone": ALONE, "weighted": weighted(), "teacher": weighted()}},
            "the row 'teacher' is the teacher's",
        ),
        ({"judged": {"reference": "nobody"}}, "names the row 'nobody'"),
        ({"judged": {"contrasts": [("weighted", "adaptive")]}}, "names the row 'adaptive'"),
        ({"only": ["weighted", "adaptive"]}, "'only' names the row 'adaptive'"),
        ({"only": ["weighted"]}, "leaves out the row 'alone'"),
    ],
)
def test_a_comparison_that_could_not_be_judged_is_refused_before_anything_is_trained(changes, said):
    usual = {"steps": 2, "seeds": (3,), "rows": {"alone": ALONE, "weighted": weighted()}}
    MethodComparisonConfiguration.model_validate(usual)
    with pytest.raises(ValidationError, match=said):
        MethodComparisonConfiguration.model_validate(usual | changes)


def test_a_student_whose_embedding_does_not_fit_the_teacher_is_refused_before_anything_is_trained(
    world, teacher, tmp_path
):
    longer = NETWORK.model_copy(update={"embedding_dimension": NETWORK.embedding_dimension + 1})
    compared = comparison().model_copy(update={"network": longer})
    with pytest.raises(ModelError, match="set 'network.embedding_dimension'"):
        run_comparison(*world, STUDENT, compared, teacher=teacher, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_the_teachers_own_header_counts_with_what_it_holds_and_a_wrong_one_is_found_out_first(world, teacher, tmp_path):
    path = tmp_path / "header.parquet"
    fixed = {"learning_rate": 0.1, "method": {"name": "fixed_centres", "centres": str(path)}}
    compared = comparison(alone=ALONE, weighted=weighted(), fixed=fixed)
    people = sorted(world[0].loc[world[0]["split"] == "train", "subject_id"].dropna().unique())

    def write(people, first=1.0):
        centres = np.eye(NETWORK.embedding_dimension)[: len(people)]
        centres[0] *= first
        pd.DataFrame({"subject_id": people, "centre": list(centres)}).to_parquet(path)

    write(people[1:])
    with pytest.raises(ModelError, match="lacks 1 of 2 training people"):
        run_comparison(*world, STUDENT, compared, teacher=teacher, folder=tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
    write(people)
    before = digests(world, teacher, compared)
    runs = run_comparison(*world, STUDENT, compared, teacher=teacher, folder=tmp_path / "runs")
    assert [run["digest"] for run in runs] == list(before.values())
    write(people, first=-1.0)
    after = digests(world, teacher, compared)
    assert {row for row, seed in before if before[row, seed] != after[row, seed]} == {"fixed"}


def test_without_a_named_held_out_face_nothing_is_trained(world, teacher, tmp_path):
    rows, crops = world
    with pytest.raises(DataError, match="No face of the split validation or test has a name"):
        run_comparison(rows.assign(split="train"), crops, STUDENT, comparison(), teacher=teacher, folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_runs_are_plain_json(finished):
    json.dumps(finished[0])
