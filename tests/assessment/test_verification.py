from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.intervals import Resampling, subject_weights
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.verification import (
    TarResampler,
    allowed_false_accepts,
    false_match_rate,
    false_non_match_rate,
    measure_tar_at_far,
    pair_counts,
    tar_at_far,
    threshold_at_far,
    weighted_pair_totals,
)
from countenance.errors import AssessmentError
from tests.assessment.populations import pairs_of, scored, scores_of

TIED_SCORES = st.lists(st.integers(-5, 5).map(lambda n: n / 5), min_size=1, max_size=60)
FARS = st.floats(1e-4, 0.999)


def test_the_threshold_is_the_score_after_the_allowed_ones():
    # k = floor(0.2 * 10) = 2, so tau is the third largest: 0.7; two scores lie above it.
    found = threshold_at_far([0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9], 0.2)
    assert (found.threshold, found.false_accepts, found.realised_far, found.non_mated) == (0.7, 2, 0.2, 10)
    assert found.note == "2 of 10 non-mated comparisons accepted"


def test_tied_scores_are_refused_together():
    # k = 2, but the second and third largest are equal: accepting one would accept both.
    found = threshold_at_far([0.9, 0.5, 0.5, 0.5, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1], 0.2)
    assert (found.threshold, found.false_accepts) == (0.5, 1)


@pytest.mark.parametrize(
    ("far", "count", "allowed"), [(0.29, 100, 29), (0.1, 30, 3), (0.57, 100, 57), (1e-3, 2999, 2), (1e-6, 999_999, 0)]
)
def test_the_allowance_is_exact_for_the_decimal_that_was_written(far: float, count: int, allowed: int):
    assert allowed_false_accepts(far, count) == allowed


def test_a_far_below_one_comparison_is_not_measurable_and_not_zero():
    found = threshold_at_far([0.1, 0.2, 0.3], 0.1)
    assert (found.threshold, found.realised_far, found.false_accepts) == (None, None, None)
    assert "not measurable" in found.note
    (tar,) = tar_at_far([0.9], [0.1, 0.2, 0.3], [0.1])
    assert (tar.tar, tar.accepted, tar.mated) == (None, None, 1)


@pytest.mark.parametrize("far", [0.0, 1.0, -0.1, float("nan")])
def test_a_far_outside_zero_to_one_is_refused(far: float):
    with pytest.raises(AssessmentError, match="between 0 and 1"):
        threshold_at_far([0.1], far)


@given(scores=TIED_SCORES, far=FARS)
def test_the_realised_far_never_exceeds_its_target(scores: list[float], far: float):
    found = threshold_at_far(scores, far)
    if found.realised_far is None:
        assert Fraction(repr(far)) * len(scores) < 1
    else:
        assert found.realised_far <= far
        assert found.false_accepts == sum(score > found.threshold for score in scores)


@given(scores=TIED_SCORES, far=FARS)
def test_the_threshold_is_the_lowest_score_that_keeps_the_far(scores: list[float], far: float):
    found = threshold_at_far(scores, far)
    if found.threshold is not None:
        lower = [level for level in set(scores) if level < found.threshold]
        if lower:
            accepted_there = sum(score > max(lower) for score in scores)
            assert accepted_there > Fraction(repr(far)) * len(scores)


@given(mated=TIED_SCORES, non_mated=TIED_SCORES, far=FARS, seed=st.integers(0, 99))
def test_the_order_of_scores_does_not_matter(mated: list[float], non_mated: list[float], far: float, seed: int):
    generator = np.random.default_rng(seed)
    again = tar_at_far(generator.permutation(mated), generator.permutation(non_mated), [far])
    assert again == tar_at_far(mated, non_mated, [far])


def test_tar_by_hand_with_a_failure_to_extract_never_accepted():
    points = tar_at_far([0.9, 0.75, 0.7, -np.inf], [n / 10 for n in range(10)], [0.1, 0.2])
    # FAR 0.1: tau = 0.8 -> 1 of 4. FAR 0.2: tau = 0.7 -> 2 of 4; 0.7 itself is not above it.
    assert [(point.tar, point.accepted) for point in points] == [(0.25, 1), (0.5, 2)]


