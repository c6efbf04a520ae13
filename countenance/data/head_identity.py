"""Who an embedded person is: shape traits, colours, hair and habits, all drawn from (seed, subject).

Nobody here exists. Gender, age and skin tone are laid over the population with a low-discrepancy sequence
(Roberts 2018, "The unreasonable effectiveness of quasirandom sequences"), so that the asked shares hold in
any long stretch of subjects; everything else is independent chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

# Arrays are float32 throughout; NumPy's type stubs lose that wherever a Python float joins in.
Float = NDArray[np.floating[Any]]

# Monk Skin Tone scale (Monk 2019, skintone.google), reference colours of tones 1..10 in 8-bit sRGB.
MONK_SKIN_TONES: tuple[tuple[int, int, int], ...] = (
    (0xF6, 0xED, 0xE4),
    (0xF3, 0xE7, 0xDB),
    (0xF7, 0xEA, 0xD0),
    (0xEA, 0xDA, 0xBA),
    (0xD7, 0xBD, 0x96),
    (0xA0, 0x7E, 0x56),
    (0x82, 0x5C, 0x43),
    (0x60, 0x41, 0x34),
    (0x3A, 0x31, 0x2A),
    (0x29, 0x24, 0x20),
)

# Every trait is a standard normal within a gender. The number is how far the male mean lies above the female
# one, in standard deviations: the root of the sum of squares is about 2.3, so that the best linear
# classifier on shape alone is right about 88 times in 100.
SHAPE_TRAITS: Mapping[str, float] = {
    "face_width": 0.40,
    "face_length": 0.32,
    "head_length": 0.16,
    "forehead_height": 0.0,
    "forehead_slope": 0.40,
    "jaw_width": 0.72,
    "chin_length": 0.48,
    "chin_squareness": 0.64,
    "chin_projection": 0.32,
    "cheekbones": -0.32,
    "cheek_fullness": -0.32,
    "brow_ridge": 0.80,
    "brow_height": -0.48,
    "brow_thickness": 0.64,
    "brow_slant": 0.0,
    "brow_arch": -0.48,
    "brow_length": 0.0,
    "eye_spacing": 0.0,
    "eye_width": -0.24,
    "eye_opening": -0.40,
    "eye_slant": -0.16,
    "eye_depth": 0.32,
    "lid_fold": 0.0,
    "nose_length": 0.40,
    "nose_width": 0.32,
    "bridge_height": 0.32,
    "bridge_width": 0.16,
    "bridge_bump": 0.16,
    "tip_projection": 0.24,
    "tip_lift": -0.32,
    "philtrum": 0.32,
    "mouth_width": 0.24,
    "upper_lip": -0.40,
    "lower_lip": -0.32,
    "lip_projection": 0.0,
    "corner_tilt": 0.0,
    "ear_size": 0.40,
    "ear_angle": 0.08,
    "neck_width": 0.72,
    "asymmetry": 0.0,
}

_HAIR_SRGB = {
    "black": (22, 19, 18),
    "dark brown": (46, 31, 23),
    "brown": (84, 56, 36),
    "light brown": (126, 92, 60),
    "blond": (188, 152, 100),
    "red": (138, 62, 30),
}
_IRIS_SRGB = {
    "dark brown": (48, 28, 18),
    "brown": (92, 58, 32),
    "hazel": (124, 98, 52),
    "green": (96, 122, 78),
    "blue": (92, 132, 172),
    "grey": (128, 142, 150),
}
_GREY_HAIR = (186, 184, 182)


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One embedded person.

    Attributes:
        subject: index in the population.
        gender: ``"male"`` or ``"female"``.
        age_years: 8 to 85, the age around which the person's photos are taken.
        skin_tone: Monk Skin Tone, 1 (lightest) to 10 (darkest).
        traits: standard scores by name, see ``SHAPE_TRAITS``.
        skin, lips, hair, brows, iris: linear RGB reflectances in 0..1.
        greyness: share of grey hair, 0..1.
        hair_style: one of ``HAIR_STYLES``.
        hair_volume, hair_length, hair_recession, hair_curl: 0..1.
        part: where the hair is parted, -1 (image left) to 1.
        beard: ``"none"``, ``"stubble"``, ``"moustache"``, ``"goatee"`` or ``"full"``.
        wrinkles: 0..1.
        freckles: 0..1.
        moles: rows of x, y (cm on the face, eyes' line at y = 0) and radius.
        make_up: 0..1, coloured lips and darker lashes.
        wears_glasses: how often this person wears them, 0..1.
        glasses_shape: 0 (round) to 1 (square); glasses_size: 0..1; glasses_frame: linear RGB.
        texture_seed: seeds the skin and hair patterns.
    """

    subject: int
    gender: str
    age_years: float
    skin_tone: int
    traits: Mapping[str, float]
    skin: Float
    lips: Float
    hair: Float
    brows: Float
    iris: Float
    greyness: float
    hair_style: str
    hair_volume: float
    hair_length: float
    hair_recession: float
    hair_curl: float
    part: float
    beard: str
    wrinkles: float
    freckles: float
    moles: Float
    make_up: float
    wears_glasses: float
    glasses_shape: float
    glasses_size: float
    glasses_frame: Float
    texture_seed: int

    @property
    def childhood(self) -> float:
        """How child-like the proportions are: 1 at eight years, 0 from seventeen on."""
        return float(np.clip((17.0 - self.age_years) / 9.0, 0.0, 1.0))

    @property
    def old_age(self) -> float:
        """How far ageing has come: 0 up to thirty-five years, 1 at eighty-five."""
        return float(np.clip((self.age_years - 35.0) / 50.0, 0.0, 1.0))


