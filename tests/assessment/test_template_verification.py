from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.score_grid import STEP, on_grid
from countenance.assessment.sorted_scores import SortedScores
from countenance.assessment.template_scores import TemplatePairScores
from countenance.assessment.template_verification import FARS, roc_curve, template_tar_at_far
from countenance.assessment.verification import TarAtFar, tar_at_far
from countenance.errors import AssessmentError
from tests.assessment.template_worlds import random_pairs, scored_pairs, templates_of, unit

TENTHS = [n / 10 for n in range(10)]


def in_float64(pairs: TemplatePairScores, fars: list[float]) -> tuple[TarAtFar, ...]:
    """By the same rule, with every score computed in float64."""
    exact = pairs.exact(np.arange(len(pairs.first)))
    return tar_at_far(exact[pairs.mated], exact[~pairs.mated], fars)


def test_tar_by_hand():
    # FAR 0.1 of 10: tau = 0.8, one mated above. FAR 0.2: tau = 0.7, the mated 0.7 is not above it.
    points = template_tar_at_far(scored_pairs([0.9, 0.75, 0.7, 0.1], TENTHS), [0.1, 0.2])
    assert [(point.tar, point.accepted, point.mated) for point in points] == [(0.25, 1, 4), (0.5, 2, 4)]
    assert [(point.at.threshold, point.at.false_accepts, point.at.realised_far) for point in points] == [
        (pytest.approx(0.8), 1, 0.1),
        (pytest.approx(0.7), 2, 0.2),
    ]
    assert points[0].at.note == "1 of 10 non-mated comparisons accepted"


def test_tied_scores_are_refused_together():
    # k = 2, but the second to fourth largest are equal: accepting one would accept all.
    (point,) = template_tar_at_far(scored_pairs([0.5, 0.6], [0.9, 0.5, 0.5, 0.5, *[0.1] * 6]), [0.2])
    assert (point.at.threshold, point.at.false_accepts, point.accepted) == (0.5, 1, 1)


def test_scores_that_differ_in_float64_only_are_told_apart():
    # All of them are the same number in float32.
    close = [0.5 + 4 * n * STEP for n in range(10)]
    pairs = scored_pairs([close[8], close[7], 0.5 + 30 * STEP, 0.2], close)
    assert len(set(pairs.scores[[0, 1, 2, *range(4, 14)]].tolist())) == 1
    points = template_tar_at_far(pairs, [0.1, 0.2, 0.3])
    # tau = close[8], close[7], close[6].
    assert [(point.accepted, point.at.false_accepts) for point in points] == [(0, 1), (2, 2), (3, 3)]
    assert points == in_float64(pairs, [0.1, 0.2, 0.3])


def test_all_mated_leaves_nothing_to_set_a_threshold_on():
    for point in template_tar_at_far(scored_pairs([0.5, 0.6], []), FARS):
        assert (point.tar, point.accepted, point.mated, point.at.threshold) == (None, None, 2, None)
        assert point.at.note.startswith("not measurable")


def test_none_mated_has_a_threshold_but_no_tar():
    (point,) = template_tar_at_far(scored_pairs([], TENTHS), [0.1])
    assert (point.tar, point.accepted, point.mated, point.at.threshold) == (
        None,
        0,
        0,
        pytest.approx(0.8),
    )


@pytest.mark.parametrize("rule", ["threshold", "insightface_compat"])
def test_a_far_below_one_comparison_is_not_measurable_and_not_zero(rule):
    (point,) = template_tar_at_far(scored_pairs([0.95], TENTHS), [0.09], rule=rule)
    assert (point.tar, point.accepted, point.at.false_accepts) == (None, None, None)
    assert point.at.note == "not measurable: FAR 0.09 is below 1 in 10 non-mated comparisons"


@pytest.mark.parametrize("rule", ["threshold", "insightface_compat"])
def test_a_far_outside_zero_to_one_is_refused(rule):
    with pytest.raises(AssessmentError, match="between 0 and 1"):
        template_tar_at_far(scored_pairs([0.95], TENTHS), [1.0], rule=rule)


SCORES = st.lists(st.integers(-9, 9).map(lambda n: n / 10), min_size=1, max_size=40)


@given(mated=SCORES, non_mated=SCORES, far=st.floats(1e-3, 0.999))
def test_the_far_never_exceeds_its_target_ties_included(mated: list[float], non_mated: list[float], far: float):
    (point,) = template_tar_at_far(scored_pairs(mated, non_mated), [far])
    if point.at.threshold is None:
        assert Fraction(repr(far)) * len(non_mated) < 1
    else:
        assert point.at.realised_far <= far
        assert point.at.false_accepts == (on_grid(np.array(non_mated)) > point.at.threshold).sum()
        assert point.accepted == (on_grid(np.array(mated)) > point.at.threshold).sum()


