"""One embedded person, built once and photographed many times."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from countenance.data.head_appearance import SKIN_TEXTURE, SkinTexture, paint_skin, texture_coordinates
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
from countenance.data.head_hair import SHELL_COLUMNS, SHELL_ROWS, HairShell, build_hair
from countenance.data.head_identity import Float, Identity
from countenance.data.head_landmarks import locate_landmarks
from countenance.data.head_plan import FacePlan, plan_face
from countenance.data.head_rasterizer import Indices, grid_triangles

HEAD_TRIANGLES = grid_triangles(ROWS, COLUMNS)
SHELL_TRIANGLES = grid_triangles(SHELL_ROWS, SHELL_COLUMNS)
HEAD_COORDINATES = texture_coordinates(ROWS, COLUMNS, SKIN_TEXTURE)


@dataclass(frozen=True, kw_only=True)
class Attachment:
    """A plain grid that comes with the head: an ear, the body, a knot of hair.

    Attributes:
        vertices: shape (R, C, 3), cm.
        triangles: corner indices into the flattened vertices, shape (T, 3).
        colour: linear RGB of every vertex, shape (R, C, 3); clothes are white here and dyed for each photo.
        kind: ``"skin"``, ``"hair"`` or ``"cloth"``.
        follows_head: whether it turns with the head.
    """

    vertices: Float
    triangles: Indices
    colour: Float
    kind: str
    follows_head: bool


@dataclass(frozen=True, kw_only=True)
class Person:
    """Everything about a person that does not change between photos."""

    identity: Identity
    plan: FacePlan
    head: HeadGeometry
    hair: HairShell
    skin: SkinTexture
    attachments: tuple[Attachment, ...]
    landmarks: NDArray[np.float64]


def build_person(identity: Identity) -> Person:
    """Build the geometry and textures of ``identity``."""
    plan = plan_face(identity)
    head = build_head(identity, plan)
    hair = build_hair(identity, plan, head)
    return Person(
        identity=identity,
        plan=plan,
        head=head,
        hair=hair,
        skin=paint_skin(identity, plan, head),
        attachments=_attachments(identity, head, hair),
        landmarks=locate_landmarks(head, plan),
    )


def _attachments(identity: Identity, head: HeadGeometry, hair: HairShell) -> tuple[Attachment, ...]:
    parts = []
    if not hair.covers_ears:
        flush = np.array([1.04, 0.90, 0.88], np.float32)
        colour = (identity.skin * flush)[None, None] * ear_shade()[..., None]
        for side in (1, -1):
            triangles = grid_triangles(EAR_ROWS, EAR_COLUMNS)
            parts.append(
                Attachment(
                    vertices=build_ear(identity, head, side),
                    triangles=triangles,
                    colour=np.asarray(colour, np.float32),
                    kind="skin",
                    follows_head=True,
                )
            )
    if hair.bun is not None:
        strands = 1.0 + 0.25 * np.sin(np.linspace(0, 40, BUN_COLUMNS))[None, :, None] * np.ones((BUN_ROWS, 1, 3))
        parts.append(
            Attachment(
                vertices=build_bun(hair.bun),
                triangles=grid_triangles(BUN_ROWS, BUN_COLUMNS),
                colour=np.asarray(identity.hair * strands, np.float32),
                kind="hair",
                follows_head=True,
            )
        )
    parts.append(
        Attachment(
            vertices=build_body(identity),
            triangles=grid_triangles(BODY_ROWS, BODY_COLUMNS),
            colour=np.ones((BODY_ROWS, BODY_COLUMNS, 3), np.float32),
            kind="cloth",
            follows_head=False,
        )
    )
    return tuple(parts)
