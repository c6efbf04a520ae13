"""The camera, the head's rotation and the rasterizer against cases worked by hand."""

from __future__ import annotations

import numpy as np
import pytest

from countenance.data.head_rasterizer import (
    NOTHING,
    Camera,
    grid_triangles,
    head_rotation,
    rasterize,
    rasterize_depth,
)

CAMERA = Camera(distance=100.0, scale=2.0, centre=(10.0, 12.0))
SQUARE = np.array([[2, 2, 1], [6, 2, 1], [2, 6, 1], [6, 6, 1]], np.float32)  # pixels, two rows of two
CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]], np.float32)


def test_a_point_is_projected_as_worked_by_hand() -> None:
    # 20 cm before the origin everything is magnified by 100 / 80: 2 px/cm become 2.5 px/cm.
    points = np.array([[0, 0, 0], [4, 0, 20], [0, 4, 20], [3, -1, 0]], np.float32)
    expected = [[10, 12, 0], [20, 12, 20], [10, 2, 20], [16, 14, 0]]
    np.testing.assert_allclose(CAMERA.project(points), expected)


def test_positions_undo_the_projection() -> None:
    depth = np.full((24, 20), 20.0, np.float32)
    x, y = CAMERA.positions(depth)
    # The middle of pixel (row 1, column 19) lies at (19.5, 1.5).
    screen = CAMERA.project(np.array([[x[1, 19], y[1, 19], 20.0]], np.float32))
    np.testing.assert_allclose(screen[0, :2], [19.5, 1.5], atol=1e-4)


@pytest.mark.parametrize(
    ("angles", "facing", "crown"),
    [
        ((90.0, 0.0, 0.0), (1, 0, 0), (0, 1, 0)),
        ((0.0, 90.0, 0.0), (0, 1, 0), (0, 0, -1)),
        ((0.0, 0.0, 90.0), (0, 0, 1), (1, 0, 0)),
        ((30.0, 60.0, 0.0), (0.25, np.sqrt(0.75), np.sqrt(0.1875)), None),
    ],
)
def test_the_head_turns_right_up_and_clockwise(
    angles: tuple[float, float, float], facing: tuple[float, ...], crown: tuple[float, ...] | None
) -> None:
    rotation = head_rotation(*angles)
    np.testing.assert_allclose(rotation @ [0, 0, 1], facing, atol=1e-12)
    if crown is not None:
        np.testing.assert_allclose(rotation @ [0, 1, 0], crown, atol=1e-12)
    np.testing.assert_allclose(rotation @ rotation.T, np.eye(3), atol=1e-12)


def test_a_square_covers_its_pixels_and_interpolates_its_values() -> None:
    values, depth = rasterize(SQUARE, grid_triangles(2, 2), CORNERS, (8, 8), 100.0)
    seen = depth > NOTHING
    assert seen.sum() == 16
    assert seen[2:6, 2:6].all()
    np.testing.assert_allclose(depth[seen], 1.0, atol=1e-3)
    # Pixel middles lie at 1/8, 3/8, 5/8 and 7/8 of the side.
    np.testing.assert_allclose(values[2, 2:6, 0], [0.125, 0.375, 0.625, 0.875], atol=1e-5)
    np.testing.assert_allclose(values[2:6, 3, 1], [0.125, 0.375, 0.625, 0.875], atol=1e-5)


def test_what_is_nearer_hides_what_is_farther_in_any_order() -> None:
    both = np.concatenate([SQUARE, SQUARE + np.array([2, 2, 5], np.float32)])
    marks = np.concatenate([CORNERS * 0 + 0.25, CORNERS * 0 + 0.75]).astype(np.float32)
    front, back = grid_triangles(2, 2, start=4), grid_triangles(2, 2)
    for order in ((front, back), (back, front)):
        values, depth = rasterize(both, np.concatenate(order), marks, (10, 10), 100.0)
        assert values[5, 5, 0] == pytest.approx(0.75)
        assert values[3, 3, 0] == pytest.approx(0.25)
        assert depth[5, 5] == pytest.approx(6.0, abs=1e-3)


def test_a_surface_seen_from_behind_is_left_out_of_the_picture_but_not_of_the_shadow() -> None:
    away = np.ascontiguousarray(grid_triangles(2, 2)[:, ::-1])
    _, depth = rasterize(SQUARE, away, CORNERS, (8, 8), 100.0)
    assert (depth == NOTHING).all()
    assert (rasterize_depth(SQUARE, away, (8, 8), 100.0) > NOTHING).sum() == 16


def test_a_grid_on_a_wider_sheet_finds_its_vertices() -> None:
    triangles = grid_triangles(2, 2, stride=10, start=3)
    assert sorted(np.unique(triangles)) == [3, 4, 13, 14]
