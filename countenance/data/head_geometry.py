"""The shape of an embedded head: a lofted surface over a (row, column) grid, with expression displacements.

Units are centimetres. x grows towards the viewer's right when the face looks at the camera, y upwards, z towards
the viewer; the origin lies midway between the eyes at mid-depth of the head. Row 0 is the crown, the
last row the base of the neck; the middle column runs down the face's midline.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.interpolate import PchipInterpolator

from countenance.data.head_identity import Float, Identity
from countenance.data.head_plan import FacePlan
from countenance.data.head_relief import relief

ROWS = 122
COLUMNS = 97
MENTON_ROW = 105
NECK_ROW = 109  # from here down the surface follows the body more than the head


@dataclass(frozen=True, kw_only=True)
class HeadGeometry:
    """The grid of one person's head.

    Attributes:
        theta: angle of each column about the vertical axis, shape (COLUMNS,), -pi..pi, 0 at the midline.
        painted: x and y of every vertex in the painting pose, shape (ROWS, COLUMNS, 2), in cm.
        neutral: vertices with mouth closed and no expression, shape (ROWS, COLUMNS, 3), in cm.
        smile, open_mouth, squint, brows_up: displacements of a full expression, shape (ROWS, COLUMNS, 3).
        stillness: how far a vertex stays with the body when the head turns, shape (ROWS,), 0..1.
        rings: key measures of the skull by row: columns front y, front z, half width, centre z, side y, back z,
            back y, roundness; shape (ROWS, 8).
    """

    theta: Float
    painted: Float
    neutral: Float
    smile: Float
    open_mouth: Float
    squint: Float
    brows_up: Float
    stillness: Float
    rings: Float

    def posed(self, *, smile: float, open_mouth: float, squint: float, brows_up: float) -> Float:
        """Vertices under an expression, before the head is turned; weights are 0..1."""
        vertices = self.neutral + np.float32(smile) * self.smile
        vertices += np.float32(open_mouth) * self.open_mouth
        vertices += np.float32(squint) * self.squint
        vertices += np.float32(brows_up) * self.brows_up
        return vertices


def column_angles(columns: int = COLUMNS) -> Float:
    """Angles of the columns, closer together on the face than at the back of the head."""
    s = np.linspace(-1.0, 1.0, columns)
    return np.asarray(np.pi * (0.42 * s + 0.58 * s**3), np.float32)


def _rings(identity: Identity, plan: FacePlan) -> Float:
    t = identity.traits
    child = identity.childhood
    old = identity.old_age
    small = 1.0 - 0.07 * child
    width = small * (1.0 + 0.042 * t["face_width"])
    cheek = 0.16 * t["cheekbones"]
    jaw = width * (1.0 + 0.055 * t["jaw_width"] + 0.05 * old - 0.05 * child)
    depth = small * (1.0 + 0.035 * t["head_length"])
    chin_z = 0.42 * t["chin_projection"] - 0.6 * child
    slope = -0.22 * t["forehead_slope"] + 0.45 * child
    lips_z = 0.16 * t["lip_projection"]
    neck = (1.0 + 0.07 * t["neck_width"]) * (1 - 0.22 * child)
    square = 0.16 * t["chin_squareness"]
    k, m, c = plan.crown_y, plan.mouth_y, plan.chin_y
    e = c / -11.3
    key = [
        # row  yF       zF                 W             zC    yS      zB             yB        n
        (0, k, -0.9, 0.02, -1.0, k, -1.05, k, 2.0),
        (5, k - 0.7, 3.1 + slope, 4.1 * width, -1.0, k - 0.7, -5.7 * depth, k - 0.8, 2.0),
        (9, k - 2.4, 6.1 + slope, 5.95 * width, -1.0, k - 2.4, -8.3 * depth, k - 2.7, 2.0),
        (14, k - 4.7, 8.1 + slope, 7.08 * width, -0.9, k - 4.7, -9.6 * depth, k - 5.2, 2.1),
        (20, 4.6, 9.0 + 0.7 * slope, 7.42 * width, -0.8, 4.6, -9.9 * depth, 4.0, 2.2),
        (27, 2.2, 9.35, 7.22 * width, -0.5, 2.3, -9.8 * depth, 1.8, 2.25),
        (37, 0.2, 9.05, 7.02 * width + 0.5 * cheek, -0.3, 0.4, -9.4 * depth, -0.2, 2.2),
        (50, -2.3 * e, 9.2, 6.92 * width + cheek, -0.3, -1.5 * e, -8.8 * depth, -2.2, 2.15),
        (64, -4.8 * e, 9.4, 6.72 * (0.4 * width + 0.6 * jaw), -0.3, -3.1 * e, -7.7 * depth, -4.5, 2.06 + 0.1 * square),
        (72, m + 0.9, 9.5 + lips_z, 6.52 * jaw, -0.4, -4.1 * e, -7.0 * depth, -6.0, 2.03 + 0.3 * square),
        (80, m - 0.15, 9.35 + lips_z, 6.40 * jaw, -0.5, -4.9 * e, -6.5 * depth, -7.0, 2.0 + 0.55 * square),
        (88, m - 1.25, 9.05 + 0.4 * chin_z, 6.25 * jaw, -0.6, -5.6 * e, -6.2, -7.8, 2.0 + 0.8 * square),
        (97, 0.45 * m + 0.55 * c, 8.9 + chin_z, 6.00 * jaw, -0.6, -6.4 * e, -6.0, -8.8, 2.0 + square),
        (MENTON_ROW, c, 7.9 + chin_z, 5.55 * jaw, -0.7, -7.4 * e, -5.8, -9.8, 2.0 + square),
        (109, c - 0.45, 5.6, 4.85 * (0.5 * jaw + 0.5 * neck), -1.0, -8.2 * e, -5.6, -10.6, 2.0),
        (113, c - 0.9, 2.5, 4.75 * neck, -1.3, -9.4 * e, -5.6, -11.6, 2.0),
        (117, -14.6 * e, 1.9, 5.1 * neck, -1.6, -13.0 * e, -6.0, -13.5, 2.0),
        (121, -19.0, 3.2, 6.4 * neck, -2.0, -18.0, -6.5, -18.0, 2.0),
    ]
    table = np.array(key)
    values = PchipInterpolator(table[:, 0], table[:, 1:], axis=0)(np.arange(ROWS))
    return np.asarray(values, np.float32)


def loft(rings: Float, theta: Float) -> Float:
    """Vertices of the surface whose cross-sections are superellipses through each ring's front, side and back.

    Args:
        rings: shape (R, 8), see ``HeadGeometry.rings``.
        theta: shape (C,), angles about the vertical axis.

    Returns:
        Shape (R, C, 3), in cm.
    """
    y_front, z_front, half_width, z_centre, y_side, z_back, y_back, roundness = (column[:, None] for column in rings.T)
    sine, cosine = np.abs(np.sin(theta))[None], np.cos(theta)[None]
    front = cosine >= 0
    extent = np.where(front, z_front - z_centre, z_centre - z_back)
    n = np.where(front, roundness, 2.0)
    radius = ((sine / half_width) ** n + (np.abs(cosine) / np.maximum(extent, 0.02)) ** n) ** (-1.0 / n)
    x = radius * np.sin(theta)[None]
    z = z_centre + radius * cosine
    share = np.clip(np.abs(x) / half_width, 0.0, 1.0)
    y = np.where(
        front,
        y_front + (y_side - y_front) * share**2.2,
        y_back + (y_side - y_back) * share**1.5,
    )
    return np.asarray(np.stack([x, y, z], axis=-1), np.float32)


def grid_normals(vertices: Float) -> Float:
    """Unit normals of a vertex grid (R, C, 3) with rows running down and columns to the viewer's right."""
    down = np.empty_like(vertices)
    down[1:-1] = vertices[2:] - vertices[:-2]
    down[0], down[-1] = vertices[1] - vertices[0], vertices[-1] - vertices[-2]
    across = np.empty_like(vertices)
    across[:, 1:-1] = vertices[:, 2:] - vertices[:, :-2]
    across[:, 0], across[:, -1] = vertices[:, 1] - vertices[:, 0], vertices[:, -1] - vertices[:, -2]
    normal = np.empty_like(vertices)
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        normal[..., k] = down[..., i] * across[..., j] - down[..., j] * across[..., i]
    length = np.sqrt(np.einsum("rck,rck->rc", normal, normal)) + np.float32(1e-9)
    normal /= length[..., None]
    return normal


