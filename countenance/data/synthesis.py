"""Embedded people: procedurally drawn photographs of heads that belong to nobody, with exact labels.

A head is a lofted surface with features (``head_geometry``), textures painted over it (``head_appearance``), hair,
ears, clothes, glasses and hats; it is rendered under a pose, an expression, a light and a camera that change from
photo to photo. Every label is read off the surface that was rendered. A photo depends only on the
configuration, the seed, the subject and the photo's index, not on the number of workers.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator, model_validator

from countenance.configuration import Configuration
from countenance.data.head_identity import draw_identity
from countenance.data.head_person import Person, build_person
from countenance.data.photo_assembly import (
    SynthesizedFace,
    SynthesizedPhoto,
    assemble_photo,
    assemble_scene,
    subject_id,
)
from countenance.data.photo_conditions import Conditions, Habits, draw_conditions
from countenance.data.population_workers import in_order

__all__ = [
    "PeopleConfiguration",
    "SynthesizedFace",
    "SynthesizedPhoto",
    "contact_sheet",
    "synthesize_people",
]

SPLIT_BUCKETS = 10
_PHOTO, _SCENE, _PIXELS = 3, 4, 5  # name the independent streams of chance


class PeopleConfiguration(Configuration):
    """Which people are drawn and how their photos are taken; every share lies in 0..1.

    Attributes:
        subjects: number of people.
        photos_per_subject: single-face photos of each.
        photo_size: side of a single-face photo, px, even.
        scenes: extra photos with several faces.
        faces_per_scene: fewest and most faces in a scene.
        scene_size: width and height of a scene, px, even.
        max_yaw_degrees: the head turns at most so far to either side, degrees, 0..90.
        female_share: share of women and girls.
        skin_tone_shares: share of each Monk Skin Tone, 1 (lightest) to 10 (darkest), summing to 1; a tone left out
            does not occur; None means that all ten are equally common.
        rare_skin_tones: tones whose share is multiplied by ``rare_share`` before all shares are brought back to 1.
        rare_share: see ``rare_skin_tones``.
        badly_lit_skin_tones: people of these tones are photographed under-exposed and with noise.
        badly_lit_strength: how badly, 0 (like everyone) to 1 (a fifth of the light).
        smile_share: share of photos with a smile.
        glasses_share: share of photos with clear glasses, on average over people whose habits differ.
        dark_glasses_share: share of photos with sunglasses.
        hat_share: share of photos with a hat.
    """

    subjects: int = Field(420, ge=1, le=99_999)
    photos_per_subject: int = Field(10, ge=1, le=10_000)
    photo_size: int = Field(160, ge=48, le=1024, multiple_of=2)
    scenes: int = Field(40, ge=0)
    faces_per_scene: tuple[int, int] = (2, 6)
    scene_size: tuple[int, int] = (480, 360)
    max_yaw_degrees: float = Field(60.0, ge=0.0, le=90.0)
    female_share: float = Field(0.5, ge=0.0, le=1.0)
    skin_tone_shares: dict[int, float] | None = None
    rare_skin_tones: tuple[int, ...] = ()
    rare_share: float = Field(1.0, ge=0.0, le=1.0)
    badly_lit_skin_tones: tuple[int, ...] = ()
    badly_lit_strength: float = Field(0.0, ge=0.0, le=1.0)
    smile_share: float = Field(0.45, ge=0.0, le=1.0)
    glasses_share: float = Field(0.2, ge=0.0, le=1.0)
    dark_glasses_share: float = Field(0.04, ge=0.0, le=1.0)
    hat_share: float = Field(0.08, ge=0.0, le=1.0)

    @field_validator("skin_tone_shares")
    @classmethod
    def _shares_of_tones(cls, shares: dict[int, float] | None) -> dict[int, float] | None:
        if shares is None:
            return None
        wrong = sorted(tone for tone in shares if not 1 <= tone <= 10)
        if wrong:
            raise ValueError(f"skin tones run from 1 to 10, not {wrong[0]}")
        if min(shares.values(), default=0.0) < 0.0 or abs(sum(shares.values()) - 1.0) > 1e-6:
            raise ValueError(f"shares must not be negative and must sum to 1, not {sum(shares.values()):g}")
        return shares

    @field_validator("rare_skin_tones", "badly_lit_skin_tones")
    @classmethod
    def _known_tones(cls, tones: tuple[int, ...]) -> tuple[int, ...]:
        wrong = [tone for tone in tones if not 1 <= tone <= 10]
        if wrong:
            raise ValueError(f"skin tones run from 1 to 10, not {wrong[0]}")
        return tones

    @field_validator("faces_per_scene")
    @classmethod
    def _few_to_many(cls, span: tuple[int, int]) -> tuple[int, int]:
        if not 1 <= span[0] <= span[1] <= 12:
            raise ValueError(f"give the fewest and the most faces, 1 to 12, in this order, not {span}")
        return span

    @field_validator("scene_size")
    @classmethod
    def _large_enough(cls, size: tuple[int, int]) -> tuple[int, int]:
        if not all(120 <= side <= 4096 and side % 2 == 0 for side in size):
            raise ValueError(f"width and height must be even and between 120 and 4096 pixels, not {size}")
        return size

    @model_validator(mode="after")
    def _somebody_is_left(self) -> PeopleConfiguration:
        if self.tone_shares().sum() <= 0.0:
            raise ValueError("rare_share 0 leaves no skin tone with a share: raise it or name fewer rare tones")
        return self

    def tone_shares(self) -> NDArray[np.float64]:
        """Shares of the ten tones after ``rare_share``, shape (10,); they sum to 1."""
        given = self.skin_tone_shares
        shares = np.array([0.1 if given is None else given.get(tone, 0.0) for tone in range(1, 11)])
        for tone in set(self.rare_skin_tones):
            shares[tone - 1] *= self.rare_share
        return np.asarray(shares / shares.sum() if shares.sum() > 0 else shares, np.float64)


def synthesize_people(
    configuration: PeopleConfiguration, *, seed: int, workers: int | None = None
) -> Iterator[SynthesizedPhoto]:
    """Yield every photo of the population: subject by subject, then the scenes.

    Scene k shows only people whose index has the remainder k mod 10, so that a split of subjects by their index
    modulo ten is a split of scenes as well.

    Args:
        configuration: who and how.
        seed: 0 or more; another seed draws other people.
        workers: processes to use; None means as many as the machine has processors. With more than one, a script
            must call this under ``if __name__ == "__main__"``. The photos do not depend on it.

    Raises:
        ValueError: ``workers`` is less than 1.
    """
    count = os.cpu_count() or 1 if workers is None else workers
    if count < 1:
        raise ValueError(f"workers must be 1 or more, not {count}: leave it out to use every processor.")
    tasks = [("subject", index) for index in range(configuration.subjects)]
    tasks += [("scene", index) for index in range(configuration.scenes)]
    work = functools.partial(_photos_of, configuration, seed)
    for photos in in_order(work, tasks, workers=min(count, len(tasks))):
        yield from photos


def contact_sheet(
    photos: Sequence[SynthesizedPhoto], *, columns: int, draw_landmarks: bool = False
) -> NDArray[np.uint8]:
    """Put photos of one size side by side, row by row, on a white sheet; shape (H, W, 3), sRGB.

    ``docs/pictures/embedded-people.png``, with a person a column, is made by::

        people = PeopleConfiguration(subjects=10, photos_per_subject=4, scenes=0, photo_size=112)
        photos = list(synthesize_people(people, seed=7, workers=1))
        rows = [photos[4 * person + number] for number in range(4) for person in range(10)]
        PIL.Image.fromarray(contact_sheet(rows, columns=10)).quantize(256).save("embedded-people.png")

    Args:
        photos: at least one; all of the same size.
        columns: photos in a row.
        draw_landmarks: draw boxes and landmarks as well, hidden landmarks in red.

    Raises:
        ValueError: no photos, photos of several sizes, or no columns.
    """
    shapes = {photo.image.shape for photo in photos}
    if len(shapes) != 1 or columns < 1:
        raise ValueError("A contact sheet needs photos of one size and at least one column: check both.")
    height, width, _ = shapes.pop()
    gap = 2
    rows = -(-len(photos) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (width + gap) - gap, 3), 255, np.uint8)
    for index, photo in enumerate(photos):
        top, left = (index // columns) * (height + gap), (index % columns) * (width + gap)
        image = _with_landmarks(photo) if draw_landmarks else photo.image
        sheet[top : top + height, left : left + width] = image
    return sheet


def _with_landmarks(photo: SynthesizedPhoto) -> NDArray[np.uint8]:
    image = photo.image.copy()
    for face in photo.faces:
        x, y, w, h = (round(float(value)) for value in face.box_xywh)
        cv2.rectangle(image, (x, y), (x + w, y + h), (255, 220, 0), 1)
        for point, visible in zip(face.landmarks68, face.visibility68, strict=True):
            colour = (60, 255, 60) if visible else (255, 40, 40)
            cv2.circle(image, (round(float(point[0])), round(float(point[1]))), 1, colour, -1)
    return image


def _photos_of(configuration: PeopleConfiguration, seed: int, task: tuple[str, int]) -> list[SynthesizedPhoto]:
    kind, index = task
    if kind == "scene":
        return [_scene(configuration, seed, index)]
    person = _person(configuration, seed, index)
    return [_photo(configuration, seed, person, number) for number in range(configuration.photos_per_subject)]


def _person(configuration: PeopleConfiguration, seed: int, subject: int) -> Person:
    identity = draw_identity(
        seed, subject, female_share=configuration.female_share, tone_shares=configuration.tone_shares()
    )
    return build_person(identity)


def _conditions(configuration: PeopleConfiguration, rng: np.random.Generator, person: Person) -> Conditions:
    bad = person.identity.skin_tone in configuration.badly_lit_skin_tones
    habits = Habits(
        max_yaw_degrees=configuration.max_yaw_degrees,
        smile_share=configuration.smile_share,
        glasses_share=configuration.glasses_share,
        dark_glasses_share=configuration.dark_glasses_share,
        hat_share=configuration.hat_share,
        badly_lit_strength=configuration.badly_lit_strength if bad else 0.0,
    )
    return draw_conditions(rng, person.identity, habits)


def _photo(configuration: PeopleConfiguration, seed: int, person: Person, number: int) -> SynthesizedPhoto:
    subject = person.identity.subject
    rng = np.random.default_rng([seed, subject, number, _PHOTO])
    conditions = _conditions(configuration, rng, person)
    pixels = np.random.default_rng([seed, subject, number, _PIXELS])
    name = f"{subject_id(subject)}-{number:03d}"
    return assemble_photo(person, conditions, pixels, size=configuration.photo_size, name=name)


def _scene(configuration: PeopleConfiguration, seed: int, index: int) -> SynthesizedPhoto:
    rng = np.random.default_rng([seed, index, _SCENE])
    bucket = np.arange(index % SPLIT_BUCKETS, configuration.subjects, SPLIT_BUCKETS)
    if not len(bucket):
        bucket = np.arange(configuration.subjects)
    fewest, most = configuration.faces_per_scene
    count = min(int(rng.integers(fewest, most + 1)), len(bucket))
    people = []
    for subject in rng.choice(bucket, count, replace=False):
        person = _person(configuration, seed, int(subject))
        people.append((person, _conditions(configuration, rng, person)))
    first = replace(people[0][1], blur=0.6 * people[0][1].blur, motion=0.0)
    people[0] = (people[0][0], first)
    return assemble_scene(people, rng, size=configuration.scene_size, name=f"scene-{index:04d}")
