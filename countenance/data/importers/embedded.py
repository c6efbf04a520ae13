"""The embedded people: synthesised photos with exact labels, for a first run without any data at hand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from countenance.data.importers.labelled import LabelledFace, LabelledPhoto
from countenance.data.photographs import encode_photo
from countenance.data.synthesis import (
    PeopleConfiguration,
    SynthesizedFace,
    SynthesizedPhoto,
    synthesize_people,
)


class EmbeddedImporter:
    """Synthesises people and gives them as labelled photos.

    Args:
        people: the population.
        seed: of every random choice.
        skin_tone_bands: names of bands of the Monk scale, e.g. ``{"lighter": (1, 2, 3, 4, 5)}``; each face's band
            becomes its ``skin_tone`` group.
        workers: processes; None takes one a core.
    """

    name = "embedded"
    license = "Apache-2.0"
    purpose = "demonstration"
    group_source = "synthesis parameters"

    def __init__(
        self,
        people: PeopleConfiguration,
        *,
        seed: int,
        skin_tone_bands: Mapping[str, tuple[int, ...]],
        workers: int | None = None,
    ) -> None:
        self._people = people
        self._seed = seed
        self._workers = workers
        self._band = {tone: band for band, tones in skin_tone_bands.items() for tone in tones}

    def __len__(self) -> int:
        return self._people.subjects * self._people.photos_per_subject + self._people.scenes

    def photos(self) -> Iterator[LabelledPhoto]:
        """Every single-face photo and every scene."""
        for photo in synthesize_people(self._people, seed=self._seed, workers=self._workers):
            yield self._labelled(photo)

    def _labelled(self, photo: SynthesizedPhoto) -> LabelledPhoto:
        encoded = encode_photo(photo.image)
        return LabelledPhoto(
            name=photo.name, read=lambda: encoded, faces=tuple(self._face(face) for face in photo.faces)
        )

    def _face(self, face: SynthesizedFace) -> LabelledFace:
        groups = {"gender": face.gender}
        if face.skin_tone in self._band:
            groups["skin_tone"] = self._band[face.skin_tone]
        return LabelledFace(
            subject_id=f"embedded:{face.subject_id}",
            box_xywh=face.box_xywh,
            landmarks=face.landmarks68,
            landmark_scheme="68",
            visibility=face.visibility68,
            yaw_deg=face.yaw_deg,
            pitch_deg=face.pitch_deg,
            roll_deg=face.roll_deg,
            gender=face.gender,
            smiling=face.smiling,
            age_years=face.age_years,
            groups=groups,
        )
