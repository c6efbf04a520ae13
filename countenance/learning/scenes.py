"""Whole photos as training data: parts of them for the proposal head, regions in them for face or not.

A part of a scene is a square of the network's input size in which faces are about as large as in the pyramid's levels;
every cell of the deep grid learns whether a face's centre is there and where its box is. A region is a square around a
box that misses a face by more or less, as an early proposal does: face or not by its overlap, as the paper has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.alignment import apply_affine, box_transform, intersection_over_union
from countenance.learning.proposal_targets import CellGrid, cells_of
from countenance.learning.views import CANONICAL_EXPANSION
from countenance.network.configuration import PROPOSAL_RANGE

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

FACE_OVERLAP = 0.5
BACKGROUND_OVERLAP = 0.35
"""A region that overlaps a face (IoU) by more than the first is a face, by less than the second is none (the paper)."""


@dataclass(frozen=True, kw_only=True)
class Scene:
    """The labelled faces of one photo, in the pixels of its stored scene.

    Attributes:
        row: of the manifest; its crop holds the scene.
        faces: [F] rows of the manifest.
        boxes: [F, 4] x, y, width, height.
        landmarks: [F, K, 2], NaN where not labelled.
    """

    row: int
    faces: NDArray[np.int64]
    boxes: Floats
    landmarks: Floats


@dataclass(frozen=True, kw_only=True)
class SceneSample:
    """One square of the network's input size, and what it teaches; NaN where nothing.

    Attributes:
        pixels: [S, S, 3] RGB.
        is_face: 1, 0 or NaN.
        landmarks: [K, 2] pixels of the square.
        mirrored: whether it was mirrored; the landmarks then still carry their names from before.
        proposal: [h, w] 1, 0 or NaN.
        proposal_box: [h, w, 4] as :func:`countenance.network.proposals.encode_box`, NaN but for faces.
    """

    pixels: Pixels
    is_face: float
    landmarks: Floats
    mirrored: bool
    proposal: Floats
    proposal_box: Floats


def scenes_of(manifest: pd.DataFrame, has_scene: NDArray[np.bool_], landmarks: Floats) -> dict[int, Scene]:
    """The scenes of a manifest, by the row that holds them.

    Args:
        manifest: rows with ``photo_sha256``, ``is_face``, ``box_xywh`` and ``scene_scale``.
        has_scene: [M] whose crop holds one.
        landmarks: [M, K, 2] in pixels of the box crops, NaN where unknown.
    """
    scenes: dict[int, Scene] = {}
    if not has_scene.any():
        return scenes
    is_face = np.flatnonzero(manifest["is_face"].to_numpy(dtype=bool))
    faces_of = manifest.iloc[is_face].groupby("photo_sha256").indices
    photos, scales = manifest["photo_sha256"].to_numpy(), manifest["scene_scale"].to_numpy()
    boxes = manifest["box_xywh"].to_numpy()
    for row in np.flatnonzero(has_scene):
        faces = is_face[faces_of[photos[row]]]
        scale = float(scales[row])
        in_photo = [np.asarray(boxes[face], dtype=np.float32) for face in faces]
        points = [
            apply_affine(_inverted(box_transform(box)), landmarks[face])
            for face, box in zip(faces, in_photo, strict=True)
        ]
        scenes[int(row)] = Scene(
            row=int(row),
            faces=faces,
            boxes=np.stack(in_photo) * scale,
            landmarks=np.stack(points).astype(np.float32) * scale,
        )
    return scenes


def part_of_scenes(
    scenes: Sequence[tuple[Scene, Pixels]], grid: CellGrid, points: int, generator: np.random.Generator
) -> SceneSample:
    """A square out of one photo, or two photos beside each other, for the proposal head.

    Args:
        scenes: one or two scenes with their pixels.
        grid: of the square's cells.
        points: number K of landmarks.
        generator: of all that is random.
    """
    size = grid.size
    canvas = np.empty((size, size, 3), dtype=np.uint8)
    boxes, visible = [], []
    across = bool(generator.random() < 0.5)
    cut = int(size * generator.uniform(0.35, 0.65)) if len(scenes) == 2 else size
    for number, (scene, pixels) in enumerate(scenes):
        low, high = (0, cut) if number == 0 else (cut, size)
        matrix, view = _part(scene, pixels, size, (low, high, across), generator)
        window = (slice(None), slice(low, high)) if across else (slice(low, high), slice(None))
        canvas[window] = view[window]
        moved = _moved(scene.boxes, matrix)
        shown = _shown(moved, (low, high, across), size)
        boxes.append(moved)
        visible.append(shown)
    every = np.concatenate(boxes)
    if generator.random() < 0.5:
        canvas = np.ascontiguousarray(canvas[:, ::-1])
        every[:, 0] = size - 1 - every[:, 0] - every[:, 2]
    proposal, proposal_box = cells_of(every, np.concatenate(visible), grid)
    return SceneSample(
        pixels=canvas,
        is_face=np.nan,
        landmarks=np.full((points, 2), np.nan, dtype=np.float32),
        mirrored=False,
        proposal=proposal,
        proposal_box=proposal_box,
    )


def region_of_scene(
    scene: Scene,
    pixels: Pixels,
    grid: CellGrid,
    generator: np.random.Generator,
    *,
    background: float = 0.7,
    near: float = 0.4,
) -> SceneSample:
    """The view around a box that misses a face by more or less.

    Args:
        scene: a scene.
        pixels: its pixels.
        grid: says the view's size.
        generator: of all that is random.
        background: chance to look for a box that shows no face.
        near: chance that such a box lies at a face all the same: a piece of it, or more than it.
    """
    wanted_low, wanted_high = (0.0, BACKGROUND_OVERLAP) if generator.random() < background else (FACE_OVERLAP, 1.0)
    box, overlap, face = scene.boxes[0], 1.0, 0
    for _ in range(12):
        face = int(generator.integers(len(scene.boxes)))
        box = _near(scene.boxes[face], pixels.shape, generator, far=wanted_high < FACE_OVERLAP, near=near)
        overlap = float(intersection_over_union(box, scene.boxes).max())
        if wanted_low <= overlap <= wanted_high:
            break
    matrix = box_transform(box, expansion=CANONICAL_EXPANSION, size=grid.size)
    mirrored = bool(generator.random() < 0.5)
    if mirrored:
        matrix = _mirror(matrix, grid.size)
    is_face = 1.0 if overlap >= FACE_OVERLAP else 0.0 if overlap < BACKGROUND_OVERLAP else np.nan
    own = intersection_over_union(box, scene.boxes[face : face + 1])[0]
    points = apply_affine(matrix, scene.landmarks[face])
    proposal, proposal_box = grid.nothing()
    return SceneSample(
        pixels=_warped(pixels, matrix, grid.size, border=0),
        is_face=is_face,
        landmarks=points if own >= FACE_OVERLAP else np.full_like(points, np.nan),
        mirrored=mirrored,
        proposal=proposal,
        proposal_box=proposal_box,
    )


@dataclass(frozen=True, kw_only=True)
class SceneTargets:
    """What N places of a batch teach as parts and regions of scenes; NaN for places that are neither.

    Attributes:
        is_face: [N].
        proposal: [N, h, w].
        proposal_box: [N, h, w, 4].
    """

    is_face: Floats
    proposal: Floats
    proposal_box: Floats


def scene_targets(samples: Sequence[SceneSample | None], grid: CellGrid) -> SceneTargets:
    """Put the samples' targets under each other; None stands for a place that isn't a scene's."""
    nothing, nothing_box = grid.nothing()
    return SceneTargets(
        is_face=np.array([np.nan if sample is None else sample.is_face for sample in samples], dtype=np.float32),
        proposal=np.stack([nothing if sample is None else sample.proposal for sample in samples]),
        proposal_box=np.stack([nothing_box if sample is None else sample.proposal_box for sample in samples]),
    )


