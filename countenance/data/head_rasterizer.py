"""Triangles to pixels: a pinhole camera, the head's rotation and OpenCV's z-buffered rasterizer."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from countenance.data.head_identity import Float

Indices = NDArray[np.int32]
NOTHING = np.float32(-1e9)  # depth where no surface is seen

_NEAR, _FAR = 1.0, 4000.0
_EYE = np.eye(4, dtype=np.float32)[:3]


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
        out[:, 0] = np.float32(self.centre[0]) + factor * points[:, 0]
        out[:, 1] = np.float32(self.centre[1]) - factor * points[:, 1]
        out[:, 2] = points[:, 2]
        return out

    def positions(self, depth: Float) -> tuple[Float, Float]:
        """Where the surface lies that a canvas of depths (H, W) shows: X and Y in cm, each (H, W)."""
        height, width = depth.shape
        factor = (np.float32(self.distance) - depth) * np.float32(1.0 / (self.scale * self.distance))
        across = np.arange(width, dtype=np.float32) + np.float32(0.5 - self.centre[0])
        down = np.arange(height, dtype=np.float32)[:, None] + np.float32(0.5 - self.centre[1])
        return factor * across, -factor * down


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


def grid_triangles(rows: int, columns: int, *, stride: int | None = None, start: int = 0) -> Indices:
    """Corner indices of the two triangles of every cell of a vertex grid, shape (2 (rows-1)(columns-1), 3).

    Seen from outside, with rows running down and columns to the viewer's right, they face the viewer.

    Args:
        rows, columns: of the grid.
        stride: vertices in a row of the sheet that holds the grid; the grid's own columns when left out.
        start: index of the grid's first vertex in the sheet.
    """
    across = columns if stride is None else stride
    corner = start + np.arange(rows, dtype=np.int32)[:, None] * across + np.arange(columns, dtype=np.int32)
    a, b, c, d = corner[:-1, :-1], corner[:-1, 1:], corner[1:, :-1], corner[1:, 1:]
    pairs = np.stack([np.stack([a, b, c], -1), np.stack([b, d, c], -1)], axis=2)
    return np.ascontiguousarray(pairs.reshape(-1, 3), np.int32)


def rasterize(
    screen: Float, triangles: Indices, values: Float, size: tuple[int, int], distance: float
) -> tuple[Float, Float]:
    """Interpolate ``values`` over the nearest triangle under every pixel centre, perspective-correctly.

    Args:
        screen: projected vertices (V, 3): pixel x, y and depth z in cm, larger is nearer.
        triangles: corner indices, shape (T, 3); triangles seen from behind are left out.
        values: three numbers in 0..1 a vertex, shape (V, 3).
        size: (width, height) of the canvas in pixels.
        distance: of the camera from the origin, cm.

    Returns:
        Values (H, W, 3) and depth z (H, W), ``NOTHING`` where no triangle is seen.
    """
    width, height = size
    # The enumeration names the faces that are left out as they appear with y pointing down.
    settings = cv2.TriangleRasterizeSettings()
    settings.setCullingMode(cv2.RASTERIZE_CULLING_CCW)
    settings.setShadingType(cv2.RASTERIZE_SHADING_SHADED)
    shown, depth = cv2.triangleRasterize(
        _camera_space(screen, size, distance)[None],
        triangles[None],
        values[None],
        np.zeros((height, width, 3), np.float32),
        np.full((height, width), _FAR, np.float32),
        _EYE,
        np.pi / 2,
        _NEAR,
        _FAR,
        settings,
    )
    return np.asarray(shown), _height_above_origin(np.asarray(depth), distance)


def rasterize_depth(screen: Float, triangles: Indices, size: tuple[int, int], distance: float) -> Float:
    """Depth alone, see ``rasterize``; triangles seen from behind count as well."""
    width, height = size
    settings = cv2.TriangleRasterizeSettings()
    settings.setCullingMode(cv2.RASTERIZE_CULLING_NONE)
    depth = cv2.triangleRasterizeDepth(
        _camera_space(screen, size, distance)[None],
        triangles[None],
        np.full((height, width), _FAR, np.float32),
        _EYE,
        np.pi / 2,
        _NEAR,
        _FAR,
        settings,
    )
    return _height_above_origin(np.asarray(depth), distance)


def _camera_space(screen: Float, size: tuple[int, int], distance: float) -> Float:
    # OpenCV projects by itself; with a field of view of 90 degrees these points land where ``screen`` says.
    width, height = size
    away = np.float32(distance) - screen[:, 2]
    points = np.empty((len(screen), 3), np.float32)
    points[:, 0] = (screen[:, 0] - np.float32(width / 2)) * np.float32(2 / height) * away
    points[:, 1] = (np.float32(height / 2) - screen[:, 1]) * np.float32(2 / height) * away
    points[:, 2] = -away
    return points


def _height_above_origin(depth: Float, distance: float) -> Float:
    return np.where(depth < np.float32(_FAR * 0.99), np.float32(distance) - depth, NOTHING)
