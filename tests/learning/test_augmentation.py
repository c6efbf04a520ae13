import numpy as np

from countenance.learning.augmentation import (
    NO_AUGMENTATION,
    AugmentationConfiguration,
    apply_draws,
    pixel_draws,
    vary_view,
)
from countenance.learning.views import CANONICAL_WARP
from tests.learning.faces import pattern


def generators(count):
    return [np.random.default_rng([0, place]) for place in range(count)]


def varied(pixels, configuration, each):
    return apply_draws(pixels, configuration, pixel_draws(each))


def test_without_augmentation_both_views_are_the_canonical_ones():
    generator = np.random.default_rng(0)
    for view in ("aligned", "box"):
        assert vary_view(view, NO_AUGMENTATION, generator) == CANONICAL_WARP[view]


def test_box_views_stay_within_their_ranges():
    generator, configuration = np.random.default_rng(0), AugmentationConfiguration(box_shift=0.1)
    warps = [vary_view("box", configuration, generator) for _ in range(200)]
    assert min(warp.side for warp in warps) >= 70 * 1.1
    assert max(warp.side for warp in warps) <= 70 * 1.5
    assert max(abs(step) for warp in warps for step in warp.shift_xy) <= 7.0
    assert 60 < sum(warp.mirrored for warp in warps) < 140


def test_without_augmentation_pixels_are_only_brought_to_range():
    pixels = np.stack([pattern(0), pattern(1)])
    images = varied(pixels, NO_AUGMENTATION, generators(2))
    np.testing.assert_allclose(images, pixels / 127.5 - 1.0, atol=1e-5)


def test_a_grey_crop_has_three_equal_channels_and_the_given_pixels_are_left_alone():
    pixels = np.stack([pattern(0), pattern(1)])
    before = pixels.copy()
    images = varied(pixels, AugmentationConfiguration(grey=1.0, blur=1.0), generators(2))
    assert (images == images[..., :1]).all()
    assert (pixels == before).all()


def test_light_varies_by_crop():
    pixels = np.full((6, 4, 4, 3), 128, dtype=np.uint8)
    images = varied(pixels, AugmentationConfiguration(grey=0.0, blur=0.0), generators(6))
    assert len(np.unique(images)) == 6
    assert np.abs(images).max() < 0.25
