import json

import numpy as np
import pandas as pd
import pytest

from countenance.assessment.cost import CostModel
from countenance.assessment.fairness import (
    FairnessConfiguration,
    assess_by_group,
    attribute_scores,
    group_of_subjects,
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
