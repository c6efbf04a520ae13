import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.detection import (
    DetectionCurve,
    MatchedFaces,
    detection_average_precision,
    detection_curve,
    face_recall,
    false_faces_per_photo,
    match_faces,
    recall_at_false_faces,
)
from countenance.assessment.intervals import Resampling, rate_over_subjects
from countenance.errors import AssessmentError

QUICK = Resampling(resamples=200)

FACE = (0.0, 0.0, 10.0, 10.0)
OTHER = (50.0, 0.0, 10.0, 10.0)


def moved(box: tuple[float, ...], x: float) -> tuple[float, ...]:
    return (box[0] + x, *box[1:])


def by_hand() -> MatchedFaces:
    # Photo 0: two faces, one found (.9), one false (.8). Photo 1: a face found (.7), and again (.6: false). Photo 2: a
    # face not found. Photo 3: nobody, one false (.5).
    return match_faces(
        [[FACE, OTHER], [FACE], [FACE], []],
        [[FACE, (200, 0, 9, 9)], [moved(FACE, 1), moved(FACE, 2)], [], [(0, 0, 5, 5)]],
        [[0.9, 0.8], [0.7, 0.6], [], [0.5]],
    )


def test_an_overlap_of_a_half_is_enough_and_less_is_not():
    # 10 x 10 boxes moved by x overlap by (10 - x) / (10 + x): a half at x = 10 / 3.
    near, far = moved(FACE, 10 / 3 - 1e-6), moved(FACE, 10 / 3 + 1e-3)
    assert match_faces([[FACE]], [[near]], [[0.5]]).is_face.tolist() == [True]
    assert match_faces([[FACE]], [[far]], [[0.5]]).is_face.tolist() == [False]


def test_the_better_score_takes_the_face_and_the_other_box_is_false():
    matched = match_faces([[FACE]], [[FACE, moved(FACE, 1)]], [[0.4, 0.6]])
    assert matched.is_face.tolist() == [False, True]
    assert matched.face_score.tolist() == [0.6]


def test_a_box_between_two_faces_takes_the_one_it_overlaps_most_of_those_still_free():
    faces = [(0, 0, 10, 10), (4, 0, 10, 10)]
    matched = match_faces([faces], [[(1, 0, 10, 10), (1.5, 0, 10, 10)]], [[0.9, 0.8]])
    assert matched.is_face.tolist() == [True, True]
    assert matched.face_score.tolist() == [0.9, 0.8]


def test_a_small_set_by_hand():
    matched = by_hand()
    assert matched.is_face.tolist() == [True, False, True, False, False]
    assert face_recall(matched, resampling=QUICK).value == 2 / 4
    assert face_recall(matched, threshold=0.75, resampling=QUICK).value == 1 / 4
    assert false_faces_per_photo(matched, resampling=QUICK).value == 3 / 4
    assert false_faces_per_photo(matched, threshold=0.6, resampling=QUICK).value == 2 / 4
    curve = detection_curve(matched)
    assert curve.threshold == (0.9, 0.8, 0.7, 0.6, 0.5)
    assert curve.recall == (0.25, 0.25, 0.5, 0.5, 0.5)
    assert curve.false_per_photo == (0, 0.25, 0.25, 0.5, 0.75)
    # Precision 1 at the first face, 2/3 at the second; two of four faces are never found.
    assert detection_average_precision(matched, resampling=QUICK).value == pytest.approx((1 + 2 / 3) / 4)


def test_the_threshold_is_the_most_lenient_within_the_limit():
    curve = detection_curve(by_hand())
    assert curve.threshold_for(0.25) == 0.7
    assert curve.threshold_for(0.1) == 0.9
    assert DetectionCurve((0.9,), (1.0,), (0.5,)).threshold_for(0.1) is None
    assert recall_at_false_faces(by_hand(), false_per_photo=0.25, resampling=QUICK).value == 0.5
    assert recall_at_false_faces(by_hand(), false_per_photo=0.1, resampling=QUICK).value == 0.25


def test_with_more_false_faces_than_allowed_at_every_threshold_nothing_counts_as_found():
    matched = match_faces([[FACE]], [[FACE, OTHER]], [[0.5, 0.5]])
    assert recall_at_false_faces(matched, resampling=QUICK).value == 0