def build_head(identity: Identity, plan: FacePlan) -> HeadGeometry:
    """Build the head of ``identity`` on its ``plan``."""
    theta = column_angles()
    rings = _rings(identity, plan)
    base = loft(rings, theta)
    x, y, z = base[..., 0], base[..., 1], base[..., 2]
    frontness = np.clip((np.cos(theta)[None] - 0.12) * 1.9, 0.0, 1.0)
    shape = base.copy()
    rise = relief(x, y, plan, identity) * frontness
    shape[..., 2] += rise
    # One side is never quite the mirror of the other.
    lopsided = np.float32(0.012 * identity.traits["asymmetry"])
    shape[..., 1] += lopsided * x * frontness
    painted = np.ascontiguousarray(base[..., :2])
    jaw = _closing(x, y, plan) * frontness
    neutral = shape.copy()
    neutral[..., 1] += jaw
    row = np.arange(ROWS)
    ease = np.clip((row - NECK_ROW) / (ROWS - 1 - NECK_ROW), 0.0, 1.0)
    return HeadGeometry(
        theta=theta,
        painted=painted,
        neutral=neutral,
        smile=_smile(x, y, plan) * frontness[..., None],
        open_mouth=_opening(x, y, z, plan, jaw) * frontness[..., None],
        squint=_squint(x, y, plan) * frontness[..., None],
        brows_up=_raised_brows(x, y, plan) * frontness[..., None],
        stillness=np.asarray(ease * ease * (3 - 2 * ease), np.float32),
        rings=rings,
    )


