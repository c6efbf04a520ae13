import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from countenance.rollout.statistics.arms import (
    LEVELS,
    Arms,
    Null,
    alternatives,
    bound_margins,
    log_block,
    log_together,
    projection,
    starting_wealth,
)
from countenance.rollout.statistics.trials import independent_errors, stopped_by_arms

NO_HARM, TOO_BAD = Null("at most", 0.0), Null("at least", 0.01)
NULLS = [NO_HARM, Null("at most", 0.05), Null("at most", 0.4), TOO_BAD, Null("at least", 0.2), Null("at least", 0.9)]
RATES = np.array([0.0, 1e-5, 0.001, 0.01, 0.03, 0.1, 0.3, 0.5, 0.8, 0.99, 1.0])


def within(null: Null) -> list[tuple[float, float]]:
    """Rates (candidate's, champion's) that the null allows: a grid, and its boundary."""
    boundary = [(rate + null.margin, rate) for rate in np.linspace(0, 1 - null.margin, 21)]
    sign = 1 if null.side == "at most" else -1
    grid = [(c, b) for c in RATES for b in RATES if sign * (c - b - null.margin) <= 0]
    return boundary + grid


def multiplier(y_c: int, n_c: int, y_b: int, n_b: int, past: Arms, null: Null) -> np.ndarray:
    block = Arms(candidate_wrong=y_c, candidate_seen=n_c, champion_wrong=y_b, champion_seen=n_b)
    return np.exp(log_block(block, past, null))


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("sizes", [(1, 1), (4, 3), (1, 12), (9, 1)])
def test_no_effect_of_a_block_gains_on_average_anywhere_in_the_null(null: Null, sizes: tuple[int, int]) -> None:
    n_c, n_b = sizes
    for past in (Arms(), Arms(candidate_wrong=3, candidate_seen=100, champion_wrong=1, champion_seen=90)):
        gains = np.array([[multiplier(c, n_c, b, n_b, past, null) for b in range(n_b + 1)] for c in range(n_c + 1)])
        for p_c, p_b in within(null):
            chances = np.multiply.outer(
                binom.pmf(np.arange(n_c + 1), n_c, p_c), binom.pmf(np.arange(n_b + 1), n_b, p_b)
            )
            assert (np.tensordot(chances, gains, axes=2) <= 1 + 1e-9).all()


@pytest.mark.parametrize("null", [NO_HARM, TOO_BAD])
def test_two_looks_of_different_sizes_do_not_gain_on_average_either(null: Null) -> None:
    (n_c, n_b), (m_c, m_b) = (2, 3), (3, 1)
    wealth = np.empty((n_c + 1, n_b + 1, m_c + 1, m_b + 1))
    for c, b, d, a in itertools.product(*map(range, wealth.shape)):
        past = Arms(candidate_wrong=c, candidate_seen=n_c, champion_wrong=b, champion_seen=n_b)
        gained = multiplier(c, n_c, b, n_b, Arms(), null) * multiplier(d, m_c, a, m_b, past, null)
        wealth[c, b, d, a] = math.exp(log_together(starting_wealth(null) + np.log(gained)))

    def chances(seen: int, rate: float) -> np.ndarray:
        return np.asarray(binom.pmf(np.arange(seen + 1), seen, rate))

    for (p_c, p_b), (q_c, q_b) in itertools.product(within(null)[::7], repeat=2):  # rates may change between looks
        looks = (chances(n_c, p_c), chances(n_b, p_b), chances(m_c, q_c), chances(m_b, q_b))
        assert np.einsum("abcd,a,b,c,d->", wealth, *looks) <= 1 + 1e-9


def test_one_request_in_each_arm_by_hand() -> None:
    # One level g and one ratio r: t_b = 2 g / (1 + r), t_c = r t_b, projected onto (g, g). An error of the candidate
    # alone multiplies by (t_c / g) (1 - t_b) / (1 - g); averaged over levels of equal weight.
    ratio = 1.65
    t_b = np.minimum(2 * LEVELS / (1 + ratio), (1 - 1e-4) / 2.5)
    t_c = ratio * t_b
    middle = (t_b + t_c) / 2
    by_hand = (t_c / middle * (1 - t_b) / (1 - middle)).mean()
    assert multiplier(1, 1, 0, 1, Arms(), NO_HARM)[2] == pytest.approx(by_hand)


def test_levels_are_weighed_by_past_errors_alone() -> None:
    seen = {"candidate_seen": 1000, "champion_seen": 1000}
    past = Arms(candidate_wrong=20, champion_wrong=20, **seen)
    block = Arms(candidate_wrong=6, champion_wrong=4, candidate_seen=200, champion_seen=200)
    near = LEVELS[np.argmin(np.abs(LEVELS - 0.02))]
    t_b = 2 * near / 2.65
    ours = float(log_block(block, past, NO_HARM)[2])
    t_c = 1.65 * t_b
    plain = 6 * math.log(t_c / near) + 4 * math.log(t_b / near)
    plain += 194 * math.log((1 - t_c) / (1 - near)) + 196 * math.log((1 - t_b) / (1 - near))
    assert ours == pytest.approx(plain, abs=0.05)


