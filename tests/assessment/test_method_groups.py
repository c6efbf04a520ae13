import pandas as pd
import pytest

from countenance.assessment.cost import CostModel
from countenance.assessment.fairness import FairnessConfiguration, WorstGroupLimits
from countenance.assessment.groups import GroupSizes
from countenance.assessment.held_out import AssessmentConfiguration
from countenance.assessment.intervals import Resampling
from countenance.assessment.method_groups import assess_distillation_by_group, assess_method_groups, far_of, verdict_on
from countenance.assessment.seeded import SeededMeasurement
from countenance.errors import AssessmentError

from .faces import face, manifest, said
from .noisy_students import EVERY, NAMED, SETTINGS, said_by

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


# Two photos each, as degrees. Of 24 strangers' photos the nearest are 10, 15, 20, 30, 42 and 52 degrees apart: at a FAR
# of 5 in 24 whatever is less than 52 apart is accepted. d1 is missed; d1 and d2 are mistaken twice (10 and 20).
LIGHT = {"l1": (0, 48), "l2": (180, 225)}
ALONE = LIGHT | {"d1": (90, 210), "d2": (100, 110)}
# Now they are 10, 20, 31, 39, 41 and 42 degrees apart: less than 42 is accepted. l1, l2 and d1 are missed (48, 45 and
# 51); d1 and d2 are mistaken all four times (10, 20, 31 and 41).
DISTILLED = LIGHT | {"d1": (90, 141), "d2": (100, 110)}


def by_hand(people):
    return said({f"{name} {turn}": float(at) for name, photos in people.items() for turn, at in enumerate(photos)})


def test_the_rates_of_two_groups_worked_by_hand():
    rows = manifest(*(face(name, name[:2]) for name in by_hand(ALONE)["face_id"]))
    groups = pd.DataFrame({"face_id": rows["face_id"], "tone": rows["face_id"].str[0].map({"l": "light", "d": "dark"})})
    found = assess_distillation_by_group(
        rows, groups,
        {"student_alone": by_hand(ALONE), "student_distilled": by_hand(DISTILLED)},
        AssessmentConfiguration(
            operating_far=5 / 24, resampling=Resampling(resamples=30),
            cost=CostModel(cost_false_match=1.0, cost_false_non_match=1.0, mated_prior=0.5),
        ),
        FairnessConfiguration(
            identity_attribute="tone", attributes=("tone",), sizes=GroupSizes(minimum=2, sufficient=3)
        ),
    )  # fmt: skip
    rates = {
        (student, group): tuple(found["rows"][student]["groups"][group][error]["value"] for error in ("fnmr", "fmr"))
        for student in found["rows"]
        for group in ("light", "dark")
    }
    assert rates == {
        ("student_alone", "light"): (0.0, 0.0),
        ("student_alone", "dark"): (0.5, 0.5),
        ("student_distilled", "light"): (1.0, 0.0),
        ("student_distilled", "dark"): (0.5, 1.0),
    }
    dark = found["rows"]["student_distilled"]["groups"]["dark"]
    assert (dark["fnmr_difference"]["value"], dark["fmr_difference"]["value"]) == (0.0, 0.5)
    worst = found["rows"]["student_distilled"]["worst"]
    assert (worst["fnmr"]["value"], worst["fmr_ratio"]["value"]) == (0.5, 2.0)
    assert found["far"] == 5 / 24


def test_without_an_operating_far_groups_are_compared_at_the_headlines():
    assert far_of(SETTINGS.model_copy(update={"operating_far": None, "headline_far": 0.03})) == 0.03
    assert far_of(SETTINGS.model_copy(update={"operating_far": 0.02})) == 0.02


def test_an_attribute_that_nobody_has_is_refused():
    outputs = {"student_alone": said_by("alone", 1), "student_distilled": said_by("weighted", 1)}
    with pytest.raises(AssessmentError, match="'tone' has no groups"):
        assess_distillation_by_group(EVERY, GROUPS.drop(columns="tone"), outputs, SETTINGS, FAIRNESS)


def test_where_no_group_is_large_enough_there_is_no_verdict():
    outputs = {"student_alone": said_by("alone", 1), "student_distilled": said_by("weighted", 1)}
    large = FAIRNESS.model_copy(update={"sizes": GroupSizes(minimum=30, sufficient=40)})
    found = assess_distillation_by_group(EVERY, GROUPS, outputs, SETTINGS, large)
    assert [group["status"] for group in found["groups"]] == ["suppressed"] * 3
    assert found["rows"]["student_distilled"] == {"groups": {}, "worst": None}
