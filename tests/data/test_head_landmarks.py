"""Landmarks are points of the surface, in the iBUG order."""

from __future__ import annotations

import numpy as np
import pytest

from countenance.data.head_identity import draw_identity
from countenance.data.head_landmarks import sample_grid
from countenance.data.head_person import Person, build_person


@pytest.fixture(scope="module", params=[0, 7])
def person(request: pytest.FixtureRequest) -> Person:
    return build_person(draw_identity(9, request.param, female_share=0.5, tone_shares=np.full(10, 0.1)))


def test_a_grid_is_sampled_bilinearly() -> None:
    grid = np.array([[[0.0], [2.0]], [[4.0], [10.0]]], np.float32)
    found = sample_grid(grid, np.array([[0.0, 0.5], [0.5, 0.5]]))
    np.testing.assert_allclose(found[:, 0], [1.0, 4.0], atol=1e-5)


def test_eye_and_mouth_corners_lie_where_the_plan_puts_them(person: Person) -> None:
    plan = person.plan
    painted = sample_grid(person.head.painted, person.landmarks)
    outer = plan.eye_x + plan.eye_half_width
    rise = plan.eye_slant * plan.eye_half_width
    np.testing.assert_allclose(painted[36], [-outer, rise], atol=0.02)
    np.testing.assert_allclose(painted[45], [outer, rise], atol=0.02)
    np.testing.assert_allclose(painted[30], [0.0, plan.nose_tip_y], atol=0.02)
    np.testing.assert_allclose(painted[54], [plan.mouth_half_width, plan.mouth_y + plan.corner_lift], atol=0.02)


def test_left_and_right_landmarks_mirror_each_other_on_the_plan(person: Person) -> None:
    painted = sample_grid(person.head.painted, person.landmarks)
    pairs = [(k, 16 - k) for k in range(8)] + [(17 + k, 26 - k) for k in range(5)]
    pairs += [(31, 35), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46), (48, 54), (60, 64), (55, 59)]
    left, right = np.array(pairs).T
    np.testing.assert_allclose(painted[left] * [-1, 1], painted[right], atol=0.03)


def test_the_nose_tip_stands_out_and_closed_lips_meet(person: Person) -> None:
    points = sample_grid(person.head.neutral, person.landmarks)
    assert points[30, 2] > points[[27, 33, 36, 45, 48, 54, 8], 2].max()
    assert np.abs(points[62, 1] - points[66, 1]) < 0.12
    opened = sample_grid(person.head.neutral + person.head.open_mouth, person.landmarks)
    assert opened[62, 1] - opened[66, 1] > 0.5
