"""From a person and conditions to a finished, labelled photo; and several people to one scene."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from countenance.data.head_glasses import draw_glasses
from countenance.data.head_identity import Float
from countenance.data.head_lighting import light_canvas
from countenance.data.head_person import Person
from countenance.data.head_posing import face_box, pose_head
from countenance.data.head_rasterizer import Camera
from countenance.data.head_rendering import draw_person, landmarks_seen
from countenance.data.photo_background import paint_background
from countenance.data.photo_camera import develop
from countenance.data.photo_conditions import Conditions

_OVERSAMPLING = 1.5  # photos and parts of scenes are an even number of pixels wide and high
_PIXELS_PER_CM = 5.3  # of a usual face in a photo 160 pixels wide
_FACE_MIDDLE = np.array([[0.0, -2.6, 3.0]], np.float32)  # cm; what the photographer centres on
_FOREHEAD_ROW = 16
_GROUPS_TRIED = 50
_HIDDEN_BY_SHOULDERS = 0.25  # of a face, at most, if one of the groups that were tried has no face hidden more
_SHOULDERS_CM = 19.0  # to either side of a face's middle
_CHIN_TO_SHOULDERS_CM = 13.0  # from a face's middle down


@dataclass(frozen=True, kw_only=True)
class SynthesizedFace:
    """One labelled face. Positions in pixels of the photo (x right, y down), angles in degrees.

    Attributes:
        subject_id: who it is, e.g. ``"person-00042"``.
        box_xywh: tight box from the forehead to the chin and from ear to ear, within the photo, shape (4,).
        landmarks68: iBUG order, shape (68, 2); visibility68: 1 in sight, 0 hidden or outside the photo, shape (68,).
        landmarks5: left eye, right eye, nose tip, left and right corner of the mouth as seen in the image, (5, 2).
        visibility5: shape (5,); an eye is visible when at least half of its six points are.
        yaw_deg: > 0 when the face is turned towards the image's right; pitch_deg: > 0 upwards; roll_deg: > 0
            clockwise as seen.
        gender: ``"male"`` or ``"female"``.
        smiling: whether the person smiles.
        age_years: age on the day of the photo, 8..85.
        skin_tone: Monk Skin Tone, 1..10.
    """

    subject_id: str
    box_xywh: NDArray[np.float32]
    landmarks68: NDArray[np.float32]
    visibility68: NDArray[np.float32]
    landmarks5: NDArray[np.float32]
    visibility5: NDArray[np.float32]
    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    gender: str
    smiling: bool
    age_years: float
    skin_tone: int


@dataclass(frozen=True, kw_only=True)
class SynthesizedPhoto:
    """A photo with its labels: ``image`` is sRGB, shape (H, W, 3), uint8."""

    name: str
    image: NDArray[np.uint8]
    faces: tuple[SynthesizedFace, ...]


def subject_id(subject: int) -> str:
    """The id of the person number ``subject``."""
    return f"person-{subject:05d}"


@dataclass(frozen=True, kw_only=True)
class _Drawing:
    # Light and coverage (H, W, 4) of one person at the photo's resolution, and labels in its own pixels.
    light: Float
    box: Float
    landmarks: Float
    seen: NDArray[np.bool_]


def assemble_photo(
    person: Person, conditions: Conditions, rng: np.random.Generator, *, size: int, name: str
) -> SynthesizedPhoto:
    """Photograph one person in front of a background, ``size`` pixels square."""
    middle = (size * (0.5 + conditions.shift[0]), size * (0.515 + conditions.shift[1]))
    scale = _PIXELS_PER_CM * size / 160.0 * conditions.face_scale
    drawing = _draw(person, conditions, (size, size), middle, scale)
    background = paint_background(np.random.default_rng(conditions.background_seed), (size, size))
    background *= np.float32(conditions.exposure) * (0.4 * conditions.key + 0.6 * conditions.sky)
    light = drawing.light[..., :3] + (1.0 - drawing.light[..., 3:]) * background
    image = _develop(light, conditions, rng, size / 160.0)
    face = _label(person, conditions, drawing, (size, size))
    return SynthesizedPhoto(name=name, image=image, faces=(face,))


def assemble_scene(
    people: Sequence[tuple[Person, Conditions]], rng: np.random.Generator, *, size: tuple[int, int], name: str
) -> SynthesizedPhoto:
    """Photograph several people at once under one light; nearer people stand in front of farther ones."""
    width, height = size
    first = people[0][1]
    canvas = paint_background(np.random.default_rng(first.background_seed), size)
    canvas *= np.float32(first.exposure) * (0.4 * first.key + 0.6 * first.sky)
    places = _places(rng, len(people), size)
    faces: list[SynthesizedFace] = []
    for (person, own), (x, y, scale) in zip(people, places, strict=True):
        conditions = replace(
            own, light=first.light, key=first.key, sky=first.sky, ground=first.ground, exposure=first.exposure
        )
        left, right = _even(x - 26 * scale, width), _even(x + 26 * scale, width)
        top, bottom = _even(y - 20 * scale, height), _even(y + 34 * scale, height)
        drawing = _draw(person, conditions, (right - left, bottom - top), (x - left, y - top), scale)
        patch = canvas[top:bottom, left:right]
        patch *= 1.0 - drawing.light[..., 3:]
        patch += drawing.light[..., :3]
        faces = [_behind(face, drawing.light[..., 3], (left, top)) for face in faces]
        shift = np.array([left, top], np.float32)
        moved = replace(drawing, box=drawing.box + np.tile(shift, 2), landmarks=drawing.landmarks + shift)
        faces.append(_label(person, conditions, moved, size))
    return SynthesizedPhoto(name=name, image=_develop(canvas, first, rng, 1.0), faces=tuple(faces))


def _even(at: float, end: int) -> int:
    return 2 * round(float(np.clip(at, 0, end)) / 2)


def _draw(
    person: Person, conditions: Conditions, size: tuple[int, int], middle: tuple[float, float], scale: float
) -> _Drawing:
    fine = _OVERSAMPLING
    camera = Camera(distance=conditions.camera_distance, scale=scale * fine, centre=(0.0, 0.0))
    posed = pose_head(person, conditions, camera)
    off = camera.project(posed.turned(_FACE_MIDDLE))[0]
    camera = replace(camera, centre=(middle[0] * fine - float(off[0]), middle[1] * fine - float(off[1])))
    posed = replace(posed, camera=camera)
    canvas = draw_person(person, conditions, posed, (round(size[0] * fine), round(size[1] * fine)))
    if conditions.glasses != "none":
        draw_glasses(canvas, person, conditions, posed)
    light = cv2.resize(light_canvas(canvas, conditions, posed), size, interpolation=cv2.INTER_AREA)
    landmarks, seen = landmarks_seen(person, posed, canvas)
    box = face_box(posed, person.head.theta, _FOREHEAD_ROW)
    return _Drawing(
        light=np.asarray(light, np.float32),
        box=box / np.float32(fine),
        landmarks=landmarks / np.float32(fine),
        seen=seen,
    )


def _develop(light: Float, conditions: Conditions, rng: np.random.Generator, scale: float) -> NDArray[np.uint8]:
    return develop(
        light,
        rng,
        blur=conditions.blur * scale,
        motion=conditions.motion * scale,
        noise=conditions.noise,
        jpeg_quality=conditions.jpeg_quality,
    )


def _label(person: Person, conditions: Conditions, drawing: _Drawing, size: tuple[int, int]) -> SynthesizedFace:
    landmarks = drawing.landmarks
    inside = ((landmarks >= 0) & (landmarks < np.array(size))).all(axis=1)
    visible = (drawing.seen & inside).astype(np.float32)
    left, top = np.clip(drawing.box[:2], 0, np.array(size))
    right, bottom = np.clip(drawing.box[2:], 0, np.array(size))
    eyes = [landmarks[36:42].mean(axis=0), landmarks[42:48].mean(axis=0)]
    eyes_visible = [float(visible[36:42].mean() >= 0.5), float(visible[42:48].mean() >= 0.5)]
    return SynthesizedFace(
        subject_id=subject_id(person.identity.subject),
        box_xywh=np.array([left, top, right - left, bottom - top], np.float32),
        landmarks68=landmarks,
        visibility68=visible,
        landmarks5=np.stack([*eyes, landmarks[30], landmarks[48], landmarks[54]]).astype(np.float32),
        visibility5=np.array([*eyes_visible, visible[30], visible[48], visible[54]], np.float32),
        yaw_deg=conditions.yaw_deg,
        pitch_deg=conditions.pitch_deg,
        roll_deg=conditions.roll_deg,
        gender=person.identity.gender,
        smiling=conditions.smiling,
        age_years=conditions.age_years,
        skin_tone=person.identity.skin_tone,
    )


def _behind(face: SynthesizedFace, cover: Float, corner: tuple[int, int]) -> SynthesizedFace:
    # Points of a farther face that the new, nearer person covers are no longer in sight.
    height, width = cover.shape
    visible = []
    for points, before in ((face.landmarks68, face.visibility68), (face.landmarks5, face.visibility5)):
        x = np.floor(points[:, 0]).astype(int) - corner[0]
        y = np.floor(points[:, 1]).astype(int) - corner[1]
        within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
        covered = np.zeros(len(points), bool)
        covered[within] = cover[y[within], x[within]] > 0.5
        visible.append(np.where(covered, 0.0, before).astype(np.float32))
    return replace(face, visibility68=visible[0], visibility5=visible[1])


def _places(rng: np.random.Generator, count: int, size: tuple[int, int]) -> list[tuple[float, float, float]]:
    # Middle (x, y) and pixels per cm of every face, farthest first. The photo is cut into columns, so that a face never
    # lies behind another face. A shoulder may hide a part of it: of some drawn groups, the one is kept in which the
    # most hidden face shows most.
    best = _group(rng, count, size)
    for _ in range(_GROUPS_TRIED - 1):
        if _most_hidden(best) <= _HIDDEN_BY_SHOULDERS:
            break
        best = min(best, _group(rng, count, size), key=_most_hidden)
    return best


def _group(rng: np.random.Generator, count: int, size: tuple[int, int]) -> list[tuple[float, float, float]]:
    width, height = size
    edges = np.cumsum(np.concatenate([[0.0], rng.uniform(0.8, 1.25, count)]))
    edges = edges / edges[-1] * width
    places = []
    for left, right in pairwise(edges):
        widest = min((right - left) / 17.5, height / 30.0)
        scale = float(rng.uniform(max(0.55 * widest, min(1.9, widest)), widest))
        x = float(rng.uniform(left + 8.7 * scale, max(right - 8.7 * scale, left + 8.7 * scale + 1e-3)))
        y = float(rng.uniform(14.0 * scale, max(min(0.62 * height, height - 12.0 * scale), 14.0 * scale + 1e-3)))
        places.append((x, y, scale))
    return sorted(places, key=lambda place: place[2])


def _most_hidden(places: Sequence[tuple[float, float, float]]) -> float:
    # Which share of a face (16 x 20 cm) lies behind one nearer person's shoulders and what is below them.
    most = 0.0
    for number, (x, y, scale) in enumerate(places):
        for near_x, near_y, near_scale in places[number + 1 :]:
            left, right = near_x - _SHOULDERS_CM * near_scale, near_x + _SHOULDERS_CM * near_scale
            across = min(right, x + 8.0 * scale) - max(left, x - 8.0 * scale)
            down = y + 10.0 * scale - max(near_y + _CHIN_TO_SHOULDERS_CM * near_scale, y - 10.0 * scale)
            most = max(most, max(0.0, across) * max(0.0, down) / (320.0 * scale**2))
    return most
