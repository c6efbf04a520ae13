"""A person under given conditions, rendered: deferred shading over the visible surface, in linear light."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from countenance.data.head_body import BRIM_COLUMNS, BRIM_ROWS, build_brim
from countenance.data.head_geometry import COLUMNS, MENTON_ROW, ROWS, column_angles
from countenance.data.head_hair import SHELL_COLUMNS, SHELL_ROWS, TEXTURE, solid_above
from countenance.data.head_identity import Float
from countenance.data.head_landmarks import sample_grid
from countenance.data.head_person import HEAD_COORDINATES, HEAD_TRIANGLES, SHELL_TRIANGLES, Person
from countenance.data.head_appearance import texture_coordinates
from countenance.data.head_rasterizer import (
    Camera,
    Fragments,
    Indices,
    grid_triangles,
    head_rotation,
    rasterize,
)
from countenance.data.photo_conditions import Conditions

# What a pixel shows; skin scatters light, hair and cloth do not.
SKIN, HAIR, CLOTH = 1, 2, 3
_KINDS = {"skin": SKIN, "hair": HAIR, "cloth": CLOTH}
_NECK_PIVOT = np.array([0.0, -8.0, -3.0], np.float32)
_SHELL_COORDINATES = texture_coordinates(SHELL_ROWS, SHELL_COLUMNS, TEXTURE)
_BRIM_TRIANGLES = grid_triangles(BRIM_ROWS, BRIM_COLUMNS)


@dataclass(kw_only=True)
class Canvas:
    """The nearest surface under every pixel of a canvas, flat arrays of width * height entries.

    Attributes:
        size: (width, height).
        depth: z in cm, -inf where nothing is.
        colour: linear RGB reflectance, shape (P, 3).
        normal: unit normals, shape (P, 3).
        gloss: strength of highlights, 0..1.
        kind: 0 nothing, else SKIN, HAIR or CLOTH.
        shade: share of the key light that arrives, 0..1.
    """

    size: tuple[int, int]
    depth: Float
    colour: Float
    normal: Float
    gloss: Float
    kind: NDArray[np.uint8]
    shade: Float


@dataclass(frozen=True, kw_only=True)
class PosedHead:
    """A head in front of the camera: what the passes and the labels share.

    Attributes:
        camera: the camera.
        rotation: of the head, shape (3, 3).
        vertices: head grid under expression and pose, shape (ROWS, COLUMNS, 3), cm.
        normals: unit normals of the same grid.
    """

    camera: Camera
    rotation: Float
    vertices: Float
    normals: Float

    def turned(self, points: Float) -> Float:
        """Points that follow the head (N, 3) or (R, C, 3), turned about the neck."""
        return np.asarray((points - _NECK_PIVOT) @ self.rotation.T + _NECK_PIVOT, np.float32)


def pose_head(person: Person, conditions: Conditions, camera: Camera) -> PosedHead:
    """Put the head into its expression and pose."""
    rotation = head_rotation(conditions.yaw_deg, conditions.pitch_deg, conditions.roll_deg).astype(np.float32)
    resting = person.head.posed(
        smile=conditions.smile,
        open_mouth=conditions.open_mouth,
        squint=conditions.squint,
        brows_up=conditions.brows_up,
    )
    turned = (resting - _NECK_PIVOT) @ rotation.T + _NECK_PIVOT
    still = person.head.stillness[:, None, None]
    vertices = np.asarray(turned + still * (resting - turned), np.float32)
    return PosedHead(camera=camera, rotation=rotation, vertices=vertices, normals=grid_normals(vertices))


def grid_normals(vertices: Float) -> Float:
    """Unit normals of a vertex grid (R, C, 3) with rows running down and columns to the viewer's right."""
    down = np.empty_like(vertices)
    down[1:-1] = vertices[2:] - vertices[:-2]
    down[0], down[-1] = vertices[1] - vertices[0], vertices[-1] - vertices[-2]
    across = np.empty_like(vertices)
    across[:, 1:-1] = vertices[:, 2:] - vertices[:, :-2]
    across[:, 0], across[:, -1] = vertices[:, 1] - vertices[:, 0], vertices[:, -1] - vertices[:, -2]
    normal = np.empty_like(vertices)
    for k in range(3):
        i, j = (k + 1) % 3, (k + 2) % 3
        normal[..., k] = down[..., i] * across[..., j] - down[..., j] * across[..., i]
    length = np.sqrt(np.einsum("rck,rck->rc", normal, normal)) + np.float32(1e-9)
    normal /= length[..., None]
    return normal