def _part(
    scene: Scene, pixels: Pixels, size: int, window: tuple[int, int, bool], generator: np.random.Generator
) -> tuple[NDArray[np.float64], Pixels]:
    """Where a photo lies in the square: a face of a drawn size, its centre mostly somewhere in the window."""
    low, high, across = window
    box = scene.boxes[int(generator.integers(len(scene.boxes)))]
    smallest, largest = PROPOSAL_RANGE[0] / 1.15, PROPOSAL_RANGE[1] * 1.15
    side = size * float(np.exp(generator.uniform(np.log(smallest), np.log(largest))))
    scale = side / float(box[2:].max())
    spread = 0.75 if generator.random() < 0.25 else 0.5
    along = (low + high) / 2 + (high - low) * generator.uniform(-spread, spread)
    other = size / 2 + size * generator.uniform(-spread, spread)
    centre = np.array([along, other] if across else [other, along])
    matrix = np.column_stack([np.eye(2) * scale, centre - scale * (box[:2] + box[2:] / 2)])
    # Around the photo: a plain colour, or its own border drawn out.
    border = int(generator.integers(256)) if generator.random() < 0.5 else None
    return matrix, _warped(pixels, matrix, size, border=border)


def _shown(boxes: Floats, window: tuple[int, int, bool], size: int) -> Floats:
    """Which share of every box lies inside its window of the square."""
    low, high, across = window
    start = np.array([low, 0] if across else [0, low], dtype=np.float32)
    end = np.array([high, size] if across else [size, high], dtype=np.float32)
    inside = np.clip(np.minimum(boxes[:, :2] + boxes[:, 2:], end) - np.maximum(boxes[:, :2], start), 0, None)
    return np.asarray(inside.prod(axis=1) / boxes[:, 2:].prod(axis=1), dtype=np.float32)


