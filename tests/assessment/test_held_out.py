import json

import numpy as np
import pytest

from countenance.assessment.cost import CostModel
from countenance.assessment.held_out import (
    AssessmentConfiguration,
    HeldOutAssessment,
    assess,
    attribute_tasks,
    compare,
    join_outputs,
    measured_of,
    tasks_by_source,
)
from countenance.assessment.intervals import Resampling
from countenance.assessment.results import NOT_LABELLED
from countenance.configuration import narrow
from countenance.errors import AssessmentError, ConfigurationError

from .faces import POINTS, direction, face, manifest, said

RESAMPLING = Resampling(resamples=20)
SETTINGS = AssessmentConfiguration(
    fars=(0.01, 0.25),
    headline_far=0.25,
    resampling=RESAMPLING,
    # The cost of 1,000 transactions is 1,000 times the sum of the two error rates.
    cost=CostModel(cost_false_match=2.0, cost_false_non_match=2.0, mated_prior=0.5),
)

PEOPLE = manifest(
    face("a1", "anna"), face("a2", "anna"), face("b1", "bela"), face("b2", "bela"),
    face("c1", "carl", "validation"), face("c2", "carl", "validation"),
    face("d1", "dora", "validation"), face("d2", "dora", "validation"),
)  # fmt: skip
# Test people: mated at 10 and 70 degrees from one another, non-mated at 50, 60, 120 and 130.
TEST = {"a1": 0, "a2": 10, "b1": 60, "b2": 130}
# Validation people: mated at 20 and 70 degrees, non-mated at 20, 40, 90 and 110.
MODEL = said(TEST | {"c1": 0, "c2": 20, "d1": 40, "d2": 110})


def cosine(degrees):
    return pytest.approx(np.cos(np.deg2rad(degrees)), abs=1e-6)


def named(*faces):
    """Joined rows of (face, person, photo, angle)."""
    rows = manifest(*(face(name, person, photo_sha256=photo) for name, person, photo, _ in faces))
    return join_outputs(rows, said({name: degrees for name, _, _, degrees in faces}), "test")


def test_outputs_without_a_column_are_refused_by_its_name():
    with pytest.raises(AssessmentError, match="no column 'age_years': run the evaluation pipeline"):
        join_outputs(PEOPLE, MODEL.drop(columns="age_years"), "test")


def test_a_face_that_a_model_says_nothing_of_is_refused_in_the_split_it_belongs_to():
    silent = MODEL[~MODEL["face_id"].isin(["a1", "b2"])]
    with pytest.raises(AssessmentError, match="2 faces of split 'test' have no output: run the evaluation pipeline"):
        join_outputs(PEOPLE, silent, "test")
    assert len(join_outputs(PEOPLE, silent, "validation")) == 4


def test_outputs_meet_their_faces_whatever_their_order():
    joined = join_outputs(PEOPLE, MODEL.iloc[::-1], "test")
    assert joined["face_id"].tolist() == ["a1", "a2", "b1", "b2"]
    assert np.array_equal(joined["said_embedding"][3], direction(130))
    assert "age_years" in joined and "said_age_years" in joined


def test_every_named_face_is_compared_with_every_other_one():
    scores = compare(join_outputs(PEOPLE, MODEL, "test"), SETTINGS)
    assert sorted(scores.mated) == [cosine(70), cosine(10)]
    assert sorted(scores.non_mated) == [cosine(130), cosine(120), cosine(60), cosine(50)]


def test_of_a_person_with_many_faces_the_first_few_by_id_are_compared():
    many = named(
        *((f"f{number}", "anna", f"p{number}", 10 * number) for number in range(5, -1, -1)), ("g", "bela", "q", 90)
    )
    scores = compare(many, SETTINGS.model_copy(update={"faces_per_subject": 3}))
    assert sorted(scores.mated) == [cosine(20), cosine(10), cosine(10)]
    assert sorted(scores.non_mated) == [cosine(90), cosine(80), cosine(70)]


def test_a_split_in_which_nobody_is_named_is_refused():
    with pytest.raises(AssessmentError, match="No face of this split has a subject"):
        compare(join_outputs(PEOPLE.assign(subject_id=None), MODEL, "test"), SETTINGS)


def test_a_named_face_without_an_embedding_is_refused():
    silent = MODEL.assign(embedding=[None, *MODEL["embedding"][1:]])
    with pytest.raises(AssessmentError, match="1 named faces have no embedding"):
        compare(join_outputs(PEOPLE, silent, "test"), SETTINGS)


