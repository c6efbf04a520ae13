"""Mouth, brows and eyes, painted on the skin; the iris itself is drawn anew in every photo, as the gaze moves."""

from __future__ import annotations

import numpy as np

from countenance.data.head_identity import Float, Identity
from countenance.data.head_patch import Patch, hill, line, soft
from countenance.data.head_plan import FacePlan


def paint_mouth(face: Patch, plan: FacePlan, identity: Identity) -> None:
    """Paint lips, teeth and the dark of the mouth."""
    patch = face.part(plan.mouth_y - 2.2, plan.mouth_y + 2.0, plan.mouth_half_width + 0.8)
    x, y = patch.x, patch.y
    upper_outer, upper_inner, lower_inner, lower_outer = plan.lip_lines(x)
    inside_x = soft(plan.mouth_half_width - np.abs(x), 0.1)
    upper = soft(upper_outer - y, 0.10) * soft(y - upper_inner, 0.06) * inside_x
    lower = soft(y - lower_outer, 0.12) * soft(lower_inner - y, 0.06) * inside_x
    patch.mix(identity.lips * np.float32(0.84), 0.9 * upper)
    patch.mix(identity.lips, 0.88 * lower)
    patch.detail[0] += 0.5 * lower + 0.2 * upper
    rim = line(y - upper_inner, 0.09) + line(y - lower_inner, 0.07)
    patch.darken(np.clip(0.6 * rim * inside_x, 0.0, 0.75))
    patch.darken(0.62 * hill(np.abs(x), y, plan.mouth_half_width, plan.mouth_y + plan.corner_lift, 0.20, 0.14))
    gap = upper_inner - lower_inner
    inside = soft(upper_inner - 0.03 - y, 0.04) * soft(y - lower_inner - 0.03, 0.04) * (gap > 0.02)
    teeth = soft(y - lower_inner - 0.30 * gap, 0.06) * soft(1.9 - np.abs(x), 0.4)
    between = line(np.abs(x) / 0.43 % 1.0, 0.12)
    shade = 1.0 - 0.25 * between - 0.10 * np.abs(x)
    enamel = np.array([0.72, 0.68, 0.60], np.float32)[:, None, None] * shade
    dark = np.array([0.05, 0.012, 0.012], np.float32)[:, None, None]
    patch.mix(dark + teeth * (enamel - dark), inside.astype(np.float32))


def paint_brows(face: Patch, plan: FacePlan, identity: Identity, rng: np.random.Generator) -> None:
    """Paint the brows hair by hair, roughly."""
    patch = face.part(plan.brow_y - 1.6, plan.brow_y + 2.0, plan.brow_inner_x + plan.brow_length + 0.6)
    s = (np.abs(patch.x) - plan.brow_inner_x) / np.float32(plan.brow_length)
    _, centre = plan.brow_line(np.clip(s, 0.0, 1.0))
    half = plan.brow_half_thickness(s)
    strands = patch.strands(rng, 40, 110)
    inside = soft(half - np.abs(patch.y - centre) + 0.05 * strands, 0.26)
    ends = np.clip(s / 0.10 + 0.3, 0.0, 1.0) * np.clip((1.05 - s) / 0.25, 0.0, 1.0)
    share = np.clip(inside * ends * (0.84 + 0.10 * strands), 0.0, 0.95)
    patch.mix(identity.brows, share * np.float32(1.0 - 0.25 * identity.childhood))


def paint_eyes(face: Patch, plan: FacePlan, identity: Identity) -> None:
    """Paint lids, lashes and the white of the eyes, and mark their opening."""
    reach = plan.eye_x + plan.eye_half_width + 0.6
    patch = face.part(-1.3, 1.8, reach)
    s, height = plan.eye_frame(patch.x, patch.y)
    upper, lower = plan.upper_lid(s), plan.lower_lid(s)
    across = soft((1.0 - np.abs(s)) * plan.eye_half_width, 0.10)
    opening = soft(upper - height, 0.05) * soft(height - lower, 0.05) * across
    patch.darken(0.52 * line(height - upper - plan.lid_fold, 0.085) * np.clip(1.12 - s**2, 0.0, 1.0))
    patch.darken(-0.10 * line(height - lower + 0.07, 0.07) * across)
    patch.mix(_white(s, height, upper), opening)
    caruncle = hill(s, height, -0.93, -0.02, 0.07, 0.09)
    patch.mix(identity.lips * np.float32(1.2), 0.8 * caruncle * opening)
    if identity.make_up > 0.45:
        over = height - upper
        shadow = np.clip(over / 0.1, 0, 1) * np.clip((plan.lid_fold + 0.1 - over) / 0.1, 0, 1)
        patch.darken(np.float32(0.35 * identity.make_up) * shadow * across)
    thick = 0.075 + 0.05 * identity.make_up + (0.03 if identity.gender == "female" else 0.0)
    wing = np.float32(thick) * np.clip(0.75 + 0.5 * s, 0.3, 1.25)
    lashes = line((height - upper - 0.02) / wing, 1.0) * soft(1.06 - np.abs(s), 0.08)
    patch.mix(np.array([0.012, 0.009, 0.008], np.float32), np.clip(0.95 * lashes, 0.0, 1.0))
    below = line(height - lower + 0.01, 0.05) * across
    patch.darken(np.clip(np.float32(0.30 + 0.25 * identity.make_up) * below, 0.0, 0.7))
    patch.colour[3] = opening * (1.0 - lashes)
    patch.detail[0] += opening * (0.25 - patch.detail[0])


def _white(s: Float, height: Float, upper: Float) -> Float:
    # The ball is shaded by the lids: darker under the upper lid and in the corners.
    depth = np.clip((upper - height) / 0.30, 0.0, 1.0)
    shade = (0.42 + 0.58 * depth) * (1.0 - 0.30 * np.clip(np.abs(s) - 0.35, 0.0, 1.0))
    return np.array([0.57, 0.54, 0.51], np.float32)[:, None, None] * shade
