import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from countenance.assessment.intervals import (
    Resampling,
    bootstrap_interval,
    bootstrap_over_subjects,
    dyadic_variance,
    rate_over_subjects,
    subject_weights,
    weighted_means,
    wilson_interval,
    zero_error_bound,
)
from countenance.errors import AssessmentError


def test_wilson_by_the_textbook():
    # 10 of 100 at 95 %: Wilson (1927) gives 0.0552 to 0.1744.
    interval = wilson_interval(0.1, 100)
    assert (interval.low, interval.high) == (pytest.approx(0.05523, abs=1e-5), pytest.approx(0.17437, abs=1e-5))


@given(errors=st.integers(0, 50), more=st.integers(0, 50), level=st.floats(0.5, 0.999))
def test_wilson_holds_the_rate_and_stays_between_zero_and_one(errors: int, more: int, level: float):
    count = max(1, errors + more)
    rate = min(errors, count) / count
    interval = wilson_interval(rate, count, level=level)
    assert 0.0 <= interval.low <= rate <= interval.high <= 1.0


def test_wilson_refuses_what_is_no_proportion():
    with pytest.raises(AssessmentError, match="rate in 0..1"):
        wilson_interval(1.1, 10)
    with pytest.raises(AssessmentError, match="rate in 0..1"):
        wilson_interval(0.5, 0)
    with pytest.raises(AssessmentError, match="level"):
        wilson_interval(0.5, 10, level=1.0)


def test_the_rule_of_three_with_its_design_effect():
    assert zero_error_bound(3000, design_effect=4.0) == pytest.approx(0.004)
    assert zero_error_bound(5, design_effect=4.0) == 1.0
    assert zero_error_bound(3000, design_effect=1.0, level=0.99) == pytest.approx(-math.log(0.01) / 3000, rel=2e-3)
    with pytest.raises(AssessmentError, match="rule of three"):
        zero_error_bound(0)


def test_the_dyadic_variance_by_hand():
    # Dyads 0-1: 2 errors of 2; 0-2: 0 of 1; 1-2: 0 of 1. p = 1/2, r = (1, -1/2, -1/2).
    # R = (1/2, 1/2, -1): sum R^2 = 3/2, sum r^2 = 3/2. The covariance 3/2 - 2 * 3/2 is negative, taken as zero:
    # V = (3/2) / 16.
    variance = dyadic_variance([2, 0, 0], [2, 1, 1], [0, 0, 1], [1, 2, 2])
    assert variance == pytest.approx(1.5 / 16)
    # Dyads 0-1: 1 of 1; 0-2: 1 of 1; 1-2: 0 of 1; 3-4: 0 of 1. p = 1/2, r = (1/2, 1/2, -1/2, -1/2).
    # R = (1, 0, 0, -1/2, -1/2): sum R^2 = 3/2, sum r^2 = 1; covariance 3/2 - 2 < 0 again: V = 1/16.
    assert dyadic_variance([1, 1, 0, 0], [1] * 4, [0, 0, 1, 3], [1, 2, 2, 4]) == pytest.approx(1 / 16)
    # A star: 0-1, 0-2, 0-3 all wrong, 4-5, 4-6, 4-7 all right. p = 1/2, r = +-1/2, R_0 = 3/2, R_4 = -3/2, six of
    # +-1/2: sum R^2 = 4.5 + 1.5 = 6, sum r^2 = 1.5: V = 4.5 / 36.
    star = dyadic_variance([1, 1, 1, 0, 0, 0], [1] * 6, [0, 0, 0, 4, 4, 4], [1, 2, 3, 5, 6, 7])
    assert star == pytest.approx(4.5 / 36)


def test_mated_comparisons_are_dyads_of_a_subject_with_itself():
    # Subjects with 2 of 2, 0 of 1 and 1 of 3 errors: p = 1/2, r = (1, -1/2, -1/2), V = sum r^2 / 36.
    assert dyadic_variance([2, 0, 1], [2, 1, 3], [0, 1, 2], [0, 1, 2]) == pytest.approx(1.5 / 36)


def test_a_rate_by_hand():
    # The star above: n_eff = p(1-p)/V = 0.25 / 0.125 = 2, t with 7 degrees of freedom.
    errors = np.array([True] * 3 + [False] * 3)
    rate = rate_over_subjects(errors, np.array([0, 0, 0, 4, 4, 4]), np.array([1, 2, 3, 5, 6, 7]))
    assert (rate.errors, rate.comparisons, rate.subjects, rate.value) == (3, 6, 8, 0.5)
    assert rate.design_effect == pytest.approx(3.0)
    t = stats.t.isf(0.025, 7)
    half = t / (1 + t**2 / 2) * math.sqrt(0.25 / 2 + t**2 / 16)
    assert (rate.low, rate.high) == (pytest.approx(0.5 - half), pytest.approx(0.5 + half))