def test_tar_is_measured_on_the_test_people_with_the_threshold_of_their_own_non_mated_scores():
    result = assess("v1", PEOPLE, MODEL, SETTINGS)
    unmeasurable, measured = result.tar
    # One of four may be accepted: the second largest, at 60 degrees, is the threshold, and 70 degrees stays out.
    assert (measured.tar, measured.accepted, measured.mated) == (0.5, 1, 2)
    assert measured.at.threshold == cosine(60)
    assert (unmeasurable.tar, unmeasurable.at.threshold) == (None, None)
    assert result.tasks["identity"].value == 0.5
    assert (result.model, result.subjects, result.faces) == ("v1", 2, 4)


def test_the_operating_threshold_is_chosen_on_validation_people_and_judged_on_test_people():
    result = assess("v1", PEOPLE, MODEL, SETTINGS)
    # On validation the angle of 90 lets 2 of 4 strangers in and keeps nobody out: 500. Nothing is cheaper.
    assert result.operating.threshold == cosine(90)
    assert result.operating.validation_cost == pytest.approx(500)
    # On test it lets 50 and 60 in; their own best would have been at 120, where the same two are in.
    assert (result.operating.fmr.errors, result.operating.fmr.comparisons) == (2, 4)
    assert (result.operating.fnmr.errors, result.operating.fnmr.comparisons) == (0, 2)
    # The shipped thresholds are those of validation, too: one of four strangers is at 20 degrees, the next at 40.
    assert result.calibrated[0].threshold is None
    assert result.calibrated[1].threshold == cosine(40)


def test_what_a_threshold_costs_is_told_even_where_another_one_decides():
    cost = SETTINGS.cost.model_copy(update={"maximum_fmr": 0.25})
    at_rate = SETTINGS.model_copy(update={"operating_far": 0.25, "cost": cost})
    result = assess("v1", PEOPLE, MODEL, at_rate)
    assert result.operating.threshold == result.calibrated[1].threshold == cosine(40)
    # The cap lets one of four strangers in, the one at 20 degrees; with one of two mated out that is 250 + 500. At 20
    # nobody at all is in, 1,000; at 90, beyond the cap, it would have been 500 and 0.
    assert result.money.optimum.threshold == result.money.lowest_allowed == cosine(40)
    assert (result.money.optimum.cost, result.money.optimum.capped) == (pytest.approx(750), True)
    # Test people at 40 degrees: no stranger is in, one of two mated, at 70, is out.
    assert result.money.cost.value == pytest.approx(500)


def test_the_threshold_of_another_model_changes_the_threshold_and_nothing_else():
    # Mated at 20 degrees, strangers at 80 and more: between them no error is made.
    other = said(TEST | {"c1": 0, "c2": 20, "d1": 100, "d2": 120})
    own, borrowed = (assess("v2", PEOPLE, MODEL, SETTINGS, calibrated_on=table) for table in (None, other))
    assert borrowed.operating.threshold == cosine(80)
    assert borrowed.operating.validation_cost == 0.0
    assert borrowed.calibrated[1].threshold == cosine(100)
    assert borrowed.money.optimum.threshold == cosine(80)
    assert (borrowed.tar, borrowed.tasks) == (own.tar, own.tasks)


def test_a_task_that_a_model_does_not_do_is_left_out():
    tasks = assess("teacher", PEOPLE, MODEL, SETTINGS).tasks
    assert set(tasks) == {"identity"}


EVERYTHING = {
    "face_probability": 0.9,
    "landmarks_5": [POINTS] * 8,
    "yaw_deg": 0.0,
    "pitch_deg": 0.0,
    "roll_deg": 0.0,
    "smile_probability": 0.2,
    "male_probability": 0.2,
    "age_years": 30.0,
}


def test_attributes_are_those_that_the_command_reports_of_the_test_faces():
    model = MODEL.assign(**EVERYTHING)
    attributes = assess("student", PEOPLE, model, SETTINGS).attributes
    assert (attributes.kind, attributes.model, attributes.protocol["name"]) == (
        "attributes",
        "student",
        "manifest, test",
    )
    assert attributes.protocol["faces"] == int((PEOPLE["split"] == "test").sum())
    assert {"gender.accuracy", "pose.yaw_within_15", "landmarks.5.eye_centres.error"} <= set(attributes.figures)


def test_a_task_without_a_label_says_so():
    tasks = attribute_tasks(join_outputs(PEOPLE, MODEL.assign(**EVERYTHING), "test"), RESAMPLING)
    assert set(tasks) == {"face", "landmarks", "pose", "gender", "smile", "age"}
    for task, measured in tasks.items():
        assert (measured.value, measured.note, measured.count) == (None, NOT_LABELLED, 0), task


