"""How far a labelled ellipse and a found box or ellipse overlap: exact areas, no pixels counted.

An ellipse is (major radius, minor radius, angle in radians, centre x, centre y) in pixels, as FDDB's files give it: the
major axis points along (cos angle, sin angle), y downwards. A box is (x, y, width, height).

The affine map that turns an ellipse into the unit circle keeps ratios of areas, so all that is needed is the area that
the unit circle shares with a polygon: the sum over its edges of the circle's sectors outside and of triangles inside. A
found ellipse becomes a polygon of many corners and of exactly its area.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from countenance.assessment.arrays import BoolArray, FloatArray, refuse_rows
from countenance.errors import AssessmentError

_CORNERS: Final = 360
"""Of the polygon that stands for a found ellipse: its edge is off by less than 0.00004 of a radius."""

_NOTHING: Final = 1e-12


def ellipse_overlaps(
    ellipses: FloatArray, found: FloatArray, *, photo_size: tuple[float, float] | None = None
) -> FloatArray:
    """Return the intersection over union of labelled ellipses with found regions, [F, D].

    Args:
        ellipses: [F, 5].
        found: boxes [D, 4] or ellipses [D, 5].
        photo_size: width and height in pixels; what lies outside the photo is left out of every area. None: nothing is.

    Raises:
        AssessmentError: another shape, a number that isn't finite, or a region without an area; the text names the row.
    """
    labelled, regions = _checked(ellipses, (5,), "labelled ellipse"), _checked(found, (4, 5), "found region")
    if not len(labelled) or not len(regions):
        return np.zeros((len(labelled), len(regions)))
    polygons = _corners_of_boxes(regions) if regions.shape[1] == 4 else _corners_of_ellipses(regions)
    if photo_size is None:
        shared = _areas_within(labelled, polygons)
        areas, found_areas = math.pi * labelled[:, :2].prod(axis=1), _polygon_areas(polygons)
    else:
        photo = _corners_of_boxes(np.array([[0.0, 0.0, *photo_size]]))
        polygons = _clipped(polygons, photo_size)
        shared = _areas_within(labelled, polygons)
        areas, found_areas = _areas_within(labelled, photo)[:, 0], _polygon_areas(polygons)
    union = areas[:, None] + found_areas - shared
    overlaps = np.zeros_like(shared)
    # Two regions that both lie outside the photo share nothing.
    np.divide(shared, union, out=overlaps, where=union > 0)
    return np.clip(overlaps, 0.0, 1.0)


def _checked(regions: FloatArray, columns: tuple[int, ...], what: str) -> FloatArray:
    values = np.asarray(regions, dtype=np.float64)
    if not values.size:
        return np.empty((0, columns[0]))
    if values.ndim != 2 or values.shape[1] not in columns:
        shape = " or ".join(f"[N, {count}]" for count in columns)
        raise AssessmentError(f"Regions have shape {values.shape}: give {shape}.")
    refuse_rows(~np.isfinite(values).all(axis=1), f"a {what} is not finite")
    sizes = values[:, 2:] if values.shape[1] == 4 else values[:, :2]
    refuse_rows((sizes <= 0).any(axis=1), f"a {what} has no area")
    return values


def _corners_of_boxes(boxes: FloatArray) -> FloatArray:
    """[D, 4, 2], all in one direction around."""
    left, top, width, height = boxes.T
    x = np.stack([left, left + width, left + width, left], axis=1)
    y = np.stack([top, top, top + height, top + height], axis=1)
    return np.stack([x, y], axis=2)


def _corners_of_ellipses(ellipses: FloatArray) -> FloatArray:
    """[D, 360, 2]: polygons around the same centres with exactly the ellipses' areas."""
    turn = np.arange(_CORNERS) * (2 * math.pi / _CORNERS)
    stretch = math.sqrt((2 * math.pi / _CORNERS) / math.sin(2 * math.pi / _CORNERS))
    major, minor, angle, centre_x, centre_y = (column[:, None] for column in ellipses.T)
    along, across = stretch * major * np.cos(turn), stretch * minor * np.sin(turn)
    x = centre_x + along * np.cos(angle) - across * np.sin(angle)
    y = centre_y + along * np.sin(angle) + across * np.cos(angle)
    return np.stack([x, y], axis=2)


