"""Hair and hats: a shell around the skull whose texture says where it is solid."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from countenance.data.head_geometry import HeadGeometry, column_angles, grid_normals, loft
from countenance.data.head_identity import Float, Identity
from countenance.data.head_plan import FacePlan
from countenance.data.head_rasterizer import Indices, grid_triangles

SHELL_COLUMNS = 65
_SKULL_ROWS = np.arange(0, 38, 2)  # rows of the head's grid that the shell follows, crown to eyes
_HANGING_ROWS = 15
SHELL_ROWS = len(_SKULL_ROWS) + _HANGING_ROWS
TEXTURE = 224

# Thickness of the shell in cm (top, sides, back), at no and at full volume.
_THICKNESS = {
    "bald": ((0.10, 0.12, 0.12), (0.15, 0.3, 0.3)),
    "buzz": ((0.15, 0.12, 0.12), (0.4, 0.25, 0.25)),
    "short": ((0.6, 0.25, 0.3), (1.6, 0.7, 0.7)),
    "parted": ((0.9, 0.4, 0.45), (2.0, 0.9, 0.9)),
    "afro": ((1.8, 1.5, 1.5), (4.6, 4.0, 3.8)),
    "fringe": ((0.9, 0.6, 0.6), (1.6, 1.1, 1.1)),
    "bob": ((0.8, 1.1, 1.0), (1.5, 2.4, 2.0)),
    "long": ((0.7, 1.0, 0.9), (1.4, 2.2, 1.7)),
    "tied": ((0.4, 0.25, 0.3), (0.8, 0.4, 0.5)),
}
_HANGS = ("bob", "long")


@dataclass(frozen=True, kw_only=True)
class HairShell:
    """The shell of one head.

    Attributes:
        skin_side: vertices on the skull, shape (SHELL_ROWS, SHELL_COLUMNS, 3), cm.
        lift: from there to the hair's outside, same shape.
        texture: linear RGB and solidity, shape (TEXTURE, TEXTURE, 4), 0..1.
        outward: unit normals of ``skin_side``.
        solid_triangles: the shell's triangles that are solid, for shadows, shape (T, 3).
        covers_ears: whether the ears are hidden under it.
        bun: centre and radius of a knot of hair in cm, or None.
        hangs: whether there is a curtain of hair behind the neck.
    """

    skin_side: Float
    lift: Float
    texture: Float
    outward: Float
    solid_triangles: Indices
    covers_ears: bool
    bun: tuple[float, float, float, float] | None
    hangs: bool


def build_hair(identity: Identity, plan: FacePlan, head: HeadGeometry) -> HairShell:
    """Grow the hair of ``identity`` on its head."""
    theta = column_angles(SHELL_COLUMNS)
    style = identity.hair_style
    end = _end_height(identity)
    skin = loft(_shell_rings(head, plan, end, (0.0, 0.0, 0.0)), theta)
    low, full = (np.array(entry) for entry in _THICKNESS[style])
    top, side, back = low + identity.hair_volume * (full - low)
    outside = loft(_shell_rings(head, plan, end, (top, side, back)), theta)
    edge = _edge(identity, plan, np.degrees(np.abs(theta)), end)
    rise = np.clip((skin[..., 1] - edge[None]) / (1.2 + 1.2 * max(top, side)), 0.0, 1.0)
    hanging = 1.0 if style in _HANGS else rise**0.7
    frontal = np.cos(theta)[None] > 0.35
    share = np.where(frontal, 0.10 + 0.90 * rise**0.7, np.maximum(0.10, hanging))
    if style == "fringe":
        share = np.maximum(share, 0.45)
    lift = (outside - skin) * share[..., None]
    rng = np.random.default_rng([identity.texture_seed, 11])
    rough = rng.normal(0.0, 1.0, (SHELL_ROWS, SHELL_COLUMNS, 1)).astype(np.float32)
    rough[:, -1] = rough[:, 0]
    lift = lift * (1.0 + (0.05 + 0.12 * identity.hair_curl) * rough)
    bun = None
    if style == "tied":
        height = 1.0 + 10.0 * identity.hair_length
        bun = (0.0, height, float(np.interp(height, [1.0, 11.0], [-10.5, -5.5])), 2.2 + identity.hair_volume)
    texture = _paint(identity, plan, skin, edge, end, rng)
    return HairShell(
        skin_side=skin,
        lift=np.asarray(lift, np.float32),
        texture=texture,
        outward=grid_normals(skin),
        solid_triangles=_solid_triangles(texture),
        covers_ears=style in _HANGS and identity.hair_length < 0.7,
        bun=bun,
        hangs=style in _HANGS,
    )


def _solid_triangles(texture: Float) -> Indices:
    triangles = grid_triangles(SHELL_ROWS, SHELL_COLUMNS)
    down = np.linspace(0, TEXTURE - 1, SHELL_ROWS).astype(int)
    across = np.linspace(0, TEXTURE - 1, SHELL_COLUMNS).astype(int)
    solid = texture[down][:, across, 3].ravel() > 0.5
    return np.ascontiguousarray(triangles[solid[triangles].all(axis=1)])


def solid_above(skin_side: Float, theta: Float, heights: tuple[float, float, float]) -> Float:
    """A hat's solidity over the shell, shape (TEXTURE, TEXTURE): one above the edge at (front, side, back) cm."""
    edge = np.interp(np.degrees(np.abs(theta)), [0.0, 90.0, 180.0], heights)
    grid = (skin_side[..., 1] - edge[None]).astype(np.float32)
    return np.asarray(np.clip(_enlarge(grid) * 6.0 + 0.5, 0.0, 1.0), np.float32)


