import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.assessment.intervals import Resampling
from countenance.assessment.wider_face_rules import (
    Thresholds,
    match_subset,
    measure_subsets,
    precision_and_recall,
    subset_average_precision,
)
from countenance.errors import AssessmentError

QUICK = Resampling(resamples=50)
FEW = Resampling(resamples=1)

FACE = (0.0, 0.0, 10.0, 10.0)
OTHER = (50.0, 0.0, 10.0, 10.0)
NOBODY = (200.0, 200.0, 10.0, 10.0)


def by_hand(in_subset=((True, True), (False,))):
    # Photo 0: a face found twice (.9 right, .7 false), one found at .6, one false box at .8. Photo 1: a face at .95.
    return match_subset(
        [[FACE, OTHER], [FACE]],
        in_subset,
        [[FACE, NOBODY, FACE, OTHER], [FACE]],
        [[0.9, 0.8, 0.7, 0.6], [0.95]],
    )


def test_a_small_set_by_hand():
    matches = by_hand()
    assert matches.right.tolist() == [True, False, False, True, False]
    assert matches.false.tolist() == [False, True, True, False, False]
    assert matches.faces.tolist() == [2, 0]
    measured = subset_average_precision(matches, resampling=QUICK)
    # One of one at .9, two of four at .6.
    assert measured.value == pytest.approx((1.0 + 0.5) / 2)
    assert (measured.count, measured.unit) == (2, "average precision")
    assert measured.note.startswith("2 of 2 faces found with 2 false boxes")


def test_a_box_on_a_face_outside_the_subset_is_neither_right_nor_false():
    # As if all faces counted, the box of photo 1 is right; in no case is it false.
    everyone = by_hand(((True, True), (True,)))
    assert everyone.right.tolist() == [True, False, False, True, True]
    first_only = by_hand(((True, False), (False,)))
    assert first_only.right.tolist() == [True, False, False, False, False]
    assert first_only.false.tolist() == [False, True, True, False, False]


def test_a_box_goes_to_the_face_it_overlaps_most_even_if_that_one_does_not_count():
    beside = (3.0, 0.0, 10.0, 10.0)
    matches = match_subset([[FACE, beside]], [[True, False]], [[(2.0, 0.0, 10.0, 10.0)]], [[0.9]])
    assert (matches.right.tolist(), matches.false.tolist()) == ([False], [False])


def test_precision_is_made_monotone():
    # A false box first, then two faces: precision is 0, 1/2, 2/3, and 2/3 counts for both faces.
    matches = match_subset([[FACE, OTHER]], [[True, True]], [[NOBODY, FACE, OTHER]], [[0.9, 0.8, 0.7]])
    assert subset_average_precision(matches, resampling=QUICK).value == pytest.approx(2 / 3)


def test_the_curve_has_a_point_a_distinct_score_and_its_precision_is_as_it_is():
    # The best box goes to a face that doesn't count: neither right nor false.
    matches = match_subset([[FACE, OTHER]], [[False, True]], [[FACE, NOBODY, OTHER, NOBODY]], [[0.9, 0.8, 0.7, 0.7]])
    threshold, precision, recall = precision_and_recall(matches)
    assert threshold.tolist() == [0.9, 0.8, 0.7]
    assert precision.tolist() == [0.0, 0.0, pytest.approx(1 / 3)]
    assert recall.tolist() == [0.0, 0.0, 1.0]
    assert [len(column) for column in precision_and_recall(match_subset([[FACE]], [[True]], [[]], [[]]))] == [0] * 3
    with pytest.raises(AssessmentError, match="without a labelled face"):
        precision_and_recall(match_subset([[FACE]], [[False]], [[FACE]], [[0.5]]))