@pytest.mark.parametrize("empty", [(0, 50), (50, 0), (0, 0)])
def test_a_look_with_an_empty_arm_says_nothing(empty: tuple[int, int]) -> None:
    block = Arms(candidate_wrong=0, candidate_seen=empty[0], champion_wrong=0, champion_seen=empty[1])
    for null in NULLS:
        assert log_block(block, Arms(), null).tolist() == [0.0] * len(starting_wealth(null))


@pytest.mark.parametrize("null", NULLS)
@pytest.mark.parametrize("sizes", [(1, 1), (1, 5000), (5000, 1), (70, 40)])
def test_every_alternative_lies_outside_the_null_and_projects_onto_its_boundary(
    null: Null, sizes: tuple[int, int]
) -> None:
    champion, candidate = alternatives(*sizes, null)
    excess = candidate - champion - null.margin
    assert (excess > 0).all() if null.side == "at most" else (excess < 0).all()
    assert ((champion > 0) & (candidate > 0) & (champion < 1) & (candidate < 1)).all()
    base = projection(champion, candidate, *sizes, null.margin)
    divergence = _divergence(champion, candidate, base, sizes, null.margin)
    for step in (-1e-6, 1e-6):
        moved = np.clip(base + step * base, 1e-12, 1 - null.margin - 1e-12)
        assert (_divergence(champion, candidate, moved, sizes, null.margin) >= divergence - 1e-9).all()


def _divergence(
    champion: np.ndarray, candidate: np.ndarray, base: np.ndarray, sizes: tuple[int, int], margin: float
) -> np.ndarray:
    def of(p: np.ndarray, q: np.ndarray) -> np.ndarray:
        return np.asarray(p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q)))

    return np.asarray(sizes[0] * of(candidate, base + margin) + sizes[1] * of(champion, base))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 100_000), st.integers(1, 100_000), st.integers(0, 100_000), st.integers(1, 100_000))
def test_wealth_neither_overflows_nor_underflows(y_c: int, n_c: int, y_b: int, n_b: int) -> None:
    block = Arms(candidate_wrong=min(y_c, n_c), candidate_seen=n_c, champion_wrong=min(y_b, n_b), champion_seen=n_b)
    for null in NULLS:
        assert np.isfinite(log_block(block, Arms(), null)).all()


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 99), st.integers(0, 99))
def test_one_more_error_of_the_candidate_speaks_for_harm_and_against_non_inferiority(y_c: int, y_b: int) -> None:
    def value(errors: int, null: Null) -> float:
        block = Arms(candidate_wrong=errors, candidate_seen=100, champion_wrong=y_b, champion_seen=100)
        past = Arms(candidate_wrong=2, candidate_seen=100, champion_wrong=2, champion_seen=100)
        return float(log_together(starting_wealth(null) + log_block(block, past, null)))

    assert value(y_c + 1, NO_HARM) > value(y_c, NO_HARM)
    assert value(y_c + 1, TOO_BAD) < value(y_c, TOO_BAD)


@pytest.mark.parametrize("null", NULLS)
def test_all_effects_begin_with_a_wealth_of_one_together(null: Null) -> None:
    assert log_together(starting_wealth(null)) == pytest.approx(0.0)


def test_bounds_lie_on_a_grid_that_holds_the_margin() -> None:
    margins = bound_margins(0.01)
    assert margins[4] == 0.01 and margins[0] == pytest.approx(0.0025) and 0.7 < margins[-1] < 1
    assert list(margins) == sorted(margins)


def trial(candidate: float, champion: float, null: Null, histories: int, others: int = 1) -> float:
    errors = independent_errors(
        candidate,
        champion,
        histories=histories,
        looks=100,
        candidate_look=100,
        champion_look=100 * others,
        generator=np.random.default_rng(8),
    )
    return float((stopped_by_arms(errors, null, 0.05) > 0).mean())


def test_looking_a_hundred_times_rarely_stops_an_equal_candidate_and_nearly_always_a_worse_one() -> None:
    assert trial(0.02, 0.02, NO_HARM, 300) <= 0.05
    assert trial(0.02, 0.02, NO_HARM, 150, others=19) <= 0.05
    assert trial(0.03, 0.02, NO_HARM, 150) >= 0.95


def test_looking_a_hundred_times_rarely_clears_a_candidate_worse_by_the_margin_and_nearly_always_an_equal_one() -> None:
    assert trial(0.03, 0.02, TOO_BAD, 300) <= 0.05
    assert trial(0.02, 0.02, TOO_BAD, 150) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.001, 0.02, 0.1, 0.4])
@pytest.mark.parametrize("others", [1, 9])
def test_false_alarms_stay_within_villes_bound_at_any_rate_and_share(rate: float, others: int) -> None:
    assert trial(rate, rate, NO_HARM, 2000, others) <= 0.05
    assert trial(rate + 0.01, rate, TOO_BAD, 2000, others) <= 0.05
