"""How training crops are varied: one warp a crop, then light, colour and sharpness."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from countenance.configuration import Configuration
from countenance.data.alignment import BOX_EXPANSION, CROP_SIZE
from countenance.learning.views import CANONICAL_WARP, View, Warp


class AugmentationConfiguration(Configuration):
    """Ranges and chances of the variation; every range is drawn from uniformly.

    Attributes:
        mirror: mirror every other crop.
        aligned_scale: an aligned crop's size varies by this share, up and down.
        aligned_shift: an aligned crop moves by so many of its 112 pixels.
        aligned_rotation_deg: an aligned crop turns by so many degrees either way.
        box_expansion: smallest and largest view around a box, as a multiple of its longer side; at most 1.6.
        box_shift: a box view moves by this share of the box's longer side.
        box_rotation_deg: a box view turns by so many degrees either way.
        contrast: grey values are stretched about the middle by this share, up and down.
        brightness: grey values in [-1, 1] move by so much, up and down.
        grey: chance that a crop loses its colour.
        blur: chance that a crop is smoothed with a 3 x 3 kernel.
    """

    mirror: bool = True
    aligned_scale: float = Field(default=0.06, ge=0.0, lt=1.0)
    aligned_shift: float = Field(default=3.0, ge=0.0)
    aligned_rotation_deg: float = Field(default=5.0, ge=0.0)
    box_expansion: tuple[float, float] = (1.1, 1.5)
    box_shift: float = Field(default=0.08, ge=0.0)
    box_rotation_deg: float = Field(default=10.0, ge=0.0)
    contrast: float = Field(default=0.25, ge=0.0, lt=1.0)
    brightness: float = Field(default=0.2, ge=0.0)
    grey: float = Field(default=0.1, ge=0.0, le=1.0)
    blur: float = Field(default=0.1, ge=0.0, le=1.0)

    @property
    def only_mirrors_aligned(self) -> bool:
        """Whether an aligned crop is seen as it is stored, or mirrored, and in no other way."""
        varied = ("aligned_scale", "aligned_shift", "aligned_rotation_deg", "contrast", "brightness", "grey", "blur")
        return all(getattr(self, name) == 0.0 for name in varied)


NO_AUGMENTATION = AugmentationConfiguration(
    mirror=False,
    aligned_scale=0.0,
    aligned_shift=0.0,
    aligned_rotation_deg=0.0,
    box_expansion=(1.25, 1.25),
    box_shift=0.0,
    box_rotation_deg=0.0,
    contrast=0.0,
    brightness=0.0,
    grey=0.0,
    blur=0.0,
)
"""Canonical views, nothing varied."""


def vary_view(view: View, configuration: AugmentationConfiguration, generator: np.random.Generator) -> Warp:
    """Draw how one crop is seen."""
    if view == "aligned":
        spread = configuration.aligned_scale
        side = CANONICAL_WARP["aligned"].side * generator.uniform(1.0 - spread, 1.0 + spread)
        shift, rotation = configuration.aligned_shift, configuration.aligned_rotation_deg
    else:
        box_side = CROP_SIZE / BOX_EXPANSION
        side = box_side * generator.uniform(*configuration.box_expansion)
        shift, rotation = box_side * configuration.box_shift, configuration.box_rotation_deg
    x, y = generator.uniform(-shift, shift, size=2)
    return Warp(
        side=float(side),
        shift_xy=(float(x), float(y)),
        rotation_deg=float(generator.uniform(-rotation, rotation)),
        mirrored=bool(configuration.mirror and generator.random() < 0.5),
    )


def pixel_draws(generators: Sequence[np.random.Generator]) -> NDArray[np.float64]:
    """[N, 4] uniform numbers that decide how light, colour and sharpness of N crops vary.

    Args:
        generators: of the draw, one a crop, so that a crop's variation doesn't depend on the crops beside it.
    """
    return np.stack([generator.random(4) for generator in generators])


def apply_draws(
    pixels: NDArray[np.uint8], configuration: AugmentationConfiguration, draws: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Vary light, colour and sharpness of a batch as it was drawn.

    Args:
        pixels: [N, S, S, 3] uint8 RGB; left as they are.
        configuration: how much.
        draws: [N, 4], see :func:`pixel_draws`.

    Returns:
        [N, S, S, 3] float32 in [-1, 1].
    """
    pixels = pixels.copy()
    for index in np.flatnonzero(draws[:, 0] < configuration.grey):
        pixels[index] = cv2.cvtColor(pixels[index], cv2.COLOR_RGB2GRAY)[..., None]
    for index in np.flatnonzero(draws[:, 1] < configuration.blur):
        pixels[index] = cv2.GaussianBlur(pixels[index], (3, 3), 0.0)
    signed = 2.0 * draws[:, 2:, None, None, None] - 1.0
    contrast = 1.0 + configuration.contrast * signed[:, 0]
    brightness = configuration.brightness * signed[:, 1]
    # Not in torch: this runs beside the training step, whose threads a second set of torch threads would slow down.
    images = pixels.astype(np.float32)
    images *= (contrast / 127.5).astype(np.float32)
    images += (brightness - contrast).astype(np.float32)
    return np.clip(images, -1.0, 1.0, out=images)
