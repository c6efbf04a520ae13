"""What belongs to a head besides the face: ears, a knot of hair, neck and shoulders in clothes, a cap's brim."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import PchipInterpolator

from countenance.data.head_geometry import HeadGeometry, column_angles, loft
from countenance.data.head_identity import Float, Identity

EAR_ROWS, EAR_COLUMNS = 8, 21
BODY_ROWS, BODY_COLUMNS = 22, 49
BUN_ROWS, BUN_COLUMNS = 9, 17
BRIM_ROWS, BRIM_COLUMNS = 6, 25


def build_ear(identity: Identity, head: HeadGeometry, side: int) -> Float:
    """One ear as a dish of rings from its centre to its rim, shape (EAR_ROWS, EAR_COLUMNS, 3), in cm.

    Args:
        identity: the person.
        head: the head it sits on.
        side: 1 for the ear at positive x, -1 for the other.
    """
    t = identity.traits
    size = (1.0 + 0.075 * t["ear_size"] + 0.08 * identity.old_age) * (1 - 0.06 * identity.childhood)
    tilt = np.radians(26.0 + 9.0 * t["ear_angle"])
    back = np.array([np.sin(tilt), 0.0, -np.cos(tilt)])
    up = np.array([0.10, 0.97, -0.22])
    out = np.array([np.cos(tilt), 0.0, np.sin(tilt)])
    half_width = float(np.interp(1.3, -head.rings[:, 4], head.rings[:, 2]))
    centre = np.array([half_width - 0.30, -1.5, -1.3]) + back * 1.25
    reach = np.linspace(0.0, 1.0, EAR_ROWS)[:, None]
    angle = np.linspace(0.0, 2 * np.pi, EAR_COLUMNS)[None]
    # Wider above than at the lobe.
    wide = 1.65 * size * (1.0 + 0.22 * np.sin(angle)) * np.cos(angle)
    tall = 3.05 * size * np.sin(angle)
    dish = 0.55 * np.exp(-(((reach - 0.86) / 0.16) ** 2)) - 0.35 * np.exp(-((reach / 0.5) ** 2))
    dish = dish + 0.25 * np.exp(-(((reach - 0.55) / 0.12) ** 2)) * (np.cos(angle) > -0.2)
    lift = dish * np.clip(0.75 + 0.5 * np.cos(angle), 0.1, 1.0)
    points = centre + (reach * wide)[..., None] * back + (reach * tall)[..., None] * up + lift[..., None] * out
    points[..., 0] *= side
    return np.asarray(points, np.float32)


def ear_shade() -> Float:
    """How dark the folds of an ear are by ring and angle, shape (EAR_ROWS, EAR_COLUMNS), 0..1."""
    reach = np.linspace(0.0, 1.0, EAR_ROWS)[:, None] * np.ones((1, EAR_COLUMNS))
    shade = 1.0 - 0.62 * np.exp(-((reach / 0.38) ** 2)) - 0.25 * np.exp(-(((reach - 0.7) / 0.1) ** 2))
    return np.asarray(shade, np.float32)


def build_body(identity: Identity) -> Float:
    """Collar and shoulders, shape (BODY_ROWS, BODY_COLUMNS, 3), in cm."""
    t = identity.traits
    child = identity.childhood
    wide = (1.0 + 0.05 * t["neck_width"] + 0.06 * t["jaw_width"]) * (1 - 0.28 * child)
    thick = (1.0 + 0.07 * t["neck_width"]) * (1 - 0.22 * child)
    top = -13.6 + 1.6 * child
    key = np.array(
        [
            # row  yF         zF   W            zC    yS          zB    yB
            (0, top - 1.6, 2.9, 6.1 * thick, -2.2, top, -6.6, top + 0.6),
            (3, top - 2.6, 3.9, 8.2 * thick, -2.4, top - 1.0, -7.6, top - 0.4),
            (7, top - 4.0, 5.0, 12.5 * wide, -2.6, top - 2.6, -8.4, top - 2.0),
            (12, top - 6.2, 6.0, 17.5 * wide, -2.8, top - 4.8, -8.8, top - 4.4),
            (16, top - 9.0, 7.0, 20.0 * wide, -3.0, top - 8.5, -9.0, top - 8.5),
            (BODY_ROWS - 1, top - 24.0, 8.5, 21.0 * wide, -3.0, top - 24.0, -9.5, top - 24.0),
        ]
    )
    values = PchipInterpolator(key[:, 0], key[:, 1:], axis=0)(np.arange(BODY_ROWS))
    rings = np.concatenate([values, np.full((BODY_ROWS, 1), 2.3)], axis=1).astype(np.float32)
    return loft(rings, column_angles(BODY_COLUMNS))


def build_bun(bun: tuple[float, float, float, float]) -> Float:
    """A knot of hair as a ball, shape (BUN_ROWS, BUN_COLUMNS, 3); ``bun`` is centre x, y, z and radius in cm."""
    down = np.linspace(0.0, np.pi, BUN_ROWS)[:, None]
    around = np.linspace(-np.pi, np.pi, BUN_COLUMNS)[None]
    ball = np.stack(
        [np.sin(down) * np.sin(around), np.cos(down) * np.ones_like(around), np.sin(down) * np.cos(around)], -1
    )
    return np.asarray(np.array(bun[:3]) + bun[3] * ball, np.float32)


def build_brim(head: HeadGeometry, height: float, length: float) -> Float:
    """A cap's brim, shape (BRIM_ROWS, BRIM_COLUMNS, 3): from the cap's edge at ``height`` forward by ``length`` cm."""
    angle = np.radians(np.linspace(-62.0, 62.0, BRIM_COLUMNS))[None]
    out = np.linspace(0.0, 1.0, BRIM_ROWS)[:, None]
    front = float(np.interp(-height, -head.rings[:, 0], head.rings[:, 1])) + 0.5
    wide = float(np.interp(-height, -head.rings[:, 4], head.rings[:, 2])) + 0.5
    reach = out * length * np.cos(angle * 1.35) ** 0.8
    x = wide * np.sin(angle) * (1.0 + 0.02 * out)
    z = front * np.cos(angle) + reach
    y = height - 0.10 * reach - 0.9 * np.sin(angle) ** 2 * (1.0 - 0.3 * out) + 0.2
    return np.asarray(np.stack(np.broadcast_arrays(x, y, z), axis=-1), np.float32)
