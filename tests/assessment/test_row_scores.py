import math

import numpy as np
import pandas as pd
import pytest

from countenance.assessment.row_scores import (
    absolute_errors,
    landmark_array,
    landmark_errors,
    pose_errors,
    right_decisions,
    yaw_class_decisions,
)
from countenance.errors import AssessmentError

FIVE = np.array([[0, 0], [10, 0], [5, 5], [2, 8], [8, 8]], dtype=float)
MTFL = ((-90.0, -60.0), (-60.0, -30.0), (-30.0, 30.0), (30.0, 60.0), (60.0, 90.0))


def test_a_class_is_right_wrong_or_not_labelled():
    scores = right_decisions(["male", None, "female"], ["male", "male", "male"], ("male", "female"))
    assert scores.values.tolist()[::2] == [1.0, 0.0]
    assert math.isnan(scores.values[1])


def test_pandas_booleans_with_nulls_are_read():
    labels = pd.Series([True, None, False], dtype="boolean")
    scores = right_decisions(labels, np.array([True, True, True]), (True, False))
    assert scores.values.tolist()[::2] == [1.0, 0.0]
    assert np.isnan(scores.values[1])


def test_a_word_outside_the_classes_is_refused_with_its_row():
    with pytest.raises(AssessmentError, match="row 1 the prediction is not one of male, female"):
        right_decisions([None, "male"], ["?", "M"], ("male", "female"))
    with pytest.raises(AssessmentError, match="row 0 the label is not one of True, False"):
        right_decisions(["yes"], [True], (True, False))


def test_a_labelled_photo_without_a_prediction_is_refused():
    with pytest.raises(AssessmentError, match="row 1 a labelled photo has no prediction"):
        right_decisions(["male", "male"], ["male", None], ("male", "female"))
    with pytest.raises(AssessmentError, match="labels has 1, predictions has 2"):
        absolute_errors([1.0], [1.0, 2.0], unit="years")


def test_an_age_error_is_the_absolute_difference():
    scores = absolute_errors(pd.Series([30.0, np.nan, 5.0]), [27.5, 99.0, 6.0], unit="years")
    assert scores.values.tolist()[::2] == [2.5, 1.0]
    assert not scores.higher_is_better


def test_a_pose_error_is_the_mean_over_the_labelled_angles_and_wraps():
    labels = [[10.0, 0.0, np.nan], [179.0, np.nan, np.nan], [np.nan] * 3]
    predictions = [[14.0, -2.0, 50.0], [-179.0, 5.0, 5.0], [1.0, 2.0, 3.0]]
    values = pose_errors(labels, predictions).values
    assert values[:2].tolist() == [3.0, 2.0]
    assert np.isnan(values[2])
    assert pose_errors([5.0, np.nan], [3.0, 0.0]).values[0] == 2.0
    with pytest.raises(AssessmentError, match="row 0 a labelled angle has no prediction"):
        pose_errors([[1.0, 2.0]], [[1.0, np.nan]])
    with pytest.raises(AssessmentError, match="differ in shape"):
        pose_errors([[1.0, 2.0]], [[1.0]])


@pytest.mark.parametrize(
    ("label", "yaw", "right"),
    [
        ([-30.0, 30.0], 12.0, 1.0),
        ([-30.0, 30.0], 45.0, 0.0),
        ([60.0, 90.0], 140.0, 1.0),  # outside every range: the nearest counts
        ([30.0, 60.0], 30.0, 1.0),  # on the edge of two: the nearer middle (45, not 0)
        ([-30.0, 30.0], 30.0, 0.0),
        ([-90.0, -60.0], -60.5, 1.0),
    ],
)
def test_a_coarse_yaw_is_right_when_the_nearest_class_is_the_labelled_one(label: list, yaw: float, right: float):
    assert yaw_class_decisions([label], [yaw], MTFL).values.tolist() == [right]


def test_a_yaw_range_that_is_null_or_unknown_or_not_predicted():
    assert np.isnan(yaw_class_decisions([None], [3.0], MTFL).values).all()
    with pytest.raises(AssessmentError, match="yaw range of row 1 is not one of the classes"):
        yaw_class_decisions([None, [0.0, 1.0]], [3.0, 3.0], MTFL)
    with pytest.raises(AssessmentError, match="row 0 a labelled yaw range has no prediction"):
        yaw_class_decisions([[-30.0, 30.0]], [np.nan], MTFL)


def test_the_landmark_error_of_five_points_is_over_the_distance_of_the_eye_centres():
    moved = FIVE + np.array([[3, 4], [0, 0], [0, 0], [0, 0], [0, 0]])
    # One of five points is 5 px off, the eyes are 10 px apart: 5 / 10 / 5 = 0.1.
    assert landmark_errors(FIVE[None], moved[None]).values == pytest.approx([0.1])


def test_the_landmark_error_of_68_points_is_over_the_distance_of_the_outer_eye_corners():
    truth = np.zeros((1, 68, 2))
    truth[0, 45] = [20, 0]
    assert landmark_errors(truth, truth + np.array([0.0, 2.0])).values == pytest.approx([0.1])


def test_hidden_and_unlabelled_points_are_left_out():
    moved = FIVE + np.array([[1, 0], [1, 0], [100, 0], [1, 0], [100, 0]])
    visibility = np.array([[1, 1, 0, 1, 1]])
    label = FIVE.copy()
    label[4] = np.nan
    assert landmark_errors(label[None], moved[None], visibility=visibility).values == pytest.approx([0.1])


def test_a_photo_without_both_eyes_labelled_is_not_in_the_landmark_error():
    label = FIVE.copy()
    label[0] = np.nan
    assert np.isnan(landmark_errors(label[None], FIVE[None]).values).all()


def test_landmarks_that_cannot_be_measured_are_refused():
    with pytest.raises(AssessmentError, match="row 0 the two eyes lie on one point"):
        landmark_errors(np.zeros((1, 5, 2)), np.zeros((1, 5, 2)))
    missing = FIVE.copy()
    missing[2] = np.nan
    with pytest.raises(AssessmentError, match="row 0 a labelled landmark has no prediction"):
        landmark_errors(FIVE[None], missing[None])
    with pytest.raises(AssessmentError, match="shapes"):
        landmark_errors(FIVE, FIVE)


def test_a_column_of_flat_lists_becomes_points_with_nan_for_null():
    column = pd.Series([list(range(10)), None], dtype=object)
    points = landmark_array(column, 5)
    assert points.shape == (2, 5, 2)
    assert points[0, 1].tolist() == [2.0, 3.0]
    assert np.isnan(points[1]).all()
    with pytest.raises(AssessmentError, match="Row 0 has 4 landmark coordinates, not 10"):
        landmark_array([[1.0, 2.0, 3.0, 4.0]], 5)
