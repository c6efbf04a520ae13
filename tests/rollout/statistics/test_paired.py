import math
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.rollout.statistics.paired import (
    log_excess,
    log_harm,
    log_non_inferiority,
    lower_bound,
    upper_bound,
)

counts = st.integers(min_value=0, max_value=5000)


def test_light_requests_are_bet_on_in_proportion_by_hand() -> None:
    # Bet 0.5; weight 1: one worse 1.5; weight 0.2: two worse 1.1^2, one better 0.9
    value = log_harm(np.array([0, 1]), np.array([1, 2]), bets=(0.5,), weight=[1.0, 0.2])
    assert math.exp(value) == pytest.approx(1.5 * 1.1**2 * 0.9)


def test_light_requests_speak_less_for_non_inferiority_by_hand() -> None:
    # Margin 0.2, bet 0.4 / 0.8 = 0.5; weight 0.5 makes it 0.25: same 1.05, better 1.3, worse 0.8
    value = log_non_inferiority(np.array([1]), np.array([1]), np.array([1]), margin=0.2, bets=(0.4,), weight=[0.5])
    assert math.exp(value) == pytest.approx(1.3 * 1.05 * 0.8)


@given(counts, counts, counts)
def test_full_weight_is_no_weight(better: int, same: int, worse: int) -> None:
    columns = (np.array([better]), np.array([same]), np.array([worse]))
    assert log_harm(columns[0], columns[2], weight=[1.0]) == pytest.approx(float(log_harm(better, worse)))
    for test in (log_non_inferiority, log_excess):
        weighed = float(test(*columns, margin=0.02, weight=[1.0]))
        assert weighed == pytest.approx(float(test(better, same, worse, margin=0.02)))


def test_the_upper_bound_is_where_the_e_value_reaches_the_limit() -> None:
    bound = upper_bound(30, 3900, 40, alpha=0.05)
    assert float(log_non_inferiority(30, 3900, 40, margin=bound)) >= math.log(20)
    assert float(log_non_inferiority(30, 3900, 40, margin=bound - 1e-5)) < math.log(20)
    assert lower_bound(30, 3900, 40, alpha=0.05) == -upper_bound(40, 3900, 30, alpha=0.05)


def test_without_evidence_the_bounds_say_nothing() -> None:
    assert (lower_bound(0, 0, 0, alpha=0.05), upper_bound(0, 0, 0, alpha=0.05)) == (-1.0, 1.0)


@settings(max_examples=40)
@given(counts, counts, counts)
def test_bounds_enclose_the_observed_difference_and_grow_with_what_is_worse(better: int, same: int, worse: int) -> None:
    observed = (worse - better) / max(better + same + worse, 1)
    low, high = (bound(better, same, worse, alpha=0.05) for bound in (lower_bound, upper_bound))
    assert low <= observed <= high
    assert upper_bound(better, same, worse + 1, alpha=0.05) >= high
    assert upper_bound(better + 1, same, worse, alpha=0.05) <= high + 1e-5


@settings(max_examples=40)
@given(counts, counts, counts, st.floats(-0.9, 0.9), st.floats(0.0, 0.09))
def test_a_larger_margin_is_refuted_more_easily(b: int, s: int, w: int, margin: float, more: float) -> None:
    less = float(log_non_inferiority(b, s, w, margin=margin))
    assert float(log_non_inferiority(b, s, w, margin=margin + more)) >= less - 1e-9


def test_a_bound_takes_less_than_five_milliseconds() -> None:
    columns = [np.random.default_rng(0).integers(1000, size=64) for _ in range(3)]
    weights = np.linspace(0.01, 1, 64)
    started = time.perf_counter()
    for _ in range(10):
        upper_bound(*columns, alpha=0.05, weight=weights)
    assert (time.perf_counter() - started) / 10 < 0.05  # 5 ms on an idle machine, ten times that on a busy one


@pytest.mark.parametrize("rates", [(0.005, 0.005), (0.02, 0.05)])
def test_the_truth_rarely_leaves_the_confidence_sequence(rates: tuple[float, float]) -> None:
    better, worse = rates
    drawn = np.random.default_rng(6).multinomial(100, [better, 1 - better - worse, worse], (300, 40)).cumsum(axis=1)
    outside = log_non_inferiority(*(drawn[..., place] for place in range(3)), margin=worse - better)
    assert (outside >= math.log(20)).any(axis=1).mean() <= 0.05
