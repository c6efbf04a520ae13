import cv2
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from countenance.data.alignment import apply_affine, box_transform, five_points
from countenance.learning.views import CANONICAL_WARP, MIRRORED_ORDER, Warp, to_network_input

warps = st.builds(
    Warp,
    side=st.floats(50, 150),
    shift_xy=st.tuples(st.floats(-20, 20), st.floats(-20, 20)),
    rotation_deg=st.floats(-180, 180),
    mirrored=st.booleans(),
)


@given(warps, st.floats(0, 112), st.floats(0, 112))
def test_points_come_back_from_any_view(warp, x, y):
    there = warp.points(np.array([[x, y]]), 64)
    np.testing.assert_allclose(warp.points_back(there, 64), [[x, y]], atol=1e-8)


@given(warps)
def test_the_middle_of_the_chosen_square_becomes_the_middle_of_the_view(warp):
    middle = 56.0 + np.array([warp.shift_xy])
    np.testing.assert_allclose(warp.points(middle, 64), [[32.0, 32.0]], atol=1e-9)


def test_turning_is_clockwise_as_seen():
    # A point right of the middle goes down when turned clockwise by a quarter; y grows downwards.
    np.testing.assert_allclose(Warp(side=112, rotation_deg=90).points(np.array([[76.0, 56.0]]), 112), [[56.0, 76.0]])


def test_pixels_go_where_points_go():
    crop = np.zeros((112, 112, 3), dtype=np.uint8)
    cv2.circle(crop, (80, 40), 4, (255, 255, 255), -1)
    warp = Warp(side=90, shift_xy=(5.0, -4.0), rotation_deg=15, mirrored=True)
    view = warp.image(crop, 64)[..., 0].astype(float)
    y, x = (np.indices(view.shape) * view).sum(axis=(1, 2)) / view.sum()
    np.testing.assert_allclose(warp.points(np.array([[80.0, 40.0]]), 64), [[x, y]], atol=0.3)


def test_the_canonical_box_view_is_the_box_expanded_by_a_quarter_cut_from_the_photo():
    box = np.array([30.0, 50.0, 60.0, 80.0], dtype=np.float32)
    photo_xy = np.array([[41.0, 77.0], [90.0, 120.0]], dtype=np.float32)
    crop_xy = apply_affine(box_transform(box), photo_xy)
    direct = apply_affine(box_transform(box, expansion=1.25, size=64), photo_xy)
    np.testing.assert_allclose(CANONICAL_WARP["box"].points(crop_xy, 64), direct, atol=1e-4)


@pytest.mark.parametrize("scheme", ["5", "21", "68"])
def test_mirroring_twice_restores_the_order_of_the_points(scheme):
    order = MIRRORED_ORDER[scheme]
    assert sorted(order) == list(range(int(scheme)))
    assert (order[order] == np.arange(int(scheme))).all()


@pytest.mark.parametrize("scheme", ["21", "68"])
def test_the_five_points_of_a_mirrored_face_are_the_mirrored_five(scheme):
    points = np.random.default_rng(0).uniform(0, 100, (int(scheme), 2)).astype(np.float32)
    mirrored = (points * (-1, 1) + (100, 0))[MIRRORED_ORDER[scheme]].astype(np.float32)
    expected = (five_points(points, scheme) * (-1, 1) + (100, 0))[MIRRORED_ORDER["5"]]
    np.testing.assert_allclose(five_points(mirrored, scheme), expected, rtol=1e-5)


def test_mirrored_68_points_swap_what_lies_left_and_right():
    order = MIRRORED_ORDER["68"]
    pairs = {0: 16, 17: 26, 27: 27, 31: 35, 36: 45, 39: 42, 41: 46, 40: 47, 48: 54, 51: 51, 59: 55, 60: 64, 67: 65}
    assert {point: int(order[point]) for point in pairs} == pairs


def test_network_input_spans_minus_one_to_one_and_lies_channels_last():
    views = np.zeros((2, 4, 4, 3), dtype=np.uint8)
    views[1, 0, 0, 2] = 255
    images = to_network_input(views)
    assert images.shape == (2, 3, 4, 4)
    assert images.min() == -1.0
    assert images[1, 2, 0, 0] == 1.0
    assert images.is_contiguous(memory_format=torch.channels_last)