def test_a_float32_score_is_not_compared_with_a_rounded_threshold():
    scores = np.full(4, 0.1, dtype=np.float32)  # 0.100000001490116...
    world = scores_of(["a", "a", "b", "b"], [0.5, 0.5], list(np.zeros(4)))
    low = type(world)(world.pairs, world.mated, scores)
    assert false_match_rate(low, 0.1).errors == 4
    assert false_match_rate(low, float(np.float32(0.1))).errors == 0


def test_pair_totals_weigh_a_comparison_by_both_its_subjects():
    # Subjects 0-1 have two comparisons, 1-2 one. Weights (2, 3, 1): 2 * 6 + 3 = 15.
    counts = pair_counts(np.array([0, 1, 1]), np.array([1, 0, 2]), 3)
    assert weighted_pair_totals(np.array([[2, 3, 1], [1, 1, 1]]), counts).tolist() == [15.0, 3.0]


def tar_by_repeating_every_comparison(world, far: float, weights: np.ndarray) -> float:
    pairs = world.pairs
    times = weights[pairs.non_mated_subject_first] * weights[pairs.non_mated_subject_second]
    (point,) = tar_at_far(
        np.repeat(world.mated, weights[pairs.mated_subject]), np.repeat(world.non_mated, times), [far]
    )
    return np.nan if point.tar is None else point.tar


@pytest.mark.parametrize("far", [0.003, 0.05, 0.3])
def test_a_resampled_tar_equals_that_of_the_comparisons_written_out_as_often(far: float):
    world = scored(12, 4, noise=1.2)
    world = type(world)(world.pairs, np.round(world.mated, 1), np.round(world.non_mated, 1))  # many ties
    (weights,) = subject_weights(12, 40, np.random.default_rng(0))
    expected = [tar_by_repeating_every_comparison(world, far, row) for row in weights]
    assert TarResampler(world, far)(weights) == pytest.approx(np.array(expected), nan_ok=True)


def test_a_resample_walks_past_the_comparisons_of_subjects_that_were_not_drawn():
    subjects = ["s00", "s00"] + [f"s{number:02d}" for number in range(1, 12)]
    pairs = pairs_of(subjects)
    not_drawn = pairs.non_mated_subject_second == 11
    scores = np.where(not_drawn, 0.9, np.linspace(0.5, 0.0, len(not_drawn)))
    scores[np.flatnonzero(~not_drawn)[0]] = 1.0
    world = ComparisonScores(pairs, np.array([0.7]), scores)
    weights = np.append(np.ones(11, dtype=np.int64), 0)
    # One false accept is allowed; the highest comparison spends it, and twelve of weight zero follow.
    assert TarResampler(world, 0.02)(weights[None]).tolist() == [1.0]
    assert tar_by_repeating_every_comparison(world, 0.02, weights) == 1.0


def test_measured_tar_carries_an_interval_that_holds_the_point():
    measured = measure_tar_at_far(scored(30, 4, noise=1.0), 0.01, Resampling(resamples=200))
    assert measured.low < measured.value < measured.high
    assert "of 180 mated accepted" in measured.note


def test_a_perfect_tar_still_leaves_room_for_doubt():
    measured = measure_tar_at_far(scored(10, 3, noise=0.01), 0.01, Resampling(resamples=50))
    # 30 mated comparisons without an error: the rule of three with a design effect of 4 gives 1 - 12/30.
    assert (measured.value, measured.high) == (1.0, 1.0)
    assert measured.low == pytest.approx(1 - 12 / 30)


def test_tar_that_cannot_be_measured_has_no_value_and_says_why():
    measured = measure_tar_at_far(scored(5, 2, noise=1.0), 1e-6, Resampling(resamples=5))
    assert measured.value is None
    assert measured.note.startswith("not measurable: FAR 1e-06 is below 1 in 40")
    alone = measure_tar_at_far(scored(5, 1, noise=1.0), 0.2, Resampling(resamples=5))
    assert alone.note == "not measurable: no mated comparisons"


def test_error_rates_at_a_threshold_by_hand():
    world = scores_of(["a", "a", "b", "b"], [0.9, -np.inf], [0.1, 0.6, 0.2, 0.3])
    misses, matches = false_non_match_rate(world, 0.5), false_match_rate(world, 0.5)
    assert (misses.errors, misses.comparisons, misses.subjects) == (1, 2, 2)
    assert (matches.errors, matches.comparisons, matches.value) == (1, 4, 0.25)
