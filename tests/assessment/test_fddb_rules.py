import itertools
import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.assessment.ellipse_overlaps import ellipse_overlaps
from countenance.assessment.fddb_rules import found_curve, match_ellipses, rate_at_false_faces
from countenance.assessment.intervals import Resampling
from countenance.errors import AssessmentError

QUICK = Resampling(resamples=100)

ROUND = (10.0, 10.0, 0.0, 50.0, 50.0)
ALSO_ROUND = (10.0, 10.0, 0.0, 150.0, 50.0)
SQUARE = (40.0, 40.0, 20.0, 20.0)  # overlaps ROUND by pi / 4
ALSO_SQUARE = (140.0, 40.0, 20.0, 20.0)
NOWHERE = (300.0, 300.0, 20.0, 20.0)


def by_hand():
    # Photo 0: a face found at .9, a false box at .8, the other face at .7. Photo 1: nobody, a false box at .8.
    return match_ellipses(
        [[ROUND, ALSO_ROUND], []], [[SQUARE, NOWHERE, ALSO_SQUARE], [NOWHERE]], [[0.9, 0.8, 0.7], [0.8]]
    )


def test_both_curves_by_hand():
    curve = found_curve(by_hand())
    assert curve.threshold == (0.9, 0.8, 0.7)
    assert curve.false_faces == (0, 2, 2)
    assert curve.discrete == (0.5, 0.5, 1.0)
    assert curve.continuous == pytest.approx((math.pi / 8, math.pi / 8, math.pi / 4))
    assert curve.faces == 2
    json.dumps(curve.to_dict(), allow_nan=False)


def test_the_rate_at_a_number_of_false_faces_has_its_counts():
    none = rate_at_false_faces(by_hand(), 1, resampling=QUICK)
    assert (none.rate.value, none.threshold, none.false_faces, none.true_positives, none.faces) == (0.5, 0.9, 0, 1.0, 2)
    two = rate_at_false_faces(by_hand(), 2, resampling=QUICK)
    assert (two.rate.value, two.threshold, two.false_faces, two.true_positives) == (1.0, 0.7, 2, 2.0)
    continuous = rate_at_false_faces(by_hand(), 100, score="continuous", resampling=QUICK)
    assert continuous.rate.value == pytest.approx(math.pi / 4)
    assert continuous.rate.note.startswith("the curve ends at 2 false faces")
    json.dumps([none.to_dict(), continuous.to_dict()], allow_nan=False)


def test_a_match_that_overlaps_by_no_more_than_a_half_is_false_but_counts_its_overlap():
    # The right half of the circle's square overlaps it by .44.
    curve = found_curve(match_ellipses([[ROUND]], [[(50.0, 40.0, 10.0, 20.0)]], [[0.5]]))
    assert (curve.discrete, curve.false_faces) == ((0.0,), (1,))
    assert curve.continuous[0] == pytest.approx(math.pi / 2 / (2 + math.pi / 2))


def test_a_second_region_on_a_face_is_false():
    curve = found_curve(match_ellipses([[ROUND]], [[SQUARE, SQUARE]], [[0.9, 0.8]]))
    assert (curve.discrete, curve.false_faces) == ((1.0, 1.0), (0, 1))


def test_the_matching_makes_the_sum_greatest_rather_than_taking_the_best_first():
    near, far = (10.0, 10.0, 0.0, 50.0, 50.0), (10.0, 10.0, 0.0, 60.0, 50.0)
    # The first box fits both faces and the near one better; the second fits only the near one.
    both, only_near = (44.0, 40.0, 20.0, 20.0), (36.0, 40.0, 20.0, 20.0)
    shared = ellipse_overlaps(np.array([near, far]), np.array([both, only_near]))
    assert shared[0].argmax() == 0 and shared[1, 0] + shared[0, 1] > shared[0, 0] + shared[1, 1]
    curve = found_curve(match_ellipses([[near, far]], [[both, only_near]], [[0.9, 0.8]]))
    assert curve.continuous[-1] == pytest.approx((shared[1, 0] + shared[0, 1]) / 2)


def test_where_even_the_strictest_threshold_has_too_many_false_faces_none_is_found():
    at = rate_at_false_faces(match_ellipses([[ROUND]], [[NOWHERE, SQUARE]], [[0.9, 0.8]]), 0, resampling=QUICK)
    assert (at.rate.value, at.threshold, at.false_faces, at.true_positives) == (0.0, None, 0, 0.0)


def test_without_a_labelled_face_there_is_no_rate_and_no_curve():
    steps = match_ellipses([[]], [[NOWHERE]], [[0.9]])
    at = rate_at_false_faces(steps, 100, resampling=QUICK)
    assert (at.rate.value, at.rate.note, at.faces) == (None, "not labelled", 0)
    with pytest.raises(AssessmentError, match="without a labelled face"):
        found_curve(steps)


