"""The relief of the face on the smooth skull: brows' ridge, sockets, nose, cheeks, lips and chin."""

from __future__ import annotations

import numpy as np

from countenance.data.head_identity import Float, Identity
from countenance.data.head_plan import FacePlan


def relief(x: Float, y: Float, plan: FacePlan, identity: Identity) -> Float:
    """How far the face rises over the smooth skull towards the viewer, in cm.

    Args:
        x, y: face points in the painting pose, cm, of one shape.
        plan: the face's plan.
        identity: the person.
    """
    away = np.abs(x)
    total = _upper_face(away, y, plan, identity) + _lower_face(away, y, plan, identity)
    return np.asarray(total + _nose(away, y, plan) + _lips(away, y, plan), np.float32)


def _hill(x: Float, y: Float, cx: float, cy: float, sx: float, sy: float) -> Float:
    return np.asarray(np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2)), np.float32)


def _upper_face(away: Float, y: Float, plan: FacePlan, identity: Identity) -> Float:
    t = identity.traits
    old = identity.old_age
    ridge = max(0.0, 0.30 + 0.16 * t["brow_ridge"]) * (1 - 0.6 * identity.childhood)
    depth = 0.78 + 0.17 * t["eye_depth"] + 0.15 * old - 0.25 * identity.childhood
    s, height = plan.eye_frame(away, y)
    fold = plan.upper_lid(s) + plan.lid_fold
    crease = np.exp(-(((height - fold) / 0.13) ** 2)) * np.clip(1.15 - s**2, 0.0, 1.0)
    hood = np.exp(-(((height - fold - 0.38) / 0.30) ** 2)) * np.clip(1.2 - s**2, 0.0, 1.0)
    bag = np.exp(-(((height + plan.eye_low + 0.45) / 0.28) ** 2)) * np.clip(1.1 - s**2, 0.0, 1.0)
    return np.asarray(
        ridge * _hill(away, y, 2.7, plan.brow_y - 0.25, 2.0, 0.6)
        + 0.6 * ridge * _hill(away, y, 0.0, plan.brow_y - 0.3, 1.2, 0.7)
        - depth * _hill(away, y, plan.eye_x - 0.15, 0.35, 1.5, 0.95)
        - (0.35 + 0.1 * t["eye_depth"]) * _hill(away, y, plan.eye_x - 1.55, 0.15, 0.5, 0.65)
        + 0.62 * _hill(away, y, plan.eye_x, 0.05, 1.0, 0.72)
        - 0.16 * crease
        + (0.10 + 0.14 * old) * hood
        + (0.05 + 0.20 * old) * bag
        - 0.30 * _hill(away, y, 6.2, 2.8, 0.9, 1.7)
        + 0.18 * _hill(away, y, 2.6, 5.0, 1.8, 1.1),
        np.float32,
    )


def _nose(away: Float, y: Float, plan: FacePlan) -> Float:
    root, tip, base = plan.nose_root_y, plan.nose_tip_y, plan.nose_base_y
    along = np.clip((root - y) / (root - tip), 0.0, 1.0)
    height = plan.bridge_height + (plan.tip_height - plan.bridge_height) * along**1.25
    height = height + plan.bridge_bump * np.exp(-(((along - 0.38) / 0.2) ** 2))
    above = np.exp(-0.5 * (np.clip(y - root, 0.0, None) / 0.95) ** 2)
    # The tip is rounded and the underside falls back steeply to the upper lip.
    under = np.clip((tip - y) / (tip - base + 0.12), 0.0, 1.0)
    fall = np.clip(1.0 - under**2.2, 0.0, 1.0)
    half_width = plan.bridge_half_width * (1.0 + 0.45 * along**2)
    ridge = np.exp(-(np.abs(away / half_width) ** 2.3) * 0.5)
    skirt = np.exp(-0.5 * (away / (half_width * 1.9)) ** 2)
    body = height * above * fall * (0.68 * ridge + 0.32 * skirt)
    ball = 0.30 * _hill(away, y, 0.0, tip + 0.05, 0.62, 0.52)
    ala_x = plan.ala_half_width - 0.52
    ala = 0.98 * _hill(away, y, ala_x, base + 0.62, 0.44, 0.46) * np.clip((y - base + 0.05) / 0.25, 0.0, 1.0)
    groove = -0.22 * _hill(away, y, plan.ala_half_width + 0.10, base + 0.65, 0.20, 0.55)
    return np.asarray(body + ball + ala + groove, np.float32)


