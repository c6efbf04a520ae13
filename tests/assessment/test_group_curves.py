import numpy as np
import pytest

from countenance.assessment.cost import CostModel
from countenance.assessment.group_curves import group_curves
from countenance.assessment.groups import GroupSizes

from .populations import scores_of, two_groups

PRICES = CostModel(cost_false_match=2.0, cost_false_non_match=2.0, mated_prior=0.5)
ANY = GroupSizes(minimum=1, sufficient=1)


def test_both_rates_of_a_group_are_those_of_its_own_comparisons():
    # Two photos each of four people, two a group: in each group two mated comparisons and four of strangers.
    subjects = ["a", "a", "b", "b", "c", "c", "d", "d"]
    groups = {"a": "x", "b": "x", "c": "y", "d": "y"}
    mated = [0.9, 0.8, 0.7, 0.4]
    strangers = dict.fromkeys(((row, column) for row in range(8) for column in range(row + 1, 8)), 0.0)
    strangers |= {(0, 2): 0.5, (0, 3): 0.6, (4, 6): 0.75}
    non_mated = [score for (row, column), score in strangers.items() if subjects[row] != subjects[column]]
    found = group_curves(scores_of(subjects, mated, non_mated), groups, 0.55, PRICES, ANY)
    at = found["thresholds"].index(0.55)
    rates = {name: (curve["fmr"][at], curve["fnmr"][at]) for name, curve in found["groups"].items()}
    assert rates == {"x": (0.25, 0.0), "y": (0.25, 0.5)}
    assert found["groups"]["y"]["cost"][at] == pytest.approx(1000 * (0.5 * 2 * 0.5 + 0.5 * 2 * 0.25))
    assert found["overall"]["fmr"][at] == pytest.approx(2 / 24)


def test_rates_are_monotonous_and_run_from_every_match_to_none():
    scores, groups = two_groups(20)
    found = group_curves(scores, groups, 0.3, PRICES, ANY)
    assert 0.3 in found["thresholds"] and found["thresholds"] == sorted(found["thresholds"])
    for curve in (*found["groups"].values(), found["overall"]):
        assert (np.diff(curve["fmr"]) <= 0).all() and (np.diff(curve["fnmr"]) >= 0).all()
        assert curve["fnmr"][-1] == 1.0
    assert found["overall"]["fmr"][0] > 0.99


def test_a_group_of_too_few_people_has_no_curve():
    scores, groups = two_groups(20)
    few = groups | dict.fromkeys(sorted(groups)[:3], "few")
    found = group_curves(scores, few, 0.3, PRICES, GroupSizes(minimum=5, sufficient=6))
    assert set(found["groups"]) == {"even", "odd"}
