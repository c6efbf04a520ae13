"""Faces drawn onto a photo: boxes, landmarks, the head's axes and a caption, readable on any background."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from countenance.analysis.analyzer import AnalyzedFace
from countenance.data.head_rasterizer import head_rotation

Images = NDArray[np.uint8]
Colour = tuple[int, int, int]

BOX: Final[Colour] = (255, 214, 64)
VISIBLE: Final[Colour] = (90, 255, 120)
HIDDEN: Final[Colour] = (255, 96, 96)
AXES: Final[tuple[Colour, ...]] = ((255, 80, 80), (80, 220, 80), (90, 150, 255))
"""Of the head: to its side (red), up (green), and where it looks (blue)."""

_DARK: Final[Colour] = (16, 16, 16)
_SHIFT: Final = 4  # OpenCV draws at sixteenths of a pixel


def draw_faces(photo: Images, faces: Sequence[AnalyzedFace]) -> Images:
    """A copy of a photo [H, W, 3] RGB with its faces drawn on it; lines and letters grow with the photo."""
    drawn = photo.copy()
    width = max(1, round(max(photo.shape[:2]) / 450))
    for face in faces:
        _draw_box(drawn, face, width)
        _draw_axes(drawn, face, width)
        _draw_landmarks(drawn, face, width)
    page = Image.fromarray(drawn)
    pen = ImageDraw.Draw(page)
    for face in faces:
        _write_caption(pen, page.size, face)
    return np.asarray(page, dtype=np.uint8).copy()


def caption(face: AnalyzedFace) -> str:
    """What is said of a face in two short lines: gender and age; smile."""
    male = face.male_probability >= 0.5
    gender, sure = ("male", face.male_probability) if male else ("female", 1 - face.male_probability)
    smile = "smiling" if face.smile_probability >= 0.5 else "not smiling"
    smile_sure = max(face.smile_probability, 1 - face.smile_probability)
    return f"{gender} {sure:.0%}, {face.age_years:.0f} y\n{smile} {smile_sure:.0%}"


def _draw_box(drawn: Images, face: AnalyzedFace, width: int) -> None:
    low, high = face.box_xywh[:2], face.box_xywh[:2] + face.box_xywh[2:]
    for colour, thickness in ((_DARK, width + 2), (BOX, width)):
        cv2.rectangle(drawn, _place(low), _place(high), colour, thickness, cv2.LINE_AA, _SHIFT)


def _draw_landmarks(drawn: Images, face: AnalyzedFace, width: int) -> None:
    # Many points on a small face would hide it.
    radius = min(1.5 * width, 0.02 * float(face.box_xywh[2:].max()) + 0.5)
    for point, visible in zip(face.landmarks, face.visibility, strict=True):
        colour = VISIBLE if visible >= 0.5 else HIDDEN
        for tone, size in ((_DARK, radius + 1.0), (colour, radius)):
            cv2.circle(drawn, _place(point), round(size * 2**_SHIFT), tone, -1, cv2.LINE_AA, _SHIFT)


def _draw_axes(drawn: Images, face: AnalyzedFace, width: int) -> None:
    rotation = head_rotation(*(float(angle) for angle in face.pose_deg))
    start = face.landmarks.mean(axis=0)
    length = 0.4 * float(face.box_xywh[2:].max())
    # Columns are the head's own axes; the photo's y runs down. The nearest end is drawn last.
    for axis in np.argsort(rotation[2]):
        end = start + length * rotation[:2, axis] * (1, -1)
        for colour, thickness in ((_DARK, width + 2), (AXES[axis], width)):
            cv2.line(drawn, _place(start), _place(end), colour, thickness, cv2.LINE_AA, _SHIFT)


def _write_caption(pen: ImageDraw.ImageDraw, size: tuple[int, int], face: AnalyzedFace) -> None:
    x, y, box_width, box_height = (float(value) for value in face.box_xywh)
    letters = float(np.clip(0.13 * max(box_width, box_height), max(10.0, max(size) / 90), max(14.0, max(size) / 28)))
    font = ImageFont.load_default(letters)
    stroke = max(1, round(letters / 9))
    text = caption(face)
    left, top, right, bottom = pen.multiline_textbbox((0, 0), text, font=font, stroke_width=stroke)
    wide, high = right - left, bottom - top
    # Under the box, or above it where the photo ends, and never beyond the photo's sides.
    place_y = y + box_height + stroke
    if place_y + high > size[1]:
        place_y = y - high - 2 * stroke
    place_x = min(max(x, 0.0), max(size[0] - wide, 0.0))
    place = (place_x - left, min(max(place_y, 0.0), max(size[1] - high, 0.0)) - top)
    pen.multiline_text(place, text, font=font, fill="white", stroke_width=stroke, stroke_fill=_DARK)


def _place(point: NDArray[np.floating]) -> tuple[int, int]:
    x, y = np.rint(np.clip(np.asarray(point, dtype=np.float64), -30_000, 60_000) * 2**_SHIFT).astype(int)
    return int(x), int(y)
