import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.sorted_scores import SortedScores
from tests.assessment.template_worlds import random_pairs, scored_pairs


def test_mated_and_non_mated_scores_are_in_order():
    scores = SortedScores(scored_pairs([0.75, 0.25], [0.5, -0.5, 0.125]))
    assert scores.mated.tolist() == [0.25, 0.75]
    assert scores.non_mated.tolist() == [-0.5, 0.125, 0.5]


def test_a_band_by_hand():
    scores = SortedScores(scored_pairs([0.75, 0.3, 0.25], [0.5, 0.3, -0.5, 0.31]))
    band = scores.exact_between(0.28, 0.4)
    assert np.concatenate([band.mated, band.non_mated]) == pytest.approx(np.array([0.3, 0.3, 0.31]), abs=1e-12)
    assert (band.mated_above, band.non_mated_above) == (1, 1)
    assert (band.low, band.high) == pytest.approx((0.28, 0.4), abs=1e-6)


@given(seed=st.integers(0, 500), middle=st.floats(-1.0, 1.0), half=st.floats(1e-5, 0.3))
def test_what_is_known_of_a_band_holds_for_the_float64_scores(seed: int, middle: float, half: float):
    pairs = random_pairs(seed)
    band = SortedScores(pairs).exact_between(middle - half, middle + half)
    assert band.low < band.high
    exact = pairs.exact(np.arange(len(pairs.first)))
    for truth, inside, above in (
        (pairs.mated, band.mated, band.mated_above),
        (~pairs.mated, band.non_mated, band.non_mated_above),
    ):
        known = exact[truth]
        assert (known >= band.low).sum() == above + (inside >= band.low).sum()
        assert (known >= band.high).sum() == above + (inside >= band.high).sum()


@given(seed=st.integers(0, 500), threshold=st.floats(-1.0, 1.0), before=st.floats(-1.0, 1.0))
def test_pairs_above_a_threshold_are_those_of_float64_scores(seed: int, threshold: float, before: float):
    pairs = random_pairs(seed)
    scores, exact = SortedScores(pairs), pairs.exact(np.arange(len(pairs.first)))
    scores.pairs_above(before)
    for level in (threshold, float(exact[seed % len(exact)])):
        assert scores.pairs_above(level).tolist() == np.flatnonzero(exact > level).tolist()
