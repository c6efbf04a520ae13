import json

import numpy as np
import pandas as pd
import pytest

from countenance.assessment.cost import CostModel
from countenance.assessment.fairness import (
    FairnessAssessment,
    FairnessConfiguration,
    Reference,
    assess_by_group,
    attribute_scores,
    group_of_subjects,
    photo_covariates,
)
from countenance.assessment.groups import GroupSizes
from countenance.assessment.held_out import AssessmentConfiguration, join_outputs
from countenance.assessment.intervals import Resampling

from .faces import POINTS, face, manifest, said

SETTINGS = AssessmentConfiguration(
    resampling=Resampling(resamples=20),
    cost=CostModel(cost_false_match=100.0, cost_false_non_match=2.0, mated_prior=0.5),
)
FAIRNESS = FairnessConfiguration(
    identity_attribute="tone", attributes=("tone", "region"), sizes=GroupSizes(minimum=3, sufficient=4)
)
PHOTOS = 2


def crowd(tones: dict[str, int]) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, pd.Series]]:
    """People of some tones with two photos each: manifest, what a model says, and the groups of each face.

    Each person has a direction of their own. The model is wrong about the gender of everybody's second photo who is
    light, and about both photos of whoever is rare; it is out by as many years as the tone has letters.
    """
    rows, angles, tone_of, ages = [], {}, {}, []
    people = [(f"{tone} {number}", tone) for tone, count in tones.items() for number in range(count)]
    for position, (person, tone) in enumerate(people):
        for photo in range(PHOTOS):
            name = f"{person} photo {photo}"
            rows.append(face(name, person, gender="male", age_years=30.0, landmarks_5=POINTS))
            angles[name] = 360 * position / len(people) + 2 * photo
            tone_of[name] = tone
            ages.append(30.0 + len(tone))
    wrong = [tone == "rare" or (tone == "light" and name.endswith("1")) for name, tone in tone_of.items()]
    outputs = said(
        angles,
        male_probability=np.where(wrong, 0.1, 0.9),
        smile_probability=0.5,
        age_years=ages,
        landmarks_5=[POINTS + (tone == "light") for tone in tone_of.values()],
    )
    groups = {"tone": pd.Series(tone_of), "region": pd.Series("north", index=list(tone_of))}
    return manifest(*rows), outputs, groups


TONES = {"light": 4, "dark": 4, "rare": 2}


@pytest.fixture(scope="module")
def measured():
    rows, outputs, groups = crowd(TONES)
    return assess_by_group("v1", rows, outputs, groups, 0.9, SETTINGS, FAIRNESS)


def test_each_named_subject_has_the_group_of_its_faces_and_an_unknown_one_is_left_out():
    rows = join_outputs(
        manifest(
            face("1", "anna"), face("2", "anna"), face("3", "bela"), face("4"), face("5", "carl"),
            face("6", "dora", is_face=False), face("7", "emil", "validation"),
        ),
        said(dict.fromkeys("1234567", 0)),
        "test",
    )  # fmt: skip
    groups = pd.Series({"1": None, "2": "light", "3": "dark", "4": "dark", "6": "dark", "7": "dark"})
    assert group_of_subjects(rows, groups) == {"anna": "light", "bela": "dark"}


def test_the_means_are_those_of_each_group(measured):
    assert measured.means["gender by tone"] == {"light": 0.5, "dark": 1.0}
    assert measured.means["age by tone"] == {"light": 5.0, "dark": 4.0}
    # Every point of a light face is off by one pixel to the right and one down; the eyes are 32 px apart.
    assert measured.means["landmarks by tone"] == {"light": pytest.approx(2**0.5 / 32), "dark": 0.0}
    assert measured.means["gender by region"] == {"north": pytest.approx((4 + 8) / 20)}


def test_a_suppressed_group_appears_nowhere_in_the_means_and_with_no_number_elsewhere(measured):
    assert not any("rare" in means for means in measured.means.values())
    (rare,) = (rates for rates in measured.differential.groups if rates.group == "rare")
    assert (rare.status, rare.subjects, rare.fmr, rare.fnmr) == ("suppressed", None, None, None)
    (priced,) = (cost for cost in measured.cost.groups if cost.group == "rare")
    assert (priced.status, priced.cost) == ("suppressed", None)
    assert measured.cost.worst_group != "rare"


