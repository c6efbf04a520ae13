"""What changes from photo to photo of one person: pose, expression, light, things worn, and the camera."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from countenance.data.head_identity import Float, Identity


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """One photo's circumstances. Angles in degrees, weights 0..1, colours linear RGB.

    Attributes:
        yaw_deg, pitch_deg, roll_deg: the head's pose, see ``head_rotation``.
        smile, open_mouth, squint, brows_up: weights of the expressions.
        smiling: whether the smile is large enough to be labelled one.
        gaze: offset of the irises right and up, cm.
        light: direction towards the key light, unit length, shape (3,).
        key, sky, ground: colours of the key light, and of the ambient light from above and below, shape (3,).
        exposure: factor on all light.
        glasses: ``"none"``, ``"clear"`` or ``"dark"``.
        hat: ``"none"``, ``"beanie"`` or ``"cap"``; hat_colour its colour.
        cloth: colour of the clothes; cloth_pattern 0 plain, 1 stripes around, 2 stripes down.
        hair_scale: factor on the hair's thickness.
        age_years: the person's age on that day.
        camera_distance: cm; face_scale: size relative to the usual; shift: of the face's centre, share of the photo.
        blur: standard deviation in pixels of a 160 pixel photo; motion: length of motion blur, same unit.
        noise: standard deviation as a share of full scale; jpeg_quality: 1..100.
        background_seed: seeds what lies behind.
    """

    yaw_deg: float
    pitch_deg: float
    roll_deg: float
    smile: float
    open_mouth: float
    squint: float
    brows_up: float
    smiling: bool
    gaze: tuple[float, float]
    light: Float
    key: Float
    sky: Float
    ground: Float
    exposure: float
    glasses: str
    hat: str
    hat_colour: Float
    cloth: Float
    cloth_pattern: int
    hair_scale: float
    age_years: float
    camera_distance: float
    face_scale: float
    shift: tuple[float, float]
    blur: float
    motion: float
    noise: float
    jpeg_quality: int
    background_seed: int


@dataclass(frozen=True, kw_only=True)
class Habits:
    """Shares and limits from which conditions are drawn; see ``PeopleConfiguration`` for their meaning."""

    max_yaw_degrees: float
    smile_share: float
    glasses_share: float
    dark_glasses_share: float
    hat_share: float
    badly_lit_strength: float


def draw_conditions(rng: np.random.Generator, identity: Identity, habits: Habits) -> Conditions:
    """Draw the circumstances of one photo of ``identity``."""
    limit = habits.max_yaw_degrees
    wide = rng.random() < 0.4
    yaw = rng.uniform(-limit, limit) if wide else np.clip(rng.normal(0.0, 16.0), -limit, limit)
    smiling = bool(rng.random() < habits.smile_share)
    smile = rng.uniform(0.5, 1.0) if smiling else rng.uniform(-0.12, 0.12)
    opens = rng.random() < (0.6 if smiling else 0.15)
    glasses, hat = _worn(rng, identity, habits)
    light, key, sky, ground = _light(rng)
    bad = habits.badly_lit_strength
    # A camera meters for the face, though only in part.
    metered = float(np.clip((0.40 / identity.skin.mean()) ** 0.22, 0.85, 1.7))
    return Conditions(
        yaw_deg=float(yaw),
        pitch_deg=float(np.clip(rng.normal(0.0, 8.0), -24.0, 24.0)),
        roll_deg=float(np.clip(rng.normal(0.0, 7.0), -28.0, 28.0)),
        smile=float(smile),
        open_mouth=float(rng.uniform(0.1, 0.55 if smiling else 0.4)) if opens else 0.0,
        squint=float(np.clip(0.22 * max(smile, 0.0) + rng.exponential(0.08), 0.0, 0.9)),
        brows_up=float(np.clip(rng.normal(0.0, 0.35), -0.5, 1.0)),
        smiling=smiling,
        gaze=(float(rng.normal(0.0, 0.17)), float(rng.normal(0.0, 0.06))),
        light=light,
        key=key,
        sky=sky,
        ground=ground,
        exposure=float(metered * np.exp(rng.normal(0.0, 0.17)) * (1.0 - 0.80 * bad)),
        glasses=glasses,
        hat=hat,
        hat_colour=_dye(rng),
        cloth=_dye(rng),
        cloth_pattern=int(rng.choice(3, p=(0.6, 0.2, 0.2))),
        hair_scale=float(rng.uniform(0.85, 1.15)),
        age_years=float(np.clip(identity.age_years + rng.uniform(-1.5, 1.5), 8.0, 85.0)),
        camera_distance=float(rng.uniform(60.0, 160.0)),
        face_scale=float(np.exp(rng.normal(-0.02, 0.09))),
        shift=(float(rng.normal(0.0, 0.025)), float(rng.normal(0.0, 0.02))),
        blur=float(rng.gamma(1.6, 0.28)) if rng.random() < 0.8 else float(rng.uniform(0.8, 1.7)),
        motion=float(rng.uniform(2.0, 6.0)) if rng.random() < 0.07 else 0.0,
        noise=float(0.004 + rng.gamma(1.4, 0.006) + 0.05 * bad),
        jpeg_quality=int(rng.integers(50, 97)),
        background_seed=int(rng.integers(2**31)),
    )


def _worn(rng: np.random.Generator, identity: Identity, habits: Habits) -> tuple[str, str]:
    # A person's own habit scales the population's share; habits average about one third.
    glasses = "none"
    if rng.random() < min(1.0, habits.glasses_share * identity.wears_glasses / 0.24):
        glasses = "clear"
    if rng.random() < habits.dark_glasses_share:
        glasses = "dark"
    hat = str(rng.choice(["beanie", "cap"])) if rng.random() < habits.hat_share else "none"
    return glasses, hat


def _light(rng: np.random.Generator) -> tuple[Float, Float, Float, Float]:
    azimuth = np.radians(np.clip(rng.normal(0.0, 42.0), -85.0, 85.0))
    height = np.radians(rng.uniform(-5.0, 65.0))
    light = np.array([np.sin(azimuth) * np.cos(height), np.sin(height), np.cos(azimuth) * np.cos(height)], np.float32)
    warmth = rng.normal(0.0, 0.09)
    tint = np.exp(np.array([warmth, 0.0, -warmth]))
    hardness = rng.uniform(0.38, 0.92)
    fill = np.exp(np.array([-0.6, 0.0, 0.6]) * warmth + rng.normal(0.0, 0.02, 3))
    key = 1.35 * hardness * tint
    sky = (1.08 - 0.85 * hardness) * fill
    ground = sky * rng.uniform(0.35, 0.8) * np.exp(rng.normal(0.0, 0.06, 3))
    return light, key.astype(np.float32), sky.astype(np.float32), ground.astype(np.float32)


def _dye(rng: np.random.Generator) -> Float:
    # Clothes are mostly muted; a few are bright.
    value = rng.uniform(0.02, 0.7) ** 1.4
    hue = np.exp(rng.normal(0.0, 0.2 if rng.random() < 0.75 else 0.7, 3))
    return np.asarray(np.clip(value * hue / hue.mean(), 0.01, 0.85), np.float32)
