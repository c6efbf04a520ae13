import json
import math

import numpy as np
import pytest

from countenance.assessment.differential import Differential, error_rates_by_group, gini, worst_over_geometric_mean
from countenance.assessment.groups import GroupSizes
from countenance.assessment.intervals import Resampling, rate_over_subjects
from countenance.assessment.pairs import ComparisonScores
from countenance.errors import AssessmentError
from tests.assessment.populations import pairs_of, photos_of, two_groups

QUICK = Resampling(resamples=100)
SMALL = GroupSizes(minimum=2, sufficient=3)


def tiny_world() -> tuple[ComparisonScores, dict[str, str]]:
    """Groups x = {a, b, c}, y = {d, e}, z = {f}; g is in no group. Two photos of a and d, one of the others."""
    pairs = pairs_of(["a", "a", "b", "c", "d", "d", "e", "f", "g"])
    photos = ["a", "a", "b", "c", "d", "d", "e", "f", "g"]
    alike = {("a", "b"): 0.9, ("d", "e"): 0.8, ("a", "d"): 0.95}
    non_mated = [
        alike.get((photos[one], photos[other]), 0.1)
        for one, other in zip(pairs.non_mated_first, pairs.non_mated_second, strict=True)
    ]
    return ComparisonScores(pairs, np.array([0.7, 0.2]), np.array(non_mated)), dict(
        zip("abcdef", "xxxyyz", strict=True)
    )


def test_false_matches_count_within_the_group_only_and_at_the_common_threshold():
    scores, groups = tiny_world()
    found = error_rates_by_group(scores, groups, 0.5, sizes=SMALL, resampling=QUICK)
    x, y, z = found.groups
    # x: a-b twice (both wrong), a-c twice, b-c once. y: d-e twice, both wrong. a-d is across groups.
    assert (x.fmr.errors, x.fmr.comparisons, x.fmr.value) == (2, 5, 0.4)
    assert (y.fmr.errors, y.fmr.comparisons) == (2, 2)
    assert (x.fnmr.errors, y.fnmr.errors, y.fnmr.comparisons) == (0, 1, 1)
    assert (x.status, y.status, z.status) == ("sufficient", "insufficient", "suppressed")
    assert (z.subjects, z.fmr, z.fnmr) == (None, None, None)
    assert [item.group for item in found.shown] == ["x", "y"]
    assert found.fmr_disparity.value == pytest.approx(1 / math.sqrt(0.4))
    assert found.fmr_gini == pytest.approx(2 * (2 * 0.6) / (2 * 4 * 0.7))
    assert found.fnmr_disparity.note == "not measurable: a group has no false non-match"
    assert Differential.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


def test_a_suppressed_group_shows_nothing_but_its_name():
    scores, groups = tiny_world()
    written = error_rates_by_group(scores, groups, 0.5, sizes=SMALL, resampling=QUICK).to_dict()
    assert written["groups"][2] == {
        "group": "z",
        "subjects": None,
        "status": "suppressed",
        "fmr": None,
        "fnmr": None,
    }


def test_a_groups_rates_are_those_of_its_own_comparisons():
    scores, groups = two_groups(30)
    found = error_rates_by_group(scores, groups, 0.4, resampling=QUICK)
    pairs = scores.pairs
    odd = np.array([groups[subject] == "odd" for subject in pairs.subjects])
    inside = odd[pairs.non_mated_subject_first] & odd[pairs.non_mated_subject_second]
    expected = rate_over_subjects(
        scores.non_mated[inside] > 0.4, pairs.non_mated_subject_first[inside], pairs.non_mated_subject_second[inside]
    )
    assert found.groups[1].fmr == expected
    assert found.fmr_disparity.low < found.fmr_disparity.value < found.fmr_disparity.high


def test_a_group_without_errors_borrows_the_design_effect_of_all_groups():
    pairs = pairs_of(photos_of(40, 2))
    a_subject_errs = (pairs.non_mated_subject_first == 0) & (pairs.non_mated_subject_second < 20)
    scores = ComparisonScores(pairs, np.ones(40), np.where(a_subject_errs, 1.0, 0.0))
    groups = {subject: "first" if number < 20 else "second" for number, subject in enumerate(pairs.subjects)}
    first, second = error_rates_by_group(scores, groups, 0.5, resampling=QUICK).groups
    inside = (pairs.non_mated_subject_first < 20) == (pairs.non_mated_subject_second < 20)
    pooled = rate_over_subjects(
        a_subject_errs[inside], pairs.non_mated_subject_first[inside], pairs.non_mated_subject_second[inside]
    )
    assert first.fmr.errors == 76
    assert second.fmr.errors == 0
    assert second.fmr.high == pytest.approx(3 * pooled.design_effect / second.fmr.comparisons)


def test_worst_over_geometric_mean_by_hand():
    rates = np.array([[0.04, 0.01], [0.02, 0.02], [0.5, 0.0], [0.5, np.nan]])
    ratios = worst_over_geometric_mean(rates)
    assert ratios[:2] == pytest.approx([2.0, 1.0])
    assert np.isnan(ratios[2:]).all()
    assert np.isnan(worst_over_geometric_mean(np.array([[0.5]]))).all()


def test_gini_by_hand():
    assert gini([0.2, 0.2, 0.2]) == 0.0
    # One group has all: n/(n-1) * (2 * 2 * x) / (2 * 9 * x/3) = 3/2 * 2/3 = 1.
    assert gini([0.0, 0.0, 0.3]) == pytest.approx(1.0)
    # Rates 1 and 3: 2 * (2 * 2) / (2 * 4 * 2) = 0.5.
    assert gini([0.1, 0.3]) == pytest.approx(0.5)
    assert gini([0.1]) is None
    assert gini([0.0, 0.0]) is None
    assert gini([0.1, None]) is None


def test_a_single_large_group_has_no_disparity():
    scores, groups = two_groups(16)
    found = error_rates_by_group(scores, dict.fromkeys(groups, "all"), 0.4, resampling=QUICK)
    assert found.fmr_disparity.note == "not measurable: fewer than two groups are large enough"


def test_groups_keyed_by_other_subjects_are_refused():
    scores, _ = two_groups(4)
    with pytest.raises(AssessmentError, match="No subject of the comparisons is in a group"):
        error_rates_by_group(scores, {"stranger": "x"}, 0.4)
