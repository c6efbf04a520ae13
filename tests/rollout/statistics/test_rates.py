import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from countenance.rollout.statistics.rates import log_rate_excess


def test_two_slow_requests_of_three_by_hand() -> None:
    # tolerated 0.2: odds 1/4; twice the odds is 1/2, so q = 1/3: (q/t)^2 * (1-q)/(1-t)
    value = math.exp(log_rate_excess(2, 3, tolerated=0.2, factors=(2.0,)))
    assert value == pytest.approx((1 / 3 / 0.2) ** 2 * (2 / 3 / 0.8))


def test_nothing_seen_is_an_e_value_of_one() -> None:
    assert float(log_rate_excess(0, 0, tolerated=0.01)) == pytest.approx(0.0)


@pytest.mark.parametrize("tolerated", [1e-4, 0.01, 0.3, 0.95])
def test_no_rate_that_is_tolerated_gains_on_average(tolerated: float) -> None:
    seen = np.arange(13)
    gains = np.exp(log_rate_excess(seen, np.full(13, 12), tolerated=tolerated))
    for rate in np.linspace(0, tolerated, 20):
        assert binom.pmf(seen, 12, rate) @ gains <= 1 + 1e-12


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.floats(1e-5, 0.99))
def test_one_more_hit_speaks_for_an_excess(hits: int, misses: int, tolerated: float) -> None:
    before, after = log_rate_excess(np.array([hits, hits + 1]), hits + misses + 1, tolerated=tolerated)
    assert np.isfinite(before) and after > before


def test_a_rate_at_its_limit_rarely_trips_and_one_of_three_times_as_much_always() -> None:
    for rate, least, most in ((0.01, 0.0, 0.05), (0.03, 0.99, 1.0)):
        hits = np.random.default_rng(1).binomial(100, rate, (500, 60)).cumsum(axis=1)
        tripped = (log_rate_excess(hits, 100 * np.arange(1, 61), tolerated=0.01) >= math.log(20)).any(axis=1).mean()
        assert least <= tripped <= most
