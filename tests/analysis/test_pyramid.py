import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.analysis.pyramid import LEVEL_STEP, pyramid_scales, windows_of
from tests.conftest import picture


@given(
    height=st.integers(1, 6000),
    width=st.integers(1, 6000),
    input_size=st.sampled_from([32, 64, 112, 227]),
    smallest=st.floats(8, 100),
    longest=st.integers(64, 4000),
    where=st.floats(0, 1),
)
def test_every_face_from_the_smallest_to_the_whole_photo_fits_a_level(
    height: int, width: int, input_size: int, smallest: float, longest: int, where: float
):
    scales = pyramid_scales(height, width, input_size=input_size, smallest_face_px=smallest, longest_side_px=longest)
    side = max(height, width)
    effective = smallest * max(1.0, side / longest)
    if side < effective:
        assert scales == []
        return
    face = effective * (side / effective) ** where
    assert any(0.25 * input_size * (1 - 1e-9) <= face * scale <= 0.6 * input_size * (1 + 1e-9) for scale in scales)
    # and none is there for nothing
    assert len(scales) <= 1 + max(0, np.ceil(np.log(side / effective / 2.4) / np.log(LEVEL_STEP) + 1e-9))


def test_the_levels_of_a_small_photo_by_hand():
    # S = 64: faces of 16 to 38.4 px are seen. 32 px becomes 16 by 0.5; at 0.5 / 1.6^2 38.4 px are 196 of the photo's.
    scales = pyramid_scales(150, 196, input_size=64, smallest_face_px=32, longest_side_px=1600)
    assert scales == pytest.approx([0.5, 0.5 / 1.6, 0.5 / 1.6**2])


def test_a_photo_of_a_hundred_megapixels_is_looked_through_at_a_bounded_size():
    (largest, *_) = pyramid_scales(8000, 12000, input_size=64, smallest_face_px=24, longest_side_px=1600)
    assert 12000 * largest == pytest.approx(1600 * 16 / 24)


@given(
    height=st.integers(1, 700),
    width=st.integers(1, 700),
    scale=st.floats(0.1, 1.5),
    largest=st.integers(64, 400),
)
def test_windows_own_every_place_of_a_photo_once_and_hold_what_surrounds_it(
    height: int, width: int, scale: float, largest: int
):
    photo = np.zeros((height, width, 3), dtype=np.uint8)
    windows = list(windows_of(photo, 0, scale, input_size=64, cell_stride=16, largest_side=largest))
    generator = np.random.default_rng(height)
    for centre in generator.uniform([0, 0], [width, height], (20, 2)):
        box = np.array([[*centre, 1e-6, 1e-6]], dtype=np.float32)
        owners = []
        for window in windows:
            inside = box.copy()
            inside[:, :2] = (box[:, :2] + 0.5) * window.scale_xy + window.shift_xy - 0.5
            if window.owns(inside)[0]:
                owners.append((window, inside[0, :2]))
        assert len(owners) == 1
        window, place = owners[0]
        sides = np.array(window.image.shape[1::-1])
        # 0.3 S to either side, unless the photo ends before: then there is grey, or the photo's own edge
        start = np.array([window.shift_xy[0], window.shift_xy[1]])
        end = start + np.array([round(width * scale), round(height * scale)])
        low, high = np.maximum(place - 0.3 * 64, start), np.minimum(place + 0.3 * 64, end)
        assert (low >= -1.01).all()
        assert (high <= sides + 1.01).all()


@given(scale=st.floats(0.2, 1.5), largest=st.integers(64, 256))
def test_a_box_comes_back_to_the_photo_where_it_was(scale: float, largest: int):
    photo = np.zeros((300, 420, 3), dtype=np.uint8)
    box = np.array([[100.0, 80.0, 30.0, 40.0]], dtype=np.float32)
    for window in windows_of(photo, 3, scale, input_size=64, cell_stride=16, largest_side=largest):
        inside = np.concatenate(
            [(box[:, :2] + 0.5) * window.scale_xy + window.shift_xy - 0.5, box[:, 2:] * window.scale_xy], axis=1
        )
        np.testing.assert_allclose(window.in_photo(inside.astype(np.float32)), box, atol=1e-3)
        assert window.photo == 3


def test_windows_have_sides_of_whole_cells_and_no_more_pixels_than_asked():
    photo = picture(900, 1500)
    windows = list(windows_of(photo, 0, 1.0, input_size=64, cell_stride=16, largest_side=256))
    assert len(windows) > 10
    for window in windows:
        assert all(side % 16 == 0 for side in window.image.shape[:2])
        assert max(window.image.shape[:2]) <= 256


def test_a_window_shows_the_photo_where_it_says():
    photo = picture(100, 120)
    (window,) = windows_of(photo, 0, 1.0, input_size=64, cell_stride=16, largest_side=256)
    left, top = (int(value) for value in window.shift_xy)
    assert (window.image[top : top + 100, left : left + 120] == photo).all()
    assert window.image.shape == (128, 144, 3)