def _areas_within(ellipses: FloatArray, polygons: FloatArray) -> FloatArray:
    """Area that each ellipse shares with each polygon [D, n, 2], [F, D]."""
    major, minor, angle, centre_x, centre_y = (column[:, None, None] for column in ellipses.T)
    x, y = polygons[None, ..., 0] - centre_x, polygons[None, ..., 1] - centre_y
    along = (x * np.cos(angle) + y * np.sin(angle)) / major
    across = (y * np.cos(angle) - x * np.sin(angle)) / minor
    shared = _circle_areas(np.stack([along, across], axis=-1))
    return np.asarray(shared * ellipses[:, :2].prod(axis=1)[:, None])


def _circle_areas(polygons: FloatArray) -> FloatArray:
    """Area that the unit circle shares with each polygon [..., n, 2], [...]."""
    start, end = polygons, np.roll(polygons, -1, axis=-2)
    step = end - start
    # Where the line through an edge meets the circle: |start + t step| = 1.
    squared, half = (step**2).sum(axis=-1), (start * step).sum(axis=-1)
    inside = half**2 - squared * ((start**2).sum(axis=-1) - 1.0)
    meets = (inside > 0) & (squared > 0)
    root = np.sqrt(np.where(meets, inside, 0.0))
    length = np.where(meets, squared, 1.0)
    # An edge that never meets the circle is outside for its whole length: both ends of its inner part are its start.
    enters = np.where(meets, np.clip((-half - root) / length, 0.0, 1.0), 0.0)
    leaves = np.where(meets, np.clip((-half + root) / length, 0.0, 1.0), 0.0)
    first, last = start + enters[..., None] * step, start + leaves[..., None] * step
    pieces = _sectors(start, first) + 0.5 * _cross(first, last) + _sectors(last, end)
    areas = np.abs(pieces.sum(axis=-1))
    # The sectors of a polygon that doesn't touch the circle cancel but for rounding.
    return np.where(areas > _NOTHING, areas, 0.0)


def _sectors(start: FloatArray, end: FloatArray) -> FloatArray:
    return np.asarray(0.5 * np.arctan2(_cross(start, end), (start * end).sum(axis=-1)))


def _cross(first: FloatArray, second: FloatArray) -> FloatArray:
    return np.asarray(first[..., 0] * second[..., 1] - first[..., 1] * second[..., 0])


def _polygon_areas(polygons: FloatArray) -> FloatArray:
    # From the first corner on, so that a far-away origin costs no digits.
    near = polygons - polygons[:, :1]
    return np.asarray(np.abs(0.5 * _cross(near, np.roll(near, -1, axis=1)).sum(axis=1)))


def _clipped(polygons: FloatArray, photo_size: tuple[float, float]) -> FloatArray:
    """Convex polygons [D, n, 2] without what lies outside the photo, [D, m, 2].

    Sutherland and Hodgman, "Reentrant polygon clipping", CACM 1974: one side of the photo after the other. Corners are
    repeated where a polygon has fewer than another, which adds no area; one that lies outside becomes a single point.
    """
    for axis, limit in enumerate(photo_size):
        for sign, edge in ((1.0, 0.0), (-1.0, -limit)):
            start, end = polygons, np.roll(polygons, -1, axis=1)
            depth, next_depth = sign * start[..., axis] - edge, sign * end[..., axis] - edge
            crosses = (depth < 0) != (next_depth < 0)
            share = np.where(crosses, depth / np.where(crosses, depth - next_depth, 1.0), 0.0)
            crossing = start + share[..., None] * (end - start)
            candidates = np.stack([start, crossing], axis=2).reshape(len(polygons), -1, 2)
            kept = np.stack([depth >= 0, crosses], axis=2).reshape(len(polygons), -1)
            polygons = _packed(candidates, kept)
    return polygons


def _packed(corners: FloatArray, kept: BoolArray) -> FloatArray:
    """The kept corners of each polygon in their order, the last one repeated up to the same number for all."""
    count = kept.sum(axis=1)
    order = np.argsort(~kept, axis=1, kind="stable")
    places = np.minimum(np.arange(max(int(count.max(initial=1)), 1)), np.maximum(count - 1, 0)[:, None])
    packed = np.take_along_axis(corners, np.take_along_axis(order, places, axis=1)[..., None], axis=1)
    # Nothing is left of it: a single point has no area.
    packed[count == 0] = 0.0
    return packed