HAIR_STYLES = ("bald", "buzz", "short", "parted", "afro", "fringe", "bob", "long", "tied")
_MALE_STYLES = (0.07, 0.17, 0.30, 0.21, 0.07, 0.07, 0.02, 0.06, 0.03)
_FEMALE_STYLES = (0.005, 0.02, 0.08, 0.06, 0.07, 0.11, 0.205, 0.30, 0.15)


def linear(srgb: tuple[int, int, int] | Float) -> Float:
    """Turn 8-bit sRGB into linear RGB in 0..1 (IEC 61966-2-1)."""
    value = np.asarray(srgb, np.float32) / np.float32(255.0)
    result = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return np.asarray(result, np.float32)


def draw_identity(seed: int, subject: int, *, female_share: float, tone_shares: NDArray[np.float64]) -> Identity:
    """Draw the person number ``subject`` of the population ``seed``.

    Args:
        seed: the population's seed.
        subject: index of the person, 0 or more.
        female_share: share of women and girls, 0..1.
        tone_shares: shares of the ten Monk Skin Tones, shape (10,), summing to 1.
    """
    rng = np.random.default_rng([seed, subject, 1])
    # Roberts' R3 sequence, shifted by the seed.
    start = np.random.default_rng([seed, 2]).random(3)
    plastic = 1.2207440846057596
    gender_at, age_at, tone_at = (start + (subject + 1) * plastic ** -np.arange(1.0, 4.0)) % 1.0
    gender = "female" if gender_at < female_share else "male"
    age = _age(float(age_at))
    tone = int(np.searchsorted(np.cumsum(tone_shares)[:-1], tone_at, side="right")) + 1
    traits = _traits(rng, gender, age)
    skin = _skin(rng, tone)
    hair_name = _hair_name(rng, tone)
    greyness = float(np.clip(rng.normal((age - 52.0) / 24.0, 0.22), 0.0, 1.0)) if age > 30 else 0.0
    pigment = linear(_HAIR_SRGB[hair_name]) * np.float32(rng.uniform(0.75, 1.3))
    hair = (1 - greyness) * pigment + greyness * linear(_GREY_HAIR) * np.float32(rng.uniform(0.75, 1.1))
    make_up = float(rng.random() * (gender == "female") * (age > 15) * (rng.random() < 0.6))
    lips = _lips(rng, skin, make_up)
    style, recession = _style(rng, gender, age)
    mole_count = int(rng.poisson(1.5))
    moles = np.stack(
        [
            rng.uniform(-5.0, 5.0, mole_count),
            rng.uniform(-9.5, 5.0, mole_count),
            rng.uniform(0.09, 0.2, mole_count),
        ],
        axis=1,
    )
    return Identity(
        subject=subject,
        gender=gender,
        age_years=age,
        skin_tone=tone,
        traits=traits,
        skin=skin,
        lips=lips,
        hair=np.asarray(hair, np.float32),
        brows=np.asarray(pigment * 0.8 * (1 - 0.6 * greyness) + hair * 0.6 * greyness, np.float32),
        iris=_iris(rng, tone),
        greyness=greyness,
        hair_style=style,
        hair_volume=float(rng.random()),
        hair_length=float(rng.random()),
        hair_recession=recession,
        hair_curl=float(np.clip(rng.beta(1.2, 2.0) + (0.35 if tone >= 8 else 0.0), 0.0, 1.0)),
        part=float(rng.choice([-1.0, 1.0]) * rng.uniform(0.2, 0.9)),
        beard=_beard(rng, gender, age),
        wrinkles=float(np.clip((age - 28.0) / 45.0 + rng.normal(0.0, 0.12), 0.0, 1.0)),
        freckles=float(rng.random() ** 2 * (rng.random() < 0.35) * (tone <= 5)),
        moles=np.asarray(moles, np.float32),
        make_up=make_up,
        wears_glasses=float(rng.choice([0.05, 0.3, 0.9], p=[0.6, 0.25, 0.15])),
        glasses_shape=float(rng.random()),
        glasses_size=float(rng.random()),
        glasses_frame=linear(np.asarray(_frame_colour(rng), np.float32)),
        texture_seed=int(rng.integers(2**31)),
    )


