import json

import numpy as np
import pandas as pd
import pytest

from countenance.assessment.comparison import (
    assess_all,
    assess_all_by_group,
    bias_numbers,
    headline_numbers,
    tar_table,
    template_numbers,
)
from countenance.assessment.cost import CostModel
from countenance.assessment.fairness import FairnessConfiguration
from countenance.assessment.groups import GroupSizes
from countenance.assessment.held_out import AssessmentConfiguration
from countenance.assessment.intervals import Resampling
from countenance.errors import AssessmentError

from .faces import face, manifest, said

SETTINGS = AssessmentConfiguration(
    fars=(0.01, 0.25),
    headline_far=0.25,
    resampling=Resampling(resamples=20),
    cost=CostModel(cost_false_match=2.0, cost_false_non_match=2.0, mated_prior=0.5),
)
FAIRNESS = FairnessConfiguration(
    identity_attribute="tone", attributes=("tone",), sizes=GroupSizes(minimum=1, sufficient=2)
)
PEOPLE = manifest(
    face("a1", "anna", gender="female"), face("a2", "anna"), face("b1", "bela", gender="male"), face("b2", "bela"),
    face("c1", "carl", "validation"), face("c2", "carl", "validation"),
    face("d1", "dora", "validation"), face("d2", "dora", "validation"),
)  # fmt: skip
VALIDATION = {"c1": 0, "c2": 20, "d1": 40, "d2": 110}
OUTPUTS = {
    # Mated at 10 and 70, strangers at 50, 60, 120 and 130 degrees: half of the mated are beyond the second, 60.
    "student_alone": said({"a1": 0, "a2": 10, "b1": 60, "b2": 130} | VALIDATION),
    # Mated at 10 and 20, strangers at 70 and more: all are accepted.
    "student_distilled": said(
        {"a1": 0, "a2": 10, "b1": 80, "b2": 100, "c1": 0, "c2": 20, "d1": 100, "d2": 120}, male_probability=0.9
    ),
}


def on_templates(*points: tuple[float, float | None], ranks=((1, 0.75), (5, 1.0))):
    """A template report's TAR by FAR and rate by rank."""
    return {
        "verification": [{"far": far, "tar": tar} for far, tar in points],
        "identification": {"ranks": [{"rank": rank, "rate": rate} for rank, rate in ranks]},
    }


NO_TEMPLATES = {"protocol": None, "models": {}, "note": "1 of 2 test people has two photos."}
TEMPLATES = {
    "models": {
        "student_alone": on_templates((0.01, None), (0.25, 0.5)),
        "student_distilled": on_templates((0.01, None), (0.25, None)),
    }
}
TONES = pd.DataFrame({"face_id": PEOPLE["face_id"], "tone": ["light"] * 2 + ["dark"] * 2 + ["light"] * 4})


@pytest.fixture(scope="module")
def report():
    return assess_all(PEOPLE, OUTPUTS, SETTINGS)


def test_the_gain_of_distillation_is_the_distilled_student_less_the_one_trained_alone(report):
    gain = report["distillation_gain"]
    assert (gain["candidate"], gain["champion"], gain["difference"]) == (1.0, 0.5, 0.5)
    assert report["headline_far"] == 0.25
    assert set(report["models"]) == set(OUTPUTS)
    json.dumps(report, allow_nan=False)


def test_a_model_may_be_shipped_with_the_threshold_of_another(report):
    shared = SETTINGS.model_copy(update={"thresholds_of": {"student_distilled": "student_alone"}})
    together = assess_all(PEOPLE, OUTPUTS, shared)["models"]
    own = report["models"]
    assert together["student_distilled"]["operating"]["threshold"] == own["student_alone"]["operating"]["threshold"]
    assert own["student_distilled"]["operating"]["threshold"] == pytest.approx(np.cos(np.deg2rad(80)))
    assert (together["student_distilled"]["calibrated_by"], own["student_distilled"]["calibrated_by"]) == (
        "student_alone",
        "student_distilled",
    )
    assert together["student_alone"] == own["student_alone"]
    assert together["student_distilled"]["tar"] == own["student_distilled"]["tar"]