def _enlarge(grid: Float) -> Float:
    rows, columns = grid.shape[:2]
    across = np.linspace(0, columns - 1, TEXTURE, dtype=np.float32)
    down = np.linspace(0, rows - 1, TEXTURE, dtype=np.float32)
    map_x, map_y = np.meshgrid(across, down)
    return np.asarray(cv2.remap(grid, map_x, map_y, cv2.INTER_LINEAR), np.float32)


def _end_height(identity: Identity) -> float:
    if identity.hair_style == "long":
        return -11.0 - 8.0 * identity.hair_length
    if identity.hair_style == "bob":
        return -7.6 - 3.4 * identity.hair_length
    return -7.0


def _shell_rings(head: HeadGeometry, plan: FacePlan, end: float, thickness: tuple[float, float, float]) -> Float:
    top, side, back = thickness
    rings = head.rings[_SKULL_ROWS].copy()
    down = np.linspace(0.0, 1.0, len(rings)) ** 0.8
    rise = (1 - down) * top
    for column, add in ((0, rise), (4, rise), (6, rise)):
        rings[:, column] += add
    swell = np.sqrt(np.clip(np.linspace(0.0, 1.0, len(rings)) * 4.0, 0.0, 1.0))
    rings[:, 1] += swell * (0.75 * top + 0.15) + 0.06
    rings[:, 2] += swell * (down * side + (1 - down) * 0.5 * (top + side)) + 0.06
    rings[:, 5] -= swell * back + 0.06
    last = rings[-1]
    fall = np.linspace(0.0, 1.0, _HANGING_ROWS + 1)[1:]
    hanging = np.repeat(last[None], _HANGING_ROWS, axis=0)
    for column in (0, 4, 6):
        hanging[:, column] = last[column] + fall * (end - last[column])
    hanging[:, 5] = last[5] * (1 - 0.22 * fall)
    hanging[:, 2] = last[2] * (1 - 0.04 * fall)
    if end > -7.5:
        # Short hair follows the nape; long hair falls nearly straight.
        upright = head.rings[::-1]
        side = np.interp(hanging[:, 4], upright[:, 4], upright[:, 2])
        nape = np.interp(hanging[:, 6], upright[:, 6], upright[:, 5])
        hanging[:, 2] = side + (last[2] - np.interp(last[4], upright[:, 4], upright[:, 2]))
        hanging[:, 5] = nape + (last[5] - np.interp(last[6], upright[:, 6], upright[:, 5]))
    return np.asarray(np.concatenate([rings, hanging]), np.float32)


