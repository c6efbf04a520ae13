import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from countenance.assessment.intervals import Resampling
from countenance.assessment.pose_angles import AFLW2000_LIMIT_DEG, measure_pose
from countenance.errors import AssessmentError

QUICK = Resampling(resamples=100)
NAN = np.nan


def test_each_angle_has_its_mean_error_and_the_mean_is_that_of_the_three():
    labels = [[10.0, 0.0, 5.0], [-20.0, 10.0, 0.0]]
    said = [[12.0, 3.0, 5.0], [-16.0, 9.0, -1.0]]
    errors = measure_pose(labels, said, resampling=QUICK)
    assert [errors.yaw.value, errors.pitch.value, errors.roll.value] == [3.0, 2.0, 0.5]
    assert errors.mean.value == pytest.approx(5.5 / 3)
    assert errors.left_out == 0
    json.dumps(errors.to_dict(), allow_nan=False)


def test_differences_wrap_around():
    errors = measure_pose([[179.0, -179.0, 0.0]], [[-179.0, 179.0, 360.0]], resampling=QUICK)
    assert [errors.yaw.value, errors.pitch.value, errors.roll.value] == [2.0, 2.0, 0.0]


def test_faces_beyond_the_limit_are_left_out_only_when_that_is_asked_for():
    labels, said = [[100.0, 0.0, 0.0], [99.0, 0.0, 0.0]], [[0.0, 0.0, 0.0], [98.0, 0.0, 0.0]]
    assert measure_pose(labels, said, resampling=QUICK).yaw.value == 50.5
    errors = measure_pose(labels, said, leave_out_beyond_deg=AFLW2000_LIMIT_DEG, resampling=QUICK)
    assert (errors.yaw.value, errors.yaw.count, errors.pitch.count, errors.left_out) == (1.0, 1, 1, 1)


def test_the_share_of_nearly_right_yaws_includes_the_limit():
    errors = measure_pose([[0.0, 0.0, 0.0]] * 3, [[15.0, 0, 0], [15.1, 0, 0], [0.0, 90, 0]], resampling=QUICK)
    assert errors.yaw_within.value == pytest.approx(2 / 3)
    assert errors.within_deg == 15.0


def test_an_angle_that_is_not_labelled_is_not_in_its_metric():
    errors = measure_pose([[1.0, NAN, NAN], [NAN, NAN, 3.0]], [[2.0, 9.0, 9.0], [9.0, 9.0, 5.0]], resampling=QUICK)
    assert (errors.yaw.value, errors.yaw.count) == (1.0, 1)
    assert (errors.pitch.value, errors.pitch.note) == (None, "not labelled")
    assert errors.mean.note == "not measurable: nothing labelled in pitch"
    nothing = measure_pose([[NAN] * 3], [[1.0, 2.0, 3.0]], resampling=QUICK)
    assert {item.value for item in (nothing.yaw, nothing.mean, nothing.yaw_within)} == {None}


def test_a_labelled_angle_without_a_prediction_and_other_shapes_are_refused():
    with pytest.raises(AssessmentError, match="In row 1 a labelled angle has no prediction"):
        measure_pose([[1.0, 2.0, 3.0]] * 2, [[1.0, 2.0, 3.0], [1.0, NAN, 3.0]])
    with pytest.raises(AssessmentError, match=r"give \[photos, 3\] for both"):
        measure_pose([[1.0, 2.0]], [[1.0, 2.0]])


angles = arrays(np.float64, (4, 3), elements=st.integers(-180, 180).map(float))


@given(angles, angles, st.integers(-3, 3))
def test_whole_turns_and_the_order_of_faces_change_nothing(labels, said, turns: int):
    few = Resampling(resamples=2)
    errors = measure_pose(labels, said, resampling=few)
    turned = measure_pose(labels[::-1], said[::-1] + 360.0 * turns, resampling=few)
    for name in ("yaw", "pitch", "roll", "mean", "yaw_within"):
        assert getattr(turned, name).value == pytest.approx(getattr(errors, name).value)
    assert 0 <= errors.mean.value <= 180
