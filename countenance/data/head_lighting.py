"""Light on a drawn canvas: a key light with shadows, ambient light from above and below, highlights."""

from __future__ import annotations

import cv2
import numpy as np

from countenance.data.head_geometry import COLUMNS, ROWS
from countenance.data.head_identity import Float
from countenance.data.head_person import HAIR, SKIN
from countenance.data.head_posing import PosedHead
from countenance.data.head_rasterizer import NOTHING, grid_triangles, rasterize_depth
from countenance.data.head_rendering import Canvas
from countenance.data.photo_conditions import Conditions

_SHADOW_PIXELS = 144
_SHADOW_REACH = 17.0  # cm to each side of the head's middle
_SHADOW_MIDDLE = np.array([0.0, -2.0, 0.0], np.float32)
# Half of the head's resolution is enough for its shadows.
_HEAD_TRIANGLES = grid_triangles((ROWS + 1) // 2, (COLUMNS + 1) // 2)
_FAR_LIGHT = 1000.0  # cm; nearly parallel rays


def light_canvas(canvas: Canvas, conditions: Conditions, posed: PosedHead) -> Float:
    """Light the canvas; returns linear RGB times cover, and cover, shape (height, width, 4)."""
    arrives = _key_light_share(canvas, conditions, posed)
    light, normal = conditions.light, canvas.normal
    facing = light[0] * normal[0] + light[1] * normal[1] + light[2] * normal[2]
    upward = np.float32(0.5) + np.float32(0.5) * normal[1]
    skin = (canvas.kind == SKIN).astype(np.float32)
    shine = _highlights(canvas, light) * arrives
    strength = np.float32(conditions.exposure) * canvas.cover
    planes = []
    # Red light travels furthest under the skin and so reaches past the edge of the shadow.
    for channel, reach in enumerate((0.16, 0.03, 0.0)):
        wrap = np.float32(reach) * skin + np.float32(0.10)
        lit = np.clip((facing + wrap) / (1.0 + wrap), 0.0, 1.0)
        lit *= arrives
        lit *= conditions.key[channel]
        lit += conditions.ground[channel]
        lit += upward * (conditions.sky[channel] - conditions.ground[channel])
        lit *= canvas.colour[channel]
        lit += shine * conditions.key[channel]
        lit *= strength
        planes.append(lit)
    return np.asarray(cv2.merge([*planes, canvas.cover]), np.float32)


def _highlights(canvas: Canvas, light: Float) -> Float:
    # Blinn (1977): the cosine between the normal and half-way from light to camera, to a power.
    half = light + np.array([0.0, 0.0, 1.0], np.float32)
    half = half / np.linalg.norm(half)
    normal = canvas.normal
    cosine = np.clip(half[0] * normal[0] + half[1] * normal[1] + half[2] * normal[2], 0.0, 1.0)
    square = cosine * cosine
    fourth = square * square
    broad = fourth * fourth
    hair = canvas.kind == HAIR
    power = np.where(hair, np.float32(0.10) * broad, np.float32(0.22) * broad * broad * broad)
    return np.asarray(power * canvas.gloss, np.float32)


def _key_light_share(canvas: Canvas, conditions: Conditions, posed: PosedHead) -> Float:
    # A shadow map: the depth of the first surface as seen from the light, looked up for every pixel's surface.
    axes = _axes(conditions.light)
    scale = np.float32(_SHADOW_PIXELS / (2 * _SHADOW_REACH))
    first = np.full((_SHADOW_PIXELS, _SHADOW_PIXELS), NOTHING, np.float32)
    head = np.ascontiguousarray(posed.vertices[::2, ::2]).reshape(-1, 3)
    surfaces = [(head, _HEAD_TRIANGLES), *canvas.casters]
    for vertices, triangles in surfaces:
        seen = (vertices - _SHADOW_MIDDLE) @ axes.T
        seen[:, 0] = seen[:, 0] * scale + np.float32(_SHADOW_PIXELS / 2)
        seen[:, 1] = np.float32(_SHADOW_PIXELS / 2) - seen[:, 1] * scale
        size = (_SHADOW_PIXELS, _SHADOW_PIXELS)
        np.maximum(first, rasterize_depth(np.ascontiguousarray(seen), triangles, size, _FAR_LIGHT), out=first)
    x, y = posed.camera.positions(canvas.depth)
    z = canvas.depth - _SHADOW_MIDDLE[2]
    x, y = x - _SHADOW_MIDDLE[0], y - _SHADOW_MIDDLE[1]
    across, up, towards = (axis[0] * x + axis[1] * y + axis[2] * z for axis in axes)
    first = np.asarray(cv2.blur(np.maximum(first, np.float32(-60.0)), (3, 3)))
    nearest = cv2.remap(
        first,
        across * scale + np.float32(_SHADOW_PIXELS / 2 - 0.5),
        np.float32(_SHADOW_PIXELS / 2 - 0.5) - up * scale,
        cv2.INTER_LINEAR,
        borderValue=-60.0,
    )
    return np.asarray(np.clip(1.0 - (nearest - towards - np.float32(0.45)) / 0.9, 0.0, 1.0), np.float32)


def _axes(light: Float) -> Float:
    # Right, up and towards, as the light sees the scene.
    right = np.cross([0.0, 1.0, 0.0], light)
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(light, right), light]).astype(np.float32)