def _edge(identity: Identity, plan: FacePlan, degrees: Float, end: float) -> Float:
    # Height of the hair's lower edge by angle from the midline.
    line = plan.hairline_y
    back = 1.6 * identity.hair_recession
    style = identity.hair_style
    temple = line - 0.3 + 1.5 * back
    short: dict[float, float] = {
        0: line + 0.6 * back,
        12: line + 0.7 * back,
        26: temple,
        40: line - 0.6 + 0.9 * back,
        52: 3.6,
        60: 2.2,
        66: 0.6,
        72: -1.3,
        79: -1.4,
        84: 2.0,
        102: 2.0,
        114: -1.5,
        130: -4.6,
        180: -6.0,
    }
    if style == "bald":
        crown = 12.5 if identity.hair_recession > 0.3 else 20.0
        short |= {0: crown, 12: crown, 26: crown, 40: crown, 52: crown - 6, 60: 4.5, 130: -3.0, 180: -3.5}
    if style == "fringe":
        short |= {0: plan.brow_y + 0.9, 12: plan.brow_y + 0.8, 26: plan.brow_y + 0.8, 40: plan.brow_y + 0.6}
    if style == "tied":
        short |= {60: 2.6, 66: 1.6, 72: 0.5, 79: 0.8}
    if style in _HANGS:
        opening = 50.0 + 26.0 * identity.hair_length
        short = {0: line, 12: line, 26: line - 0.1, 40: line - 0.8, opening: 1.0, opening + 7: end - 1, 180: end - 1}
    angles = sorted(short)
    return np.interp(degrees, angles, [short[a] for a in angles]).astype(np.float32)


def _paint(identity: Identity, plan: FacePlan, skin: Float, edge: Float, end: float, rng: np.random.Generator) -> Float:
    curl = identity.hair_curl
    fine = rng.normal(0.0, 1.0, (6 + int(60 * curl), 210)).astype(np.float32)
    broad = rng.normal(0.0, 1.0, (3 + int(24 * curl), 60)).astype(np.float32)
    strands = 0.6 * cv2.resize(fine, (TEXTURE, TEXTURE), interpolation=cv2.INTER_CUBIC)
    strands += 0.8 * cv2.resize(broad, (TEXTURE, TEXTURE), interpolation=cv2.INTER_CUBIC)
    above = _enlarge((skin[..., 1] - edge[None]).astype(np.float32))
    height = _enlarge(np.ascontiguousarray(skin[..., 1]))
    ragged = 0.32 if identity.hair_style == "fringe" else 0.22
    solid = np.clip((above + ragged * strands) * 3.0 + 0.5, 0.0, 1.0)
    if identity.hair_style in _HANGS:
        solid *= np.clip((height - end - 0.6 + 0.9 * strands) * 2.0, 0.0, 1.0)
    solid[: TEXTURE // 12] = np.where(identity.hair_style == "bald", solid[: TEXTURE // 12], 1.0)
    # Everything that brightens or darkens a strand is one plane; only grey strands have another colour.
    shade = np.exp(0.30 * strands - 0.1) * (1 - 0.25 * np.clip(1.0 - above / 0.8, 0.0, 1.0))
    if identity.hair_style in ("parted", "long", "bob", "tied"):
        x = _enlarge(np.ascontiguousarray(skin[..., 0]))
        parting = np.exp(-(((x - 2.6 * identity.part) / 0.22) ** 2)) * np.clip((height - 7.0) / 2.0, 0.0, 1.0)
        shade *= 1 - 0.6 * parting
    grey = 0.5 * np.clip(strands - 1.1 + 1.6 * identity.greyness, 0.0, 1.0) * (0 < identity.greyness < 0.85)
    planes = [np.clip(shade * (tint * (1 - grey) + 0.45 * grey), 0.0, 1.0) for tint in identity.hair]
    return np.asarray(cv2.merge([np.asarray(plane, np.float32) for plane in (*planes, solid)]), np.float32)