def test_a_thousand_thresholds_miss_what_is_crowded_between_two_of_them():
    scores = [[1.0, 0.99999, 0.99998, 0.0]]
    matches = match_subset([[FACE, OTHER]], [[True, True]], [[FACE, NOBODY, OTHER, NOBODY]], scores)
    assert subset_average_precision(matches, resampling=QUICK).value == pytest.approx((1 + 2 / 3) / 2)
    read = subset_average_precision(matches, thresholds="one_thousand", resampling=QUICK)
    assert read.value == pytest.approx(2 / 3)


def test_sizes_are_whole_pixels_unless_told_otherwise():
    # 9 of 3 x 6 pixels overlap as lengths, 16 of 28 + 28 - 16 with both ends included: 1/3 and 0.4.
    labelled, found = (0.0, 0.0, 3.0, 6.0), (0.0, 3.0, 3.0, 6.0)
    for whole, enough in ((True, 0.399), (False, 0.333)):
        near = match_subset([[labelled]], [[True]], [[found]], [[1.0]], overlap=enough, whole_pixels=whole)
        far = match_subset([[labelled]], [[True]], [[found]], [[1.0]], overlap=enough + 0.002, whole_pixels=whole)
        assert (near.right.tolist(), far.right.tolist()) == ([True], [False])


def test_what_is_found_in_a_photo_without_a_labelled_face_does_not_count():
    matches = match_subset([[FACE], []], [[True], []], [[FACE], [NOBODY]], [[0.5], [0.9]])
    assert matches.false.tolist() == [False, False]
    assert subset_average_precision(matches, resampling=QUICK).value == 1.0


def test_a_subset_without_a_face_is_not_measurable_and_nothing_found_is_0():
    empty = subset_average_precision(by_hand(((False, False), (False,))), resampling=QUICK)
    assert (empty.value, empty.note) == (None, "not labelled")
    for thresholds in ("every_score", "one_thousand"):
        nothing = match_subset([[FACE]], [[True]], [[]], [[]])
        assert subset_average_precision(nothing, thresholds=thresholds, resampling=QUICK).value == 0.0


def test_subsets_are_measured_by_name_with_intervals_over_photos():
    photos = 20
    labelled, found = [[FACE, OTHER]] * photos, [[FACE, NOBODY]] * photos
    scores = [[0.5 + 0.01 * photo, 0.6] for photo in range(photos)]
    subsets = {"easy": [[True, False]] * photos, "hard": [[True, True]] * photos}
    measured = measure_subsets(labelled, subsets, found, scores, resampling=Resampling(resamples=200))
    assert list(measured) == ["easy", "hard"]
    easy = measured["easy"]
    assert easy.value is not None and easy.low is not None and easy.high is not None
    assert easy.low < easy.value < easy.high
    assert measured["hard"].value == pytest.approx(easy.value / 2)


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(AssessmentError, match="labelled has 1, in_subset has 2"):
        match_subset([[FACE]], [[True, False]], [[FACE]], [[0.5]])
    with pytest.raises(AssessmentError, match="give True or False for each face"):
        match_subset([[FACE]], [[1]], [[FACE]], [[0.5]])
    with pytest.raises(AssessmentError, match="In row 0 the score of a found box is not finite"):
        match_subset([[FACE]], [[True]], [[FACE]], [[np.nan]])
    with pytest.raises(AssessmentError, match="In row 0 a box is not finite"):
        match_subset([[FACE]], [[True]], [[(np.inf, 0, 1, 1)]], [[0.5]])
    with pytest.raises(AssessmentError, match="Thresholds 'all' are unknown"):
        subset_average_precision(by_hand(), thresholds="all", resampling=QUICK)  # type: ignore[arg-type]


