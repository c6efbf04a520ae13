import numpy as np
import pandas as pd
import pytest

from countenance.assessment.cost import CostModel
from countenance.assessment.fairness import FairnessConfiguration, WorstGroupLimits
from countenance.assessment.groups import GroupSizes
from countenance.assessment.held_out import AssessmentConfiguration, compare, join_outputs
from countenance.assessment.intervals import Resampling
from countenance.assessment.method_comparison import MethodAssessment, assess_methods, comparison_numbers
from countenance.assessment.method_groups import (
    assess_distillation_by_group,
    assess_method_groups,
    verdict_on,
)
from countenance.assessment.seeded import SeededMeasurement
from countenance.assessment.verification import tar_at_far
from countenance.errors import AssessmentError

from .faces import face, manifest
from .populations import embeddings

SETTINGS = AssessmentConfiguration(
    headline_far=0.1, operating_far=0.1, resampling=Resampling(resamples=40), faces_per_subject=4,
    cost=CostModel(cost_false_match=2.0, cost_false_non_match=2.0, mated_prior=0.5),
)  # fmt: skip
JUDGED = MethodAssessment(folds=4, pairs_per_fold=40, contrasts=(("weighted", "fixed_centres"),))
PEOPLE, PHOTOS = 36, 4
NOISE = {"alone": 1.6, "fixed_centres": 1.0, "weighted": 0.7, "teacher": 0.2}
ROWS = ["alone", "fixed_centres", "weighted"]
EVERY = manifest(
    *(
        face(f"f-{person}-{photo}", f"p{person:02d}", "validation" if person % 3 == 0 else "test")
        for person in range(PEOPLE)
        for photo in range(PHOTOS)
    ),
    face("nameless"),
)
NAMED = EVERY[EVERY["subject_id"].notna()]


def said_by(row, seed, worse_group=1.0):
    """Embeddings that are noisier the weaker the method; of every other person by ``worse_group`` more."""
    truth = embeddings(PEOPLE, PHOTOS, noise=0.0, seed=2)
    noise = NOISE[row] * np.where(np.arange(PEOPLE * PHOTOS) // PHOTOS % 2, worse_group, 1.0)
    seen = truth + noise[:, None] * 0.4 * np.random.default_rng(seed).normal(size=truth.shape)
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    columns = ("face_probability", "landmarks_5", "yaw_deg", "pitch_deg", "roll_deg", "smile_probability",
               "male_probability", "age_years")  # fmt: skip
    table = pd.DataFrame({"face_id": NAMED["face_id"].to_numpy(), "embedding": list(seen.astype(np.float32))})
    return table.assign(**dict.fromkeys(columns))


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


def test_without_a_teacher_there_is_no_row_of_it():
    assert compared(seeds=(1,))["teacher"] is None


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


FAIRNESS = FairnessConfiguration(
    identity_attribute="tone",
    attributes=("tone",),
    sizes=GroupSizes(minimum=3, sufficient=12),
    distillation=WorstGroupLimits(fnmr_increase=0.02, fmr_ratio=50.0),
)
GROUPS = pd.DataFrame(
    {
        "face_id": NAMED["face_id"],
        "tone": ["rare" if name == "p01" else "dark" if int(name[1:]) % 2 else "light" for name in NAMED["subject_id"]],
    }
)


def by_group(worse_group):
    def said(row, seed):
        return said_by("fixed_centres", seed) if row == "alone" else said_by(row, seed, worse_group)

    return assess_method_groups(
        EVERY, GROUPS, ["alone", "weighted"], (1, 2), said=said,
        reference="alone", headline="weighted", configuration=SETTINGS, fairness=FAIRNESS,
    )  # fmt: skip


def test_each_group_is_held_against_itself_with_the_other_way():
    found = by_group(1.0)
    assert found["groups"] == [
        {"group": "dark", "status": "insufficient", "subjects": 11},
        {"group": "light", "status": "sufficient", "subjects": 12},
        {"group": "rare", "status": "suppressed", "subjects": None},
    ]
    assert set(found["rows"]["weighted"]["groups"]) == {"dark", "light"}
    dark, alone = (found["rows"][row]["groups"]["dark"] for row in ("weighted", "alone"))
    assert dark["fnmr_difference"]["value"] == pytest.approx(dark["fnmr"]["value"] - alone["fnmr"]["value"])
    assert dark["fnmr_difference"]["value"] < 0
    assert alone["fnmr_difference"]["value"] == alone["fmr_difference"]["value"] == 0.0


def test_distillation_that_helps_everybody_keeps_the_worst_group_and_one_that_harms_a_group_does_not():
    kept = by_group(1.0)["rows"]["weighted"]["worst"]
    assert kept["fnmr"]["value"] < 0 and kept["verdict"] == "kept"
    harmed = by_group(6.0)["rows"]["weighted"]["worst"]
    assert harmed["fnmr"]["low"] > 0 and harmed["verdicts"]["fnmr"] == harmed["verdict"] == "worse"


def test_a_runs_two_students_are_held_against_each_other_and_one_that_was_not_trained_is_not():
    outputs = {"student_alone": said_by("fixed_centres", 1), "student_distilled": said_by("weighted", 1)}
    found = assess_distillation_by_group(EVERY, GROUPS, outputs, SETTINGS, FAIRNESS)
    assert list(found["rows"]) == ["student_alone", "student_distilled"]
    assert len(found["rows"]["student_distilled"]["groups"]["dark"]["fnmr"]["by_seed"]) == 1
    assert found["limits"] == {"fnmr_increase": 0.02, "fmr_ratio": 50.0}
    untrained = outputs | {"student_alone": outputs["student_alone"].head(0)}
    assert assess_distillation_by_group(EVERY, GROUPS, untrained, SETTINGS, FAIRNESS) == {}


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(-0.1, 0.01, "kept"), (0.005, 0.01, "kept"), (0.001, 0.05, "worse"), (-0.1, 0.05, "open"), (None, None, "open")],
)
def test_the_verdict_is_of_the_whole_interval(low, high, verdict):
    assert verdict_on(SeededMeasurement(0.0, low, high, (0.0,)), limit=0.02, none=0.0) == verdict
