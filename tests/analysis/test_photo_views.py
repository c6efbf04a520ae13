import cv2
import numpy as np
import pytest

from countenance.analysis.photo_views import PhotoViews, landmarks_in_photo
from countenance.data.alignment import FIVE_POINT_TEMPLATE, align, box_transform, crop_box
from countenance.learning.views import CANONICAL_WARP
from tests.conftest import picture


def close(one: np.ndarray, other: np.ndarray) -> bool:
    difference = np.abs(one.astype(int) - other)
    return bool(difference.max() <= 6 and difference.mean() < 0.7)


@pytest.mark.parametrize("box", [(60, 40, 90, 110), (-30, -20, 80, 80), (200, 150, 60, 70)])
def test_a_box_view_has_the_pixels_that_training_sees(box: tuple[int, ...]):
    photo, box_xywh = picture(220, 250), np.array(box, dtype=np.float32)
    expected = CANONICAL_WARP["box"].image(crop_box(photo, box_xywh), 64)
    assert close(PhotoViews(photo).box_view(box_xywh, 64), expected)


def test_an_aligned_view_has_the_pixels_that_training_sees():
    photo, points = picture(220, 250), FIVE_POINT_TEMPLATE * 1.3 + 20
    assert close(PhotoViews(photo).aligned_view(points, 112), align(photo, points))


@pytest.mark.parametrize("factor", [3, 5, 8])
def test_a_face_of_a_large_photo_looks_as_in_the_same_photo_shrunk(factor: int):
    small = picture(130, 150)
    large = cv2.resize(small, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)
    box = np.array([40, 30, 50, 60], dtype=np.float32)
    in_large = np.array([(40 + 0.5) * factor - 0.5, (30 + 0.5) * factor - 0.5, 50 * factor, 60 * factor])
    view = PhotoViews(large).box_view(in_large.astype(np.float32), 64)
    assert np.abs(view.astype(int) - PhotoViews(small).box_view(box, 64)).mean() < 1.5


def test_fine_detail_of_a_large_photo_does_not_alias():
    photo = np.zeros((1600, 1600, 3), dtype=np.uint8)
    photo[:, ::2] = 255
    view = PhotoViews(photo).box_view(np.array([300, 300, 900, 900], dtype=np.float32), 64)
    assert abs(int(view[8:-8, 8:-8].max()) - int(view[8:-8, 8:-8].min())) <= 2


def test_a_photo_wider_than_opencv_warps_gives_its_views():
    photo = np.zeros((60, 40_000, 3), dtype=np.uint8)
    photo[:, 39_900:] = 200
    view = PhotoViews(photo).box_view(np.array([39_900, 5, 50, 50], dtype=np.float32), 64)
    assert view[32, 32].tolist() == [200, 200, 200]


def test_a_box_beyond_the_photo_gives_a_black_view():
    view = PhotoViews(picture(50, 50)).box_view(np.array([500, 500, 20, 20], dtype=np.float32), 32)
    assert not view.any()


def test_landmarks_of_a_view_come_back_to_the_photo():
    boxes = np.array([[60, 40, 90, 110], [5, 7, 30, 20]], dtype=np.float32)
    points = np.random.default_rng(0).uniform(0, 200, (2, 5, 2)).astype(np.float32)
    crop = np.stack(
        [p @ box_transform(b)[:, :2].T + box_transform(b)[:, 2] for p, b in zip(points, boxes, strict=True)]
    )
    view = np.stack([CANONICAL_WARP["box"].points(p, 64) / 64 for p in crop])
    np.testing.assert_allclose(landmarks_in_photo(view.astype(np.float32), boxes), points, atol=1e-2)
