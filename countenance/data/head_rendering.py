"""A person under given conditions, drawn into a canvas of surfaces; ``head_lighting`` lights it afterwards."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from countenance.data.head_appearance import SKIN_TEXTURE
from countenance.data.head_body import BRIM_COLUMNS, BRIM_ROWS, build_brim
from countenance.data.head_geometry import COLUMNS, ROWS, column_angles, grid_normals
from countenance.data.head_hair import SHELL_COLUMNS, SHELL_ROWS, TEXTURE, solid_above
from countenance.data.head_identity import Float
from countenance.data.head_landmarks import sample_grid
from countenance.data.head_person import CLOTH, HAIR, SHEET_COLUMNS, SHEET_ROWS, Person
from countenance.data.head_posing import PosedHead
from countenance.data.head_rasterizer import NOTHING, Indices, grid_triangles, rasterize
from countenance.data.photo_conditions import Conditions

_SHELL_TRIANGLES = grid_triangles(SHELL_ROWS, SHELL_COLUMNS)
_SHELL_INSIDE = np.ascontiguousarray(_SHELL_TRIANGLES[:, ::-1])
_BRIM_TRIANGLES = grid_triangles(BRIM_ROWS, BRIM_COLUMNS)
_BRIM_BOTH = np.ascontiguousarray(np.concatenate([_BRIM_TRIANGLES, _BRIM_TRIANGLES[:, ::-1]]))


def _unit_square(rows: int, columns: int) -> Float:
    x, y = np.meshgrid(np.linspace(0.0, 1.0, columns), np.linspace(0.0, 1.0, rows))
    return np.stack([x, y, np.zeros_like(x)], axis=-1).reshape(-1, 3).astype(np.float32)


_SHELL_VALUES = _unit_square(SHELL_ROWS, SHELL_COLUMNS)
_BRIM_VALUES = _unit_square(BRIM_ROWS, BRIM_COLUMNS)


@dataclass(kw_only=True)
class Canvas:
    """The nearest surface under every pixel, planes of shape (height, width).

    Attributes:
        depth: z in cm, ``NOTHING`` where nothing is.
        colour: linear RGB reflectance, shape (3, height, width).
        normal: normals, of about unit length, shape (3, height, width).
        gloss: strength of highlights, 0..1.
        kind: 0 nothing, else SKIN, HAIR or CLOTH.
        cover: how much of the background is hidden, 0..1.
        casters: surfaces that throw shadows besides the person's sheet: vertices (V, 3) and triangles (T, 3).
    """

    depth: Float
    colour: Float
    normal: Float
    gloss: Float
    kind: NDArray[np.uint8]
    cover: Float
    casters: list[tuple[Float, Indices]]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in pixels."""
        return self.depth.shape[1], self.depth.shape[0]


def draw_person(person: Person, conditions: Conditions, posed: PosedHead, size: tuple[int, int]) -> Canvas:
    """Draw skin, ears, hair, hat and clothes into a fresh canvas of ``size`` (width, height)."""
    canvas = _draw_sheet(person, conditions, posed, size)
    hair = person.hair
    scale = conditions.hair_scale * (0.35 if conditions.hat != "none" else 1.0)
    vertices = posed.turned(hair.skin_side + np.float32(scale) * hair.lift)
    if hair.hangs:
        _draw_shell(canvas, posed, vertices, _SHELL_INSIDE, hair.texture, gloss=0.2, dim=0.45)
    _draw_shell(canvas, posed, vertices, _SHELL_TRIANGLES, hair.texture, gloss=0.6, dim=1.0)
    canvas.casters.append((vertices.reshape(-1, 3), hair.solid_triangles))
    if conditions.hat != "none":
        _draw_hat(canvas, person, conditions, posed)
    return canvas


def _draw_sheet(person: Person, conditions: Conditions, posed: PosedHead, size: tuple[int, int]) -> Canvas:
    screen = posed.camera.project(posed.sheet.reshape(-1, 3))
    shown, depth = rasterize(screen, person.triangles, person.values, size, posed.camera.distance)
    column = shown[..., 0] * np.float32(SHEET_COLUMNS - 1)
    row = shown[..., 1] * np.float32(SHEET_ROWS - 1)
    kind = (shown[..., 2] * np.float32(4.0) + np.float32(0.5)).astype(np.uint8)
    texture_x = column * np.float32((SKIN_TEXTURE - 1) / (COLUMNS - 1))
    texture_y = row * np.float32((SKIN_TEXTURE - 1) / (ROWS - 1))
    red, green, blue, opening = _planes(person.skin.colour, texture_x, texture_y)
    gloss, crease = _planes(person.skin.detail, texture_x, texture_y)
    colour = np.stack([red, green, blue])
    colour *= 1.0 - np.float32(np.clip(conditions.smile, 0.0, 1.0)) * crease
    normal = np.stack(_planes(posed.normals, column, row))
    i, j = np.nonzero(opening > 0.05)
    places = _points(person.head.painted, column[i, j], row[i, j])
    colour[:, i, j] = _with_iris(colour[:, i, j], opening[i, j], places, person, conditions)
    i, j = np.nonzero((column > COLUMNS - 1) & (kind > 0))
    colour[:, i, j] = _points(_dyed(person, conditions), column[i, j], row[i, j])
    gloss[i, j] = np.array([0.0, 0.4, 0.5, 0.0], np.float32)[kind[i, j]]
    # An ear seen from behind shows its other side.
    normal[:, i, j] *= np.where(normal[2][i, j] < 0, np.float32(-1), np.float32(1))
    return Canvas(
        depth=depth,
        colour=colour,
        normal=normal,
        gloss=gloss,
        kind=kind,
        cover=(depth > NOTHING).astype(np.float32),
        casters=[],
    )