def test_a_group_with_too_few_labelled_people_is_suppressed_for_that_task_alone():
    rows, outputs, groups = crowd(TONES)
    few = rows["subject_id"].isin(["dark 0", "dark 1"])
    rows["age_years"] = rows["age_years"].mask(few)
    result = assess_by_group("v1", rows, outputs, groups, 0.9, SETTINGS, FAIRNESS)
    assert result.means["age by tone"] == {"light": 5.0}
    assert result.means["gender by tone"] == {"light": 0.5, "dark": 1.0}
    assert result.gaps["age by tone"].note == "not measurable: fewer than two groups are large enough"


def test_the_gaps_are_between_the_groups_that_are_shown(measured):
    assert measured.gaps["gender by tone"].value == 0.5
    assert measured.gaps["age by tone"].value == pytest.approx(1.0)
    assert measured.gaps["landmarks by tone"].unit == "ratio"
    assert measured.gaps["landmarks by tone"].value is None  # dark faces have no error to be a multiple of
    assert measured.gaps["gender by region"].value is None  # a single region has no gap
    assert set(measured.gaps) == set(measured.means)


def test_an_unlabelled_task_has_no_gap_and_no_means(measured):
    assert measured.gaps["smile by tone"].value is None
    assert measured.means["smile by tone"] == {}


def test_identity_errors_are_counted_at_the_threshold_that_is_common_to_all_groups(measured):
    assert measured.differential.threshold == measured.cost.threshold == 0.9
    light, dark = (rates for rates in measured.differential.groups if rates.group != "rare")
    # Four people with two photos each: 6 pairs of people, 4 comparisons each; neighbours are 34 degrees apart or more.
    assert [(rates.fmr.errors, rates.fmr.comparisons) for rates in (light, dark)] == [(0, 24), (0, 24)]
    assert [(rates.fnmr.errors, rates.fnmr.comparisons) for rates in (light, dark)] == [(0, 4), (0, 4)]
    assert [rates.subjects for rates in (light, dark)] == [4, 4]


def test_an_unnamed_face_counts_as_a_person_of_its_own():
    rows, outputs, groups = crowd(TONES)
    names = [f"nobody {number}" for number in range(3)]
    unnamed = manifest(*(face(name, gender="male") for name in names))
    outputs = pd.concat([outputs, said(dict.fromkeys(names, 0), male_probability=0.1)], ignore_index=True)
    more = {name: pd.concat([column, pd.Series("pale", index=names)]) for name, column in groups.items()}
    # Nobody says an age of them, and none is labelled.
    result = assess_by_group("v1", pd.concat([rows, unnamed]), outputs, more, 0.9, SETTINGS, FAIRNESS)
    assert result.means["gender by tone"] == {"light": 0.5, "dark": 1.0, "pale": 0.0}
    fewer = assess_by_group("v1", pd.concat([rows, unnamed[:2]]), outputs, more, 0.9, SETTINGS, FAIRNESS)
    assert "pale" not in fewer.means["gender by tone"]


@pytest.mark.parametrize(
    ("done", "columns"),
    [
        (set(), {}),
        ({"gender"}, {"male_probability": 0.9}),
        ({"smile"}, {"smile_probability": 0.9}),
        ({"age"}, {"age_years": 31.0}),
        ({"landmarks"}, {"landmarks_5": [POINTS]}),
    ],
)
def test_a_task_that_a_model_does_not_do_is_left_out(done, columns):
    labelled = face("1", "anna", gender="male", smiling=True, age_years=30, landmarks_5=POINTS)
    rows = join_outputs(manifest(labelled), said({"1": 0}, **columns), "test")
    assert set(attribute_scores(rows)) == done


def test_an_assessment_by_group_is_json(measured):
    assert json.loads(json.dumps(measured.to_dict(), allow_nan=False))["identity_attribute"] == "tone"


def test_every_group_of_a_task_has_an_interval_and_two_attributes_make_cells():
    rows, outputs, groups = crowd(TONES)
    groups["region"] = pd.Series(
        {name: "north" if int(name.split()[1]) < 2 else "south" for name in groups["tone"].index}
    )
    crossed = FAIRNESS.model_copy(
        update={"crossed": (("tone", "region"),), "sizes": GroupSizes(minimum=2, sufficient=3)}
    )
    found = assess_by_group("v1", rows, outputs, groups, 0.9, SETTINGS, crossed)
    by_tone = {item.group: item.measurement for item in found.tasks["gender by tone"].groups}
    assert by_tone["light"].low < 0.5 < by_tone["light"].high
    cells = found.tasks["gender by tone x region"]
    assert [item.group for item in cells.groups] == ["dark | north", "dark | south", "light | north", "light | south",
                                                     "rare | north"]  # fmt: skip
    assert set(found.cells) == {"tone", "region", "tone x region"}
    matrix = found.cells["tone x region"].matrix
    assert matrix.groups == tuple(item.group for item in cells.groups)
    # Two people with two photos each in every cell: 4 comparisons within, 16 between.
    assert [rate.comparisons for rate in matrix.rates[0]] == [4, 16, 16, 16, 16]
    assert found.cells["tone"].differential == found.differential
    assert FairnessAssessment.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


