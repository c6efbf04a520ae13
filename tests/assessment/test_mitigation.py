import numpy as np
import pandas as pd
import pytest

from countenance.assessment.cost import CostModel
from countenance.assessment.fairness import FairnessConfiguration
from countenance.assessment.gate_policy import GatePolicy
from countenance.assessment.groups import GroupSizes
from countenance.assessment.intervals import Resampling
from countenance.assessment.mitigation import (
    MitigationPlan,
    assess_mitigation,
    mitigation_numbers,
    system_name,
    worst_group,
)
from countenance.assessment.score_normalisation import NormalisationConfiguration
from countenance.errors import AssessmentError

from .faces import face, manifest
from .noisy_students import SETTINGS

PEOPLE, PHOTOS, DIMENSIONS = 90, 3, 12
EVERY = manifest(
    *(
        face(f"f-{person:02d}-{photo}", f"p{person:02d}", "validation" if person % 3 == 0 else "test")
        for person in range(PEOPLE)
        for photo in range(PHOTOS)
    )
)
CONFIGURATION = SETTINGS.model_copy(
    update={
        "operating_far": 0.05,
        "headline_far": 0.05,
        "resampling": Resampling(resamples=60),
        "cost": CostModel(cost_false_match=20.0, cost_false_non_match=2.0, mated_prior=0.5),
    }
)
FAIRNESS = FairnessConfiguration(
    identity_attribute="tone", attributes=("tone",), sizes=GroupSizes(minimum=3, sufficient=10)
)
GROUPS = pd.DataFrame(
    {
        "face_id": EVERY["face_id"],
        "tone": ["rare" if int(name[1:]) % 2 else "usual" for name in EVERY["subject_id"]],
    }
)


def said(row: str, seed: int) -> pd.DataFrame:
    """Photos scattered about their people; as it comes, those of the rare group crowd about one direction."""
    generator = np.random.default_rng(5)
    centres, crowd = generator.normal(size=(PEOPLE, DIMENSIONS)), generator.normal(size=DIMENSIONS)
    rare = (np.arange(PEOPLE) % 2 == 1)[:, None]
    centres = centres + np.where(rare, 0.65 if row == "as it comes" else 0.1, 0.0) * crowd
    seen = np.repeat(centres, PHOTOS, axis=0)
    seen = seen + 0.6 * np.random.default_rng(seed).normal(size=seen.shape)
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    columns = ("face_probability", "landmarks_5", "yaw_deg", "pitch_deg", "roll_deg", "smile_probability",
               "male_probability", "age_years")  # fmt: skip
    table = pd.DataFrame({"face_id": EVERY["face_id"].to_numpy(), "embedding": list(seen.astype(np.float32))})
    return table.assign(**dict.fromkeys(columns))


def plan(neighbours: int = 8, seeds: tuple[int, ...] = (1, 2)) -> MitigationPlan:
    return MitigationPlan(("as it comes", "balanced"), seeds, said, NormalisationConfiguration(neighbours=neighbours))


@pytest.fixture(scope="module")
def found():
    return assess_mitigation(EVERY, GROUPS, plan(), CONFIGURATION, FAIRNESS, GatePolicy(fmr_disparity_fail=1.25))


def test_the_group_that_is_let_down_is_found_and_the_way_that_helps_is_told_apart(found):
    before, after = (found["systems"][name] for name in ("as it comes", "balanced"))
    assert before["worst_group"] == ["rare", "rare"]
    assert before["figures"]["fmr_disparity"]["value"] > 1.5 > after["figures"]["fmr_disparity"]["value"]
    assert after["differences"]["fmr_disparity"]["high"] < 0.0
    assert {gate["verdict"] for gate in before["gates"]["FMR disparity"]} == {"FAIL"}
    assert {gate["verdict"] for gate in after["gates"]["FMR disparity"]} == {"PASS"}


def test_normalised_scores_narrow_it_too_without_being_told_a_group(found):
    normalised = found["systems"][system_name("as it comes", True)]
    assert normalised["differences"]["fmr_disparity"]["high"] < 0.0


def test_every_system_is_there_with_every_figure_and_only_the_reference_has_no_difference(found):
    names = ["as it comes", "balanced", "as it comes, normalised", "balanced, normalised"]
    assert list(found["systems"]) == names and found["reference"] == "as it comes"
    assert [found["systems"][name]["differences"] is None for name in names] == [True, False, False, False]
    figures = found["systems"]["balanced"]["figures"]
    for name in ("fmr_disparity", "worst_fmr", "fnmr_disparity", "worst_fnmr", "tar", "cost", "worst_cost"):
        assert len(figures[name]["by_seed"]) == 2
        reference = found["systems"]["as it comes"]["figures"][name]["value"]
        change = found["systems"]["balanced"]["differences"][name]["value"]
        assert change == pytest.approx(figures[name]["value"] - reference)
    assert figures["cost"]["unit"] == "EUR per 1,000 transactions"


def test_all_decide_at_one_false_match_rate_over_everybody(found):
    for system in found["systems"].values():
        by_seed = zip(*(system["groups"][group]["fmr"]["by_seed"] for group in ("rare", "usual")), strict=True)
        assert system["figures"]["worst_fmr"]["by_seed"] == pytest.approx([max(rates) for rates in by_seed])
        tar, cost = system["figures"]["tar"]["value"], system["figures"]["cost"]["value"]
        assert cost == pytest.approx(1000 * (0.5 * 2.0 * (1 - tar) + 0.5 * 20.0 * 0.05))


def test_the_cohort_is_a_face_of_everybody_for_validation_and_too_few_of_them_are_refused(found):
    assert found["cohort"] == 30 and found["people"] == 60
    with pytest.raises(AssessmentError, match="has no 40 neighbours beside oneself"):
        assess_mitigation(EVERY, GROUPS, plan(neighbours=40), CONFIGURATION, FAIRNESS, GatePolicy())


def test_where_every_group_is_too_small_to_be_shown_nothing_is():
    few = FAIRNESS.model_copy(update={"sizes": GroupSizes(minimum=50, sufficient=60)})
    with pytest.raises(AssessmentError, match="No group of 'tone' has enough test people"):
        assess_mitigation(EVERY, GROUPS, plan(seeds=(1,)), CONFIGURATION, few, GatePolicy())


def test_the_numbers_to_compare_from_run_to_run_are_the_figures(found):
    numbers = mitigation_numbers(found)
    assert set(numbers) == {"as_it_comes", "balanced", "as_it_comes_normalised", "balanced_normalised"}
    assert numbers["balanced"]["tar"] == found["systems"]["balanced"]["figures"]["tar"]["value"]


def test_a_group_without_a_rate_is_not_called_the_worst():
    assert worst_group(("one", "two", "three"), np.array([0.1, np.nan, 0.2])) == "three"
    assert worst_group(("one", "two"), np.array([np.nan, np.nan])) == "not measurable"