def _planes(texture: Float, x: Float, y: Float) -> list[Float]:
    # The texture's channels at the places (x, y), each of their shape.
    return [np.asarray(plane) for plane in cv2.split(cv2.remap(texture, x, y, cv2.INTER_LINEAR))]


def _points(texture: Float, x: Float, y: Float) -> Float:
    # The same for a list of places, shape (channels, N). OpenCV takes fewer than 32768 columns: lines of 512.
    lines = -(-len(x) // 512)
    if lines == 0:
        return np.zeros((texture.shape[2], 0), np.float32)
    folded = (np.resize(places, (lines, 512)) for places in (x, y))
    return np.stack([plane.ravel()[: len(x)] for plane in _planes(texture, *folded)])


def _with_iris(rgb: Float, opening: Float, places: Float, person: Person, conditions: Conditions) -> Float:
    plan, identity = person.plan, person.identity
    side = np.sign(places[0])
    dx = (np.abs(places[0]) - np.float32(plan.eye_x)) * side - np.float32(conditions.gaze[0])
    dy = places[1] - np.float32(0.06 + conditions.gaze[1])
    radius = np.hypot(dx, dy) / np.float32(plan.iris_radius)
    shade = (1.15 - 0.45 * np.clip(radius, 0, 1) ** 3) * (0.80 + 0.35 * np.clip(-dy / plan.iris_radius, -1, 1))
    shade *= 1 - 0.7 * np.clip((radius - 0.80) / 0.2, 0.0, 1.0)
    pupil = np.clip((0.42 - radius) / 0.10 + 0.5, 0.0, 1.0)
    iris = identity.iris[:, None] * (shade * (1 - pupil)) + 0.006 * pupil
    inside = np.clip((1.0 - radius) / 0.14 + 0.5, 0.0, 1.0) * opening
    result = rgb + inside * (iris - rgb)
    # The light's mirror image on the cornea.
    glint_x, glint_y = 0.22 * conditions.light[0], 0.10 + 0.18 * conditions.light[1]
    glint = np.clip((0.15 - np.hypot(dx - glint_x, dy - glint_y)) / 0.07, 0.0, 1.0) * opening
    return np.asarray(result + glint * (1.6 - result), np.float32)


def _dyed(person: Person, conditions: Conditions) -> Float:
    sheet = person.colour.copy()
    body = person.parts[0]
    rows, columns = body.vertices.shape[:2]
    colour = np.broadcast_to(conditions.cloth, body.vertices.shape)
    other = conditions.cloth[::-1] * 0.5 + 0.25
    if conditions.cloth_pattern == 1:
        colour = np.where((np.arange(rows)[:, None, None] % 4) < 2, colour, other)
    if conditions.cloth_pattern == 2:
        colour = np.where((np.arange(columns)[None, :, None] % 8) < 4, colour, other)
    sheet[body.window] = colour
    return sheet


def _draw_shell(
    canvas: Canvas, posed: PosedHead, vertices: Float, triangles: Indices, texture: Float, *, gloss: float, dim: float
) -> None:
    window, shown, depth = _rasterize_window(canvas, posed, vertices, triangles, _SHELL_VALUES)
    x, y = shown[..., 0], shown[..., 1]
    red, green, blue, solid = _planes(texture, x * np.float32(TEXTURE - 1), y * np.float32(TEXTURE - 1))
    normal = _planes(grid_normals(vertices), x * np.float32(SHELL_COLUMNS - 1), y * np.float32(SHELL_ROWS - 1))
    colour = [plane * np.float32(dim) for plane in (red, green, blue)]
    _blend(canvas, window, depth, colour, solid, normal, gloss, HAIR)


def _rasterize_window(
    canvas: Canvas, posed: PosedHead, vertices: Float, triangles: Indices, values: Float
) -> tuple[tuple[slice, slice], Float, Float]:
    # Rasterize only the part of the canvas that holds the projected vertices; returns where that is.
    screen = posed.camera.project(vertices.reshape(-1, 3))
    low = np.floor(screen[:, :2].min(axis=0)).astype(int)
    high = np.ceil(screen[:, :2].max(axis=0)).astype(int)
    left, top = np.clip(low, 0, np.array(canvas.size) - 1).tolist()
    right, bottom = np.clip(high, (left + 1, top + 1), np.maximum(canvas.size, (left + 1, top + 1))).tolist()
    screen -= np.array([left, top, 0], np.float32)
    shown, depth = rasterize(screen, triangles, values, (right - left, bottom - top), posed.camera.distance)
    return (slice(top, bottom), slice(left, right)), shown, depth


def _blend(
    canvas: Canvas,
    window: tuple[slice, slice],
    depth: Float,
    colour: list[Float],
    solid: Float,
    normal: list[Float],
    gloss: float,
    kind: int,
) -> None:
    # Strands at the edge cover what lies behind only in part; against the background they thin the cover.
    nearer = depth > canvas.depth[window]
    cover = canvas.cover[window]
    share = np.where(cover > 0, solid, np.float32(1)) * nearer
    flip = np.where(normal[2] < 0, np.float32(-1), np.float32(1))
    for channel in range(3):
        plane = canvas.colour[channel][window]
        plane += share * (colour[channel] - plane)
        plane = canvas.normal[channel][window]
        plane += share * (flip * normal[channel] - plane)
    plane = canvas.gloss[window]
    plane += share * (np.float32(gloss) - plane)
    np.maximum(cover, solid * nearer, out=cover)
    mostly = nearer & (solid > 0.5)
    canvas.depth[window][mostly] = depth[mostly]
    canvas.kind[window][mostly] = kind


def _draw_hat(canvas: Canvas, person: Person, conditions: Conditions, posed: PosedHead) -> None:
    hair = person.hair
    cap = conditions.hat == "cap"
    front = min(person.plan.hairline_y - 0.9, 5.4)
    heights = (front, 3.2, 1.0) if cap else (front - 0.6, 1.6, -1.5)
    vertices = hair.skin_side + hair.outward * np.float32(0.75 if cap else 1.05)
    across = np.arange(TEXTURE, dtype=np.float32)[None]
    rib = 1.0 - 0.3 * (np.abs(np.sin(across * 0.075)) < 0.06) if cap else 1.0 + 0.16 * np.sin(across * 1.9)
    texture = np.empty((TEXTURE, TEXTURE, 4), np.float32)
    texture[..., :3] = conditions.hat_colour * np.broadcast_to(rib, (TEXTURE, TEXTURE))[..., None]
    texture[..., 3] = solid_above(hair.skin_side, column_angles(SHELL_COLUMNS), heights)
    shell = posed.turned(np.asarray(vertices, np.float32))
    _draw_shell(canvas, posed, shell, _SHELL_TRIANGLES, texture, gloss=0.05, dim=1.0)
    if cap:
        _draw_brim(canvas, person, conditions, posed, front)


def _draw_brim(canvas: Canvas, person: Person, conditions: Conditions, posed: PosedHead, height: float) -> None:
    brim = posed.turned(build_brim(person.head, height, 6.0))
    window, shown, depth = _rasterize_window(canvas, posed, brim, _BRIM_BOTH, _BRIM_VALUES)
    x, y = shown[..., 0], shown[..., 1]
    normal = _planes(grid_normals(brim), x * np.float32(BRIM_COLUMNS - 1), y * np.float32(BRIM_ROWS - 1))
    colour = [np.full_like(x, 0.8 * conditions.hat_colour[channel]) for channel in range(3)]
    solid = (depth > NOTHING).astype(np.float32)
    _blend(canvas, window, depth, colour, solid, normal, 0.05, CLOTH)
    canvas.casters.append((brim.reshape(-1, 3), _BRIM_TRIANGLES))


def landmarks_seen(person: Person, posed: PosedHead, canvas: Canvas) -> tuple[Float, NDArray[np.bool_]]:
    """Pixel positions (68, 2) of the landmarks on the canvas, and which of them are in sight (68,)."""
    points = sample_grid(posed.vertices, person.landmarks)
    screen = posed.camera.project(points)
    width, height = canvas.size
    x, y = np.floor(screen[:, 0]).astype(int), np.floor(screen[:, 1]).astype(int)
    within = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    # The nearest surface of the eight neighbours counts as well: an edge may cut through the pixel.
    least = cv2.erode(canvas.depth, np.ones((3, 3), np.uint8))
    cover = np.full(len(points), np.inf, np.float32)
    cover[within] = least[y[within], x[within]]
    # On the jaw, which lies at the face's outline, the surface must also not be turned away.
    towards = np.array([0.0, 0.0, posed.camera.distance], np.float32) - points
    towards /= np.linalg.norm(towards, axis=1, keepdims=True)
    facing = np.einsum("nk,nk->n", sample_grid(posed.normals[:ROWS, :COLUMNS], person.landmarks), towards)
    turned_away = (np.arange(68) < 17) & (facing < -0.3)
    return screen[:, :2], within & (screen[:, 2] >= cover - 0.6) & ~turned_away
