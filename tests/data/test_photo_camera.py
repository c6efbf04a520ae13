"""The camera turns light into bytes as the standards say."""

from __future__ import annotations

import numpy as np
import pytest

from countenance.data.photo_camera import develop


def shot(level: float, **changes: float) -> np.ndarray:
    settings = {"blur": 0.0, "motion": 0.0, "noise": 0.0, "jpeg_quality": 100} | changes
    light = np.full((32, 32, 3), level, np.float32)
    return develop(light, np.random.default_rng(0), **settings)  # type: ignore[arg-type]


@pytest.mark.parametrize(("light", "code"), [(0.0, 0), (0.2140, 127), (0.0512, 64)])
def test_light_follows_the_srgb_curve(light: float, code: int) -> None:
    assert shot(light).mean() == pytest.approx(code, abs=1.5)


def test_highlights_roll_off_instead_of_clipping() -> None:
    levels = [shot(light).mean() for light in (0.7, 1.0, 1.4)]
    assert levels[0] < levels[1] < levels[2] <= 255


def test_noise_has_about_the_asked_strength() -> None:
    noisy = shot(0.214, noise=0.05).astype(float)
    # At mid grey the strength is the asked one: 0.6 + 0.8 * 0.5 = 1. JPEG thins colour, so that brightness is
    # measured: 0.299 R + 0.587 G + 0.114 B of three independent channels has 0.668 of one channel's deviation.
    brightness = noisy @ [0.299, 0.587, 0.114]
    assert brightness.std() == pytest.approx(0.668 * 0.05 * 255, rel=0.12)


def test_blur_softens_an_edge() -> None:
    light = np.zeros((32, 32, 3), np.float32)
    light[:, 16:] = 0.5
    sharp, soft = (
        develop(light, np.random.default_rng(0), blur=blur, motion=0.0, noise=0.0, jpeg_quality=100).astype(int)
        for blur in (0.0, 2.0)
    )
    assert np.abs(np.diff(soft[16, :, 1])).max() < 0.5 * np.abs(np.diff(sharp[16, :, 1])).max()