def test_a_perfect_detector_and_none_at_all():
    perfect = match_faces([[FACE]] * 20, [[FACE]] * 20, [[0.9]] * 20)
    assert face_recall(perfect).value == 1
    assert face_recall(perfect).low == pytest.approx(1 - 12 / 20)  # the rule of three: still in doubt
    assert detection_average_precision(perfect, resampling=QUICK).value == 1
    nothing = match_faces([[FACE]] * 20, [[]] * 20, [[]] * 20)
    assert face_recall(nothing).value == 0
    assert detection_average_precision(nothing, resampling=QUICK).value == 0
    assert detection_curve(nothing).threshold == ()
    assert recall_at_false_faces(nothing).value == 0


def test_photos_without_labelled_faces_have_no_recall_but_false_faces():
    matched = match_faces([[], []], [[FACE], []], [[0.5], []])
    assert face_recall(matched).note == "not labelled"
    assert detection_average_precision(matched).note == "not labelled"
    assert recall_at_false_faces(matched).note == "not labelled"
    assert false_faces_per_photo(matched, resampling=QUICK).value == 0.5
    with pytest.raises(AssessmentError, match="without a labelled face"):
        detection_curve(matched)


def test_the_interval_of_recall_is_over_photos_or_subjects():
    labelled = [[FACE, OTHER]] * 10
    found = [[FACE, OTHER]] * 5 + [[FACE]] * 5
    scores = [[0.9, 0.9]] * 5 + [[0.9]] * 5
    matched = match_faces(labelled, found, scores)
    right = np.array([True, True] * 5 + [True, False] * 5)
    rate = rate_over_subjects(~right, np.repeat(np.arange(10), 2))
    measured = face_recall(matched)
    assert (measured.value, measured.count) == (0.75, 20)
    assert measured.low == pytest.approx(1 - rate.high)
    people = face_recall(matched, subjects=["a"] * 5 + ["b"] * 5)
    assert people.high - people.low > measured.high - measured.low


def test_a_box_or_score_that_is_not_finite_is_refused():
    with pytest.raises(AssessmentError, match="found box or its score is not finite"):
        match_faces([[FACE]], [[FACE]], [[np.nan]])
    with pytest.raises(AssessmentError, match="a labelled box is not finite"):
        match_faces([[(0, 0, np.nan, 1)]], [[]], [[]])
    with pytest.raises(AssessmentError, match="labelled has 1, found has 0"):
        match_faces([[FACE]], [], [])


boxes = st.tuples(st.integers(0, 30), st.integers(0, 10), st.integers(4, 12), st.integers(4, 12))
photo = st.tuples(st.lists(boxes, max_size=3), st.lists(st.tuples(boxes, st.integers(1, 6)), max_size=5))


@given(st.lists(photo, min_size=1, max_size=6))
def test_recall_and_false_faces_only_grow_towards_lenient_thresholds(photos: list):
    matched = match_faces(
        [labels for labels, _ in photos],
        [[box for box, _ in found] for _, found in photos],
        [[score / 6 for _, score in found] for _, found in photos],
    )
    assert np.isfinite(matched.face_score).sum() == matched.is_face.sum()
    if not len(matched.face_photo):
        return
    curve = detection_curve(matched)
    assert all(first >= second for first, second in zip(curve.threshold, curve.threshold[1:], strict=False))
    assert list(curve.recall) == sorted(curve.recall)
    assert list(curve.false_per_photo) == sorted(curve.false_per_photo)
    for threshold, recall, false in zip(curve.threshold, curve.recall, curve.false_per_photo, strict=True):
        assert face_recall(matched, threshold=threshold).value == pytest.approx(recall)
        measured = false_faces_per_photo(matched, threshold=threshold, resampling=Resampling(resamples=2))
        assert measured.value == pytest.approx(false)


@given(st.lists(photo, min_size=1, max_size=5))
def test_average_precision_is_the_area_under_the_steps_of_the_curve(photos: list):
    matched = match_faces(
        [labels for labels, _ in photos],
        [[box for box, _ in found] for _, found in photos],
        [[score / 6 for _, score in found] for _, found in photos],
    )
    if not len(matched.face_photo):
        return
    total, recall = 0.0, 0.0
    for threshold in sorted(set(matched.score.tolist()), reverse=True):
        shown = matched.is_face[matched.score >= threshold]
        now = shown.sum() / len(matched.face_photo)
        total += shown.mean() * (now - recall)
        recall = now
    measured = detection_average_precision(matched, resampling=Resampling(resamples=2))
    assert measured.value == pytest.approx(total)
