"""``insightface_compat``: the ROC point nearest to the target, on either side of it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.nearest_roc_point import nearest_roc_point
from countenance.assessment.sorted_scores import SortedScores
from countenance.assessment.template_scores import TemplatePairScores
from tests.assessment.template_worlds import random_pairs, scored_pairs


def read(mated: list[float], non_mated: list[float], far: float) -> tuple[int, int]:
    point = nearest_roc_point(SortedScores(scored_pairs(mated, non_mated)), far)
    assert point.at.threshold is not None
    assert sum(score > point.at.threshold for score in non_mated) == point.at.false_accepts
    assert sum(score > point.at.threshold for score in mated) == point.accepted
    return point.at.false_accepts, point.accepted


def test_the_nearest_point_may_lie_above_the_target():
    # The curve turns at (0, 0), (2, 0), (2, 1), (4, 1), (4, 2), (8, 2) of 8 and 2. FAR 3/8 is as near to 2 as to 4: the
    # larger is taken, at the upper end of its vertical stretch.
    mated, non_mated = [0.75, 0.55], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2]
    assert read(mated, non_mated, 0.375) == (4, 2)
    assert read(mated, non_mated, 0.36) == (2, 1)
    assert read(mated, non_mated, 0.8) == (8, 2)


def test_a_point_on_a_straight_stretch_is_not_read():
    # (1, 0) lies on it, but is read all the same: the highest score always is. (2, 0) and (3, 0) are not.
    assert read([0.65], [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1, 0.0], 0.2) == (3, 1)


def test_equal_scores_are_one_step():
    # One step takes two non-mated and a mated: (2, 1).
    assert read([0.8, 0.1], [0.8, 0.8, 0.5, 0.4, 0.3, 0.2], 0.2) == (2, 1)


def by_the_public_script(pairs: TemplatePairScores, far: float) -> tuple[float, float]:
    metrics = pytest.importorskip("sklearn.metrics")
    fpr, tpr, _ = metrics.roc_curve(pairs.mated, pairs.exact(np.arange(len(pairs.first))))
    fpr, tpr = np.flipud(fpr), np.flipud(tpr)
    _, nearest = min(zip(abs(fpr - far), range(len(fpr)), strict=True))
    return float(fpr[nearest]), float(tpr[nearest])


@given(seed=st.integers(0, 10_000), far=st.floats(2e-3, 0.99))
def test_it_reads_what_the_public_script_does(seed: int, far: float):
    pairs = random_pairs(seed, pairs=int(np.random.default_rng(seed).integers(20, 900)))
    if not 0 < pairs.mated.sum() < len(pairs.mated):
        return
    point = nearest_roc_point(SortedScores(pairs), far)
    if point.at.threshold is not None:
        assert (point.at.realised_far, point.tar) == by_the_public_script(pairs, far)


@given(
    mated=st.lists(st.integers(-9, 9).map(lambda n: n / 10), min_size=1, max_size=30),
    non_mated=st.lists(st.integers(-9, 9).map(lambda n: n / 10), min_size=1, max_size=30),
    far=st.floats(0.04, 0.99),
)
def test_it_reads_what_the_public_script_does_on_tied_scores(mated: list[float], non_mated: list[float], far: float):
    pairs = scored_pairs(mated, non_mated)
    point = nearest_roc_point(SortedScores(pairs), far)
    if point.at.threshold is not None:
        assert (point.at.realised_far, point.tar) == by_the_public_script(pairs, far)


def test_none_mated_reads_a_threshold_but_no_tar():
    point = nearest_roc_point(SortedScores(scored_pairs([], [0.1, 0.2, 0.3])), 0.4)
    assert (point.tar, point.accepted, point.mated) == (None, 0, 0)