def test_a_comparison_counts_the_same_from_either_side():
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 8, (2, 60))
    errors = generator.random(60) < 0.3
    turned = generator.random(60) < 0.5
    one, other = np.where(turned, second, first), np.where(turned, first, second)
    assert rate_over_subjects(errors, one, other) == rate_over_subjects(errors, first, second)


def test_no_error_gets_the_rule_of_three_and_nothing_but_errors_its_mirror():
    subjects = np.repeat(np.arange(100), 10)
    none = rate_over_subjects(np.zeros(1000, bool), subjects, zero_error_design_effect=2.0)
    assert (none.value, none.low, none.high) == (0.0, 0.0, pytest.approx(0.006))
    every = rate_over_subjects(np.ones(1000, bool), subjects, zero_error_design_effect=2.0)
    assert (every.value, every.low, every.high) == (1.0, pytest.approx(0.994), 1.0)


def test_no_comparison_has_no_rate_and_one_subject_no_interval():
    nothing = rate_over_subjects(np.zeros(0, bool), np.zeros(0, int))
    assert (nothing.value, nothing.low, nothing.comparisons) == (None, None, 0)
    alone = rate_over_subjects(np.array([True, False]), np.array([3, 3]))
    assert (alone.value, alone.low, alone.high) == (0.5, None, None)


def false_matches_of_a_simulated_population(generator: np.random.Generator) -> tuple[np.ndarray, ...]:
    """60 subjects with 4 photos each; some are easily mistaken for anyone. The true FMR is 0.05."""
    people, photos = 60, 4
    first, second = np.triu_indices(people, 1)
    likeness = generator.normal(size=people)
    shift = stats.norm.isf(0.05) * math.sqrt(1 + 2 * 0.25)
    chance = stats.norm.cdf(0.5 * (likeness[first] + likeness[second]) - shift)
    repeats = np.repeat(np.arange(len(first)), photos)
    return generator.random(len(repeats)) < chance[repeats], first[repeats], second[repeats]


def test_the_dyadic_interval_covers_the_truth_where_an_interval_over_pairs_does_not():
    generator = np.random.default_rng(5)
    dyadic = pairwise = 0
    for _ in range(150):
        errors, first, second = false_matches_of_a_simulated_population(generator)
        rate = rate_over_subjects(errors, first, second)
        naive = wilson_interval(rate.value, rate.comparisons)
        dyadic += rate.low <= 0.05 <= rate.high
        pairwise += naive.low <= 0.05 <= naive.high
    assert dyadic >= 0.86 * 150
    assert pairwise <= 0.5 * 150


def test_a_resample_draws_as_many_subjects_as_there_are():
    blocks = list(subject_weights(7, 500, np.random.default_rng(0)))
    weights = np.concatenate(blocks)
    assert weights.shape == (500, 7)
    assert (weights.sum(axis=1) == 7).all()
    assert weights.mean(axis=0) == pytest.approx(np.ones(7), abs=0.2)


def test_the_draws_do_not_depend_on_the_block_size(monkeypatch: pytest.MonkeyPatch):
    whole = np.concatenate(list(subject_weights(7, 50, np.random.default_rng(0))))
    monkeypatch.setattr("countenance.assessment.intervals.WEIGHT_CELLS", 7 * 3)
    assert np.array_equal(np.concatenate(list(subject_weights(7, 50, np.random.default_rng(0)))), whole)


def test_the_bootstrap_of_a_mean_has_the_known_spread():
    generator = np.random.default_rng(1)
    values = generator.normal(size=400)
    drawn = bootstrap_over_subjects(
        lambda weights: weighted_means(weights, values, np.ones(400)), 400, Resampling(resamples=2000)
    )
    error = values.std() / 20
    assert drawn.value == pytest.approx(values.mean())
    assert drawn.low == pytest.approx(values.mean() - 1.96 * error, abs=0.15 * error)
    assert drawn.high == pytest.approx(values.mean() + 1.96 * error, abs=0.15 * error)


def test_the_same_seed_gives_the_same_interval():
    def statistic(weights: np.ndarray) -> np.ndarray:
        return weighted_means(weights, np.arange(9.0), np.ones(9))

    first, again, other = (bootstrap_over_subjects(statistic, 9, Resampling(seed=seed)) for seed in (1, 1, 2))
    assert first == again != other


def test_replicates_that_are_alike_or_mostly_undefined_give_no_interval():
    alike = bootstrap_interval(1.0, np.ones(100))
    assert (alike.value, alike.low, alike.high) == (1.0, None, None)
    some = np.append(np.linspace(0, 1, 89), [np.nan] * 11)
    assert bootstrap_interval(0.5, some).low is None
    few = bootstrap_interval(0.5, np.append(np.linspace(0, 1, 95), [np.nan] * 5))
    assert (few.undefined, few.low) == (5, pytest.approx(0.025))
    assert bootstrap_interval(float("nan"), some).value is None


def test_a_bootstrap_without_subjects_is_refused():
    with pytest.raises(AssessmentError, match="needs subjects"):
        list(subject_weights(0, 10, np.random.default_rng(0)))
