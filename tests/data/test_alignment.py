import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.data.alignment import (
    CANONICAL_BOX_XYWH,
    CROP_SIZE,
    FIVE_POINT_TEMPLATE,
    align,
    apply_affine,
    box_from_five_points,
    box_transform,
    crop_box,
    five_points,
    intersection_over_union,
    similarity_transform,
)
from countenance.errors import DataError
from tests.conftest import picture


def test_a_quarter_turn_with_double_size_is_recovered_by_hand():
    source = np.array([[0, 0], [1, 0], [0, 1]], dtype=np.float32)
    target = np.array([[5, 7], [5, 9], [3, 7]], dtype=np.float32)  # x -> (0, 2), y -> (-2, 0), then + (5, 7)
    expected = [[0, -2, 5], [2, 0, 7]]
    assert similarity_transform(source, target) == pytest.approx(np.array(expected, dtype=float), abs=1e-6)


@given(
    angle=st.floats(-3.1, 3.1),
    scale=st.floats(0.2, 5),
    shift=st.tuples(st.floats(-200, 200), st.floats(-200, 200)),
)
def test_any_similarity_is_recovered_from_five_points(angle: float, scale: float, shift: tuple[float, float]):
    linear = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    matrix = np.column_stack([linear, shift])
    target = apply_affine(matrix, FIVE_POINT_TEMPLATE)
    assert similarity_transform(FIVE_POINT_TEMPLATE, target) == pytest.approx(matrix, rel=1e-3, abs=2e-2)


def test_points_that_coincide_are_refused():
    with pytest.raises(DataError, match="coincide"):
        similarity_transform(np.zeros((5, 2), dtype=np.float32), FIVE_POINT_TEMPLATE)


def test_a_photo_whose_points_are_on_the_template_is_not_changed():
    image = picture(CROP_SIZE, CROP_SIZE)
    assert np.abs(align(image, FIVE_POINT_TEMPLATE).astype(int) - image).max() <= 1


def test_a_dot_on_each_landmark_lands_on_the_template():
    points = FIVE_POINT_TEMPLATE * 2 + 10
    for index, (x, y) in enumerate(points.round().astype(int)):
        image = np.zeros((300, 300, 3), dtype=np.uint8)
        image[y - 2 : y + 3, x - 2 : x + 3] = 255
        row, column = np.unravel_index(align(image, points)[..., 0].argmax(), (CROP_SIZE, CROP_SIZE))
        assert np.hypot(column - FIVE_POINT_TEMPLATE[index, 0], row - FIVE_POINT_TEMPLATE[index, 1]) < 2


def test_the_centre_of_a_box_is_the_centre_of_its_crop():
    matrix = box_transform(np.array([20, 40, 30, 50], dtype=np.float32))
    assert apply_affine(matrix, np.array([[35, 65]], dtype=np.float32))[0] == pytest.approx([56, 56])
    # side = 1.6 x 50 = 80, so its left edge is at 35 - 40 = -5
    assert apply_affine(matrix, np.array([[-5, 25]], dtype=np.float32))[0] == pytest.approx([0, 0], abs=1e-5)


def test_a_crop_beyond_the_photo_is_black_there():
    crop = crop_box(np.full((50, 50, 3), 200, dtype=np.uint8), np.array([0, 0, 50, 50], dtype=np.float32))
    assert crop[0, 0].tolist() == [0, 0, 0]
    assert crop[56, 56].tolist() == [200, 200, 200]


def test_a_box_without_area_is_refused():
    with pytest.raises(DataError, match="positive width"):
        box_transform(np.array([0, 0, 0, 10], dtype=np.float32))


def test_the_box_of_template_points_is_the_canonical_box():
    assert box_from_five_points(FIVE_POINT_TEMPLATE) == pytest.approx(np.array(CANONICAL_BOX_XYWH), abs=1e-3)


def test_sixty_eight_points_reduce_to_the_five_of_the_template():
    points = np.zeros((68, 2), dtype=np.float32)
    points[36:42], points[42:48], points[30], points[48], points[54] = (1, 1), (3, 1), (2, 2), (1, 3), (3, 3)
    assert five_points(points, "68").tolist() == [[1, 1], [3, 1], [2, 2], [1, 3], [3, 3]]


def test_twenty_one_points_reduce_to_eye_centres_nose_and_mouth_corners():
    points = np.column_stack([np.arange(1, 22), np.zeros(21)]).astype(np.float32)  # x is the feature id
    assert five_points(points, "21")[:, 0].tolist() == [8, 11, 15, 18, 20]


def test_a_point_that_is_not_labelled_stays_unknown():
    points = np.ones((21, 2), dtype=np.float32)
    points[10] = np.nan
    assert np.isnan(five_points(points, "21")[:, 0]).tolist() == [False, True, False, False, False]


def test_an_unknown_scheme_or_a_wrong_number_of_points_is_refused():
    with pytest.raises(DataError, match="'29' is unknown"):
        five_points(np.zeros((29, 2), dtype=np.float32), "29")
    with pytest.raises(DataError, match="needs 5 points, but a face has 4"):
        five_points(np.zeros((4, 2), dtype=np.float32), "5")


def test_the_overlap_of_two_boxes_by_hand():
    others = np.array([[0, 0, 10, 10], [5, 0, 10, 10], [20, 20, 5, 5]], dtype=np.float32)
    assert intersection_over_union(others[0], others) == pytest.approx([1, 50 / 150, 0])
