from dataclasses import replace

import numpy as np
import pytest

from countenance.analysis.analyzer import AnalyzedFace, FaceAnalyzer
from countenance.analysis.drawing import AXES, BOX, HIDDEN, VISIBLE, caption, draw_faces
from tests.analysis.oracle import ASPECT, OracleModel, scene

PHOTO = scene(800, 1000, [(240, 180, 320 * ASPECT, 320)])


def found() -> AnalyzedFace:
    ((face,),) = FaceAnalyzer(OracleModel()).analyze([PHOTO])
    return face


def near(drawn: np.ndarray, x: float, y: float, colour: tuple[int, int, int], radius: int = 3) -> bool:
    patch = drawn[max(round(y) - radius, 0) : round(y) + radius + 1, max(round(x) - radius, 0) : round(x) + radius + 1]
    return bool((np.abs(patch.astype(int) - colour).max(axis=2) < 40).any())


def test_a_photo_is_drawn_on_a_copy():
    before = PHOTO.copy()
    drawn = draw_faces(PHOTO, [found()])
    assert (before == PHOTO).all()
    assert drawn.shape == PHOTO.shape
    assert drawn.dtype == np.uint8
    assert (drawn != PHOTO).any()


def test_no_faces_leave_the_photo_as_it_is():
    assert (draw_faces(PHOTO, []) == PHOTO).all()


def test_box_and_landmarks_are_where_the_face_is():
    face = found()
    face.visibility[4] = 0.1
    drawn = draw_faces(PHOTO, [face])
    x, y, width, height = face.box_xywh
    assert near(drawn, x, y + height / 3, BOX)
    assert near(drawn, x + width, y + height / 3, BOX)
    assert near(drawn, *face.landmarks[0], VISIBLE)
    assert near(drawn, *face.landmarks[4], HIDDEN)
    assert not near(drawn, *face.landmarks[4], VISIBLE, radius=1)


@pytest.mark.parametrize(("pose", "away"), [((90, 0, 0), (1, 0)), ((-90, 0, 0), (-1, 0)), ((0, 60, 0), (0, -1))])
def test_the_blue_axis_points_where_the_head_looks(pose: tuple[float, ...], away: tuple[float, float]):
    face = replace(found(), pose_deg=np.array(pose, dtype=np.float32))
    drawn = draw_faces(PHOTO, [face])
    place = face.landmarks.mean(axis=0) + 0.3 * face.box_xywh[3] * np.array(away)
    assert near(drawn, *place, AXES[2])


def test_a_tilted_head_takes_its_axes_along():
    face = replace(found(), pose_deg=np.array([0, 0, 45], dtype=np.float32))  # clockwise: up goes to the upper right
    drawn = draw_faces(PHOTO, [face])
    place = face.landmarks.mean(axis=0) + 0.3 * face.box_xywh[3] * np.array([1, -1]) / np.sqrt(2)
    assert near(drawn, *place, AXES[1])


def test_the_caption_says_what_is_more_probable_and_how_sure():
    face = replace(found(), male_probability=0.1, smile_probability=0.3, age_years=31.6)
    assert caption(face) == "female 90%, 32 y\nnot smiling 70%"
    assert caption(replace(face, male_probability=0.75, smile_probability=0.5)) == "male 75%, 32 y\nsmiling 50%"


@pytest.mark.parametrize("tone", [0, 127, 255])
def test_the_caption_is_readable_on_any_background(tone: int):
    photo = np.full((800, 1000, 3), tone, dtype=np.uint8)
    face = found()
    drawn = draw_faces(photo, [face]).astype(int)
    x, y, width, height = face.box_xywh
    under = drawn[round(y + height) + 4 : round(y + height) + 40, round(x) : round(x + width)]
    assert under.max() > 240
    assert under.min() < 30


@pytest.mark.parametrize("box", [(-40, -30, 80, 100), (960, 780, 80, 100), (0, 0, 1000, 800), (10, 10, 4, 5)])
def test_faces_beyond_the_edge_and_of_any_size_are_drawn(box: tuple[float, ...]):
    face = replace(found(), box_xywh=np.array(box, dtype=np.float32))
    assert draw_faces(PHOTO, [face]).shape == PHOTO.shape
