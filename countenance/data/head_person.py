"""One embedded person, built once and photographed many times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from countenance.data.head_appearance import SkinTexture, paint_skin
from countenance.data.head_body import (
    BODY_COLUMNS,
    BODY_ROWS,
    BUN_COLUMNS,
    BUN_ROWS,
    EAR_COLUMNS,
    EAR_ROWS,
    build_body,
    build_bun,
    build_ear,
    ear_shade,
)
from countenance.data.head_geometry import COLUMNS, ROWS, HeadGeometry, build_head
from countenance.data.head_hair import HairShell, build_hair
from countenance.data.head_identity import Float, Identity
from countenance.data.head_landmarks import locate_landmarks
from countenance.data.head_plan import FacePlan, plan_face
from countenance.data.head_rasterizer import Indices, grid_triangles

# What a pixel shows; skin scatters light, hair and cloth do not.
SKIN, HAIR, CLOTH = 1, 2, 3

# The grids of head, body, ears and a knot of hair lie side by side on one sheet of vertices.
SHEET_ROWS, SHEET_COLUMNS = ROWS, COLUMNS + BODY_COLUMNS
BODY_PLACE = (0, COLUMNS)
EAR_PLACES = ((BODY_ROWS, COLUMNS), (BODY_ROWS + EAR_ROWS, COLUMNS))
BUN_PLACE = (BODY_ROWS + 2 * EAR_ROWS, COLUMNS)


@dataclass(frozen=True, kw_only=True)
class Part:
    """A grid on the sheet besides the face: the body, an ear, a knot of hair.

    Attributes:
        place: row and column of its first vertex on the sheet.
        vertices: shape (R, C, 3), cm.
        follows_head: whether it turns with the head.
    """

    place: tuple[int, int]
    vertices: Float
    follows_head: bool

    @property
    def window(self) -> tuple[slice, slice]:
        """The part's rows and columns on the sheet."""
        rows, columns = self.vertices.shape[:2]
        return slice(self.place[0], self.place[0] + rows), slice(self.place[1], self.place[1] + columns)


@dataclass(frozen=True, kw_only=True)
class Person:
    """Everything about a person that does not change between photos.

    Attributes:
        identity, plan, head, hair, skin: who, the face's layout, its shape, hair and skin.
        parts: grids on the sheet besides the face.
        triangles: of all grids on the sheet, shape (T, 3).
        values: for every vertex of the sheet its column and row, and four times its kind, in 0..1, shape (V, 3).
        colour: linear RGB of the parts on the sheet, shape (SHEET_ROWS, SHEET_COLUMNS, 3).
        landmarks: grid coordinates of the 68 landmarks, shape (68, 2).
    """

    identity: Identity
    plan: FacePlan
    head: HeadGeometry
    hair: HairShell
    skin: SkinTexture
    parts: tuple[Part, ...]
    triangles: Indices
    values: Float
    colour: Float
    landmarks: NDArray[np.float64]


def build_person(identity: Identity) -> Person:
    """Build the geometry and textures of ``identity``."""
    plan = plan_face(identity)
    head = build_head(identity, plan)
    hair = build_hair(identity, plan, head)
    parts = [Part(place=BODY_PLACE, vertices=build_body(identity), follows_head=False)]
    kind = np.zeros((SHEET_ROWS, SHEET_COLUMNS), np.float32)
    kind[:, :COLUMNS] = SKIN
    kind[parts[0].window] = CLOTH
    colour = np.zeros((SHEET_ROWS, SHEET_COLUMNS, 3), np.float32)
    colour[parts[0].window] = 1.0
    triangles = [
        grid_triangles(ROWS, COLUMNS, stride=SHEET_COLUMNS),
        grid_triangles(BODY_ROWS, BODY_COLUMNS, stride=SHEET_COLUMNS, start=COLUMNS),
    ]
    if not hair.covers_ears:
        flush = np.array([1.04, 0.90, 0.88], np.float32)
        for place, side in zip(EAR_PLACES, (1, -1), strict=True):
            ear = Part(place=place, vertices=build_ear(identity, head, side), follows_head=True)
            parts.append(ear)
            kind[ear.window] = SKIN
            colour[ear.window] = identity.skin * flush * ear_shade()[..., None]
            front = grid_triangles(EAR_ROWS, EAR_COLUMNS, stride=SHEET_COLUMNS, start=_start(place))
            triangles += [front, front[:, ::-1]]
    if hair.bun is not None:
        bun = Part(place=BUN_PLACE, vertices=build_bun(hair.bun), follows_head=True)
        parts.append(bun)
        kind[bun.window] = HAIR
        strands = 1.0 + 0.25 * np.sin(np.linspace(0, 40, BUN_COLUMNS))[:, None]
        colour[bun.window] = identity.hair * strands
        triangles.append(grid_triangles(BUN_ROWS, BUN_COLUMNS, stride=SHEET_COLUMNS, start=_start(BUN_PLACE)))
    columns, rows = np.meshgrid(np.arange(SHEET_COLUMNS), np.arange(SHEET_ROWS))
    values = np.stack([columns / (SHEET_COLUMNS - 1), rows / (SHEET_ROWS - 1), kind / 4.0], axis=-1)
    return Person(
        identity=identity,
        plan=plan,
        head=head,
        hair=hair,
        skin=paint_skin(identity, plan, head),
        parts=tuple(parts),
        triangles=np.ascontiguousarray(np.concatenate(triangles)),
        values=np.asarray(values.reshape(-1, 3), np.float32),
        colour=colour,
        landmarks=locate_landmarks(head, plan),
    )


def _start(place: tuple[int, int]) -> int:
    return place[0] * SHEET_COLUMNS + place[1]
