import json
import shutil

import numpy as np
import pandas as pd
import pytest
from pydantic import ValidationError

from countenance.errors import DataError, ModelError
from countenance.learning.batches import BatchConfiguration
from countenance.learning.method_comparison import (
    ComparedMethod,
    MethodComparisonConfiguration,
    curves_by_row,
    planned_students,
    run_comparison,
    said_by,
    student_of,
)
from countenance.learning.recipe import DistillationConfiguration, FaultyContinuation, StudentAlone
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


def test_runs_are_plain_json(finished):
    json.dumps(finished[0])
