import json

import numpy as np
import pytest

from countenance.assessment.cost import CostModel, CostResampler
from countenance.assessment.exhaustive_errors import ExhaustiveErrorCounts
from countenance.assessment.exhaustive_pairs import HighScores, Samples
from countenance.assessment.identity_by_group import crossed_people
from countenance.assessment.intervals import Resampling
from countenance.assessment.non_inferiority import paired_cost_difference
from countenance.assessment.paired_groups import PairedGroups, pair_groups
from countenance.errors import AssessmentError
from tests.assessment.populations import embeddings, pairs_of, photos_of

PRICES = CostModel(cost_false_match=100.0, cost_false_non_match=2.0, mated_prior=0.5)
QUICK = Resampling(resamples=200)
NAMES = photos_of(60, 3)
GROUPS = {name: "ab"[number % 2] for number, name in enumerate(sorted(set(NAMES)))}


def counted(noise_of_b: float, threshold: float = 0.6) -> tuple[ExhaustiveErrorCounts, np.ndarray]:
    """Everybody of the same faces, group b more or less scattered."""
    rows, other = (embeddings(60, 3, noise=noise, seed=3) for noise in (0.5, noise_of_b))
    of_b = np.array([GROUPS[name] == "b" for name in NAMES])
    rows = np.where(of_b[:, None], other, rows)
    return ExhaustiveErrorCounts(HighScores.above(Samples.of(rows, NAMES), threshold), GROUPS, threshold), rows


def test_what_changed_for_one_group_shows_there_and_nowhere_else():
    (student, _), (teacher, _) = counted(0.8), counted(0.5)
    found = pair_groups(student, teacher, "teacher", PRICES, QUICK)
    assert found.groups["a"].fnmr.difference == found.groups["a"].fmr.difference == 0.0
    assert found.groups["b"].fnmr.low > 0.0
    assert found.worst_fnmr.difference > 0.0
    assert (found.reference, found.worst_fmr.unit, found.cost.unit) == ("teacher", "ratio", PRICES.unit)
    assert PairedGroups.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


def test_the_difference_in_money_is_that_of_listed_comparisons():
    (student, ours), (teacher, theirs) = counted(0.8), counted(0.5)
    found = pair_groups(student, teacher, "teacher", PRICES, QUICK).cost
    pairs = pairs_of(NAMES)
    expected = paired_cost_difference(
        CostResampler(pairs.score(ours), 0.6, PRICES), CostResampler(pairs.score(theirs), 0.6, PRICES), QUICK
    )
    for end in ("candidate", "champion", "difference", "low", "high"):
        assert getattr(found, end) == pytest.approx(getattr(expected, end))


def test_two_systems_of_different_people_are_not_compared():
    student, _ = counted(0.8)
    fewer = ExhaustiveErrorCounts(
        HighScores.above(Samples.of(embeddings(30, 3, noise=0.5, seed=3), photos_of(30, 3)), 0.6), GROUPS, 0.6
    )
    with pytest.raises(AssessmentError, match="different groups"):
        pair_groups(student, fewer, "teacher", PRICES, QUICK)


def test_people_are_in_a_cell_where_both_attributes_are_known():
    found = crossed_people({"anna": "dark", "bela": "light", "carl": "dark"}, {"anna": "female", "bela": "male"})
    assert found == {"anna": "dark | female", "bela": "light | male"}