def test_the_six_tasks_are_measured_on_the_labels_there_are():
    moved = POINTS.copy()
    moved[4] += 16  # one of five points is half an inter-ocular distance off
    rows = manifest(
        face("1", "anna", gender="female", smiling=True, age_years=20, yaw_deg=10, box_xywh=[0, 0, 9, 9]),
        face("2", "anna", gender="male", age_years=40, yaw_deg=-20, pitch_deg=6, landmarks_5=POINTS),
        face("3", "bela", smiling=False, landmarks_5=POINTS, box_xywh=[0, 0, 9, 9]),
        face("4", is_face=False, box_xywh=[0, 0, 9, 9]),
        face("5", "carl", "validation", gender="male", age_years=99),
    )
    angles = dict.fromkeys("12345", 0)
    outputs = said(
        angles,
        face_probability=[0.9, 0.1, 0.9, 0.8, 0.9],  # the second has no box; the fourth is no face
        landmarks_5=[None, moved, POINTS, None, None],
        yaw_deg=[14.0, -20.0, 0.0, 0.0, 0.0],
        pitch_deg=[50.0, 0.0, 0.0, 0.0, 0.0],
        roll_deg=0.0,
        smile_probability=[0.9, 0.9, 0.6, 0.9, 0.9],
        male_probability=[0.2, 0.9, 0.5, 0.9, 0.1],
        age_years=[25.0, 39.0, 99.0, 99.0, 1.0],
    )
    tasks = attribute_tasks(join_outputs(rows, outputs, "test"), RESAMPLING)
    measured = {task: (result.value, result.count) for task, result in tasks.items()}
    assert measured == {
        "face": (pytest.approx(2 / 3), 3),
        "landmarks": (pytest.approx(0.5 / 5 / 2), 2),
        "pose": (pytest.approx((4 + (0 + 6) / 2) / 2), 2),
        "gender": (1.0, 2),
        "smile": (0.5, 2),
        "age": (pytest.approx(3.0), 2),
    }


def test_a_pose_labelled_by_coarse_yaw_alone_is_scored_by_its_class():
    rows = manifest(
        face("1", "anna", yaw_range=[-30, 30]), face("2", "bela", yaw_range=[30, 90]), face("3", "carl"),
    )  # fmt: skip
    outputs = said(dict.fromkeys("123", 0), yaw_deg=[10.0, 20.0, 80.0], pitch_deg=0.0, roll_deg=0.0)
    pose = attribute_tasks(join_outputs(rows, outputs, "test"), RESAMPLING)["pose"]
    assert (pose.value, pose.count, pose.higher_is_better) == (0.5, 2, True)


def test_an_assessment_is_json_and_its_measurements_come_back_from_it():
    result = assess("v1", PEOPLE, MODEL.assign(**EVERYTHING), SETTINGS)
    written = json.loads(json.dumps({"v1": result.to_dict()}, allow_nan=False))
    assert measured_of(written, "v1") == result.tasks
    assert HeldOutAssessment.from_dict(written["v1"]).operating == result.operating


def test_every_source_is_measured_by_itself_and_only_in_what_it_is_labelled_for():
    rows = manifest(
        face("a1", gender="female", source="one"), face("b1", gender="male", source="one"),
        face("c1", gender="male", source="two"), face("d1", source="three"),
    )  # fmt: skip
    joined = join_outputs(rows, said(dict.fromkeys(("a1", "b1", "c1", "d1"), 0.0), male_probability=0.9), "test")
    measured = tasks_by_source(joined, RESAMPLING)
    assert {source: sorted(tasks) for source, tasks in measured.items()} == {
        "one": ["gender"], "two": ["gender"], "three": [],
    }  # fmt: skip
    assert (measured["one"]["gender"].value, measured["two"]["gender"].value) == (0.5, 1.0)


GATE = {"cost_false_match": 500.0, "cost_false_non_match": 2.0, "mated_prior": 0.95}
PHONE = GATE | {"cost_false_match": 300.0, "mated_prior": 0.999}


def test_the_chosen_use_case_sets_the_prices():
    for chosen, price in (("gate", 500.0), ("phone", 300.0)):
        settings = narrow(
            AssessmentConfiguration,
            {"use_cases": {"gate": GATE, "phone": PHONE}, "use_case": chosen},
            where="parameters_evaluation.yml",
        )
        assert settings.cost.cost_false_match == price
        assert settings.use_case == chosen


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"use_cases": {"gate": GATE}, "use_case": "door"}, "choose one of gate"),
        ({"use_cases": {"gate": GATE}}, "choose one of gate"),
        ({"use_cases": {"gate": GATE}, "use_case": "gate", "cost": GATE}, "give one of them"),
        ({"use_cases": {"gate": GATE | {"mated_prior": 2.0}}, "use_case": "gate"}, "mated_prior"),
        ({}, "'cost' is missing"),
    ],
)
def test_prices_that_are_not_clear_are_refused(values, why):
    with pytest.raises(ConfigurationError, match=why):
        narrow(AssessmentConfiguration, values, where="parameters_evaluation.yml")