def _lips(away: Float, y: Float, plan: FacePlan) -> Float:
    upper_outer, upper_inner, lower_inner, lower_outer = plan.lip_lines(away)
    across = np.clip(1.0 - (away / plan.mouth_half_width) ** 2, 0.0, 1.0) ** 0.7
    upper_middle = 0.55 * upper_inner + 0.45 * upper_outer
    upper_half = np.maximum(0.62 * (upper_outer - upper_inner), 0.12)
    lower_middle = 0.5 * (lower_inner + lower_outer)
    lower_half = np.maximum(0.60 * (lower_inner - lower_outer), 0.12)
    upper = np.exp(-(((y - upper_middle) / upper_half) ** 2)) * (0.16 + 0.30 * plan.upper_lip)
    lower = np.exp(-(((y - lower_middle) / lower_half) ** 2)) * (0.20 + 0.30 * plan.lower_lip)
    inside = np.clip(1.0 - np.abs(y - 0.5 * (upper_inner + lower_inner)) / 0.25, 0.0, 1.0)
    corner = _hill(away, y, plan.mouth_half_width + 0.05, plan.mouth_y + plan.corner_lift, 0.38, 0.42)
    philtrum = _hill(away, y, 0.0, 0.5 * (plan.nose_base_y + plan.mouth_y) + 0.3, 0.28, 0.5)
    crests = _hill(away, y, 0.55, 0.5 * (plan.nose_base_y + plan.mouth_y) + 0.25, 0.25, 0.5)
    return np.asarray(
        across * (upper + lower - 0.35 * inside) - 0.32 * corner - 0.10 * philtrum + 0.07 * crests, np.float32
    )


def _lower_face(away: Float, y: Float, plan: FacePlan, identity: Identity) -> Float:
    t = identity.traits
    old = identity.old_age
    child = identity.childhood
    bones = 0.30 + 0.17 * t["cheekbones"] + 0.1 * old
    fullness = 0.10 + 0.22 * t["cheek_fullness"] + 0.5 * child - 0.35 * old
    squareness = 1.0 + 0.22 * t["chin_squareness"]
    ball = 0.38 + 0.10 * t["chin_projection"]
    chin_ball_y = plan.chin_y + 1.15
    # The fold runs from the wing of the nose to beside the corner of the mouth.
    run = np.clip((plan.nose_base_y + 0.6 - y) / (plan.nose_base_y + 0.6 - plan.mouth_y + 0.6), 0.0, 1.0)
    fold_x = plan.ala_half_width + 0.15 + (plan.mouth_half_width + 0.75 - plan.ala_half_width) * run
    fold_fade = np.clip(1.0 - np.abs(2.0 * run - 1.0) ** 4, 0.0, 1.0)
    fold = -np.exp(-(((away - fold_x) / 0.30) ** 2)) * fold_fade * (0.05 + 0.20 * old)
    return np.asarray(
        bones * _hill(away, y, 4.7, -2.0, 1.4, 0.95)
        + fullness * _hill(away, y, 3.9, -5.4, 1.7, 1.7)
        + 0.30 * _hill(away, y, 0.0, plan.mouth_y, 2.3, 1.6)
        - 0.34 * _hill(away, y, 0.0, plan.sulcus_y, 1.5, 0.42)
        + ball * _hill(away, y, 0.0, chin_ball_y, 1.2 * squareness, 0.85)
        + 0.30 * old * _hill(away, y, 4.4, plan.chin_y + 2.6, 1.1, 1.0)
        + fold,
        np.float32,
    )
