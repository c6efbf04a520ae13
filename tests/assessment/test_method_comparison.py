import numpy as np
import pytest

from countenance.assessment.compatibility import assess_compatibility
from countenance.assessment.held_out import compare, join_outputs
from countenance.assessment.method_comparison import (
    MethodAssessment,
    assess_methods,
    comparison_numbers,
)
from countenance.assessment.verification import tar_at_far
from countenance.errors import AssessmentError

from .noisy_students import EVERY, NAMED, ROWS, SETTINGS, said_by

JUDGED = MethodAssessment(folds=4, pairs_per_fold=40, contrasts=(("weighted", "fixed_centres"),))


def compared(rows=ROWS, seeds=(1, 2), judged=JUDGED, teacher=None):
    return assess_methods(EVERY, rows, seeds, said=said_by, teacher=teacher, judged=judged, configuration=SETTINGS)


def test_every_row_is_measured_on_the_same_pairs_and_held_against_the_reference():
    found = compared(teacher=said_by("teacher", 0))
    rows = found["rows"]
    values = [rows[row]["accuracy"]["value"] for row in ROWS]
    assert values == sorted(values) and values[0] < values[2] <= found["teacher"]["accuracy"]["value"]
    assert rows["alone"]["accuracy_gain"]["value"] == rows["alone"]["tar_gain"]["value"] == 0.0
    gain = rows["weighted"]["accuracy_gain"]
    assert gain["value"] == pytest.approx(values[2] - values[0])
    assert 0 < gain["low"] < gain["value"] < gain["high"]
    (contrast,) = found["contrasts"]
    assert (contrast["candidate"], contrast["reference"]) == ("weighted", "fixed_centres")
    assert contrast["accuracy_gain"]["value"] == pytest.approx(values[2] - values[1])
    assert (found["subjects"], found["pairs"]) == (24, 4 * 40)


def test_tar_is_that_of_the_evaluation_averaged_over_seeds():
    found = compared()["rows"]["alone"]["tar"]
    each = []
    for seed in (1, 2):
        asked = EVERY[EVERY["face_id"].isin(NAMED["face_id"])]
        scores = compare(join_outputs(asked, said_by("alone", seed), "test"), SETTINGS)
        each.append(tar_at_far(scores.mated, scores.non_mated, [0.1])[0].tar)
    assert found["by_seed"] == pytest.approx(each)
    assert found["value"] == pytest.approx(sum(each) / 2)


def test_probes_of_a_student_are_compared_with_references_of_the_teacher_on_the_same_comparisons():
    teacher, (student, *_) = said_by("teacher", 0), (said_by("weighted", seed) for seed in (1, 2))
    found = compared(teacher=teacher)["rows"]["weighted"]["teacher_tar"]
    outputs = {"student": student, "teacher": teacher}
    (pair,) = assess_compatibility(
        EVERY[EVERY["face_id"].isin(NAMED["face_id"])],
        outputs,
        SETTINGS.model_copy(update={"compatible_with": {"student": ["teacher"]}}),
    )
    _, across, _, _ = pair["comparisons"]
    assert found["by_seed"][0] == pytest.approx(across["headline"]["value"])
    shorter = teacher.assign(embedding=[said[:-1] / np.linalg.norm(said[:-1]) for said in teacher["embedding"]])
    assert "teacher_tar" not in compared(teacher=shorter)["rows"]["weighted"]


def test_without_a_teacher_there_is_no_row_of_it():
    assert compared(seeds=(1,))["teacher"] is None
    assert "teacher_tar" not in compared(seeds=(1,))["rows"]["weighted"]


def test_a_row_that_is_judged_but_was_not_trained_is_refused_by_its_name():
    with pytest.raises(AssessmentError, match="no row 'weighted': name one of alone, fixed_centres"):
        compared(rows=["alone", "fixed_centres"])


def test_the_numbers_of_a_report_leave_out_what_could_not_be_measured():
    report = compared(teacher=said_by("teacher", 0))
    report["rows"]["alone"]["tar"] |= {"value": None, "low": None, "high": None}
    numbers = comparison_numbers(report)
    assert "tar" not in numbers["alone"] and "accuracy" in numbers["alone"]
    assert numbers["weighted"]["accuracy_gain_low"] == report["rows"]["weighted"]["accuracy_gain"]["low"]
    assert set(numbers) == {*ROWS, "teacher", "weighted over fixed_centres"}