@given(seed=st.integers(0, 10_000), spread=st.sampled_from([0.0, 1e-16, 1e-13, 1e-9, 1e-7, 1e-5]))
def test_counts_among_near_ties_are_those_of_float64_scores(seed: int, spread: float):
    generator = np.random.default_rng(seed)
    # Three directions, and templates so close to them that most scores are alike to 7 digits or to all.
    centres = unit(generator.normal(size=(3, 33)))
    features = unit(centres[generator.integers(0, 3, 50)] + spread * generator.normal(size=(50, 33)))
    first, second = generator.integers(0, 50, (2, 900))
    pairs = TemplatePairScores.of(templates_of(features), first, second, generator.random(900) < 0.3)
    fars = [0.002, 0.01, 0.1, 0.3, 0.7]
    assert template_tar_at_far(pairs, fars) == in_float64(pairs, fars)


@given(seed=st.integers(0, 10_000))
def test_neither_the_order_of_pairs_nor_of_templates_matters(seed: int):
    generator = np.random.default_rng(seed)
    pairs = random_pairs(seed)
    fars = [0.01, 0.1, 0.4]
    expected = template_tar_at_far(pairs, fars)
    order = generator.permutation(len(pairs.first))
    place = generator.permutation(len(pairs.templates.ids))
    features = np.empty_like(pairs.templates.features64)
    features[place] = pairs.templates.features64
    # Either template may stand first.
    swapped = generator.random(len(order)) < 0.5
    one, other = place[pairs.first[order]], place[pairs.second[order]]
    first, second = np.where(swapped, other, one), np.where(swapped, one, other)
    again = TemplatePairScores.of(templates_of(features), first, second, pairs.mated[order])
    assert template_tar_at_far(again, fars) == expected


def test_sorted_scores_serve_several_measurements():
    pairs = random_pairs(5)
    ordered = SortedScores(pairs)
    assert template_tar_at_far(ordered, [0.1]) == template_tar_at_far(pairs, [0.1])
    assert roc_curve(ordered).far.tolist() == roc_curve(pairs).far.tolist()


def test_a_roc_curve_by_hand():
    curve = roc_curve(scored_pairs([0.9, 0.35], [0.8, 0.3, 0.3, 0.1]))
    assert curve.thresholds[:-1] == pytest.approx(np.array([0.9, 0.8, 0.3, 0.1]))
    assert curve.false_accepts.tolist() == [0, 0, 1, 3, 4]
    assert curve.true_accepts.tolist() == [0, 1, 2, 2, 2]
    assert curve.far.tolist() == [0, 0, 0.25, 0.75, 1.0]
    assert curve.tar.tolist() == [0, 0.5, 1, 1, 1]


@given(seed=st.integers(0, 300), points=st.integers(2, 50))
def test_a_thinned_roc_curve_lies_on_the_whole_one_from_end_to_end(seed: int, points: int):
    pairs = random_pairs(seed)
    curve = roc_curve(pairs, points)
    assert len(curve.thresholds) <= points
    assert (curve.far[0], curve.tar[0], curve.far[-1], curve.tar[-1]) == (0, 0, 1, 1)
    for threshold, false_accepts, true_accepts in zip(
        curve.thresholds, curve.false_accepts, curve.true_accepts, strict=True
    ):
        above = pairs.scores.astype(np.float64) > threshold
        assert (above & ~pairs.mated).sum() == false_accepts
        assert (above & pairs.mated).sum() == true_accepts


@pytest.mark.parametrize(("mated", "non_mated", "points"), [([], [0.5], 9), ([0.5], [], 9), ([0.5], [0.5], 1)])
def test_a_roc_curve_of_nothing_is_refused(mated: list, non_mated: list, points: int):
    with pytest.raises(AssessmentError, match="give some of both"):
        roc_curve(scored_pairs(mated, non_mated), points)


def test_a_roc_curve_does_not_step_through_scores_that_may_be_equal_in_float64():
    # In float32 the ten near .5 are a few numbers; they are refused together, then accepted together.
    near = [0.5 + n * 2e-8 for n in range(10)]
    pairs = scored_pairs([0.9, near[5], 0.2], [0.8, *near, 0.1])
    assert len(np.unique(pairs.scores[3:14])) - 1 > 1
    curve = roc_curve(pairs, 100)
    assert curve.false_accepts.tolist() == [0, 0, 1, 11, 12]
    assert curve.true_accepts.tolist() == [0, 1, 1, 3, 3]


@given(seed=st.integers(0, 300))
def test_no_two_thresholds_of_a_roc_curve_are_closer_than_float32_can_tell(seed: int):
    pairs = random_pairs(seed)
    steps = -np.diff(roc_curve(pairs, 500).thresholds)
    assert (steps[:-1] > 2 * pairs.error_bound).all() and steps[-1] > 0
