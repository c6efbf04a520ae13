"""A head in front of the camera: expression, pose, normals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countenance.data.head_geometry import COLUMNS, MENTON_ROW, ROWS, grid_normals
from countenance.data.head_identity import Float
from countenance.data.head_person import SHEET_COLUMNS, SHEET_ROWS, Person
from countenance.data.head_rasterizer import Camera, head_rotation
from countenance.data.photo_conditions import Conditions

_NECK_PIVOT = np.array([0.0, -8.0, -3.0], np.float32)


@dataclass(frozen=True, kw_only=True)
class PosedHead:
    """What drawing, shadows and labels share about one head in one photo.

    Attributes:
        camera: the camera.
        rotation: of the head, shape (3, 3).
        sheet: vertices of all grids under expression and pose, shape (SHEET_ROWS, SHEET_COLUMNS, 3), cm.
        normals: unit normals of the same grids.
    """

    camera: Camera
    rotation: Float
    sheet: Float
    normals: Float

    @property
    def vertices(self) -> Float:
        """The head's own grid, shape (ROWS, COLUMNS, 3)."""
        return self.sheet[:ROWS, :COLUMNS]

    def turned(self, points: Float) -> Float:
        """Points that follow the head, shape (..., 3), turned about the neck."""
        return turn(points, self.rotation)


def turn(points: Float, rotation: Float) -> Float:
    """Turn points (..., 3) about the neck."""
    return np.asarray((points - _NECK_PIVOT) @ rotation.T + _NECK_PIVOT, np.float32)


def pose_head(person: Person, conditions: Conditions, camera: Camera) -> PosedHead:
    """Put the head into its expression and pose."""
    rotation = head_rotation(conditions.yaw_deg, conditions.pitch_deg, conditions.roll_deg).astype(np.float32)
    resting = person.head.posed(
        smile=conditions.smile,
        open_mouth=conditions.open_mouth,
        squint=conditions.squint,
        brows_up=conditions.brows_up,
    )
    turned = turn(resting, rotation)
    still = person.head.stillness[:, None, None]
    sheet = np.zeros((SHEET_ROWS, SHEET_COLUMNS, 3), np.float32)
    normals = np.zeros_like(sheet)
    sheet[:ROWS, :COLUMNS] = turned + still * (resting - turned)
    normals[:ROWS, :COLUMNS] = grid_normals(sheet[:ROWS, :COLUMNS])
    for part in person.parts:
        sheet[part.window] = turn(part.vertices, rotation) if part.follows_head else part.vertices
        normals[part.window] = grid_normals(sheet[part.window])
    return PosedHead(camera=camera, rotation=rotation, sheet=sheet, normals=normals)


def face_box(posed: PosedHead, theta: Float, forehead_row: int) -> Float:
    """The tight box (left, top, right, bottom) in canvas pixels: forehead to chin, ear to ear."""
    columns = np.abs(theta) <= np.radians(92.0)
    points = posed.vertices[forehead_row : MENTON_ROW + 1][:, columns].reshape(-1, 3)
    screen = posed.camera.project(np.ascontiguousarray(points))
    return np.concatenate([screen[:, :2].min(axis=0), screen[:, :2].max(axis=0)])