def plainly(labelled, in_subset, found, scores, thresholds: Thresholds) -> float:
    """The published procedure, one threshold, photo and box after the other."""
    every = np.concatenate([np.asarray(score) for score in scores])
    if thresholds == "one_thousand" and len(every):
        low, span = every.min(), every.max() - every.min()
        scores = [[(value - low) / span if span else 1.0 for value in score] for score in scores]
        levels = [1 - step / 1000 for step in range(1, 1001)]
    else:
        levels = sorted(every.tolist(), reverse=True)
    points = [(0.0, 0.0)]
    faces = sum(sum(counted) for counted in in_subset)
    shared = [
        [[overlap(box, label) for label in labels] for box in boxes]
        for labels, boxes in zip(labelled, found, strict=True)
    ]
    for level in levels:
        right = false = 0
        for counted, boxes, score in zip(in_subset, shared, scores, strict=True):
            taken: set[int] = set()
            for overlaps, value in sorted(zip(boxes, score, strict=True), key=lambda item: -item[1]):
                if value < level or not overlaps:
                    continue
                best = int(np.argmax(overlaps))
                if overlaps[best] < 0.5:
                    false += 1
                elif counted[best]:
                    right += best not in taken
                    false += best in taken
                    taken.add(best)
        points.append((right / faces, right / (right + false) if right + false else 0.0))
    precisions = [max(precision for _, precision in points[place:]) for place in range(len(points))]
    steps = zip(points[1:], points[:-1], precisions[1:], strict=True)
    return sum((now[0] - before[0]) * precision for now, before, precision in steps)


def overlap(box, other) -> float:
    """Of whole pixels, both ends included."""
    shared = 1.0
    for axis in (0, 1):
        end = min(box[axis] + box[axis + 2], other[axis] + other[axis + 2])
        shared *= max(0.0, end - max(box[axis], other[axis]) + 1)
    return shared / ((box[2] + 1) * (box[3] + 1) + (other[2] + 1) * (other[3] + 1) - shared)


def made(seed: int):
    generator = np.random.default_rng(seed)
    labelled, in_subset, found, scores = [], [], [], []
    for _ in range(4):
        faces = generator.integers(0, 4)
        labels = generator.uniform([0, 0, 8, 8], [60, 60, 20, 20], (faces, 4))
        near = labels[generator.integers(0, faces, 5)] + generator.normal(0, 1.5, (5, 4)) if faces else labels
        boxes = np.concatenate([near, generator.uniform([0, 0, 8, 8], [60, 60, 20, 20], (2, 4))])
        labelled.append(labels)
        in_subset.append(generator.random(faces) < 0.6)
        found.append(boxes)
        # Few distinct scores, so that many are equal.
        scores.append(generator.integers(0, 9, len(boxes)) / 7)
    labelled.append(np.array([FACE]))
    in_subset.append(np.array([True]))
    found.append(np.empty((0, 4)))
    scores.append(np.empty(0))
    return labelled, in_subset, found, scores


@given(st.integers(0, 2**16), st.sampled_from(["every_score", "one_thousand"]))
@settings(max_examples=12)
def test_the_result_is_that_of_the_plain_procedure(seed: int, thresholds: Thresholds):
    labelled, in_subset, found, scores = made(seed)
    matches = match_subset(labelled, in_subset, found, scores)
    measured = subset_average_precision(matches, thresholds=thresholds, resampling=FEW)
    assert measured.value == pytest.approx(plainly(labelled, in_subset, found, scores, thresholds))


@given(st.integers(0, 2**16), st.floats(0.1, 100), st.floats(-500, 500))
def test_neither_order_nor_size_nor_place_matters(seed: int, size: float, x: float):
    labelled, in_subset, found, scores = made(seed)
    value = subset_average_precision(
        match_subset(labelled, in_subset, found, scores, whole_pixels=False), resampling=FEW
    ).value
    shift = np.array([x, -x, 0, 0])
    again = match_subset(
        [labels[::-1] * size + shift for labels in labelled[::-1]],
        [counted[::-1] for counted in in_subset[::-1]],
        [boxes[::-1] * size + shift for boxes in found[::-1]],
        [score[::-1] * 3 - 1 for score in scores[::-1]],
        whole_pixels=False,
    )
    assert subset_average_precision(again, resampling=FEW).value == pytest.approx(value)
    assert 0 <= value <= 1
