import numpy as np
import pandas as pd
import pytest
import torch

from countenance.data.alignment import apply_affine, box_transform
from countenance.learning.proposal_targets import CellGrid
from countenance.learning.scenes import (
    BACKGROUND_OVERLAP,
    Scene,
    part_of_scenes,
    region_of_scene,
    scenes_of,
)
from countenance.network.configuration import PROPOSAL_RANGE
from countenance.network.proposals import decode_proposals

GRID = CellGrid(size=96, side=6, stride=16, offset=0.0)
FACE = np.array([80.0, 60.0, 60.0, 80.0], dtype=np.float32)
POINTS = np.array([[95, 90], [125, 90], [110, 105], [98, 122], [122, 122]], dtype=np.float32)
RED = np.array([250, 10, 10])


def one_scene() -> tuple[Scene, np.ndarray]:
    """A grey photo whose only face is a red box."""
    pixels = np.full((200, 220, 3), 90, dtype=np.uint8)
    x, y, width, height = FACE.astype(int)
    pixels[y : y + height, x : x + width] = RED
    return Scene(row=0, faces=np.array([0]), boxes=FACE[None], landmarks=POINTS[None]), pixels


def is_red(pixels):
    return (pixels.astype(int)[..., 0] > 180) & (pixels.astype(int)[..., 1] < 90)


def boxes_said(sample):
    """The boxes that the cells are to tell of."""
    decoded = decode_proposals(
        torch.from_numpy(sample.proposal_box)[None], stride=16, offset=0.0, reference_px=0.4 * 96
    )[0].numpy()
    return decoded[sample.proposal == 1]


@pytest.mark.parametrize("seed", range(40))
def test_a_cell_tells_of_the_box_that_is_seen_there(seed):
    sample = part_of_scenes([one_scene()], GRID, 5, np.random.default_rng(seed))
    red = is_red(sample.pixels)
    for x, y, width, height in boxes_said(sample):
        longer = max(width, height) / 96
        assert PROPOSAL_RANGE[0] - 1e-4 <= longer <= PROPOSAL_RANGE[1] + 1e-4
        rows = slice(max(0, round(y + 2)), max(0, round(y + height - 2)))
        columns = slice(max(0, round(x + 2)), max(0, round(x + width - 2)))
        assert red[rows, columns].mean() > 0.95
    # No cell that says "no face" lies inside the face.
    for row, column in np.argwhere(sample.proposal == 0):
        centre = red[max(0, row * 16 - 1) : row * 16 + 2, max(0, column * 16 - 1) : column * 16 + 2]
        inside = bool(centre.all())
        if inside:
            found = np.argwhere(red)
            middle = found.mean(axis=0)
            size = np.ptp(found, axis=0) + 1
            longer = size.max() / 96
            seldom = np.abs((np.array([row, column]) * 16 - middle) / size).max() > 0.3
            assert seldom or not 0.14 < longer < 1.0


def test_faces_are_taught_in_about_half_of_the_parts_or_more():
    samples = [part_of_scenes([one_scene()], GRID, 5, np.random.default_rng(seed)) for seed in range(60)]
    assert np.mean([bool((sample.proposal == 1).any()) for sample in samples]) > 0.5


def test_two_photos_beside_each_other_teach_faces_of_both():
    samples = [part_of_scenes([one_scene(), one_scene()], GRID, 5, np.random.default_rng(seed)) for seed in range(80)]
    several = [sample for sample in samples if len(np.unique(boxes_said(sample).round(0), axis=0)) >= 2]
    assert several


def test_a_region_that_misses_the_face_is_none_and_one_that_frames_it_has_its_landmarks():
    faces, backgrounds = [], []
    for seed in range(200):
        sample = region_of_scene(*one_scene(), GRID, np.random.default_rng(seed))
        (faces if sample.is_face == 1 else backgrounds if sample.is_face == 0 else []).append(sample)
        assert np.isnan(sample.proposal).all()
    assert len(faces) > 20
    assert len(backgrounds) > 60
    for sample in faces:
        for x, y in sample.landmarks.round().astype(int):
            if 1 <= x < 95 and 1 <= y < 95:
                assert is_red(sample.pixels)[y, x]
    assert 0 < BACKGROUND_OVERLAP < 0.5


@pytest.mark.parametrize(("near", "least", "most"), [(0.0, 0.0, 0.5), (1.0, 0.7, 1.0)])
def test_regions_without_a_face_lie_at_one_as_often_as_asked_for(near: float, least: float, most: float):
    shown = []
    for seed in range(150):
        sample = region_of_scene(*one_scene(), GRID, np.random.default_rng(seed), background=1.0, near=near)
        if sample.is_face == 0:
            shown.append(bool(is_red(sample.pixels).any()))
    assert least <= np.mean(shown) <= most


def test_the_scenes_of_a_manifest_hold_all_faces_of_their_photo_in_the_scenes_pixels():
    boxes = [np.array([10.0, 20.0, 30.0, 40.0]), np.array([100.0, 20.0, 30.0, 40.0]), np.array([0.0, 0.0, 9.0, 9.0])]
    manifest = pd.DataFrame({
        "photo_sha256": ["p", "p", "p"], "is_face": [True, True, False], "scene_scale": [0.5, np.nan, np.nan],
        "box_xywh": boxes,
    })  # fmt: skip
    in_photo = np.array([[[15, 30], [25, 30]], [[110, 30], [120, 30]], [[1, 1], [2, 2]]], dtype=np.float32)
    crops = np.stack([apply_affine(box_transform(box), points) for box, points in zip(boxes, in_photo, strict=True)])
    scenes = scenes_of(manifest, np.array([True, False, False]), crops)
    assert list(scenes) == [0]
    np.testing.assert_allclose(scenes[0].boxes, [[5, 10, 15, 20], [50, 10, 15, 20]])
    np.testing.assert_allclose(scenes[0].landmarks[1], [[55, 15], [60, 15]], atol=1e-3)
    assert scenes_of(manifest, np.zeros(3, dtype=bool), crops) == {}
