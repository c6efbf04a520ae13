"""The plan of a face: where its features lie, seen from the front, in centimetres.

The origin is midway between the eyes; x grows towards the viewer's right, y upwards. Geometry, appearance and
landmarks all read the same plan, so a lip that is painted is also a lip that bulges and a lip that is labelled.
The plan shows the *painting pose*: mouth slightly open, eyes open, no smile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countenance.data.head_identity import Float, Identity


@dataclass(frozen=True, kw_only=True)
class FacePlan:
    """Positions and sizes of the features in cm; ``*_y`` are heights above the eyes' line."""

    eye_x: float
    eye_half_width: float
    eye_up: float
    eye_low: float
    eye_slant: float
    lid_fold: float
    iris_radius: float
    brow_y: float
    brow_inner_x: float
    brow_length: float
    brow_thickness: float
    brow_slant: float
    brow_arch: float
    nose_root_y: float
    nose_tip_y: float
    nose_base_y: float
    ala_half_width: float
    bridge_half_width: float
    bridge_height: float
    bridge_bump: float
    tip_height: float
    mouth_y: float
    mouth_half_width: float
    mouth_gap: float
    upper_lip: float
    lower_lip: float
    corner_lift: float
    chin_y: float
    sulcus_y: float
    hairline_y: float
    crown_y: float

    def upper_lid(self, s: Float) -> Float:
        """Height of the upper lid's edge over the eye's axis at s in -1 (inner corner) .. 1 (outer corner)."""
        bow = np.clip(1.0 - np.abs(s) ** 2.2, 0.0, None) ** 0.8 * (1.0 - 0.16 * s)
        return np.asarray(self.eye_up * bow, np.float32)

    def lower_lid(self, s: Float) -> Float:
        """Height (negative) of the lower lid's edge over the eye's axis at s."""
        bow = np.clip(1.0 - np.abs(s) ** 2.2, 0.0, None) ** 0.9 * (1.0 + 0.18 * s)
        return np.asarray(-self.eye_low * bow, np.float32)

    def eye_frame(self, x: Float, y: Float) -> tuple[Float, Float]:
        """Coordinates of face points in the frame of the nearer eye: s along its axis, height over it in cm."""
        along = np.abs(x) - np.float32(self.eye_x)
        s = along / np.float32(self.eye_half_width)
        return s, np.asarray(y - self.eye_slant * along, np.float32)

    def brow_line(self, s: Float) -> tuple[Float, Float]:
        """Centre line of the image-right brow, |x| and y, at s in 0 (inner end) .. 1 (outer end)."""
        x = self.brow_inner_x + self.brow_length * s
        arch = self.brow_arch * (np.sin(np.pi * np.clip(s, 0.0, 1.0) ** 1.3) - 0.35 * s)
        y = self.brow_y + self.brow_slant * (s - 0.5) * self.brow_length + arch
        return np.asarray(x, np.float32), np.asarray(y, np.float32)

    def brow_half_thickness(self, s: Float) -> Float:
        """Half of the brow's thickness at s; it tapers towards the outer end."""
        taper = np.interp(s, [0.0, 0.12, 0.55, 1.0], [0.72, 1.0, 0.85, 0.25])
        return np.asarray(0.5 * self.brow_thickness * taper, np.float32)

    def lip_lines(self, x: Float) -> tuple[Float, Float, Float, Float]:
        """Heights of the lips' edges at x: upper outer, upper inner, lower inner, lower outer."""
        s = np.clip(np.abs(x) / self.mouth_half_width, 0.0, 1.0)
        middle = self.mouth_y + self.corner_lift * s**2
        bow = np.clip(1.0 - s**2.2, 0.0, None)
        cupid = 1.0 - 0.22 * np.exp(-((s / 0.12) ** 2)) + 0.10 * np.exp(-(((s - 0.22) / 0.14) ** 2))
        gap = self.mouth_gap * np.clip(1.0 - (s / 0.92) ** 2, 0.0, None)
        upper_outer = middle + gap + self.upper_lip * bow * cupid
        lower_outer = middle - gap - self.lower_lip * np.clip(1.0 - s**2.6, 0.0, None) ** 0.9
        return (
            np.asarray(upper_outer, np.float32),
            np.asarray(middle + gap, np.float32),
            np.asarray(middle - gap, np.float32),
            np.asarray(lower_outer, np.float32),
        )


