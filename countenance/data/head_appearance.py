"""The skin of a head as a texture over its grid: complexion, age and beard; ``head_features`` paints the rest."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from countenance.data.head_features import paint_brows, paint_eyes, paint_mouth
from countenance.data.head_geometry import COLUMNS, MENTON_ROW, ROWS, HeadGeometry
from countenance.data.head_identity import Float, Identity
from countenance.data.head_patch import Patch, hill, line, soft
from countenance.data.head_plan import FacePlan

SKIN_TEXTURE = 352


@dataclass(frozen=True, kw_only=True)
class SkinTexture:
    """Textures over the head's grid; entry (i, j) lies at row i (ROWS-1)/(SKIN_TEXTURE-1), columns alike.

    Attributes:
        colour: linear RGB reflectance and the eyes' opening, shape (SKIN_TEXTURE, SKIN_TEXTURE, 4), 0..1.
        detail: gloss and the darkening of a full smile's creases, shape (SKIN_TEXTURE, SKIN_TEXTURE, 2), 0..1.
    """

    colour: Float
    detail: Float


def paint_skin(identity: Identity, plan: FacePlan, head: HeadGeometry) -> SkinTexture:
    """Paint the skin of ``identity`` once; every photo of the person reuses it."""
    rng = np.random.default_rng([identity.texture_seed, 7])
    size = SKIN_TEXTURE
    across = np.linspace(0, COLUMNS - 1, size, dtype=np.float32)
    down = np.linspace(0, ROWS - 1, size, dtype=np.float32)
    map_x, map_y = np.meshgrid(across, down)
    painted = np.asarray(cv2.remap(head.painted, map_x, map_y, cv2.INTER_LINEAR), np.float32)
    mottled = 0.03 * _noise(rng, 40) + 0.04 * _noise(rng, 12) + 0.02 * _noise(rng, 160)
    # The grid is coarse at the sides: noise there would be drawn out into streaks.
    mottled *= np.clip(1.3 - np.abs(across / (COLUMNS - 1) - 0.5) * 3.4, 0.15, 1.0)
    under = np.clip((down - MENTON_ROW) / 4.0, 0.0, 1.0) * np.exp(-np.clip(down - 112, 0, None) / 6.0)
    shaded = (1.0 + mottled) * (1.0 - 0.30 * under[:, None])
    colour = np.zeros((4, size, size), np.float32)
    for channel in range(3):
        np.multiply(shaded, identity.skin[channel], out=colour[channel])
    detail = np.zeros((2, size, size), np.float32)
    detail[0] = 0.55
    rows, columns = _face_window(head)
    face = Patch(
        x=np.ascontiguousarray(painted[rows, columns, 0]),
        y=np.ascontiguousarray(painted[rows, columns, 1]),
        colour=colour[:, rows, columns],
        detail=detail[:, rows, columns],
    )
    _paint_complexion(face, plan, identity, rng)
    _paint_age(face, plan, identity)
    if identity.beard != "none":
        _paint_beard(face.part(-14.0, 1.2, 7.5), plan, identity, rng)
    paint_mouth(face, plan, identity)
    paint_brows(face, plan, identity, rng)
    paint_eyes(face, plan, identity)
    np.clip(colour, 0.0, 1.0, out=colour)
    return SkinTexture(
        colour=np.asarray(cv2.merge(list(colour)), np.float32), detail=np.asarray(cv2.merge(list(detail)), np.float32)
    )


def _face_window(head: HeadGeometry) -> tuple[slice, slice]:
    columns = np.flatnonzero(np.abs(head.theta) < np.radians(80.0)) * (SKIN_TEXTURE - 1) / (COLUMNS - 1)
    row = (SKIN_TEXTURE - 1) / (ROWS - 1)
    return slice(int(14 * row), int((MENTON_ROW + 2) * row)), slice(int(columns[0]), int(columns[-1]) + 1)


def _noise(rng: np.random.Generator, cells: int) -> Float:
    small = rng.standard_normal((cells, cells), np.float32)
    return np.asarray(cv2.resize(small, (SKIN_TEXTURE, SKIN_TEXTURE), interpolation=cv2.INTER_LINEAR), np.float32)


def _paint_complexion(face: Patch, plan: FacePlan, identity: Identity, rng: np.random.Generator) -> None:
    x, y = face.x, face.y
    away = np.abs(x)
    base, tip = plan.nose_base_y, plan.nose_tip_y
    flush = 0.8 * hill(away, y, 3.9, -3.2, 1.5, 1.2) + 0.7 * hill(away, y, 0, tip, 0.9, 0.8)
    flush += 0.35 * hill(away, y, 0, plan.chin_y + 1.4, 1.3, 0.8)
    for channel, tint in enumerate((0.03, -0.13, -0.10)):
        face.colour[channel] *= 1.0 + np.float32(tint) * flush
    face.detail[0] += 0.5 * hill(away, y, 0, tip, 0.7, 0.8) + 0.35 * hill(away, y, 0, 5.0, 2.6, 1.3)
    face.detail[0] += 0.25 * hill(away, y, 4.2, -1.8, 1.0, 0.7)
    face.darken(0.24 * hill(away, y, 0.0, plan.sulcus_y, 1.3, 0.28))
    _shade_eyes_and_nose(face.part(base - 1.2, 2.6, 5.6), plan, identity)
    if identity.freckles > 0.02:
        spots = face.strands(rng, 115, 115) > 0.75
        zone = np.clip(1.2 * hill(away, y, 2.6, -2.6, 2.2, 1.4) + 0.3, 0.0, 1.0)
        face.darken(np.float32(0.40 * identity.freckles) * zone * spots)
    for mole_x, mole_y, radius in identity.moles:
        spot = face.part(mole_y - 0.6, mole_y + 0.6, abs(mole_x) + 0.6)
        share = soft(radius - np.hypot(spot.x - mole_x, spot.y - mole_y), 0.08)
        spot.mix(identity.skin * np.array([0.28, 0.18, 0.15], np.float32), 0.9 * share)


def _shade_eyes_and_nose(face: Patch, plan: FacePlan, identity: Identity) -> None:
    # Little light reaches the sockets' corners, the lids, the wings of the nose and what lies under it.
    away, y = np.abs(face.x), face.y
    base, tip = plan.nose_base_y, plan.nose_tip_y
    hollow = 0.30 * hill(away, y, plan.eye_x - 1.45, 0.25, 0.42, 0.55)
    hollow += 0.16 * hill(away, y, plan.eye_x - 0.3, -0.85, 1.0, 0.32)
    hollow += 0.16 * hill(away, y, plan.eye_x, 0.9, 1.5, 0.35)
    hollow += 0.50 * hill(away, y, plan.ala_half_width + 0.08, base + 0.55, 0.14, 0.42)
    hollow += 0.13 * hill(away, y, plan.bridge_half_width + 0.45, 0.5 * (tip + 0.5), 0.30, 1.6)
    hollow += 0.48 * hill(away, y, 0.0, base + 0.02, 1.1, 0.22)
    face.darken(np.clip(hollow, 0.0, 0.8))
    rise = y - base - 0.16 - 0.12 * (away - 0.4)
    nostril = soft(1.0 - ((away - 0.66) / 0.42) ** 2 - (rise / 0.19) ** 2, 0.9)
    face.mix(identity.skin * np.array([0.10, 0.05, 0.05], np.float32), 0.92 * nostril)


def _paint_age(face: Patch, plan: FacePlan, identity: Identity) -> None:
    w = identity.wrinkles
    forehead = face.part(plan.brow_y - 1.0, plan.brow_y + 5.0, 5.5)
    x, y, away = forehead.x, forehead.y, np.abs(forehead.x)
    lines = np.zeros_like(x)
    for k in range(3):
        level = plan.brow_y + 1.5 + 1.05 * k - 0.015 * x**2
        level = level + 0.18 * np.cos(1.3 * x + k + identity.texture_seed % 7)
        lines += line(y - level, 0.09) * np.clip(1.1 - (away / (4.4 - 0.5 * k)) ** 4, 0.0, 1.0)
    frown = line(away - 0.55, 0.10) * hill(away, y, 0.5, plan.brow_y + 0.1, 1.0, 0.6)
    forehead.darken(np.clip(w * (0.34 * lines + 0.30 * frown), 0.0, 0.7))
    eyes = face.part(-2.0, 1.8, 7.0)
    away, y = np.abs(eyes.x), eyes.y
    feet = np.zeros_like(y)
    for k in range(3):
        run = away - plan.eye_x - plan.eye_half_width - 0.25
        level = 0.15 - 0.12 * k + (0.36 - 0.34 * k) * run
        feet += line(y - level, 0.07) * np.clip(run / 0.2, 0, 1) * np.clip(1.4 - run, 0, 1)
    s, height = plan.eye_frame(eyes.x, y)
    bag = line(height + plan.eye_low + 0.62 - 0.25 * s**2, 0.09) * np.clip(1.1 - s**2, 0, 1)
    eyes.darken(np.clip(0.3 * w * feet + (0.06 + 0.30 * w) * bag, 0.0, 0.7))
    eyes.detail[1] += 0.12 * feet + 0.16 * bag
    _paint_folds(face.part(plan.mouth_y - 3.0, plan.nose_base_y + 1.5, 4.6), plan, w)


def _paint_folds(cheeks: Patch, plan: FacePlan, w: float) -> None:
    # From the wings of the nose around the mouth, and from its corners down.
    away, y = np.abs(cheeks.x), cheeks.y
    run = np.clip((plan.nose_base_y + 0.7 - y) / (plan.nose_base_y + 1.3 - plan.mouth_y), 0.0, 1.0)
    fold_x = plan.ala_half_width + 0.12 + (plan.mouth_half_width + 0.65 - plan.ala_half_width) * run**1.2
    fold = line(away - fold_x, 0.13) * np.clip(4.0 * run * (1.0 - run), 0.0, 1.0)
    down = line(away - plan.mouth_half_width - 0.25, 0.11)
    down *= hill(away, y, plan.mouth_half_width, plan.mouth_y - 1.2, 1.0, 0.7)
    cheeks.darken(np.clip((0.06 + 0.34 * w) * fold + 0.30 * w * down, 0.0, 0.7))
    cheeks.detail[1] = np.clip(cheeks.detail[1] + 0.42 * fold, 0.0, 0.6)


def _paint_beard(face: Patch, plan: FacePlan, identity: Identity, rng: np.random.Generator) -> None:
    away, y = np.abs(face.x), face.y
    upper_outer, _, _, lower_outer = plan.lip_lines(face.x)
    strands = face.strands(rng, 60, 150)
    sparse = 0.10 * strands
    below_nose = soft(plan.nose_base_y - 0.2 - 0.30 * away + sparse - y, 0.3)
    droop = plan.mouth_y + 0.1 + 0.5 * (plan.mouth_half_width + 0.5 - away)
    lip = soft(y - upper_outer - 0.02, 0.15) * below_nose * soft(y - droop + 0.9 + sparse, 0.4)
    lip *= soft(plan.mouth_half_width + 0.55 - away + sparse, 0.5)
    beside = soft(0.75 - np.abs(away - plan.mouth_half_width - 0.42) + sparse, 0.5) * soft(plan.mouth_y + 0.5 - y, 0.6)
    chin = soft(plan.mouth_half_width + 0.6 - away + sparse, 0.8) * soft(lower_outer - 0.25 - y, 0.3)
    border = np.interp(away, [0.0, 2.6, 4.4, 5.6, 6.6], [-20.0, plan.mouth_y - 0.2, -5.4, -3.2, 1.0])
    cheeks = soft(border.astype(np.float32) - y + 2 * sparse, 0.9) * soft(away - 2.3, 0.8)
    zones = {
        "stubble": (lip, chin, cheeks),
        "moustache": (lip,),
        "goatee": (lip, beside, chin),
        "full": (lip, beside, chin, cheeks),
    }[identity.beard]
    density = 0.42 if identity.beard == "stubble" else 0.93
    share = np.clip(np.maximum.reduce(list(zones)) * (density + 0.12 * strands), 0.0, 1.0)
    tint = identity.hair * np.array([1.0, 0.95, 0.9], np.float32)
    colour = tint[:, None, None] * np.exp(0.25 * strands)
    if identity.beard == "stubble":
        colour = 0.55 * colour + (0.25 * identity.skin)[:, None, None]
    face.mix(colour, share)
