"""A piece of skin to paint on: positions on the face, colours and details, with the strokes of the painter."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from countenance.data.head_identity import Float


@dataclass(frozen=True, kw_only=True)
class Patch:
    """Views of a rectangle of the skin's texture; what is painted here is painted there.

    Attributes:
        x, y: positions on the face in the painting pose, cm, shape (H, W).
        colour: linear red, green, blue and the eyes' opening, shape (4, H, W).
        detail: gloss and the darkening of a full smile's creases, shape (2, H, W).
    """

    x: Float
    y: Float
    colour: Float
    detail: Float

    def part(self, low: float, high: float, reach: float) -> Patch:
        """The smallest rectangle that holds all points between two heights and within ``reach`` of the midline."""
        inside = (self.y > low) & (self.y < high) & (np.abs(self.x) < reach)
        rows, columns = np.flatnonzero(inside.any(axis=1)), np.flatnonzero(inside.any(axis=0))
        window = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
        return Patch(
            x=self.x[window],
            y=self.y[window],
            colour=self.colour[:, window[0], window[1]],
            detail=self.detail[:, window[0], window[1]],
        )

    def mix(self, colour: Float, share: Float) -> None:
        """Cover ``share`` (H, W) with a colour, shape (3,) or (3, H, W)."""
        for channel in range(3):
            self.colour[channel] += share * (colour[channel] - self.colour[channel])

    def darken(self, amount: Float) -> None:
        """Take ``amount`` (H, W) of the light away, a little less of the red."""
        for channel, weight in enumerate((0.8, 1.0, 1.05)):
            self.colour[channel] *= 1.0 - np.float32(weight) * amount

    def strands(self, rng: np.random.Generator, rows: int, columns: int) -> Float:
        """Noise with ``rows`` by ``columns`` cells over the patch, standard normal at the cells' middles."""
        height, width = self.x.shape
        cells = rng.standard_normal((rows, columns), np.float32)
        return np.asarray(cv2.resize(cells, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def hill(x: Float, y: Float, cx: float, cy: float, sx: float, sy: float) -> Float:
    """A Gaussian hill of height one around (cx, cy)."""
    return np.asarray(np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2)), np.float32)


def line(distance: Float, width: float) -> Float:
    """One where ``distance`` is zero, falling off over ``width`` cm to either side."""
    return np.asarray(np.exp(-((distance / np.float32(width)) ** 2)), np.float32)


def soft(value: Float, softness: float) -> Float:
    """One where ``value`` is positive, with an edge ``softness`` cm wide."""
    return np.asarray(np.clip(value / np.float32(softness) + np.float32(0.5), 0.0, 1.0), np.float32)
