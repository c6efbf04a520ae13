"""What lies behind the people: walls, shelves, foliage and lights, mostly out of focus."""

from __future__ import annotations

import cv2
import numpy as np

from countenance.data.head_identity import Float


def paint_background(rng: np.random.Generator, size: tuple[int, int]) -> Float:
    """A background of ``size`` (width, height) pixels as linear RGB, shape (height, width, 3)."""
    width, height = size
    top, bottom = _colour(rng), _colour(rng)
    ramp = np.linspace(0.0, 1.0, height, dtype=np.float32)[:, None, None]
    image = np.ascontiguousarray(np.broadcast_to(top + ramp * (bottom - top), (height, width, 3)))
    kind = int(rng.choice(4, p=(0.2, 0.35, 0.25, 0.2)))
    if kind == 1:
        _rectangles(rng, image)
    elif kind == 2:
        _foliage(rng, image)
    elif kind == 3:
        _shelves(rng, image)
    if kind and rng.random() < 0.7:
        blur = float(rng.uniform(0.8, 5.0)) * width / 160.0
        image = cv2.GaussianBlur(image, (0, 0), blur).astype(np.float32)
    cells = rng.normal(0.0, 0.06, (9, 9)).astype(np.float32)
    image *= np.exp(cv2.resize(cells, size, interpolation=cv2.INTER_CUBIC))[..., None]
    return np.asarray(image, np.float32)


def _colour(rng: np.random.Generator) -> Float:
    value = rng.uniform(0.03, 0.85) ** 1.3
    hue = np.exp(rng.normal(0.0, 0.2, 3))
    return np.asarray(np.clip(value * hue / hue.mean(), 0.01, 0.95), np.float32)


def _corner(rng: np.random.Generator, width: int, height: int) -> tuple[int, int]:
    return int(rng.integers(-width // 4, width)), int(rng.integers(-height // 4, height))


def _rectangles(rng: np.random.Generator, image: Float) -> None:
    height, width = image.shape[:2]
    for _ in range(int(rng.integers(4, 14))):
        x, y = _corner(rng, width, height)
        w, h = int(rng.integers(width // 12, width // 2)), int(rng.integers(height // 12, height // 2))
        colour = tuple(float(c) for c in _colour(rng))
        if rng.random() < 0.7:
            cv2.rectangle(image, (x, y), (x + w, y + h), colour, -1)
        else:
            cv2.ellipse(image, (x, y), (w // 2, h // 2), float(rng.uniform(0, 180)), 0, 360, colour, -1)


def _foliage(rng: np.random.Generator, image: Float) -> None:
    height, width = image.shape[:2]
    total = np.zeros((height, width), np.float32)
    for cells, weight in ((5, 0.5), (14, 0.4), (40, 0.3)):
        noise = rng.normal(0.0, weight, (cells, cells)).astype(np.float32)
        total += cv2.resize(noise, (width, height), interpolation=cv2.INTER_LINEAR)
    other = _colour(rng)
    share = np.clip(0.5 + total, 0.0, 1.0)[..., None]
    image += share * (other - image)


def _shelves(rng: np.random.Generator, image: Float) -> None:
    height, width = image.shape[:2]
    step = int(rng.integers(height // 6, height // 3))
    for bottom in range(int(rng.integers(step // 2, step)), height + step, step):
        x = 0
        while x < width:
            w = int(rng.integers(max(2, width // 40), max(4, width // 12)))
            rise = int(step * rng.uniform(0.55, 0.92))
            colour = tuple(float(c) for c in _colour(rng))
            cv2.rectangle(image, (x, bottom - rise), (x + w - 1, bottom), colour, -1)
            x += w
        cv2.rectangle(image, (0, bottom), (width, bottom + max(1, step // 16)), (0.03, 0.02, 0.015), -1)