def _near(box: Floats, shape: tuple[int, ...], generator: np.random.Generator, *, far: bool, near: float) -> Floats:
    """A square that frames a face, or, if ``far``, of any size: by the chance ``near`` at the face, or anywhere."""
    side = float(box[2:].max())
    middle = box[:2] + box[2:] / 2
    if far and generator.random() < 1.0 - near:
        height, width = shape[:2]
        middle = generator.uniform([0, 0], [width, height]).astype(np.float32)
        side *= float(np.exp(generator.uniform(np.log(0.25), np.log(1.2))))
    elif far:
        side *= float(np.exp(generator.uniform(np.log(0.3), np.log(2.2))))
        middle = middle + side * generator.uniform(-0.6, 0.6, 2)
    else:
        side *= float(generator.uniform(0.8, 1.3))
        middle = middle + side * generator.uniform(-0.22, 0.22, 2)
    return np.array([*(middle - side / 2), side, side], dtype=np.float32)


def _moved(boxes: Floats, matrix: NDArray[np.float64]) -> Floats:
    corner = boxes[:, :2] @ matrix[:, :2].T + matrix[:, 2]
    return np.concatenate([corner, boxes[:, 2:] * matrix[0, 0]], axis=1).astype(np.float32)


def _mirror(matrix: NDArray[np.float64], size: int) -> NDArray[np.float64]:
    mirrored = matrix.copy()
    mirrored[0] = -mirrored[0]
    mirrored[0, 2] += size - 1
    return mirrored


def _inverted(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(cv2.invertAffineTransform(matrix), dtype=np.float64)


def _warped(pixels: Pixels, matrix: NDArray[np.float64], size: int, *, border: int | None) -> Pixels:
    scale = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    if scale < 0.5:
        # Shrinking with bilinear samples alone would alias: average over the area first.
        shrink = 2.0 * scale
        pixels = np.asarray(cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA), np.uint8)
        matrix = matrix.copy()
        matrix[:, :2] /= shrink
    mode = cv2.BORDER_REPLICATE if border is None else cv2.BORDER_CONSTANT
    view = cv2.warpAffine(
        pixels, matrix, (size, size), flags=cv2.INTER_LINEAR, borderMode=mode, borderValue=(border or 0,) * 3
    )
    return np.asarray(view, dtype=np.uint8)
