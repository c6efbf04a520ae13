"""From light to bytes: focus, motion, exposure, the sRGB curve, sensor noise and JPEG."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from countenance.data.head_identity import Float
from countenance.errors import DataError

_CURVE_STEPS = 4096


def _response() -> NDArray[np.float32]:
    # A soft shoulder above 0.7 keeps highlights from clipping hard; then the sRGB curve (IEC 61966-2-1).
    light = np.linspace(0.0, 2.0, _CURVE_STEPS)
    rolled = np.where(light < 0.7, light, 0.7 + 0.3 * (1.0 - np.exp(-(light - 0.7) / 0.3)))
    coded = np.where(rolled <= 0.0031308, 12.92 * rolled, 1.055 * rolled ** (1 / 2.4) - 0.055)
    return np.asarray(coded, np.float32)


_RESPONSE = _response()


def develop(
    light: Float, rng: np.random.Generator, *, blur: float, motion: float, noise: float, jpeg_quality: int
) -> NDArray[np.uint8]:
    """Develop linear RGB light (H, W, 3) into an 8-bit sRGB photo of the same size.

    Args:
        light: linear RGB, 1 is white.
        rng: source of the sensor's noise.
        blur: standard deviation of the focus blur, px.
        motion: length of the motion blur, px; none below 1.
        noise: standard deviation of the sensor's noise at mid grey, share of full scale.
        jpeg_quality: 1..100.

    Raises:
        DataError: this build of OpenCV cannot read JPEG.
    """
    if blur > 0.25:
        light = np.asarray(cv2.GaussianBlur(light, (0, 0), blur), np.float32)
    if motion >= 1.0:
        light = np.asarray(cv2.filter2D(light, -1, _streak(rng, motion)), np.float32)
    steps = np.clip(light * np.float32((_CURVE_STEPS - 1) / 2.0), 0, _CURVE_STEPS - 1).astype(np.int32)
    coded = np.take(_RESPONSE, steps)
    grain = rng.standard_normal(coded.shape, np.float32)
    # Shot noise: a little stronger where the coded value is middling than where it is black.
    coded += grain * np.float32(noise) * (0.6 + 0.8 * coded)
    pixels = np.clip(coded * 255.0 + 0.5, 0, 255).astype(np.uint8)
    _, packed = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, jpeg_quality])
    unpacked = cv2.imdecode(packed, cv2.IMREAD_COLOR)
    if unpacked is None:
        raise DataError("A drawn photo could not be read back from JPEG: reinstall OpenCV with its JPEG codec.")
    return np.ascontiguousarray(unpacked[..., ::-1], np.uint8)


def _streak(rng: np.random.Generator, length: float) -> Float:
    size = int(length) | 1
    kernel = np.zeros((size, size), np.float32)
    angle = float(rng.uniform(0, np.pi))
    middle = size // 2
    reach = (round(middle * np.cos(angle)), round(middle * np.sin(angle)))
    cv2.line(kernel, (middle - reach[0], middle - reach[1]), (middle + reach[0], middle + reach[1]), 1.0)
    return np.asarray(kernel / kernel.sum(), np.float32)