def plan_face(identity: Identity) -> FacePlan:
    """Lay out the face of ``identity``: adult means after Farkas (1994), children rounder, the old sagging."""
    t = identity.traits
    child = identity.childhood
    old = identity.old_age
    # A child's face is short below the eyes, with a small nose and jaw.
    lower = 1.0 - 0.17 * child
    stretch = lower * (1.0 + 0.028 * t["face_length"])
    nose_base = (-4.75 - 0.34 * t["nose_length"]) * stretch
    nose_tip = nose_base + (0.80 + 0.20 * t["tip_lift"] - 0.15 * old)
    mouth = nose_base - (2.20 + 0.22 * t["philtrum"]) * stretch
    chin = -11.3 * stretch - 0.42 * t["chin_length"] - 0.25 * (mouth + 7.0 * stretch) * -1.0
    chin = min(chin, mouth - 3.2 * lower)
    return FacePlan(
        eye_x=(3.12 + 0.20 * t["eye_spacing"]) * (1 - 0.06 * child),
        eye_half_width=(1.55 + 0.10 * t["eye_width"]) * (1 + 0.02 * child),
        eye_up=max(0.36, 0.66 + 0.08 * t["eye_opening"] + 0.07 * child - 0.10 * old),
        eye_low=max(0.24, 0.40 + 0.045 * t["eye_opening"] + 0.05 * child - 0.02 * old),
        eye_slant=0.045 + 0.055 * t["eye_slant"] - 0.04 * old,
        lid_fold=max(0.08, 0.30 + 0.09 * t["lid_fold"]),
        iris_radius=0.60,
        brow_y=2.05 + 0.24 * t["brow_height"] - 0.1 * old + 0.1 * child,
        brow_inner_x=1.25,
        brow_length=4.0 + 0.22 * t["brow_length"],
        brow_thickness=max(0.22, 0.62 + 0.15 * t["brow_thickness"]) * (1 - 0.25 * child),
        brow_slant=0.035 + 0.065 * t["brow_slant"],
        brow_arch=max(0.02, 0.32 + 0.13 * t["brow_arch"]),
        nose_root_y=0.35 + 0.12 * t["bridge_height"],
        nose_tip_y=nose_tip,
        nose_base_y=nose_base,
        ala_half_width=(1.78 + 0.20 * t["nose_width"]) * (1 - 0.12 * child) * (1 + 0.05 * old),
        bridge_half_width=max(0.38, 0.62 + 0.07 * t["bridge_width"]),
        bridge_height=(0.75 + 0.24 * t["bridge_height"]) * (1 - 0.45 * child),
        bridge_bump=0.05 + 0.16 * t["bridge_bump"] * (1 - child),
        tip_height=(2.25 + 0.26 * t["tip_projection"]) * (1 - 0.25 * child) * (1 + 0.05 * old),
        mouth_y=mouth,
        mouth_half_width=(2.52 + 0.22 * t["mouth_width"]) * (1 - 0.14 * child),
        mouth_gap=0.24,
        upper_lip=max(0.26, 0.80 + 0.17 * t["upper_lip"] - 0.20 * old),
        lower_lip=max(0.38, 0.98 + 0.18 * t["lower_lip"] - 0.22 * old),
        corner_lift=0.10 * t["corner_tilt"] - 0.22 * old,
        chin_y=chin,
        sulcus_y=mouth - 0.48 * (mouth - chin) + 0.15,
        hairline_y=6.2 + 0.55 * t["forehead_height"] + 0.5 * child,
        crown_y=11.3 + 0.3 * t["forehead_height"],
    )
