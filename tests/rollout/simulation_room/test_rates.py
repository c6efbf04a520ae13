"""Rates and means with their intervals, against values worked out elsewhere."""

from __future__ import annotations

import pytest

from countenance.errors import RolloutError
from countenance.rollout.simulation.rates import amount, rate


def test_the_interval_of_a_rate_is_exact() -> None:
    # 0 of 10: 1 - 0.025^(1/10); Clopper & Pearson 1934.
    none = rate(0, 10)
    assert (none.low, none.high) == (0.0, pytest.approx(1 - 0.025**0.1))
    every = rate(10, 10)
    assert (every.low, every.high) == (pytest.approx(0.025**0.1), 1.0)
    # 4 of 20, as R's binom.test gives it.
    some = rate(4, 20)
    assert (some.share, some.low, some.high) == (
        0.2,
        pytest.approx(0.057334, abs=1e-6),
        pytest.approx(0.436614, abs=1e-6),
    )


def test_a_rate_of_nothing_is_refused() -> None:
    with pytest.raises(RolloutError, match="no repetitions"):
        rate(0, 0)


def test_a_mean_has_students_interval() -> None:
    # Of 1, 2, 3: mean 2, standard error 1 / sqrt(3), t(0.975, 2) = 4.302653.
    found = amount([1.0, 2.0, 3.0])
    assert found is not None and found.mean == found.median == 2
    assert found.high == pytest.approx(2 + 4.302653 / 3**0.5, abs=1e-5)
    assert found.q10 == pytest.approx(1.2) and found.q90 == pytest.approx(2.8)


def test_one_value_has_no_interval_and_none_has_no_mean() -> None:
    one = amount([5.0])
    assert one is not None and (one.mean, one.low, one.high) == (5.0, None, None)
    assert amount([]) is None