def test_without_a_found_region_the_rate_is_0():
    at = rate_at_false_faces(match_ellipses([[ROUND]], [[]], [[]]), 100, resampling=QUICK)
    assert (at.rate.value, at.threshold, at.faces) == (0.0, None, 1)


def test_regions_are_cut_at_the_photo_where_its_size_is_given():
    corner, box = (10.0, 10.0, 0.0, 0.0, 0.0), (0.0, 0.0, 10.0, 10.0)
    assert found_curve(match_ellipses([[corner]], [[box]], [[0.5]])).discrete == (0.0,)
    cut = found_curve(match_ellipses([[corner]], [[box]], [[0.5]], photo_sizes=[(100, 100)]))
    assert cut.continuous[0] == pytest.approx(math.pi / 4)


def test_photos_of_one_subject_err_together():
    steps = match_ellipses([[ROUND]] * 6, [[SQUARE]] * 3 + [[]] * 3, [[0.9]] * 3 + [[]] * 3)
    apart = rate_at_false_faces(steps, 0, resampling=QUICK).rate
    together = rate_at_false_faces(steps, 0, subjects=["a"] * 3 + ["b"] * 3, resampling=QUICK).rate
    assert apart.value == together.value == 0.5
    assert together.high - together.low > apart.high - apart.low
    continuous = rate_at_false_faces(steps, 0, score="continuous", resampling=QUICK).rate
    assert continuous.low < continuous.value < continuous.high


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(AssessmentError, match="found has 1, scores has 2"):
        match_ellipses([[ROUND]], [[SQUARE]], [[0.5, 0.6]])
    with pytest.raises(AssessmentError, match="ellipses has 1, photo_sizes has 2"):
        match_ellipses([[ROUND]], [[SQUARE]], [[0.5]], photo_sizes=[(1, 1), (1, 1)])
    with pytest.raises(AssessmentError, match="In row 0 the score of a found region is not finite"):
        match_ellipses([[ROUND]], [[SQUARE]], [[np.nan]])
    with pytest.raises(AssessmentError, match="The score 'both' is unknown"):
        rate_at_false_faces(by_hand(), 1, score="both")  # type: ignore[arg-type]


def made(seed: int):
    generator = np.random.default_rng(seed)
    ellipses, found, scores = [], [], []
    for _ in range(4):
        faces, boxes = generator.integers(0, 4), generator.integers(0, 5)
        ellipses.append(generator.uniform([6, 5, 0, 10, 10], [12, 9, 3, 40, 40], (faces, 5)))
        found.append(generator.uniform([0, 0, 10, 10], [35, 35, 20, 20], (boxes, 4)))
        scores.append(generator.integers(0, 5, boxes) / 4)
    ellipses.append(np.array([ROUND]))
    found.append(np.array([SQUARE]))
    scores.append(np.array([0.6]))
    return ellipses, found, scores


def plainly(ellipses, found, scores, threshold: float) -> tuple[float, float, int]:
    """Discrete and continuous score and regions at a threshold, over every way to match."""
    discrete, continuous, shown = 0, 0.0, 0
    for labels, regions, score in zip(ellipses, found, scores, strict=True):
        accepted = regions[np.asarray(score) >= threshold]
        shown += len(accepted)
        shared = ellipse_overlaps(labels, accepted).tolist()
        size = max(len(labels), len(accepted))
        ways = itertools.permutations(range(size), len(labels))
        values = [[row[place] for row, place in zip(shared, way, strict=True) if place < len(accepted)] for way in ways]
        best = max(values, key=sum)
        discrete += sum(value > 0.5 for value in best)
        continuous += sum(best)
    return discrete, continuous, shown


@given(st.integers(0, 2**16))
@settings(max_examples=30)
def test_the_curves_are_those_of_the_plain_procedure(seed: int):
    ellipses, found, scores = made(seed)
    curve = found_curve(match_ellipses(ellipses, found, scores))
    for place, threshold in enumerate(curve.threshold):
        discrete, continuous, shown = plainly(ellipses, found, scores, threshold)
        assert curve.discrete[place] * curve.faces == pytest.approx(discrete)
        assert curve.continuous[place] * curve.faces == pytest.approx(continuous)
        assert curve.false_faces[place] == shown - discrete


@given(st.integers(0, 2**16), st.floats(0.2, 20), st.floats(-300, 300))
@settings(max_examples=30)
def test_neither_order_nor_size_nor_place_matters(seed: int, size: float, x: float):
    ellipses, found, scores = made(seed)
    curve = found_curve(match_ellipses(ellipses, found, scores))
    moved = found_curve(
        match_ellipses(
            [labels[::-1] * [size, size, 1, size, size] + np.array([0, 0, 0, x, x]) for labels in ellipses[::-1]],
            [regions[::-1] * size + np.array([x, x, 0, 0]) for regions in found[::-1]],
            [score[::-1] for score in scores[::-1]],
        )
    )
    assert (moved.threshold, moved.false_faces, moved.discrete) == (curve.threshold, curve.false_faces, curve.discrete)
    assert moved.continuous == pytest.approx(curve.continuous)