def bump(x: Float, y: Float, cx: float, cy: float, sx: float, sy: float) -> Float:
    """A Gaussian hill of height one."""
    return np.asarray(np.exp(-0.5 * (((x - cx) / sx) ** 2 + ((y - cy) / sy) ** 2)), np.float32)


def _closing(x: Float, y: Float, plan: FacePlan) -> Float:
    # The painting pose has parted lips: everything below the gap moves up by the gap, fading towards the chin.
    _, upper_inner, lower_inner, _ = plan.lip_lines(x)
    gap = upper_inner - lower_inner
    below = np.clip(lower_inner - y, 0.0, None)
    fade = np.clip(1.0 - below / 2.6, 0.0, 1.0) ** 2
    inside = (y < upper_inner) & (y >= lower_inner)
    lift = np.where(inside, upper_inner - y, np.where(y < lower_inner, gap * fade, 0.0))
    return np.asarray(np.where(np.abs(x) < plan.mouth_half_width, lift, 0.0), np.float32)


def _opening(x: Float, y: Float, z: Float, plan: FacePlan, closing: Float) -> Float:
    # A full opening undoes the closing and lowers the jaw besides.
    _, upper_inner, lower_inner, _ = plan.lip_lines(x)
    across = np.clip(1.0 - (np.abs(x) / (plan.mouth_half_width * 0.98)) ** 2, 0.0, 1.0)
    inside = np.clip((upper_inner - y) / np.maximum(upper_inner - lower_inner, 1e-3), 0.0, 1.0)
    chin_drop = 0.75 * np.clip((plan.mouth_y - y) / 1.0, 0.0, 1.0) * np.clip(z / 4.0, 0.0, 1.0)
    under = np.clip((y - (plan.chin_y - 3.5)) / 3.0, 0.0, 1.0)
    drop = np.where(y < plan.mouth_y + 0.3, chin_drop * under, 0.0)
    lips = across * inside * 0.55 * np.exp(-np.clip(lower_inner - y, 0.0, None) / 1.2)
    move = np.zeros((*x.shape, 3), np.float32)
    move[..., 1] = -closing - np.maximum(lips, drop * (0.35 + 0.65 * np.clip((plan.mouth_y - y) / 2.0, 0, 1)))
    return move


def _smile(x: Float, y: Float, plan: FacePlan) -> Float:
    side = np.sign(x)
    away = np.abs(x)
    corner = bump(away, y, plan.mouth_half_width, plan.mouth_y, 1.05, 0.95)
    lips = bump(away, y, plan.mouth_half_width * 0.55, plan.mouth_y, 0.9, 1.1)
    apple = bump(away, y, plan.eye_x + 0.75, plan.nose_base_y + 1.7, 1.35, 1.2)
    lid = bump(away, y, plan.eye_x, -0.75, 1.3, 0.35)
    ala = bump(away, y, plan.ala_half_width * 0.8, plan.nose_base_y + 0.5, 0.5, 0.5)
    move = np.zeros((*x.shape, 3), np.float32)
    move[..., 0] = side * (0.62 * corner + 0.22 * lips + 0.15 * apple + 0.14 * ala)
    move[..., 1] = 0.72 * corner + 0.02 * lips + 0.42 * apple + 0.13 * lid - 0.12 * bump(away, y, 0, plan.mouth_y, 1, 1)
    move[..., 2] = -0.62 * corner - 0.18 * lips + 0.55 * apple + 0.06 * lid
    return move


def _squint(x: Float, y: Float, plan: FacePlan) -> Float:
    s, height = plan.eye_frame(x, y)
    across = np.clip(1.0 - s**2, 0.0, 1.0)
    upper = np.exp(-(((height - plan.upper_lid(s)) / 0.34) ** 2)) * plan.eye_up
    lower = np.exp(-(((height - plan.lower_lid(s)) / 0.34) ** 2)) * plan.eye_low
    move = np.zeros((*x.shape, 3), np.float32)
    move[..., 1] = across * (0.7 * lower - 0.85 * upper)
    return move


def _raised_brows(x: Float, y: Float, plan: FacePlan) -> Float:
    move = np.zeros((*x.shape, 3), np.float32)
    move[..., 1] = 0.55 * bump(np.abs(x), y, 2.9, plan.brow_y + 0.2, 2.4, 0.9)
    return move