def _age(at: float) -> float:
    # A tenth children and teenagers, most people of working age, a fifth over sixty.
    return float(np.interp(at, [0.0, 0.10, 0.16, 0.55, 0.80, 1.0], [8.0, 16.0, 19.0, 40.0, 60.0, 85.0]))


def _traits(rng: np.random.Generator, gender: str, age: float) -> dict[str, float]:
    # Before puberty the shapes of boys and girls differ much less.
    contrast = float(np.interp(age, [8.0, 17.0], [0.35, 1.0]))
    sign = 0.5 if gender == "male" else -0.5
    scores = np.clip(rng.normal(size=len(SHAPE_TRAITS)), -2.4, 2.4)
    return {
        name: float(score + sign * contrast * gap)
        for (name, gap), score in zip(SHAPE_TRAITS.items(), scores, strict=True)
    }


def _skin(rng: np.random.Generator, tone: int) -> Float:
    # Somewhere within the tone's own half-way marks to its neighbours, on the straight line in linear light.
    here = linear(MONK_SKIN_TONES[tone - 1])
    towards = linear(MONK_SKIN_TONES[int(np.clip(tone - 1 + rng.choice([-1, 1]), 0, 9))])
    colour = here + rng.uniform(0.0, 0.4) * (towards - here)
    # The reference patches are matt and bloodless; living skin scatters more red and less blue.
    warmth = np.array([1.0, 0.83, 0.72], np.float32) + rng.normal(0.0, 0.025, 3)
    return np.asarray(np.clip(colour * warmth * 0.93, 0.01, 0.9), np.float32)


def _lips(rng: np.random.Generator, skin: Float, make_up: float) -> Float:
    natural = skin * np.array([0.74, 0.46, 0.47], np.float32) * np.float32(rng.uniform(0.85, 1.1))
    red = linear((150, 30, 45)) * rng.uniform(0.5, 1.4)
    return np.asarray((1 - 0.75 * make_up) * natural + 0.75 * make_up * red, np.float32)


def _hair_name(rng: np.random.Generator, tone: int) -> str:
    light = np.array([0.10, 0.20, 0.24, 0.18, 0.19, 0.09])
    dark = np.array([0.72, 0.22, 0.04, 0.01, 0.005, 0.005])
    mix = np.clip((tone - 2.5) / 4.0, 0.0, 1.0)
    return str(rng.choice(list(_HAIR_SRGB), p=(1 - mix) * light + mix * dark))


def _iris(rng: np.random.Generator, tone: int) -> Float:
    light = np.array([0.10, 0.22, 0.16, 0.14, 0.28, 0.10])
    dark = np.array([0.72, 0.21, 0.04, 0.01, 0.01, 0.01])
    mix = np.clip((tone - 2.5) / 4.0, 0.0, 1.0)
    name = str(rng.choice(list(_IRIS_SRGB), p=(1 - mix) * light + mix * dark))
    return np.asarray(linear(_IRIS_SRGB[name]) * rng.uniform(0.8, 1.25), np.float32)


def _style(rng: np.random.Generator, gender: str, age: float) -> tuple[str, float]:
    shares = np.array(_MALE_STYLES if gender == "male" else _FEMALE_STYLES)
    recession = float(np.clip(rng.normal((age - 40.0) / 45.0, 0.25), 0.0, 1.0))
    if gender == "female":
        recession *= 0.2
    else:
        shares = shares * (1 + np.array([5.0, 1.0, 0, 0, 0, 0, 0, 0, 0]) * max(0.0, recession - 0.2))
        if age < 20:
            shares[0] = 0.0
    return str(rng.choice(HAIR_STYLES, p=shares / shares.sum())), recession


def _beard(rng: np.random.Generator, gender: str, age: float) -> str:
    if gender == "female" or age < 19:
        return "none"
    kinds = ("none", "stubble", "moustache", "goatee", "full")
    return str(rng.choice(kinds, p=(0.46, 0.22, 0.07, 0.10, 0.15)))


def _frame_colour(rng: np.random.Generator) -> tuple[int, int, int]:
    colours = ((18, 18, 20), (70, 42, 24), (120, 122, 126), (150, 120, 60), (90, 24, 30), (30, 44, 84))
    return colours[int(rng.choice(6, p=(0.45, 0.2, 0.15, 0.1, 0.05, 0.05)))]
