import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.assessment.differential import differential_of, error_rates_by_group
from countenance.assessment.exhaustive_errors import (
    CrossGroupFmr,
    ExhaustiveErrorCounts,
    SubjectPairErrors,
    cross_group_fmr,
)
from countenance.assessment.exhaustive_pairs import HighScores, Samples
from countenance.assessment.group_error_counts import GroupErrorCounts
from countenance.assessment.groups import GroupSizes
from countenance.assessment.intervals import Resampling, rate_over_subjects, subject_weights
from countenance.assessment.non_inferiority import paired_worst_group_fmr
from countenance.assessment.pairs import ComparisonScores
from tests.assessment.populations import embeddings, pairs_of

SMALL = GroupSizes(minimum=2, sufficient=3)
QUICK = Resampling(resamples=50)


def world(sizes: list[int], seed: int) -> tuple[HighScores, ComparisonScores, dict[str, str]]:
    """People with so many photos each, in groups a, b and c in turn; the fourth of every four is in none."""
    names = [f"p{number:03d}" for number, size in enumerate(sizes) for _ in range(size)]
    rows = embeddings(len(names), 1, noise=0.0, seed=seed, dimensions=4)
    listed = pairs_of(names)
    high = HighScores.above(Samples.of(rows, names), -1.0)
    groups = {f"p{number:03d}": "abc"[number % 4] for number in range(len(sizes)) if number % 4 < 3}
    return high, listed.score(rows), groups


@settings(deadline=None, max_examples=40)
@given(
    sizes=st.lists(st.integers(1, 4), min_size=4, max_size=14),
    seed=st.integers(0, 1000),
    threshold=st.floats(-0.5, 0.9),
)
def test_rates_and_intervals_from_false_matches_alone_are_those_of_listed_comparisons(sizes, seed, threshold):
    high, scores, groups = world(sizes, seed)
    errors = SubjectPairErrors.of(high, threshold)
    pairs = scores.pairs
    member = {name: np.array([groups.get(subject) == name for subject in pairs.subjects]) for name in ("a", "b")}
    first, second = pairs.non_mated_subject_first, pairs.non_mated_subject_second
    wrong = scores.non_mated.astype(np.float64) > threshold
    within = member["a"][first] & member["a"][second]
    between = (member["a"][first] & member["b"][second]) | (member["b"][first] & member["a"][second])
    for found, made in ((errors.rate(member["a"]), within), (errors.rate(member["a"], member["b"]), between)):
        expected = rate_over_subjects(wrong[made], first[made], second[made])
        assert (found.errors, found.comparisons, found.subjects) == (
            expected.errors, expected.comparisons, expected.subjects,
        )  # fmt: skip
        for end in ("value", "low", "high", "design_effect"):
            number, wanted = getattr(found, end), getattr(expected, end)
            assert (number is None) == (wanted is None)
            assert number is None or number == pytest.approx(wanted, rel=1e-9, abs=1e-12)


def test_all_groups_and_weights_give_what_listed_comparisons_give():
    high, scores, groups = world([3] * 24, 5)
    ours = ExhaustiveErrorCounts(high, groups, 0.6, SMALL)
    listed = GroupErrorCounts(scores, groups, 0.6, SMALL)
    assert (ours.names, ours.mated, ours.non_mated) == (listed.names, listed.mated, listed.non_mated)
    assert ours.comparisons == (len(scores.non_mated), len(scores.mated))
    (weights,) = subject_weights(24, 20, np.random.default_rng(0))
    assert ours.fmr(weights) == pytest.approx(listed.fmr(weights), abs=1e-12, nan_ok=True)
    assert ours.fnmr(weights) == pytest.approx(listed.fnmr(weights), abs=1e-12, nan_ok=True)
    found = differential_of(ours, sizes=SMALL, resampling=QUICK)
    expected = error_rates_by_group(scores, groups, 0.6, sizes=SMALL, resampling=QUICK)
    assert [item.fmr.high for item in found.groups] == pytest.approx([item.fmr.high for item in expected.groups])
    assert found.fmr_disparity.low == pytest.approx(expected.fmr_disparity.low)
    everyone = np.ones((1, 24), dtype=np.int64)
    assert ours.overall(everyone)[0] == pytest.approx([(scores.non_mated > 0.6).mean(), (scores.mated <= 0.6).mean()])


def test_the_matrix_by_hand():
    # a: anna, alba; b: bela, bert; c: carl. Angles in degrees; scores above cos 10 match.
    at = {"anna": [0, 3], "alba": [90], "bela": [5], "bert": [92], "carl": [200]}
    names = [name for name, angles in at.items() for _ in angles]
    angles = np.deg2rad([angle for angles in at.values() for angle in angles])
    samples = Samples.of(np.stack([np.cos(angles), np.sin(angles)], axis=1), names)
    groups = {name: name[0] for name in at}
    counts = ExhaustiveErrorCounts(HighScores.above(samples, 0.5), groups, np.cos(np.deg2rad(10)), SMALL)
    matrix = cross_group_fmr(counts)
    assert matrix.groups == ("a", "b")
    assert matrix.suppressed == ("c",)
    # Within a: 2 comparisons, none close. a with b: 3 x 2, of which anna twice with bela and alba with bert.
    assert [(rate.errors, rate.comparisons) for rate in matrix.rates[0]] == [(0, 2), (3, 6)]
    assert [(rate.errors, rate.comparisons) for rate in matrix.rates[1]] == [(3, 6), (0, 1)]
    assert matrix.rates[0][1] == matrix.rates[1][0]
    assert CrossGroupFmr.from_dict(json.loads(json.dumps(matrix.to_dict(), allow_nan=False))) == matrix


def test_without_a_group_that_is_large_enough_nothing_is_measured_and_nothing_breaks():
    high, _, groups = world([3] * 12, 5)
    sizes = GroupSizes(minimum=10, sufficient=20)
    counts = ExhaustiveErrorCounts(high, groups, 0.6, sizes)
    found = differential_of(counts, sizes=sizes, resampling=QUICK)
    assert {item.status for item in found.groups} == {"suppressed"}
    assert found.fmr_disparity.value is None
    assert cross_group_fmr(counts).groups == ()
    beside = paired_worst_group_fmr(counts, counts, QUICK)
    assert (beside.difference, beside.low) == (None, None)


def test_where_a_group_has_no_false_match_the_others_within_groups_say_how_far_the_rule_of_three_reaches():
    high, scores, groups = world([3] * 24, 5)
    threshold = float(np.sort(scores.non_mated)[-25])
    ours = ExhaustiveErrorCounts(high, groups, threshold, SMALL)
    listed = GroupErrorCounts(scores, groups, threshold, SMALL)
    assert ours.pooled_design_effects() == pytest.approx(listed.pooled_design_effects())
    everybody = ours.errors.rate(np.ones(24, dtype=bool))
    assert ours.pooled_design_effects()[0] != pytest.approx(everybody.design_effect)
