import json

import numpy as np
import pytest

from countenance.assessment.cost import CostModel
from countenance.assessment.cost_report import CostReport, cost_report
from countenance.assessment.groups import GroupSizes
from countenance.assessment.intervals import Resampling
from countenance.assessment.pairs import ComparisonScores
from tests.assessment.populations import pairs_of, photos_of, scored

QUICK = Resampling(resamples=200)
PRICES = CostModel(cost_false_match=100.0, cost_false_non_match=2.0, mated_prior=0.5, amber_above=1.2, red_above=1.6)


def world_of_three_groups() -> tuple[ComparisonScores, dict[str, str]]:
    """20 people each in x and y, 3 in z; two photos each. x: 4 of 20 turned away; y: 1 of 20, and 19 false matches."""
    pairs = pairs_of(photos_of(43, 2))
    group_of = np.repeat(["x", "y", "z"], [20, 20, 3])
    missed = np.isin(pairs.mated_subject, [0, 1, 2, 3, 20])
    y_matches = (pairs.non_mated_subject_first == 20) & (pairs.non_mated_subject_second < 40)
    scores = ComparisonScores(pairs, np.where(missed, 0.0, 1.0), np.where(y_matches, 1.0, 0.0))
    return scores, dict(zip(pairs.subjects, group_of, strict=True))


def test_money_by_group_by_hand():
    scores, groups = world_of_three_groups()
    report = cost_report(scores, groups, 0.5, PRICES, resampling=QUICK)
    x, y, z = report.groups
    # x: 1000 * 0.5 * 2 * 4/20 = 200. y: 1000 * (0.5 * 2 * 1/20 + 0.5 * 100 * 76/760) = 50 + 5000.
    assert x.cost.value == pytest.approx(200.0)
    assert y.cost.value == pytest.approx(5050.0)
    assert (z.status, z.cost) == ("suppressed", None)
    assert x.cost.unit == "EUR per 1,000 transactions"
    # The index: worst / mean of the two shown groups.
    assert report.bias_index.value == pytest.approx(5050 / 2625)
    assert (report.worst_group, report.light) == ("y", "red")
    assert report.bias_index.note == "over 2 groups"
    # Overall: 5 of 43 turned away, 76 false matches of all 86 * 85 / 2 - 43 pairs.
    assert report.overall.value == pytest.approx(1000 * (5 / 43 + 50 * 76 / (86 * 85 / 2 - 43)))
    assert report.overall.low < report.overall.value < report.overall.high
    assert CostReport.from_dict(json.loads(json.dumps(report.to_dict(), allow_nan=False))) == report


def test_an_error_that_was_never_seen_still_widens_the_interval():
    scores, groups = world_of_three_groups()
    x = cost_report(scores, groups, 0.5, PRICES, resampling=QUICK).groups[0]
    # No false match in 760: up to 12/760 by the rule of three with a design effect of 4.
    assert x.cost.high == pytest.approx(200 + 50_000 * 12 / 760)
    assert x.cost.note == "no false match seen"


def test_groups_without_an_error_have_a_cost_of_zero_but_no_index():
    pairs = pairs_of(photos_of(30, 2))
    scores = ComparisonScores(pairs, np.ones(30), np.zeros(len(pairs.non_mated_first)))
    groups = {subject: "even" if number % 2 else "odd" for number, subject in enumerate(pairs.subjects)}
    report = cost_report(scores, groups, 0.5, PRICES, resampling=QUICK)
    assert (report.overall.value, report.overall.low) == (0.0, 0.0)
    assert report.overall.high == pytest.approx(1000 * (12 / 30 + 50 * 12 / (60 * 59 / 2 - 30)))
    assert (report.bias_index.value, report.worst_group, report.light) == (None, None, None)
    assert report.bias_index.note == "not measurable: no group has an error"


def test_without_groups_the_index_is_not_labelled():
    report = cost_report(scored(12, 2, noise=1.0), {}, 0.5, PRICES, resampling=QUICK)
    assert (report.groups, report.bias_index.note, report.light) == ((), "not labelled", None)


def test_one_large_group_has_no_index():
    scores, groups = world_of_three_groups()
    report = cost_report(scores, {s: g for s, g in groups.items() if g != "y"}, 0.5, PRICES, resampling=QUICK)
    assert report.bias_index.note == "not measurable: fewer than two groups are large enough"


def test_a_group_without_mated_comparisons_is_left_out_of_the_index_and_named_as_missing():
    pairs = pairs_of(photos_of(20, 2) + [f"t{number:02d}" for number in range(10)])
    generator = np.random.default_rng(0)
    scores = ComparisonScores(
        pairs, generator.random(len(pairs.mated_first)), generator.random(len(pairs.non_mated_first))
    )
    groups = {
        subject: "single" if subject[0] == "t" else "ab"[number % 2] for number, subject in enumerate(pairs.subjects)
    }
    report = cost_report(scores, groups, 0.5, PRICES, sizes=GroupSizes(minimum=5), resampling=QUICK)
    assert report.groups[2].cost.note == "not measurable: no mated comparisons"
    assert report.bias_index.note == "over 2 groups; 1 without comparisons"
    assert report.worst_group in ("a", "b")


def test_equal_groups_have_an_index_near_one_and_a_green_light():
    scores = scored(120, 3, noise=1.0)
    groups = {subject: "ab"[number % 2] for number, subject in enumerate(scores.pairs.subjects)}
    report = cost_report(scores, groups, 0.55, PRICES, resampling=QUICK)
    assert 1.0 <= report.bias_index.low <= report.bias_index.value < 1.2
    assert report.light == "green"
