import math

import numpy as np
import pytest

from countenance.rollout.statistics.several import e_benjamini_hochberg, log_any


def test_groups_nobody_saw_count_as_one_and_name_nothing() -> None:
    assert math.exp(log_any(np.zeros(3))) == pytest.approx(1.0)
    assert e_benjamini_hochberg(np.zeros(3), 0.05).tolist() == []


def test_groups_that_are_fine_are_named_with_a_chance_of_at_most_alpha() -> None:
    # The worst e-values that a mean of 1 allows: 100 with a chance of 1/100, else 0. Five of them: 1 - 0.99^5 < 0.05.
    drawn = np.random.default_rng(0).random((20_000, 5)) < 0.01
    values = np.where(drawn, math.log(100 * (1 + 1e-9)), -50.0)
    named = np.array([len(e_benjamini_hochberg(row, 0.05)) > 0 for row in values])
    assert (named == drawn.any(axis=1)).all()
    assert named.mean() == pytest.approx(1 - 0.99**5, abs=0.006)