def draw_person(person: Person, conditions: Conditions, posed: PosedHead, size: tuple[int, int]) -> Canvas:
    """Draw skin, ears, hair, hat and clothes into a fresh canvas."""
    pixels = size[0] * size[1]
    canvas = Canvas(
        size=size,
        depth=np.full(pixels, -np.inf, np.float32),
        colour=np.zeros((pixels, 3), np.float32),
        normal=np.zeros((pixels, 3), np.float32),
        gloss=np.zeros(pixels, np.float32),
        kind=np.zeros(pixels, np.uint8),
        shade=np.ones(pixels, np.float32),
    )
    _draw_skin(canvas, person, conditions, posed)
    _draw_attachments(canvas, person, conditions, posed)
    _draw_hair(canvas, person, conditions, posed)
    if conditions.hat != "none":
        _draw_hat(canvas, person, conditions, posed)
    return canvas


def _interpolate(values: Float, triangles: Indices, fragments: Fragments) -> Float:
    corners = triangles[fragments.triangle]
    w = fragments.weights
    result = values[corners[:, 0]] * w[:, :1]
    result += values[corners[:, 1]] * w[:, 1:2]
    result += values[corners[:, 2]] * w[:, 2:]
    return np.asarray(result, np.float32)


def _look_up(texture: Float, places: Float) -> Float:
    # OpenCV's remap wants fewer than 32768 rows, so that the list of pixels is folded into lines of 512.
    count = len(places)
    lines = -(-count // 512)
    maps = np.zeros((lines * 512, 2), np.float32)
    maps[:count] = places
    maps = maps.reshape(lines, 512, 2)
    values = cv2.remap(texture, maps, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
    return np.asarray(values, np.float32).reshape(lines * 512, -1)[:count]


def _draw_skin(canvas: Canvas, person: Person, conditions: Conditions, posed: PosedHead) -> None:
    screen = posed.camera.project(posed.vertices.reshape(-1, 3))
    one_sided = np.zeros(len(HEAD_TRIANGLES), bool)
    seen = rasterize(screen, HEAD_TRIANGLES, one_sided, canvas.size)
    values = np.concatenate(
        [HEAD_COORDINATES, posed.normals.reshape(-1, 3), person.head.painted.reshape(-1, 2)], axis=1
    )
    values = _interpolate(values, HEAD_TRIANGLES, seen)
    colour = _look_up(person.skin.colour, values[:, :2])
    detail = _look_up(person.skin.detail, values[:, :2])
    crease = np.clip(conditions.smile, 0.0, 1.0) * detail[:, 1]
    rgb = colour[:, :3] * (1.0 - crease[:, None] * np.array([0.85, 1.0, 1.0], np.float32))
    open_eye = np.flatnonzero(colour[:, 3] > 0.05)
    rgb[open_eye] = _with_iris(rgb[open_eye], colour[open_eye, 3], values[open_eye, 5:], person, conditions)
    canvas.depth[seen.pixel] = seen.depth
    canvas.colour[seen.pixel] = rgb
    canvas.normal[seen.pixel] = values[:, 2:5]
    canvas.gloss[seen.pixel] = detail[:, 0]
    canvas.kind[seen.pixel] = SKIN


def _with_iris(rgb: Float, opening: Float, places: Float, person: Person, conditions: Conditions) -> Float:
    plan, identity = person.plan, person.identity
    side = np.sign(places[:, 0])
    along = np.abs(places[:, 0]) - np.float32(plan.eye_x)
    dx = along * side - np.float32(conditions.gaze[0])
    dy = places[:, 1] - np.float32(0.06 + conditions.gaze[1])
    radius = np.hypot(dx, dy) / np.float32(plan.iris_radius)
    iris = identity.iris * (1.15 - 0.45 * np.clip(radius, 0, 1) ** 3)[:, None]
    iris = iris * (0.80 + 0.35 * np.clip(-dy / plan.iris_radius, -1, 1))[:, None]
    ring = np.clip((radius - 0.80) / 0.2, 0.0, 1.0)[:, None]
    iris = iris * (1 - 0.7 * ring)
    pupil = np.clip((0.42 - radius) / 0.10 + 0.5, 0.0, 1.0)[:, None]
    iris = iris * (1 - pupil) + 0.006 * pupil
    inside = np.clip((1.0 - radius) / 0.14 + 0.5, 0.0, 1.0)[:, None] * opening[:, None]
    result = rgb + inside * (iris - rgb)
    # The light's mirror image on the cornea.
    glint_x, glint_y = 0.22 * conditions.light[0], 0.10 + 0.18 * conditions.light[1]
    glint = np.clip((0.15 - np.hypot(dx - glint_x, dy - glint_y)) / 0.07, 0.0, 1.0) * opening
    return np.asarray(result + glint[:, None] * (1.6 - result), np.float32)


def _draw_attachments(canvas: Canvas, person: Person, conditions: Conditions, posed: PosedHead) -> None:
    for part in person.attachments:
        vertices = posed.turned(part.vertices) if part.follows_head else part.vertices
        normals = grid_normals(vertices).reshape(-1, 3)
        screen = posed.camera.project(vertices.reshape(-1, 3))
        two_sided = np.full(len(part.triangles), part.kind == "skin")
        seen = _nearer(canvas, rasterize(screen, part.triangles, two_sided, canvas.size))
        values = np.concatenate([part.colour.reshape(-1, 3), normals], axis=1)
        if part.kind == "cloth":
            values[:, :3] = _dyed(part.vertices, conditions)
        values = _interpolate(values, part.triangles, seen)
        gloss = {"skin": 0.4, "hair": 0.5, "cloth": 0.0}[part.kind]
        _put(canvas, seen, values[:, :3], values[:, 3:6], gloss, _KINDS[part.kind])


def _dyed(vertices: Float, conditions: Conditions) -> Float:
    flat = vertices.reshape(-1, 3)
    colour = np.repeat(conditions.cloth[None], len(flat), axis=0)
    other = conditions.cloth[::-1] * 0.5 + 0.25
    if conditions.cloth_pattern == 1:
        colour = np.where((np.sin(flat[:, 1] * 2.2) > 0)[:, None], colour, other)
    if conditions.cloth_pattern == 2:
        colour = np.where((np.abs(flat[:, 0]) < 3.0 + 0.5 * (flat[:, 1] + 30))[:, None], other, colour)
    return np.asarray(colour, np.float32)


def _nearer(canvas: Canvas, seen: Fragments) -> Fragments:
    return _only(seen, seen.depth > canvas.depth[seen.pixel])


def _only(seen: Fragments, kept: NDArray[np.bool_]) -> Fragments:
    return Fragments(
        pixel=seen.pixel[kept], triangle=seen.triangle[kept], weights=seen.weights[kept], depth=seen.depth[kept]
    )


def _put(canvas: Canvas, seen: Fragments, colour: Float, normal: Float, gloss: float, kind: int) -> None:
    # A surface seen from behind shows its other side's normal.
    normal = np.where(normal[:, 2:] < 0, -normal, normal) if kind != CLOTH else normal
    canvas.depth[seen.pixel] = seen.depth
    canvas.colour[seen.pixel] = colour
    canvas.normal[seen.pixel] = normal
    canvas.gloss[seen.pixel] = gloss
    canvas.kind[seen.pixel] = kind


def _draw_hair(canvas: Canvas, person: Person, conditions: Conditions, posed: PosedHead) -> None:
    hair = person.hair
    scale = conditions.hair_scale * (0.35 if conditions.hat != "none" else 1.0)
    vertices = posed.turned(hair.skin_side + np.float32(scale) * hair.lift)
    if hair.hangs:
        inner = np.ascontiguousarray(SHELL_TRIANGLES[:, ::-1])
        _draw_shell(canvas, posed, vertices, inner, hair.texture, dim=0.45)
    _draw_shell(canvas, posed, vertices, SHELL_TRIANGLES, hair.texture, dim=1.0)


def _draw_shell(
    canvas: Canvas, posed: PosedHead, vertices: Float, triangles: Indices, texture: Float, *, dim: float
) -> None:
    screen = posed.camera.project(vertices.reshape(-1, 3))
    seen = _nearer(canvas, rasterize(screen, triangles, np.zeros(len(triangles), bool), canvas.size))
    values = np.concatenate([_SHELL_COORDINATES, grid_normals(vertices).reshape(-1, 3)], axis=1)
    values = _interpolate(values, triangles, seen)
    colour = _look_up(texture, values[:, :2])
    solid = colour[:, 3] > 0.5
    _put(canvas, _only(seen, solid), colour[solid, :3] * np.float32(dim), values[solid, 2:5], 0.6 * dim, HAIR)


def _draw_hat(canvas: Canvas, person: Person, conditions: Conditions, posed: PosedHead) -> None:
    hair = person.hair
    theta = column_angles(SHELL_COLUMNS)
    cap = conditions.hat == "cap"
    front = min(person.plan.hairline_y - 0.9, 5.4)
    heights = (front, 3.2, 1.0) if cap else (front - 0.6, 1.6, -1.5)
    outward = grid_normals(hair.skin_side)
    thick = 0.75 if cap else 1.05
    vertices = hair.skin_side + outward * np.float32(thick)
    texture = np.empty((TEXTURE, TEXTURE, 4), np.float32)
    across = np.arange(TEXTURE, dtype=np.float32)[None]
    rib = 1.0 + 0.16 * np.sin(across * 1.9) if not cap else 1.0 - 0.3 * (np.abs(np.sin(across * 0.075)) < 0.06)
    texture[..., :3] = conditions.hat_colour * np.broadcast_to(rib, (TEXTURE, TEXTURE))[..., None]
    texture[..., 3] = solid_above(hair.skin_side, theta, heights)
    _draw_shell(canvas, posed, posed.turned(np.asarray(vertices, np.float32)), SHELL_TRIANGLES, texture, dim=1.0)
    if cap:
        brim = posed.turned(build_brim(person.head, front, 6.0))
        screen = posed.camera.project(brim.reshape(-1, 3))
        two_sided = np.ones(len(_BRIM_TRIANGLES), bool)
        seen = _nearer(canvas, rasterize(screen, _BRIM_TRIANGLES, two_sided, canvas.size))
        normal = _interpolate(grid_normals(brim).reshape(-1, 3), _BRIM_TRIANGLES, seen)
        colour = np.repeat(conditions.hat_colour[None] * np.float32(0.8), len(seen.pixel), axis=0)
        _put(canvas, seen, colour, normal, 0.1, CLOTH)


def shade_canvas(canvas: Canvas, conditions: Conditions) -> Float:
    """Light the canvas; returns linear RGB times coverage and coverage, shape (height, width, 4)."""
    seen = np.flatnonzero(canvas.kind)
    normal, colour = canvas.normal[seen], canvas.colour[seen]
    kind, gloss, shade = canvas.kind[seen], canvas.gloss[seen], canvas.shade[seen]
    facing = normal @ conditions.light
    # Red light travels furthest under the skin and so reaches past the edge of the shadow.
    wrap = np.where((kind == SKIN)[:, None], np.array([0.26, 0.13, 0.10], np.float32), np.float32(0.10))
    diffuse = np.clip((facing[:, None] + wrap) / (1.0 + wrap), 0.0, 1.0) * shade[:, None]
    upward = (0.5 + 0.5 * normal[:, 1])[:, None]
    ambient = conditions.ground + upward * (conditions.sky - conditions.ground)
    half = conditions.light + np.array([0.0, 0.0, 1.0], np.float32)
    half = half / np.linalg.norm(half)
    shine = np.clip(normal @ half, 0.0, 1.0)
    power = np.where(kind == HAIR, shine**8 * 0.10, shine**22 * 0.22)
    lit = colour * (conditions.key * diffuse + ambient)
    lit += (power * gloss * shade)[:, None] * conditions.key
    result = np.zeros((len(canvas.kind), 4), np.float32)
    result[seen, :3] = lit * np.float32(conditions.exposure)
    result[seen, 3] = 1.0
    return result.reshape(canvas.size[1], canvas.size[0], 4)


def face_box(posed: PosedHead, head_theta: Float, hairline_row: float) -> Float:
    """The tight box (left, top, right, bottom) in canvas pixels: forehead to chin, ear to ear."""
    columns = np.abs(head_theta) <= np.radians(92.0)
    rows = slice(round(hairline_row), MENTON_ROW + 1)
    points = posed.vertices[rows][:, columns].reshape(-1, 3)
    screen = posed.camera.project(np.ascontiguousarray(points))
    return np.concatenate([screen[:, :2].min(axis=0), screen[:, :2].max(axis=0)])


def landmarks_seen(person: Person, posed: PosedHead, canvas: Canvas) -> tuple[Float, NDArray[np.bool_]]:
    """Pixel positions (68, 2) of the landmarks on the canvas, and which of them are in sight (68,)."""
    points = sample_grid(posed.vertices, person.landmarks)
    normals = sample_grid(posed.normals, person.landmarks)
    screen = posed.camera.project(points)
    width, height = canvas.size
    x, y = np.floor(screen[:, 0]).astype(int), np.floor(screen[:, 1]).astype(int)
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    depth = canvas.depth.reshape(height, width)
    # The nearest surface of the eight neighbours counts as well: an edge may cut through the pixel.
    least = cv2.erode(depth, np.ones((3, 3), np.uint8))
    cover = np.full(len(points), np.inf, np.float32)
    cover[within] = least[y[within], x[within]]
    towards = np.array([0.0, 0.0, posed.camera.distance], np.float32) - points
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    facing = np.einsum("nk,nk->n", normals, towards)
    return screen[:, :2], within & (screen[:, 2] >= cover - 0.5) & (facing > -0.25)
