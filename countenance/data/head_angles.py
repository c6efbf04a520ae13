"""Yaw, pitch and roll of a rotation, so that sources with other conventions end up in this library's.

Axes: x to the image's right, y up, z towards the viewer. yaw > 0 turns the face towards the image's right side,
pitch > 0 upwards, roll > 0 tilts it clockwise as seen. A head first nods (pitch), then turns (yaw), then tilts (roll):
``R = tilt @ turn @ nod``, as in :func:`countenance.data.head_rasterizer.head_rotation`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


class HeadAngles(NamedTuple):
    """Angles in degrees."""

    yaw: float
    pitch: float
    roll: float


def head_angles(rotation: NDArray[np.float64]) -> HeadAngles:
    """The angles of a head's rotation [3, 3], the inverse of ``head_rotation``.

    Of the two answers that every rotation has, the one that doesn't look up or down by more than 90 degrees: a head
    that is turned past its profile has a yaw beyond 90 degrees, as one would say of it. At exactly 90 degrees of yaw
    pitch and roll are the same movement; all of it is given as roll.
    """
    sine = float(np.clip(-rotation[2, 0], -1.0, 1.0))
    if abs(sine) > 1.0 - 1e-9:
        turn = np.sign(sine) * np.pi / 2
        return _degrees(turn, 0.0, np.arctan2(rotation[0, 1], rotation[1, 1]))
    yaw = np.arcsin(sine)
    pitch = np.arctan2(-rotation[2, 1], rotation[2, 2])
    roll = np.arctan2(-rotation[1, 0], rotation[0, 0])
    if abs(pitch) > np.pi / 2:
        yaw, pitch, roll = np.pi - yaw, pitch + np.pi, roll + np.pi
    return _degrees(yaw, pitch, roll)


def angles_from_300w_lp(pitch: float, yaw: float, roll: float) -> HeadAngles:
    """Angles of 300W-LP and AFLW2000-3D (``Pose_Para``, radians) in this library's convention.

    Their rotation is ``Rx(pitch) Ry(yaw) Rz(roll)`` with every factor the transpose of the usual one (the set's
    ``RotationMatrix.m``), in the same axes as ours. So yaw > 0 looks towards the image's *left*, pitch > 0 up,
    roll > 0 is clockwise; and roll comes first, not last, which matters as soon as two angles are large.
    """
    nod = _rotation("x", -pitch)
    turn = _rotation("y", -yaw)
    tilt = _rotation("z", -roll)
    return head_angles(nod @ turn @ tilt)


def angles_from_aflw(roll: float, pitch: float, yaw: float) -> HeadAngles:
    """Angles of AFLW (table ``FacePose``, radians) in this library's convention.

    AFLW fits a mean face by POSIT and splits its rotation as an aircraft's, ``Rz(yaw) Ry(pitch) Rx(roll)``, in the axes
    (towards the viewer, image left, down). So yaw > 0 looks towards the image's *left*, pitch > 0 up, and roll > 0
    lowers the image's left side: anti-clockwise as seen.
    """
    aircraft = _rotation("z", yaw) @ _rotation("y", pitch) @ _rotation("x", roll)
    return head_angles(_AIRCRAFT_AXES @ aircraft @ _AIRCRAFT_AXES.T)


# Columns: where the aircraft's axes (viewer, image left, down) point in ours.
_AIRCRAFT_AXES = np.array([[0.0, -1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])


def _rotation(axis: str, angle: float) -> NDArray[np.float64]:
    """Right-handed rotation [3, 3] about an axis."""
    cosine, sine = np.cos(angle), np.sin(angle)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.eye(3)
    matrix[[first, second], [first, second]] = cosine
    matrix[first, second], matrix[second, first] = -sine, sine
    return matrix


def _degrees(yaw: float, pitch: float, roll: float) -> HeadAngles:
    return HeadAngles(*(float((np.degrees(angle) + 180.0) % 360.0 - 180.0) for angle in (yaw, pitch, roll)))
