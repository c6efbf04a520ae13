import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.landmark_scales import (
    FIVE_OF,
    INTER_OCULAR,
    five_of_landmarks,
    landmark_scales,
    normalised_landmark_errors,
)
from countenance.assessment.row_scores import landmark_errors
from countenance.data.alignment import five_points
from countenance.errors import AssessmentError

FIVE = np.array([[[0, 0], [10, 0], [5, 5], [2, 8], [8, 8]]], dtype=float)
NAN = np.nan


def face(points: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0, 100, (1, points, 2))


def test_the_five_points_are_those_that_crops_are_aligned_by():
    for points in FIVE_OF:
        labels = face(points)
        five, _ = five_of_landmarks(labels, None)
        np.testing.assert_allclose(five[0], five_points(labels[0], str(points)), rtol=1e-6)


def test_a_mean_point_is_as_visible_as_its_least_visible_one():
    seen = np.ones((1, 68))
    seen[0, 37], seen[0, 30] = 0.0, NAN
    _, reduced = five_of_landmarks(face(68), seen)
    assert reduced.tolist() == [[0.0, 1.0, 1.0, 1.0, 1.0]]
    labels = face(68)
    labels[0, 40] = NAN
    assert np.isnan(five_of_landmarks(labels, None)[0][0, 0]).all()


def test_each_length_is_what_its_name_says():
    labels = face(68)
    labels[0, 36], labels[0, 45] = [20.0, 30.0], [50.0, 70.0]
    assert landmark_scales(labels, "outer_eye_corners").tolist() == [50.0]
    labels[0, 36:42], labels[0, 42:48] = [10.0, 10.0], [13.0, 14.0]
    assert landmark_scales(labels, "eye_centres").tolist() == [5.0]
    assert landmark_scales(FIVE, "eye_centres").tolist() == [10.0]
    assert landmark_scales(FIVE, "box_size", boxes_xywh=[[3, 3, 4, 9]]).tolist() == [6.0]
    assert landmark_scales(FIVE, "landmark_extent").tolist() == [np.sqrt(80)]
    of_21 = face(21)
    of_21[0, 6], of_21[0, 11] = [0.0, 0.0], [3.0, 4.0]
    assert landmark_scales(of_21, INTER_OCULAR[21]).tolist() == [5.0]


def test_a_small_error_by_hand():
    said = FIVE + np.array([[[3, 4]]])
    scores = normalised_landmark_errors(FIVE, said, "eye_centres")
    assert scores.values.tolist() == [0.5]
    assert scores.unit == "distance of the eye centres"
    assert normalised_landmark_errors(FIVE, said, "box_size", boxes_xywh=[[0, 0, 5, 20]]).values.tolist() == [0.5]


def test_points_that_cannot_be_seen_or_are_not_labelled_are_left_out():
    said = FIVE.copy()
    said[0, 0] += 5
    said[0, 1] += [0, 10]
    assert normalised_landmark_errors(FIVE, said, "eye_centres", visibility=[[0, 1, 1, 1, 1]]).values == [0.25]
    assert normalised_landmark_errors(FIVE, said, "eye_centres", visibility=[[0.5, NAN, 1, 0, 0]]).values == [0.5]
    labels = FIVE.copy()
    labels[0, 2] = NAN
    assert normalised_landmark_errors(labels, FIVE, "eye_centres").values == [0.0]
    # All hidden, no eye, no box: not in the metric, and not 0.
    assert np.isnan(normalised_landmark_errors(FIVE, FIVE, "eye_centres", visibility=[[0] * 5]).values).all()
    labels[0, 0] = NAN
    assert np.isnan(normalised_landmark_errors(labels, FIVE, "eye_centres").values).all()
    assert np.isnan(normalised_landmark_errors(FIVE, FIVE, "box_size", boxes_xywh=[[NAN] * 4]).values).all()
    assert np.isnan(normalised_landmark_errors(labels, FIVE, "landmark_extent").values).all()


def test_for_five_points_the_error_is_the_one_of_the_kpi_sheet():
    said = face(5, seed=1)
    labels = face(5, seed=2)
    ours = normalised_landmark_errors(labels, said, "eye_centres").values
    np.testing.assert_allclose(ours, landmark_errors(labels, said).values)


def test_what_cannot_be_measured_is_refused_in_a_sentence():
    with pytest.raises(AssessmentError, match="5 landmarks have no eye corners"):
        landmark_scales(FIVE, "outer_eye_corners")
    with pytest.raises(AssessmentError, match="'box_size' needs the labelled boxes"):
        landmark_scales(FIVE, "box_size")
    with pytest.raises(AssessmentError, match="'iod' is no length to divide by"):
        landmark_scales(FIVE, "iod")  # type: ignore[arg-type]
    with pytest.raises(AssessmentError, match="In row 0 a labelled box has no area"):
        landmark_scales(FIVE, "box_size", boxes_xywh=[[0, 0, -5, -20]])
    with pytest.raises(AssessmentError, match="In row 0 the distance of the eye centres is not positive"):
        landmark_scales(np.zeros((1, 5, 2)), "eye_centres")
    with pytest.raises(AssessmentError, match="In row 0 a labelled landmark has no prediction"):
        normalised_landmark_errors(FIVE, np.full((1, 5, 2), NAN), "eye_centres")
    with pytest.raises(AssessmentError, match="5, 21 or 68, 2"):
        normalised_landmark_errors(np.zeros((1, 7, 2)), np.zeros((1, 7, 2)), "eye_centres")
    with pytest.raises(AssessmentError, match="give the same points"):
        normalised_landmark_errors(FIVE, face(68), "eye_centres")
    with pytest.raises(AssessmentError, match="one value a point"):
        normalised_landmark_errors(FIVE, FIVE, "eye_centres", visibility=[1.0, 1.0])


@given(st.integers(0, 99), st.floats(0.01, 100), st.floats(-1000, 1000), st.sampled_from([5, 21, 68]))
def test_an_error_depends_neither_on_the_size_nor_on_the_place_of_a_face(seed: int, size: float, x: float, points: int):
    labels, said, box = face(points, seed), face(points, seed + 100), np.array([[5.0, 6.0, 40.0, 50.0]])
    moved_box = box * size + [[x, -x, 0, 0]]
    shift = [x, -x]
    for scale in {INTER_OCULAR[points], "box_size", "landmark_extent"}:
        errors = normalised_landmark_errors(labels, said, scale, boxes_xywh=box)
        moved = normalised_landmark_errors(labels * size + shift, said * size + shift, scale, boxes_xywh=moved_box)
        np.testing.assert_allclose(moved.values, errors.values, rtol=1e-6)
