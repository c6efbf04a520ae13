import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from countenance.assessment.several_tests import benjamini_hochberg, chance_at_limit, holm
from countenance.errors import AssessmentError

CHANCES = st.lists(st.floats(0.0, 1.0), min_size=1, max_size=20)


def test_holm_by_hand():
    # Smallest first: 3 x 0.01, 2 x 0.02, 1 x 0.04, each at least the one before.
    assert holm([0.02, 0.04, 0.01]) == pytest.approx([0.04, 0.04, 0.03])
    assert holm([0.9, 0.8]) == pytest.approx([1.0, 1.0])
    assert holm([0.03]) == pytest.approx([0.03])


def test_benjamini_hochberg_by_hand():
    # Largest first: 0.04 x 3/3, 0.02 x 3/2, 0.01 x 3/1, each at most the one before.
    assert benjamini_hochberg([0.02, 0.04, 0.01]) == pytest.approx([0.03, 0.04, 0.03])


@given(CHANCES)
def test_adjusted_chances_keep_their_order_and_never_fall_below_the_raw_ones(chances: list[float]):
    for adjust in (holm, benjamini_hochberg):
        adjusted = adjust(chances)
        order = np.argsort(chances, kind="stable")
        assert (np.diff(adjusted[order]) >= -1e-12).all()
        assert (adjusted >= np.asarray(chances) - 1e-12).all()
        assert adjusted.max() <= 1.0
    assert (benjamini_hochberg(chances) <= holm(chances) + 1e-12).all()


def test_where_all_are_true_holm_errs_as_often_as_its_level_says():
    generator = np.random.default_rng(1)
    wrong = np.mean([holm(generator.random(12)).min() <= 0.05 for _ in range(4000)])
    assert 0.03 <= wrong <= 0.06


def test_the_chance_says_what_the_interval_says():
    assert chance_at_limit(5.0, 3.0, 3.0) == pytest.approx(0.025)
    assert chance_at_limit(5.0, 3.0, 5.0) == pytest.approx(0.5)
    # The limit lies twice as far from the value as the lower end does: 2 x 1.96 standard errors.
    assert chance_at_limit(5.0, 3.0, 1.0) == pytest.approx(stats.norm.sf(2 * stats.norm.isf(0.025)))
    assert chance_at_limit(8.0, 4.0, 2.0, ratio=True) == pytest.approx(stats.norm.sf(2 * stats.norm.isf(0.025)))
    assert chance_at_limit(math.e, 1.0, 1.0, ratio=True, level=0.9) == pytest.approx(0.05)


def test_a_value_without_doubt_is_over_the_limit_or_not():
    assert chance_at_limit(2.0, 2.0, 1.0) == 0.0
    assert chance_at_limit(1.0, 1.0, 1.0) == 1.0
    assert chance_at_limit(2.0, 0.0, 1.0, ratio=True) == 0.5


def test_what_is_no_chance_is_refused():
    with pytest.raises(AssessmentError, match="not between 0 and 1"):
        holm([0.1, 1.2])
    with pytest.raises(AssessmentError, match="above zero"):
        chance_at_limit(1.0, 0.5, 0.0, ratio=True)
