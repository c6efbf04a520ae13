"""Light on a drawn canvas: a key light with shadows, ambient light from above and below, highlights."""

from __future__ import annotations

import cv2
import numpy as np

from countenance.data.head_identity import Float
from countenance.data.head_person import HAIR, SKIN, Person
from countenance.data.head_posing import PosedHead
from countenance.data.head_rasterizer import NOTHING, rasterize_depth
from countenance.data.head_rendering import Canvas
from countenance.data.photo_conditions import Conditions

_SHADOW_PIXELS = 144
_SHADOW_REACH = 17.0  # cm to each side of the head's middle
_SHADOW_MIDDLE = np.array([0.0, -2.0, 0.0], np.float32)
_FAR_LIGHT = 1000.0  # cm; nearly parallel rays


def light_canvas(canvas: Canvas, person: Person, conditions: Conditions, posed: PosedHead) -> Float:
    """Light the canvas; returns linear RGB times cover, and cover, shape (height, width, 4)."""
    arrives = _key_light_share(canvas, person, conditions, posed)
    normal = canvas.normal
    facing = normal @ conditions.light
    skin = canvas.kind == SKIN
    # Red light travels furthest under the skin and so reaches past the edge of the shadow.
    wrap = np.where(skin[..., None], np.array([0.26, 0.13, 0.10], np.float32), np.float32(0.10))
    diffuse = np.clip((facing[..., None] + wrap) / (1.0 + wrap), 0.0, 1.0) * arrives[..., None]
    upward = np.float32(0.5) + np.float32(0.5) * normal[..., 1:2]
    lit = conditions.key * diffuse
    lit += conditions.ground
    lit += upward * (conditions.sky - conditions.ground)
    lit *= canvas.colour
    half = conditions.light + np.array([0.0, 0.0, 1.0], np.float32)
    half = half / np.linalg.norm(half)
    shine = np.clip(normal @ half, 0.0, 1.0)
    broad = shine * shine
    broad *= broad
    broad *= broad  # the eighth power, for hair
    narrow = broad * broad * broad  # the twenty-fourth, for skin
    shine = np.where(canvas.kind == HAIR, np.float32(0.10) * broad, np.float32(0.22) * narrow)
    shine *= canvas.gloss * arrives
    lit += shine[..., None] * conditions.key
    result = np.empty((*canvas.depth.shape, 4), np.float32)
    result[..., :3] = lit * (np.float32(conditions.exposure) * canvas.cover)[..., None]
    result[..., 3] = canvas.cover
    return result


def _key_light_share(canvas: Canvas, person: Person, conditions: Conditions, posed: PosedHead) -> Float:
    # A shadow map: the depth of the first surface as seen from the light, looked up for every pixel's surface.
    axes = _axes(conditions.light)
    scale = np.float32(_SHADOW_PIXELS / (2 * _SHADOW_REACH))
    first = np.full((_SHADOW_PIXELS, _SHADOW_PIXELS), NOTHING, np.float32)
    surfaces = [(posed.sheet.reshape(-1, 3), person.triangles), *canvas.casters]
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