def test_gaps_are_adjusted_for_what_is_known_of_the_photos():
    rows, outputs, groups = crowd({"light": 12, "dark": 12})
    # Dark faces are half as large, and the larger a face, the better its age: all of the gap is due to size.
    light = np.array([tone == "light" for tone in groups["tone"]])
    side = np.where(light, 80.0, 40.0) * np.tile([1.0, 1.5, 2.0], 16)
    rows["box_xywh"] = [[0.0, 0.0, each, each] for each in side]
    outputs["age_years"] = 30.0 + 20.0 - 2.0 * np.log(side)
    found = assess_by_group("v1", rows, outputs, groups, 0.9, SETTINGS, FAIRNESS)
    assert found.gaps["age by tone"].value == pytest.approx(2.0 * np.log(2.0))
    adjusted = found.adjusted["age by tone"]
    assert adjusted.covariates == ("face size",)  # nothing is known of head pose
    assert adjusted.gap.value == pytest.approx(0.0, abs=1e-6)


def test_a_labelled_turn_counts_before_what_the_model_says_of_it():
    table = join_outputs(
        manifest(face("1", yaw_deg=-30.0), face("2"), face("3", box_xywh=[0.0, 0.0, 10.0, 40.0])),
        said(dict.fromkeys("123", 0), yaw_deg=[10.0, -20.0, None]),
        "test",
    )
    found = photo_covariates(table)
    assert found["head pose"][:2].tolist() == [30.0, 20.0]
    assert np.isnan(found["head pose"][2])
    assert found["face size"][2] == pytest.approx(np.log(20.0))
    assert "face size" not in photo_covariates(table[:2])


def test_a_model_stands_beside_its_teacher_group_by_group():
    rows, outputs, groups = crowd({"light": 6, "dark": 6})
    turned = outputs.copy()
    # The student takes every second photo of dark people for somebody else's.
    strange = [tone == "dark" and name.endswith("1") for name, tone in groups["tone"].items()]
    turned["embedding"] = [
        -vector if odd else vector for vector, odd in zip(outputs["embedding"], strange, strict=True)
    ]
    found = assess_by_group(
        "v1", rows, turned, groups, 0.9, SETTINGS, FAIRNESS, Reference("teacher", outputs, 0.9)
    ).beside_teacher
    assert found.reference == "teacher"
    assert (found.worst_fnmr.candidate, found.worst_fnmr.champion, found.worst_fnmr.difference) == (1.0, 0.0, 1.0)
    assert found.groups["light"].fnmr.difference == 0.0
    assert found.groups["dark"].fnmr.difference == 1.0
    # Half of the mated comparisons are missed: 0.5 x 2 x 1/2 a transaction; what more strangers cost comes on top.
    assert found.cost.difference >= 500.0


def test_the_cheapest_threshold_comes_from_the_validation_people():
    rows, outputs, groups = crowd({"light": 6, "dark": 6})
    nobody = assess_by_group("v1", rows, outputs, groups, 0.9, SETTINGS, FAIRNESS)
    assert nobody.optimum is None
    more = rows.assign(split="validation", face_id="v " + rows["face_id"], subject_id="v " + rows["subject_id"])
    both = pd.concat([rows, more], ignore_index=True)
    said_of_both = pd.concat([outputs, outputs.assign(face_id="v " + outputs["face_id"])], ignore_index=True)
    of_both = {
        name: pd.concat([column, column.rename(lambda face_id: f"v {face_id}")]) for name, column in groups.items()
    }
    found = assess_by_group("v1", both, said_of_both, of_both, 0.9, SETTINGS, FAIRNESS).optimum
    # Photos of one person are 2 degrees apart, people 30: any threshold between costs nothing.
    assert found.cost == 0.0
    assert [group.weight for group in found.groups] == [0.5, 0.5]


def test_only_attributes_that_are_looked_up_can_be_crossed():
    with pytest.raises(ValueError, match="'crossed' names 'tone', which isn't among the attributes: gender, race"):
        FairnessConfiguration(identity_attribute="gender", attributes=("race",), crossed=(("tone", "gender"),))
