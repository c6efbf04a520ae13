"""Glasses: flat pieces in front of the eyes, drawn with the canvas's depth so that the nose can hide them."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from countenance.data.head_identity import Float
from countenance.data.head_person import CLOTH, Person
from countenance.data.head_posing import PosedHead
from countenance.data.head_rendering import Canvas
from countenance.data.photo_conditions import Conditions

Pixels = tuple[NDArray[np.intp], NDArray[np.intp]]

_SUBPIXEL = 4  # bits of OpenCV's fixed-point polygon corners


def draw_glasses(canvas: Canvas, person: Person, conditions: Conditions, posed: PosedHead) -> None:
    """Draw the glasses of ``conditions`` over the canvas; dark lenses also hide what lies behind them."""
    dark = conditions.glasses == "dark"
    identity, plan = person.identity, person.plan
    half_width = (2.25 + 0.65 * identity.glasses_size) * (1.12 if dark else 1.0)
    half_height = half_width * (0.92 - 0.30 * identity.glasses_shape) * (1.05 if dark else 1.0)
    corner = 2.0 + 2.2 * identity.glasses_shape
    bridge_z = float(person.head.neutral[37, person.head.neutral.shape[1] // 2, 2])
    front = bridge_z + 0.25
    centre_x = max(plan.eye_x + 0.1, half_width + 0.55)
    frame = np.full(3, 0.012, np.float32) if dark else identity.glasses_frame
    thick = 0.16 + 0.22 * (identity.texture_seed % 5) / 4.0
    # The farther side first, so that the nearer one is drawn over it.
    for side in sorted((-1.0, 1.0), key=lambda s: s * conditions.yaw_deg, reverse=True):
        rim = _lens(side * centre_x, -0.25, half_width, half_height, corner, front)
        inner = _lens(side * centre_x, -0.25, half_width - thick, half_height - thick, corner, front)
        _arm(canvas, posed, side, centre_x + half_width, front, frame)
        glass = _inside(canvas, posed, [inner])
        _tint(canvas, glass[0], dark=dark)
        if dark:
            canvas.depth[glass[0]] = glass[1]
        _paint(canvas, *_inside(canvas, posed, [rim, inner]), frame)
    inner_x = centre_x - half_width
    x = np.array([-inner_x - 0.1, 0.0, inner_x + 0.1, inner_x + 0.1, 0.0, -inner_x - 0.1])
    y = np.array([0.35, 0.62, 0.35, 0.35 - thick, 0.62 - thick, 0.35 - thick])
    bridge = np.stack([x, y, np.full(6, front) + 0.15], axis=1)
    _paint(canvas, *_inside(canvas, posed, [bridge]), frame)


def _lens(x: float, y: float, half_width: float, half_height: float, corner: float, front: float) -> Float:
    # A superellipse that wraps slightly around the face.
    angle = np.linspace(0.0, 2 * np.pi, 40, endpoint=False)
    cosine, sine = np.cos(angle), np.sin(angle)
    across = x + half_width * np.sign(cosine) * np.abs(cosine) ** (2 / corner)
    up = y + half_height * np.sign(sine) * np.abs(sine) ** (2 / corner) * (1.0 - 0.1 * (sine < 0))
    return np.stack([across, up, front - 0.20 * np.abs(across)], axis=1).astype(np.float32)


def _arm(canvas: Canvas, posed: PosedHead, side: float, hinge: float, front: float, frame: Float) -> None:
    z = front - 0.20 * hinge
    strip = np.array(
        [[side * hinge, 0.55, z], [side * 7.75, 0.45, -0.8], [side * 7.75, 0.10, -0.8], [side * hinge, 0.05, z]]
    )
    _paint(canvas, *_inside(canvas, posed, [strip]), frame)


def _inside(
    canvas: Canvas, posed: PosedHead, outlines: list[Float] | list[NDArray[np.float64]]
) -> tuple[Pixels, Float]:
    # Pixels within the first outline and not within the second, in front of what is drawn; and their depths.
    width, height = canvas.size
    mask = np.zeros((height, width), np.uint8)
    first: Float | None = None
    for index, outline in enumerate(outlines):
        screen = posed.camera.project(posed.turned(np.asarray(outline, np.float32)))
        corners = np.round((screen[:, :2] - 0.5) * (1 << _SUBPIXEL)).astype(np.int32)
        cv2.fillPoly(mask, [corners[:, None]], 1 - index, cv2.LINE_8, _SUBPIXEL)
        first = screen if first is None else first
    assert first is not None
    pixel = np.nonzero(mask)
    terms = np.concatenate([first[:, :2], np.ones((len(first), 1), np.float32)], axis=1)
    plane = np.linalg.lstsq(terms.astype(np.float64), first[:, 2].astype(np.float64), rcond=1e-4)[0]
    depth = (plane[0] * (pixel[1] + 0.5) + plane[1] * (pixel[0] + 0.5) + plane[2]).astype(np.float32)
    depth = np.clip(depth, first[:, 2].min(), first[:, 2].max())
    kept = depth > canvas.depth[pixel] - 0.15
    return (pixel[0][kept], pixel[1][kept]), depth[kept]


def _tint(canvas: Canvas, pixel: Pixels, *, dark: bool) -> None:
    canvas.colour[:, pixel[0], pixel[1]] *= np.float32(0.10 if dark else 0.93)
    if dark:
        canvas.gloss[pixel] = 0.35
        canvas.cover[pixel] = 1.0
        canvas.kind[pixel] = CLOTH


def _paint(canvas: Canvas, pixel: Pixels, depth: Float, colour: Float) -> None:
    canvas.colour[:, pixel[0], pixel[1]] = colour[:, None]
    canvas.gloss[pixel] = 0.5
    canvas.kind[pixel] = CLOTH
    canvas.normal[:, pixel[0], pixel[1]] = np.array([0.0, 0.2, 0.98], np.float32)[:, None]
    canvas.cover[pixel] = 1.0
    canvas.depth[pixel] = np.maximum(canvas.depth[pixel], depth - 0.6)
