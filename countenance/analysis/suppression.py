"""Landmark-based suppression (L-NMS): candidates whose landmarks tell the same face become one.

Ranjan et al., "HyperFace", arXiv 1603.01249, algorithm 2: boxes follow from landmarks, so that they fit better than
the proposals did; the best of overlapping ones stands for the face, with the median landmarks of the best few.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from countenance.analysis.refinement import LocatedFaces, boxes_towards
from countenance.data.alignment import five_points, intersection_over_union
from countenance.data.face_boxes import boxes_around_five_points

Floats = NDArray[np.float32]
Integers = NDArray[np.int64]

VOICES: Final = 5
"""The landmarks are the median over at most so many, as in the paper."""

AGREEMENT: Final = 0.6
"""Only boxes that overlap the best one by so much (intersection over union) have a say: what was read in a part of the
face goes without one."""

WITHIN: Final = 0.5
"""A box that lies within another by more than so much of its own area is the same face, or no face: a nose is not a
face, nor are a chin with its neck or a forehead with its hair. Boxes of one size overlap by a third then."""


def merge_faces(faces: LocatedFaces, *, scheme: str, overlap: float) -> LocatedFaces:
    """One row a face, photo by photo, the most probable first; the order of the given rows doesn't matter.

    Args:
        faces: of any number of photos.
        scheme: of the landmarks.
        overlap: intersection over union above which two boxes are one face.
    """
    # Merging moves boxes, and moved boxes may overlap again: go on until nothing does.
    while True:
        faces = faces.take(_order(faces))
        leaders, members = _clusters(faces, overlap)
        if len(leaders) == len(faces):
            return faces
        faces = _merged(faces, leaders, members, scheme)


def same_face(box_xywh: Floats, others_xywh: Floats, *, overlap: float) -> NDArray[np.bool_]:
    """Which of [M, 4] others are the same face as a box: they overlap much, or one lies within the other."""
    low = np.maximum(box_xywh[:2], others_xywh[:, :2])
    high = np.minimum(box_xywh[:2] + box_xywh[2:], others_xywh[:, :2] + others_xywh[:, 2:])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    smaller = np.minimum(box_xywh[2:].prod(), others_xywh[:, 2:].prod(axis=1))
    within = shared > WITHIN * np.maximum(smaller, 1e-9)
    return np.asarray(within | (intersection_over_union(box_xywh, others_xywh) > overlap), dtype=np.bool_)


def _order(faces: LocatedFaces) -> Integers:
    # Ties are broken by place, so that the result doesn't depend on the order of the rows.
    return np.lexsort((*faces.box_xywh.T[::-1], -faces.probability, faces.photo))


def _clusters(faces: LocatedFaces, overlap: float) -> tuple[list[int], list[Integers]]:
    leaders: list[int] = []
    members: list[Integers] = []
    left = np.arange(len(faces))
    while len(left):
        best = left[0]
        one = same_face(faces.box_xywh[best], faces.box_xywh[left], overlap=overlap)
        one &= faces.photo[left] == faces.photo[best]
        one[0] = True
        leaders.append(int(best))
        members.append(left[one])
        left = left[~one]
    return leaders, members


def _merged(faces: LocatedFaces, leaders: list[int], members: list[Integers], scheme: str) -> LocatedFaces:
    voices = [
        rows[intersection_over_union(faces.box_xywh[rows[0]], faces.box_xywh[rows]) >= AGREEMENT][:VOICES]
        for rows in members
    ]
    landmarks = np.stack([np.median(faces.landmarks[rows], axis=0) for rows in voices]).astype(np.float32)
    best = faces.take(np.array(leaders, dtype=np.int64))
    points = np.stack([five_points(face, scheme) for face in landmarks])
    boxes = boxes_towards(boxes_around_five_points(points), best.box_xywh)
    alone = np.array([len(rows) == 1 for rows in voices])
    return replace(best, landmarks=landmarks, box_xywh=np.where(alone[:, None], best.box_xywh, boxes))
