import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.data.alignment import (
    CANONICAL_BOX_XYWH,
    FIVE_POINT_TEMPLATE,
    apply_affine,
    box_from_five_points,
    intersection_over_union,
)
from countenance.data.face_boxes import boxes_around_five_points
from countenance.data.synthesis import PeopleConfiguration, synthesize_people


def test_a_face_on_a_square_by_hand():
    # Eyes 10 apart, mouth 10 below them, nose half way: the unit is 10, the drop 1, the turn 0, the nose at 0.5.
    points = np.array([[[0, 0], [10, 0], [5, 5], [0, 10], [10, 10]]], dtype=np.float32)
    width, height = np.exp(0.773 - 0.170 + 0.227 / 2) * 10, np.exp(0.320 + 0.523 + 0.334 / 2) * 10
    middle = 10 * (0.02 + 0.80 - 0.798 / 2)
    expected = [5 - width / 2, middle - height / 2, width, height]
    assert boxes_around_five_points(points)[0] == pytest.approx(np.array(expected), rel=1e-4)


def test_a_frontal_face_keeps_the_canonical_box():
    box = boxes_around_five_points(FIVE_POINT_TEMPLATE[None])[0]
    assert intersection_over_union(box, np.array([CANONICAL_BOX_XYWH], dtype=np.float32))[0] > 0.9


@given(angle=st.floats(-0.5, 0.5), scale=st.floats(0.2, 5), shift=st.tuples(st.floats(-200, 200), st.floats(-200, 200)))
def test_size_does_not_depend_on_roll_and_follows_scale(angle: float, scale: float, shift: tuple[float, float]):
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = apply_affine(np.column_stack([linear, shift]), FIVE_POINT_TEMPLATE)
    straight, turned = boxes_around_five_points(np.stack([FIVE_POINT_TEMPLATE, moved]))
    assert turned[2:] == pytest.approx(scale * straight[2:], rel=1e-3)
    centre = apply_affine(np.column_stack([linear, shift]), (straight[:2] + straight[2:] / 2)[None])[0]
    assert turned[:2] + turned[2:] / 2 == pytest.approx(centre, abs=0.05 * scale)


def test_a_mirrored_face_has_the_mirrored_box():
    points = FIVE_POINT_TEMPLATE + np.array([[0, 0], [0, 0], [9, 1], [2, 0], [1, 0]], dtype=np.float32)
    mirrored = (points * (-1, 1) + (112, 0))[[1, 0, 2, 4, 3]]
    box, other = boxes_around_five_points(np.stack([points, mirrored]))
    assert other == pytest.approx(np.array([112 - box[0] - box[2], *box[1:]]), rel=1e-3)


@given(st.lists(st.tuples(st.floats(-50, 50), st.floats(-50, 50)), min_size=5, max_size=5))
def test_no_landmarks_give_a_box_far_larger_than_themselves(points: list[tuple[float, float]]):
    given_points = np.array([points])
    box = boxes_around_five_points(given_points)[0]
    assert np.isfinite(box).all()
    extent = np.ptp(given_points[0], axis=0).max()
    assert (box[2:] <= 6 * extent + 1e-3).all()


def test_points_that_coincide_have_a_box_without_area():
    assert boxes_around_five_points(np.full((1, 5, 2), 7.0))[0].tolist() == [7, 7, 0, 0]


def test_turned_heads_are_covered_better_than_by_a_similarity():
    people = PeopleConfiguration(subjects=12, photos_per_subject=3, scenes=0, photo_size=96)
    faces = [face for photo in synthesize_people(people, seed=3, workers=1) for face in photo.faces]
    turned = [face for face in faces if abs(face.yaw_deg) > 25]
    assert len(turned) > 5
    ours = boxes_around_five_points(np.stack([face.landmarks5 for face in turned]))
    overlap = [intersection_over_union(box, face.box_xywh[None])[0] for box, face in zip(ours, turned, strict=True)]
    plain = [intersection_over_union(box_from_five_points(f.landmarks5), f.box_xywh[None])[0] for f in turned]
    assert np.mean(overlap) > np.mean(plain) + 0.2
