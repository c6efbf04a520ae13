import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.data.head_angles import angles_from_300w_lp, angles_from_aflw, head_angles
from countenance.data.head_rasterizer import head_rotation

RIGHT, UP, VIEWER = np.eye(3)


@given(yaw=st.floats(-120, 120), pitch=st.floats(-85, 85), roll=st.floats(-170, 170))
def test_angles_come_back_from_their_rotation(yaw: float, pitch: float, roll: float):
    rotation = head_rotation(yaw, pitch, roll)
    found = head_angles(rotation)
    assert head_rotation(*found) == pytest.approx(rotation, abs=1e-6)
    if abs(abs(yaw) - 90) > 0.1:
        assert found == pytest.approx((yaw, pitch, roll), abs=1e-3)


def test_at_a_right_angle_of_yaw_the_rotation_is_still_the_same():
    for yaw in (-90.0, 90.0):
        rotation = head_rotation(yaw, 25.0, 10.0)
        assert head_rotation(*head_angles(rotation)) == pytest.approx(rotation, abs=1e-9)


@pytest.mark.parametrize(
    ("pitch", "yaw", "roll", "ours"),
    [(0, 30, 0, (-30, 0, 0)), (20, 0, 0, (0, 20, 0)), (0, 0, 15, (0, 0, 15)), (0, -95, 0, (95, 0, 0))],
)
def test_one_angle_of_300w_lp_is_ours_but_for_the_sign_of_yaw(
    pitch: float, yaw: float, roll: float, ours: tuple[float, ...]
):
    assert angles_from_300w_lp(*np.radians([pitch, yaw, roll])) == pytest.approx(ours, abs=1e-9)


@given(st.tuples(*[st.floats(-1.2, 1.2)] * 3))
def test_300w_lp_angles_turn_the_head_as_the_set_defines(angles: tuple[float, float, float]):
    pitch, yaw, roll = angles
    # the set's RotationMatrix.m, written out
    rx = np.array([[1, 0, 0], [0, np.cos(pitch), np.sin(pitch)], [0, -np.sin(pitch), np.cos(pitch)]])
    ry = np.array([[np.cos(yaw), 0, -np.sin(yaw)], [0, 1, 0], [np.sin(yaw), 0, np.cos(yaw)]])
    rz = np.array([[np.cos(roll), np.sin(roll), 0], [-np.sin(roll), np.cos(roll), 0], [0, 0, 1]])
    assert head_rotation(*angles_from_300w_lp(*angles)) == pytest.approx(rx @ ry @ rz, abs=1e-6)


def test_a_head_of_300w_lp_looks_where_the_set_says():
    face = head_rotation(*angles_from_300w_lp(*np.radians([0, 40, 0]))) @ VIEWER
    assert face @ RIGHT == pytest.approx(-np.sin(np.radians(40)))
    right_side = head_rotation(*angles_from_300w_lp(*np.radians([0, 0, 10]))) @ RIGHT
    assert right_side @ UP < 0  # clockwise: the right side goes down


@pytest.mark.parametrize(
    ("roll", "pitch", "yaw", "ours"), [(0, 0, 30, (-30, 0, 0)), (0, 20, 0, (0, 20, 0)), (15, 0, 0, (0, 0, -15))]
)
def test_one_angle_of_aflw_is_ours_but_for_the_signs_of_yaw_and_roll(
    roll: float, pitch: float, yaw: float, ours: tuple[float, ...]
):
    assert angles_from_aflw(*np.radians([roll, pitch, yaw])) == pytest.approx(ours, abs=1e-9)


@given(st.floats(-1.2, 1.2), st.floats(-1.2, 1.2))
def test_a_head_of_aflw_looks_along_its_aircraft_s_nose(pitch: float, yaw: float):
    # nose of an aircraft in (viewer, image left, down): (cos y cos p, sin y cos p, -sin p), whatever its roll
    face = head_rotation(*angles_from_aflw(0.7, pitch, yaw)) @ VIEWER
    expected = [-np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)]
    assert face == pytest.approx(np.array(expected), abs=1e-6)
