"""Triangles to pixels, in vectorised NumPy: a perspective camera and a z-buffer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from countenance.data.head_identity import Float

Indices = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True)
class Camera:
    """A pinhole camera on the z axis, looking towards -z.

    Attributes:
        distance: from the camera to the origin, in cm.
        scale: pixels per cm at the origin's depth.
        centre: pixel position (x, y) of the origin.
    """

    distance: float
    scale: float
    centre: tuple[float, float]

    def project(self, points: Float) -> Float:
        """Project points (N, 3) in cm to (N, 3): pixel x, pixel y (down) and depth z in cm (towards the viewer).

        A point at (X, Y, Z) lands on centre + scale * distance / (distance - Z) * (X, -Y).
        """
        factor = np.float32(self.scale * self.distance) / (np.float32(self.distance) - points[:, 2])
        out = np.empty((len(points), 3), np.float32)
        out[:, 0] = self.centre[0] + factor * points[:, 0]
        out[:, 1] = self.centre[1] - factor * points[:, 1]
        out[:, 2] = points[:, 2]
        return out


def head_rotation(yaw_deg: float, pitch_deg: float, roll_deg: float) -> NDArray[np.float64]:
    """Rotation of a head that first nods (pitch), then turns (yaw), then tilts in the image (roll); shape (3, 3).

    yaw > 0 turns the face towards the image's right, pitch > 0 upwards, roll > 0 tilts it clockwise as seen.
    Without roll the face's direction is (cos p sin y, sin p, cos p cos y).
    """
    y, p, r = np.radians([yaw_deg, pitch_deg, roll_deg])
    turn = np.array([[np.cos(y), 0, np.sin(y)], [0, 1, 0], [-np.sin(y), 0, np.cos(y)]])
    nod = np.array([[1, 0, 0], [0, np.cos(p), np.sin(p)], [0, -np.sin(p), np.cos(p)]])
    tilt = np.array([[np.cos(r), np.sin(r), 0], [-np.sin(r), np.cos(r), 0], [0, 0, 1]])
    return np.asarray(tilt @ turn @ nod)


@dataclass(frozen=True, kw_only=True)
class Fragments:
    """What the camera sees of a set of triangles: one entry a covered pixel.

    Attributes:
        pixel: flat pixel index, shape (N,), each at most once.
        triangle: index of the triangle seen there, shape (N,).
        weights: barycentric weights of its corners, shape (N, 3).
        depth: z in cm, shape (N,).
    """

    pixel: NDArray[np.intp]
    triangle: NDArray[np.intp]
    weights: Float
    depth: Float


def grid_triangles(rows: int, columns: int, start: int = 0) -> Indices:
    """Corner indices of the two triangles of every cell of a vertex grid, shape (2 (rows-1)(columns-1), 3).

    Seen from outside with rows running down and columns to the viewer's right they are front-facing.
    """
    corner = np.arange(rows * columns, dtype=np.int32).reshape(rows, columns) + np.int32(start)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]
    pairs = np.stack([np.stack([a, b, c], -1), np.stack([b, d, c], -1)], axis=2)
    return np.ascontiguousarray(pairs.reshape(-1, 3))


def rasterize(screen: Float, triangles: Indices, two_sided: NDArray[np.bool_], size: tuple[int, int]) -> Fragments:
    """Find the nearest triangle under every pixel centre.

    Args:
        screen: projected vertices (V, 3): pixel x, y and depth z, larger is nearer.
        triangles: corner indices, shape (T, 3).
        two_sided: triangles seen from behind as well, shape (T,).
        size: (width, height) of the canvas in pixels.
    """
    width, height = size
    kept, corners, area = _visible(screen, triangles, two_sided, size)
    x, y = corners[..., 0], corners[..., 1]
    left = np.maximum(np.ceil(x.min(axis=1) - 0.5), 0).astype(np.int32)
    right = np.minimum(np.floor(x.max(axis=1) - 0.5), width - 1).astype(np.int32)
    top = np.maximum(np.ceil(y.min(axis=1) - 0.5), 0).astype(np.int32)
    bottom = np.minimum(np.floor(y.max(axis=1) - 0.5), height - 1).astype(np.int32)
    spans = np.maximum(right - left, bottom - top) + 1
    spans[(right < left) | (bottom < top)] = 0
    found: list[tuple[NDArray[np.intp], NDArray[np.intp], Float, Float]] = []
    low = 0
    for high in (1, 2, 3, 4, 5, 6, 8, 11, 16, 24, 48, 96, max(width, height)):
        chosen = np.flatnonzero((spans > low) & (spans <= high))
        low = high
        if len(chosen):
            box = (left[chosen], top[chosen], right[chosen], bottom[chosen])
            found.append(_cover(corners[chosen], area[chosen], box, high, width, chosen))
    if not found:
        empty = np.zeros(0, np.intp)
        return Fragments(
            pixel=empty, triangle=empty, weights=np.zeros((0, 3), np.float32), depth=np.zeros(0, np.float32)
        )
    pixel = np.concatenate([part[0] for part in found])
    which = np.concatenate([part[1] for part in found])
    weights = np.concatenate([part[2] for part in found])
    depth = np.concatenate([part[3] for part in found])
    nearest = np.full(width * height, -np.inf, np.float32)
    np.maximum.at(nearest, pixel, depth)
    # Two triangles may meet at one depth: the later one is taken, always.
    owner = np.full(width * height, -1, np.intp)
    front = np.flatnonzero(depth == nearest[pixel])
    owner[pixel[front]] = front
    winners = owner[owner >= 0]
    return Fragments(
        pixel=pixel[winners], triangle=kept[which[winners]], weights=weights[winners], depth=depth[winners]
    )


def _visible(
    screen: Float, triangles: Indices, two_sided: NDArray[np.bool_], size: tuple[int, int]
) -> tuple[NDArray[np.intp], Float, Float]:
    corners = screen[triangles]
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    area = (b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0])
    kept = np.flatnonzero((area > 1e-6) | (two_sided & (area < -1e-6)))
    return kept, corners[kept], area[kept]


def _cover(
    corners: Float,
    area: Float,
    box: tuple[Indices, Indices, Indices, Indices],
    span: int,
    width: int,
    chosen: NDArray[np.intp],
) -> tuple[NDArray[np.intp], NDArray[np.intp], Float, Float]:
    # Edge functions of every triangle at every pixel centre of a span x span window.
    left, top, right, bottom = box
    steps = np.arange(span, dtype=np.float32)
    a, b, c = corners[:, 0], corners[:, 1], corners[:, 2]
    inverse = np.float32(1.0) / area
    x0, y0 = left.astype(np.float32) + np.float32(0.5), top.astype(np.float32) + np.float32(0.5)
    wb0 = ((x0 - a[:, 0]) * (c[:, 1] - a[:, 1]) - (y0 - a[:, 1]) * (c[:, 0] - a[:, 0])) * inverse
    wc0 = ((b[:, 0] - a[:, 0]) * (y0 - a[:, 1]) - (b[:, 1] - a[:, 1]) * (x0 - a[:, 0])) * inverse
    wbx, wby = (c[:, 1] - a[:, 1]) * inverse, (a[:, 0] - c[:, 0]) * inverse
    wcx, wcy = (a[:, 1] - b[:, 1]) * inverse, (b[:, 0] - a[:, 0]) * inverse
    wb = wb0[:, None, None] + wby[:, None, None] * steps[:, None] + wbx[:, None, None] * steps
    wc = wc0[:, None, None] + wcy[:, None, None] * steps[:, None] + wcx[:, None, None] * steps
    inside = (wb >= 0) & (wc >= 0) & (wb + wc <= 1)
    which, row, column = np.nonzero(inside)
    x, y = left[which] + column, top[which] + row
    fits = (x <= right[which]) & (y <= bottom[which])
    which, row, column, x, y = which[fits], row[fits], column[fits], x[fits], y[fits]
    share_b, share_c = wb[which, row, column], wc[which, row, column]
    weights = np.stack([1 - share_b - share_c, share_b, share_c], axis=1)
    depth = np.einsum("ij,ij->i", weights, corners[which, :, 2])
    return y.astype(np.intp) * width + x, chosen[which], weights, depth
