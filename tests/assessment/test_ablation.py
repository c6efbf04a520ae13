import pytest

from countenance.assessment.ablation import ablation_numbers, assess_ablation
from countenance.assessment.cost import CostModel
from countenance.assessment.held_out import AssessmentConfiguration
from countenance.assessment.intervals import Resampling
from countenance.errors import AssessmentError

from .faces import face, manifest, said

SETTINGS = AssessmentConfiguration(
    headline_far=0.25, resampling=Resampling(resamples=30),
    cost=CostModel(cost_false_match=2.0, cost_false_non_match=2.0, mated_prior=0.5),
)  # fmt: skip
ROWS = manifest(
    face("a1", "anna", gender="female", age_years=20), face("a2", "anna", gender="female"),
    face("b1", "bela", gender="male", age_years=40), face("b2", "bela", gender="male"),
    face("v1", "carl", "validation", gender="male"), face("x1", smiling=True),
)  # fmt: skip
NAMED = ["a1", "a2", "b1", "b2"]
# Mated at 10 and 70 degrees, strangers at 50, 60, 120 and 130: one of four may pass, and it passes at 60.
TOGETHER = {"a1": 0, "a2": 10, "b1": 60, "b2": 130, "v1": 0, "x1": 0}
ALONE = {"a1": 0, "a2": 70, "b1": 140, "b2": 215}


def compared(tasks, *, seeds=(1,)):
    def everybody(seed):
        says_male = [0.1, 0.1, 0.9, 0.9, 0.5, 0.5] if seed == 1 else [0.9, 0.9, 0.9, 0.9, 0.5, 0.5]
        return said(TOGETHER, male_probability=says_male, age_years=[21.0, 0.0, 43.0, 0.0, 0.0, 0.0])

    def one(task, seed):
        if task == "age":
            return said(dict.fromkeys(["a1", "b1"], 0.0), age_years=[23.0, 45.0])
        return said(ALONE, male_probability=[0.9, 0.1, 0.9, 0.9])

    return assess_ablation(ROWS, tasks, seeds, together=everybody, alone=one, configuration=SETTINGS)


def test_a_task_is_compared_on_the_faces_that_are_labelled_for_it():
    found = compared(["gender", "age"])
    assert (found["gender"].candidate.value, found["gender"].reference.value, found["gender"].gain) == (1.0, 0.75, 0.25)
    assert (found["age"].candidate.value, found["age"].reference.value, found["age"].gain) == (2.0, 4.0, 2.0)
    assert (found["gender"].count, found["age"].count) == (4, 2)


def test_identity_is_compared_at_the_headline_far_on_the_same_comparisons():
    found = compared(["identity"])["identity"]
    # Alone: mated at 70 and 75 degrees, strangers at 70, 140, 145 and 145; the second nearest is the threshold.
    assert (found.candidate.value, found.reference.value) == (0.5, 1.0)
    assert found.gain == -0.5 and found.count == 2


def test_seeds_are_averaged_face_by_face():
    found = compared(["gender"], seeds=(1, 2))["gender"]
    # The second seed calls everybody male.
    assert (found.candidate.value, found.reference.value, found.gain) == (0.75, 0.75, 0.0)


def test_a_network_that_does_not_do_the_task_is_refused_by_its_name():
    with pytest.raises(AssessmentError, match="says nothing of the task 'smile'"):
        compared(["smile"])


def test_the_numbers_of_a_report_leave_out_what_could_not_be_measured():
    report = {"tasks": {task: gain.to_dict() for task, gain in compared(["gender", "age"]).items()}}
    report["tasks"]["age"] |= {"low": None, "high": None}
    numbers = ablation_numbers(report)
    assert set(numbers["gender"]) >= {"together", "alone", "gain"}
    assert numbers["age"] == {"together": 2.0, "alone": 4.0, "gain": 2.0}
