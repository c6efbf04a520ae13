"""Where the 68 landmarks lie on the head's grid, so that every label is a point of the rendered surface.

The order is iBUG 300-W (Sagonas et al. 2013): 0-16 jaw from image left to right, 17-26 brows, 27-35 nose,
36-47 eyes, 48-67 lips.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from countenance.data.head_geometry import HeadGeometry
from countenance.data.head_identity import Float
from countenance.data.head_plan import FacePlan

# Jaw points on the image-right half, from the ear to the chin: angle in degrees; height in cm or grid row.
_JAW_SIDE = ((84.0, 0.2), (83.5, -1.7), (82.5, -3.5), (80.0, -5.2))
_JAW_RING = ((70.0, 98.5), (54.0, 102.0), (37.0, 104.0), (18.5, 105.0), (0.0, 105.0))


def locate_landmarks(geometry: HeadGeometry, plan: FacePlan) -> NDArray[np.float64]:
    """Grid coordinates (row, column), fractional, of the 68 landmarks; shape (68, 2)."""
    jaw = _jaw(geometry)
    inner = _invert(geometry.painted, _front_points(plan))
    return np.concatenate([jaw, inner])


def sample_grid(grid: Float, places: NDArray[np.float64]) -> Float:
    """Bilinear values of ``grid`` (R, C, D) at fractional ``places`` (N, 2); shape (N, D)."""
    rows, columns = grid.shape[:2]
    r = np.clip(places[:, 0], 0, rows - 1.001)
    c = np.clip(places[:, 1], 0, columns - 1.001)
    r0, c0 = r.astype(np.intp), c.astype(np.intp)
    a, b = (r - r0)[:, None], (c - c0)[:, None]
    top = (1 - b) * grid[r0, c0] + b * grid[r0, c0 + 1]
    bottom = (1 - b) * grid[r0 + 1, c0] + b * grid[r0 + 1, c0 + 1]
    return np.asarray((1 - a) * top + a * bottom, np.float32)


def _jaw(geometry: HeadGeometry) -> NDArray[np.float64]:
    columns = np.arange(len(geometry.theta))
    half = []
    for degrees, height in _JAW_SIDE:
        column = float(np.interp(np.radians(degrees), geometry.theta, columns))
        heights = geometry.painted[:, round(column), 1]
        half.append((float(np.interp(-height, -heights, np.arange(len(heights)))), column))
    for degrees, row in _JAW_RING:
        half.append((row, float(np.interp(np.radians(degrees), geometry.theta, columns))))
    right = np.array(half)
    left = right[:-1].copy()
    left[:, 1] = columns[-1] - left[:, 1]
    return np.concatenate([left, right[::-1]])


def _front_points(plan: FacePlan) -> NDArray[np.float64]:
    # Points of the image-right half are mirrored; order within each feature is iBUG's.
    brow = np.stack(plan.brow_line(np.array([0.0, 0.25, 0.5, 0.75, 1.0], np.float32)), axis=1)
    root, tip, base = plan.nose_root_y, plan.nose_tip_y, plan.nose_base_y
    bridge = [(0.0, root + (tip - root) * share) for share in (0.0, 1 / 3, 2 / 3, 1.0)]
    ala = plan.ala_half_width
    nostrils = [(x, base + lift) for x, lift in ((-0.72 * ala, 0.16), (-0.38 * ala, 0.04), (0.0, 0.0))]
    nostrils += [(-x, y) for x, y in nostrils[1::-1]]
    points = [
        *_mirrored(brow[::-1]),
        *brow,
        *bridge,
        *nostrils,
        *_mirrored(_eye(plan, (1.0, 0.36, -0.36, -1.0, -0.36, 0.36))),
        *_eye(plan, (-1.0, -0.36, 0.36, 1.0, 0.36, -0.36)),
        *_mouth(plan),
    ]
    return np.array([(float(x), float(y)) for x, y in points])


def _mirrored(points: NDArray[np.float32]) -> list[tuple[float, float]]:
    return [(-float(x), float(y)) for x, y in points]


def _eye(plan: FacePlan, stations: tuple[float, ...]) -> NDArray[np.float32]:
    s = np.array(stations, np.float32)
    height = np.concatenate([plan.upper_lid(s[:4]), plan.lower_lid(s[4:])])
    along = s * plan.eye_half_width
    return np.stack([plan.eye_x + along, height + plan.eye_slant * along], axis=1).astype(np.float32)


def _mouth(plan: FacePlan) -> list[tuple[float, float]]:
    outer = np.array([-1.0, -0.62, -0.22, 0.0, 0.22, 0.62, 1.0]) * plan.mouth_half_width
    inner = np.array([-0.9, -0.40, 0.0, 0.40, 0.9]) * plan.mouth_half_width
    upper_outer, _, _, lower_outer = plan.lip_lines(outer.astype(np.float32))
    _, upper_inner, lower_inner, _ = plan.lip_lines(inner.astype(np.float32))
    points = list(zip(outer, upper_outer, strict=True))
    points += list(zip(outer, lower_outer, strict=True))[5:0:-1]
    points += list(zip(inner, upper_inner, strict=True))
    points += list(zip(inner, lower_inner, strict=True))[3:0:-1]
    return [(float(x), float(y)) for x, y in points]


def _invert(painted: Float, targets: NDArray[np.float64]) -> NDArray[np.float64]:
    # The nearest of every other vertex of the front, then Newton steps on the bilinear surface.
    quarter = painted.shape[1] // 4
    front = painted[::2, quarter:-quarter:2]
    distance = ((front[None] - targets[:, None, None].astype(np.float32)) ** 2).sum(axis=-1)
    nearest = distance.reshape(len(targets), -1).argmin(axis=1)
    places = np.stack([nearest // front.shape[1] * 2.0, nearest % front.shape[1] * 2.0 + quarter], axis=1)
    row_step, column_step = np.array([0.25, 0.0]), np.array([0.0, 0.25])
    for _ in range(6):
        here = sample_grid(painted, places)
        down = sample_grid(painted, places + row_step) - sample_grid(painted, places - row_step)
        across = sample_grid(painted, places + column_step) - sample_grid(painted, places - column_step)
        jacobian = np.stack([down, across], axis=-1).astype(np.float64) * 2.0
        step = np.linalg.solve(jacobian, (targets - here)[..., None])[..., 0]
        places = places + np.clip(step, -1.0, 1.0)
    return places
