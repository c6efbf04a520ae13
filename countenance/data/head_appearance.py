"""The skin of an embedded head as a texture over its grid: colour, eyes' openings, gloss and smile creases."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from countenance.data.head_geometry import COLUMNS, MENTON_ROW, ROWS, HeadGeometry
from countenance.data.head_identity import Float, Identity
from countenance.data.head_plan import FacePlan

SKIN_TEXTURE = 384


@dataclass(frozen=True, kw_only=True)
class SkinTexture:
    """Textures over the head's grid; entry (i, j) lies at row i (ROWS-1)/(SKIN_TEXTURE-1), columns alike.

    Attributes:
        colour: linear RGB reflectance and the eyes' opening, shape (SKIN_TEXTURE, SKIN_TEXTURE, 4), 0..1.
        detail: gloss and the darkening of a full smile's creases, shape (SKIN_TEXTURE, SKIN_TEXTURE, 2), 0..1.
    """

    colour: Float
    detail: Float


def paint_skin(identity: Identity, plan: FacePlan, head: HeadGeometry, scalp_solid: Float | None = None) -> SkinTexture:
    """Paint the skin of ``identity`` once; every photo of the person reuses it."""
    rng = np.random.default_rng([identity.texture_seed, 7])
    size = SKIN_TEXTURE
    map_x, map_y = np.meshgrid(
        np.linspace(0, COLUMNS - 1, size, dtype=np.float32), np.linspace(0, ROWS - 1, size, dtype=np.float32)
    )
    painted = np.asarray(cv2.remap(head.painted, map_x, map_y, cv2.INTER_LINEAR), np.float32)
    colour = np.empty((size, size, 4), np.float32)
    mottled = 0.03 * _noise(rng, 40, size) + 0.04 * _noise(rng, 12, size) + 0.02 * _noise(rng, 160, size)
    mottled *= np.clip(1.3 - np.abs(map_x / (COLUMNS - 1) - 0.5) * 3.4, 0.15, 1.0)
    colour[..., :3] = identity.skin * (1.0 + mottled)[..., None]
    colour[..., 3] = 0.0
    detail = np.zeros((size, size, 2), np.float32)
    detail[..., 0] = 0.55
    neck = np.clip((map_y - MENTON_ROW) / 4.0, 0.0, 1.0)
    colour[..., :3] *= (1.0 - 0.42 * neck * np.exp(-np.clip(map_y - 112, 0, None) / 6.0))[..., None]
    window = _face_window(head, size)
    x, y = painted[window][..., 0], painted[window][..., 1]
    face, gloss = colour[window], detail[window]
    _paint_complexion(face, gloss, x, y, plan, identity, rng)
    _paint_age(face, gloss, x, y, plan, identity)
    _paint_beard(face, x, y, plan, identity, rng)
    _paint_mouth(face, gloss, x, y, plan, identity)
    _paint_brows(face, x, y, plan, identity, rng)
    _paint_eyes(face, gloss, x, y, plan, identity)
    np.clip(colour, 0.0, 1.0, out=colour)
    return SkinTexture(colour=colour, detail=detail)


def _face_window(head: HeadGeometry, size: int) -> tuple[slice, slice]:
    columns = np.flatnonzero(np.abs(head.theta) < np.radians(80.0))
    scale = (size - 1) / (COLUMNS - 1)
    rows = (size - 1) / (ROWS - 1)
    return (
        slice(int(14 * rows), int((MENTON_ROW + 2) * rows)),
        slice(int(columns[0] * scale), int(columns[-1] * scale) + 1),
    )


def _noise(rng: np.random.Generator, cells: int, size: int) -> Float:
    small = rng.normal(0.0, 1.0, (cells, cells)).astype(np.float32)
    return np.asarray(cv2.resize(small, (size, size), interpolation=cv2.INTER_CUBIC), np.float32)


def _hill(x: Float, y: Float, cx: float, cy: float, sx: float, sy: float) -> Float:
    return np.asarray(np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2)), np.float32)


def _soft(value: Float, softness: float) -> Float:
    """One where ``value`` is positive, with an edge ``softness`` cm wide."""
    return np.asarray(np.clip(value / np.float32(softness) + 0.5, 0.0, 1.0), np.float32)


def _mix(face: Float, colour: Float, share: Float) -> None:
    face[..., :3] += share[..., None] * (colour - face[..., :3])


def _darken(face: Float, amount: Float) -> None:
    face[..., :3] *= 1.0 - amount[..., None] * np.array([0.8, 1.0, 1.05], np.float32)


def _paint_complexion(
    face: Float, gloss: Float, x: Float, y: Float, plan: FacePlan, identity: Identity, rng: np.random.Generator
) -> None:
    away = np.abs(x)
    base, tip = plan.nose_base_y, plan.nose_tip_y
    flush = 0.8 * _hill(away, y, 3.9, -3.2, 1.5, 1.2) + 0.7 * _hill(away, y, 0, tip, 0.9, 0.8)
    flush = flush + 0.35 * _hill(away, y, 0, plan.chin_y + 1.4, 1.3, 0.8)
    face[..., :3] *= 1.0 + flush[..., None] * np.array([0.03, -0.13, -0.10], np.float32)
    gloss[..., 0] += 0.5 * _hill(away, y, 0, tip, 0.7, 0.8) + 0.35 * _hill(away, y, 0, 5.0, 2.6, 1.3)
    gloss[..., 0] += 0.25 * _hill(away, y, 4.2, -1.8, 1.0, 0.7)
    hollow = 0.30 * _hill(away, y, plan.eye_x - 1.45, 0.25, 0.42, 0.55)
    hollow = hollow + 0.16 * _hill(away, y, plan.eye_x - 0.3, -0.85, 1.0, 0.32)
    hollow = hollow + 0.16 * _hill(away, y, plan.eye_x, 0.9, 1.5, 0.35)
    hollow = hollow + 0.50 * _hill(away, y, plan.ala_half_width + 0.08, base + 0.55, 0.14, 0.42)
    hollow = hollow + 0.13 * _hill(away, y, plan.bridge_half_width + 0.45, 0.5 * (tip + 0.5), 0.30, 1.6)
    hollow = hollow + 0.48 * _hill(away, y, 0.0, base + 0.02, 1.1, 0.22)
    hollow = hollow + 0.24 * _hill(away, y, 0.0, plan.sulcus_y, 1.3, 0.28)
    _darken(face, np.clip(hollow, 0.0, 0.8))
    nostril = _soft(1.0 - ((away - 0.66) / 0.42) ** 2 - ((y - base - 0.16 - 0.12 * (away - 0.4)) / 0.19) ** 2, 0.9)
    _mix(face, identity.skin * np.array([0.10, 0.05, 0.05], np.float32), 0.92 * nostril)
    if identity.freckles > 0.02:
        spots = cv2.resize(rng.random((130, 130), np.float32), (x.shape[1], x.shape[0]), interpolation=cv2.INTER_LINEAR)
        zone = np.clip(1.2 * _hill(away, y, 2.6, -2.6, 2.2, 1.4) + 0.3, 0.0, 1.0)
        face[..., :3] *= 1 - (0.40 * identity.freckles * zone * (spots > 0.80))[..., None]
    for mole_x, mole_y, radius in identity.moles:
        spot = _soft(radius - np.hypot(x - mole_x, y - mole_y), 0.08)
        _mix(face, identity.skin * np.array([0.28, 0.18, 0.15], np.float32), 0.9 * spot)


def _paint_age(face: Float, gloss: Float, x: Float, y: Float, plan: FacePlan, identity: Identity) -> None:
    away = np.abs(x)
    w = identity.wrinkles
    phase = identity.texture_seed % 7
    lines = np.zeros_like(x)
    for k in range(3):
        level = plan.brow_y + 1.5 + 1.05 * k + 0.18 * np.cos(1.3 * x + k + phase) - 0.015 * x**2
        lines += np.exp(-(((y - level) / 0.09) ** 2)) * np.clip(1.1 - (away / (4.4 - 0.5 * k)) ** 4, 0.0, 1.0)
    frown = np.exp(-(((away - 0.55) / 0.10) ** 2)) * _hill(away, y, 0.5, plan.brow_y + 0.1, 1.0, 0.6)
    for k in range(3):
        run = away - plan.eye_x - plan.eye_half_width - 0.25
        level = 0.05 + (0.45 - 0.42 * k) * run * 0.8 + 0.1 - 0.12 * k
        lines += 0.9 * np.exp(-(((y - level) / 0.07) ** 2)) * np.clip(run / 0.2, 0, 1) * np.clip(1.4 - run, 0, 1)
    bag_s, height = plan.eye_frame(x, y)
    bag = np.exp(-(((height + plan.eye_low + 0.62 - 0.25 * bag_s**2) / 0.09) ** 2)) * np.clip(1.1 - bag_s**2, 0, 1)
    run = np.clip((plan.nose_base_y + 0.7 - y) / (plan.nose_base_y + 1.3 - plan.mouth_y), 0.0, 1.0)
    fold_x = plan.ala_half_width + 0.12 + (plan.mouth_half_width + 0.65 - plan.ala_half_width) * run**1.2
    fold = np.exp(-(((away - fold_x) / 0.13) ** 2)) * np.clip(4.0 * run * (1.0 - run), 0.0, 1.0)
    marionette = np.exp(-(((away - plan.mouth_half_width - 0.25) / 0.11) ** 2))
    marionette = marionette * _hill(away, y, plan.mouth_half_width, plan.mouth_y - 1.2, 1.0, 0.7)
    amount = 0.34 * w * lines + 0.30 * w * frown + (0.06 + 0.30 * w) * bag + (0.06 + 0.34 * w) * fold
    _darken(face, np.clip(amount + 0.30 * w * marionette, 0.0, 0.7))
    gloss[..., 1] = np.clip(0.42 * fold + 0.16 * bag + 0.12 * lines * (y < 1.0), 0.0, 0.6)


def _paint_beard(face: Float, x: Float, y: Float, plan: FacePlan, identity: Identity, rng: np.random.Generator) -> None:
    if identity.beard == "none":
        return
    away = np.abs(x)
    upper_outer, _, _, lower_outer = plan.lip_lines(x)
    strands = cv2.resize(rng.normal(0, 1, (70, 200)).astype(np.float32), (x.shape[1], x.shape[0]))
    below_nose = _soft(plan.nose_base_y - 0.30 - y, 0.3)
    lip = _soft(y - upper_outer - 0.02, 0.15) * _soft(plan.mouth_half_width + 0.45 - away, 0.5) * below_nose
    beside = _soft(0.75 - np.abs(away - plan.mouth_half_width - 0.42), 0.5) * _soft(plan.mouth_y + 0.5 - y, 0.6)
    chin = _soft(plan.mouth_half_width + 0.6 - away, 0.8) * _soft(lower_outer - 0.25 - y, 0.3)
    line = np.interp(away, [0.0, 2.6, 4.4, 5.6, 6.6], [-20.0, plan.mouth_y - 0.2, -5.4, -3.2, 1.0])
    cheeks = _soft(line.astype(np.float32) - y, 0.9) * _soft(away - 2.3, 0.8)
    zones = {
        "stubble": (lip, chin, cheeks),
        "moustache": (lip,),
        "goatee": (lip, beside, chin),
        "full": (lip, beside, chin, cheeks),
    }[identity.beard]
    zone = np.maximum.reduce(list(zones))
    density = 0.42 if identity.beard == "stubble" else 0.93
    share = np.clip(zone * (density + 0.16 * strands), 0.0, 1.0)
    colour = identity.hair * np.array([1.0, 0.95, 0.9], np.float32) * np.exp(0.25 * strands)[..., None]
    if identity.beard == "stubble":
        colour = 0.55 * colour + 0.25 * identity.skin
    face[..., :3] += share[..., None] * (colour - face[..., :3])


def _paint_mouth(face: Float, gloss: Float, x: Float, y: Float, plan: FacePlan, identity: Identity) -> None:
    upper_outer, upper_inner, lower_inner, lower_outer = plan.lip_lines(x)
    inside_x = _soft(plan.mouth_half_width - np.abs(x), 0.1)
    upper = _soft(upper_outer - y, 0.10) * _soft(y - upper_inner, 0.06) * inside_x
    lower = _soft(y - lower_outer, 0.12) * _soft(lower_inner - y, 0.06) * inside_x
    _mix(face, identity.lips * np.float32(0.84), 0.9 * upper)
    _mix(face, identity.lips, 0.88 * lower)
    gloss[..., 0] += 0.5 * lower + 0.2 * upper
    rim = np.exp(-(((y - upper_inner) / 0.09) ** 2)) + np.exp(-(((y - lower_inner) / 0.07) ** 2))
    _darken(face, np.clip(0.6 * rim * inside_x, 0.0, 0.75))
    corner = _hill(np.abs(x), y, plan.mouth_half_width, plan.mouth_y + plan.corner_lift, 0.20, 0.14)
    _darken(face, 0.62 * corner)
    gap = upper_inner - lower_inner
    inside = _soft(upper_inner - 0.03 - y, 0.04) * _soft(y - lower_inner - 0.03, 0.04) * (gap > 0.02)
    teeth = _soft(y - lower_inner - 0.30 * gap, 0.06) * _soft(1.9 - np.abs(x), 0.4)
    between = np.exp(
        -((np.abs((np.abs(x) / 0.43) % 1.0 - 0.5) / 0.10) ** 2) * 0 - ((np.abs(x) / 0.43 % 1.0) / 0.12) ** 2
    )
    enamel = np.array([0.72, 0.68, 0.60], np.float32) * (1.0 - 0.25 * between - 0.10 * np.abs(x))[..., None]
    dark = np.array([0.05, 0.012, 0.012], np.float32)
    interior = dark + teeth[..., None] * (enamel - dark)
    face[..., :3] += inside[..., None] * (interior - face[..., :3])


def _paint_brows(face: Float, x: Float, y: Float, plan: FacePlan, identity: Identity, rng: np.random.Generator) -> None:
    s = (np.abs(x) - plan.brow_inner_x) / np.float32(plan.brow_length)
    _, centre = plan.brow_line(np.clip(s, 0.0, 1.0))
    half = plan.brow_half_thickness(s)
    strands = cv2.resize(rng.normal(0, 1, (120, 150)).astype(np.float32), (x.shape[1], x.shape[0]))
    inside = _soft(half - np.abs(y - centre) + 0.05 * strands, 0.26)
    ends = np.clip(s / 0.10 + 0.3, 0.0, 1.0) * np.clip((1.05 - s) / 0.25, 0.0, 1.0)
    share = np.clip(inside * ends * (0.84 + 0.10 * strands), 0.0, 0.95)
    _mix(face, identity.brows, share * (1.0 - 0.25 * identity.childhood))


def _paint_eyes(face: Float, gloss: Float, x: Float, y: Float, plan: FacePlan, identity: Identity) -> None:
    s, height = plan.eye_frame(x, y)
    upper, lower = plan.upper_lid(s), plan.lower_lid(s)
    across = _soft((1.0 - np.abs(s)) * plan.eye_half_width, 0.10)
    opening = _soft(upper - height, 0.05) * _soft(height - lower, 0.05) * across
    fold = np.exp(-(((height - upper - plan.lid_fold) / 0.085) ** 2)) * np.clip(1.12 - s**2, 0.0, 1.0)
    _darken(face, 0.52 * fold)
    lid = np.exp(-(((height - lower + 0.07) / 0.07) ** 2)) * across
    face[..., :3] *= 1 + (0.10 * lid)[..., None]
    # The ball is shaded by the lids: darker under the upper lid and in the corners.
    depth = np.clip((upper - height) / 0.30, 0.0, 1.0)
    sclera = np.array([0.64, 0.61, 0.58], np.float32) * (0.42 + 0.58 * depth)[..., None]
    sclera = sclera * (1.0 - 0.30 * np.clip(np.abs(s) - 0.35, 0.0, 1.0))[..., None]
    face[..., :3] += opening[..., None] * (sclera - face[..., :3])
    caruncle = _hill(s, height, -0.93, -0.02, 0.07, 0.09)
    _mix(face, identity.lips * np.float32(1.2), 0.8 * caruncle * opening)
    thick = np.float32(0.075 + 0.05 * identity.make_up + (0.03 if identity.gender == "female" else 0.0))
    wing = np.clip(0.75 + 0.5 * s, 0.3, 1.25)
    lashes = np.exp(-(((height - upper - 0.02) / (thick * wing)) ** 2)) * _soft(1.06 - np.abs(s), 0.08)
    lower_lashes = np.exp(-(((height - lower + 0.01) / 0.05) ** 2)) * across
    _mix(face, np.array([0.012, 0.009, 0.008], np.float32), np.clip(0.95 * lashes, 0.0, 1.0))
    _darken(face, np.clip((0.30 + 0.25 * identity.make_up) * lower_lashes, 0.0, 0.7))
    if identity.make_up > 0.45:
        shadow = np.clip((height - upper) / 0.1, 0, 1) * np.clip((plan.lid_fold + 0.1 - (height - upper)) / 0.1, 0, 1)
        _darken(face, 0.35 * identity.make_up * shadow * across)
    face[..., 3] = opening * (1.0 - lashes)
    gloss[..., 0] = np.where(opening > 0.5, 0.25, gloss[..., 0])