@pytest.mark.parametrize("wrong", [{"student_distilled": "nobody"}, {"nobody": "student_alone"}])
def test_a_threshold_of_a_model_that_is_none_is_refused(wrong):
    with pytest.raises(AssessmentError, match="'thresholds_of' in parameters_evaluation.yml names 'nobody'"):
        assess_all(PEOPLE, OUTPUTS, SETTINGS.model_copy(update={"thresholds_of": wrong}))


def test_the_headline_numbers_leave_out_what_was_not_labelled_or_not_done(report):
    numbers = headline_numbers(report, NO_TEMPLATES)
    assert numbers["student_alone"] == {"identity": 0.5}
    # It calls everybody male, and one of the two labelled faces is.
    assert numbers["student_distilled"] == {"identity": 1.0, "gender": 0.5, "made.gender": 0.5}
    assert numbers["distillation_gain"]["difference"] == 0.5
    unmeasured = report | {"distillation_gain": {"difference": None, "low": None, "high": None}}
    assert headline_numbers(unmeasured, NO_TEMPLATES)["distillation_gain"] == {}


def test_a_model_that_was_never_trained_is_left_out_and_distillation_then_gained_nothing():
    unlearned = OUTPUTS["student_alone"].iloc[:0]
    report = assess_all(PEOPLE, OUTPUTS | {"student_alone": unlearned}, SETTINGS)
    assert set(report["models"]) == {"student_distilled"}
    assert report["distillation_gain"] is None
    assert "distillation_gain" not in headline_numbers(report, NO_TEMPLATES)


def test_the_headline_numbers_hold_what_was_measured_on_templates(report):
    numbers = headline_numbers(report, TEMPLATES)
    assert numbers["student_alone"] == {"identity": 0.5, "template_tar": 0.5, "template_rank_1": 0.75}
    assert "template_tar" not in numbers["student_distilled"]
    assert numbers["student_distilled"]["template_rank_1"] == 0.75


def test_a_template_report_without_the_headline_far_is_refused_and_one_without_galleries_has_no_rank():
    with pytest.raises(AssessmentError, match="not measured at the headline FAR of 0.25: run the evaluation pipeline"):
        template_numbers(on_templates((0.01, 0.5)), 0.25)
    assert template_numbers(on_templates((0.25, 0.5)) | {"identification": None}, 0.25) == {"template_tar": 0.5}


def test_the_table_has_one_row_a_model_a_protocol_and_a_far(report):
    table = tar_table(report, TEMPLATES).set_index(["model", "protocol", "far"])["tar"]
    assert len(table) == 2 * 2 * 2
    assert table["student_alone", "face to face", 0.25] == 0.5
    assert table["student_distilled", "face to face", 0.25] == 1.0
    assert pd.isna(table["student_alone", "face to face", 0.01])
    assert table["student_alone", "template to template", 0.25] == 0.5
    assert pd.isna(table["student_alone", "template to template", 0.01])
    assert set(tar_table(report, NO_TEMPLATES)["protocol"]) == {"face to face"}


def test_each_model_is_assessed_by_group_at_its_own_threshold(report):
    by_group = assess_all_by_group(PEOPLE, OUTPUTS, TONES, report["models"], SETTINGS, FAIRNESS)
    for model, assessment in by_group.items():
        threshold = report["models"][model]["operating"]["threshold"]
        assert assessment["differential"]["threshold"] == assessment["cost"]["threshold"] == threshold
    assert [group["group"] for group in by_group["student_alone"]["differential"]["groups"]] == ["dark", "light"]
    json.dumps(by_group, allow_nan=False)


def test_the_bias_numbers_are_those_that_were_measurable(report):
    by_group = assess_all_by_group(PEOPLE, OUTPUTS, TONES, report["models"], SETTINGS, FAIRNESS)
    # A group of one person has no comparison of strangers, so only the cost over all is known.
    overall = by_group["student_alone"]["cost"]["overall"]["value"]
    assert bias_numbers(by_group)["student_alone"] == {"cost": overall}


def test_an_attribute_without_groups_is_refused(report):
    asked = FAIRNESS.model_copy(update={"attributes": ("tone", "region")})
    with pytest.raises(AssessmentError, match="Attribute 'region' has no groups: name it .* in parameters_bias.yml"):
        assess_all_by_group(PEOPLE, OUTPUTS, TONES, report["models"], SETTINGS, asked)
