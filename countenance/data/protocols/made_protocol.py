"""A protocol of IJB's shape from any set whose people are known: IJB itself is given on application only.

The people with two or more photos are split over two galleries. Each has one gallery template and one or more probe
templates, of other photos; all pairs of a gallery and a probe template of one person are compared, and as many
non-mated ones as are asked for, drawn from all there are. Somebody with a single photo can't be searched for; the
photo is a probe that nobody is mated with, or is left out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import pandas as pd

from countenance.data.protocols.protocol_checks import check_protocol
from countenance.data.protocols.template_protocol import (
    Gallery,
    Integers,
    Names,
    Probes,
    SampleTable,
    TemplatePairs,
    TemplateProtocol,
)
from countenance.errors import DataError

GALLERIES: Final = ("G1", "G2")


@dataclass(frozen=True, eq=False)
class MadeProtocol:
    """A made protocol.

    Attributes:
        protocol: its samples are named by their faces, so names say nothing about who it is; points and detector
            scores are not set, since the crops of a manifest are aligned already.
        face_ids: the manifest's face behind every sample, [N].
        subjects: the manifest's subject behind every number of a subject, [S].
    """

    protocol: TemplateProtocol
    face_ids: Names
    subjects: Names


def made_protocol(
    manifest: pd.DataFrame,
    *,
    generator: np.random.Generator,
    name: str = "made",
    samples_per_template: int = 4,
    probes_per_subject: int = 3,
    non_mated_pairs: int = 1_000_000,
    medium: str = "photo_sha256",
    frames_per_video: int = 1,
    single_medium_probes: bool = True,
) -> MadeProtocol:
    """Make a protocol from the faces of a manifest, e.g. those of one split.

    Args:
        manifest: a row a face with ``face_id``, ``subject_id`` (rows without one are left out) and the column that
            ``medium`` names; its order doesn't matter.
        generator: draws who is in which gallery, which photos form which template, and the non-mated pairs.
        name: of the protocol.
        samples_per_template: at most how many faces form a template.
        probes_per_subject: at most how many probe templates a subject has.
        non_mated_pairs: how many are drawn; all, where there are fewer.
        medium: the column whose equal values, within a subject, are one medium (one photo, the frames of one video);
            a medium is never in two templates.
        frames_per_video: where it is more than 1, every second medium of a template is a video of up to so many of
            its photos, so that a plain mean and the mean within media differ as they do on IJB.
        single_medium_probes: whether subjects with one medium are non-mated probes, or left out.

    Raises:
        DataError: a column is missing, a number is less than 1, or fewer than two subjects have two media.
    """
    numbers = (samples_per_template, probes_per_subject, non_mated_pairs, frames_per_video)
    if min(numbers) < 1:
        raise DataError("A made protocol needs at least 1 sample, probe, non-mated pair and frame: give more.")
    faces = _faces(manifest, medium)
    subjects, rows_of_media = _media_by_subject(faces, medium)
    enrolled = [subject for subject, media in enumerate(rows_of_media) if len(media) > 1]
    if len(enrolled) < len(GALLERIES):
        raise DataError(
            f"{len(enrolled)} subjects have two media (values of '{medium}') and two are needed: give more faces."
        )
    making = _Making(samples_per_template, frames_per_video, generator)
    galleries, probe_media = _enrol(making, rows_of_media, enrolled, probes_per_subject)
    if single_medium_probes:
        probe_media |= {subject: [media] for subject, media in enumerate(rows_of_media) if len(media) == 1}
    searched = [(making.add(media), subject) for subject in sorted(probe_media) for media in probe_media[subject]]
    probes = Probes(*(np.array(column, dtype=np.int64) for column in zip(*searched, strict=True)))
    face_ids = faces["face_id"].to_numpy(dtype=np.object_)[np.concatenate(making.rows)]
    protocol = TemplateProtocol(
        name=name,
        samples=SampleTable(face_ids, np.concatenate(making.templates), np.concatenate(making.media)),
        pairs=_pairs(galleries, probes, non_mated_pairs, generator),
        galleries=tuple(galleries),
        probes=probes,
    )
    check_protocol(protocol)
    return MadeProtocol(protocol, face_ids, subjects)


def _faces(manifest: pd.DataFrame, medium: str) -> pd.DataFrame:
    missing = [column for column in ("face_id", "subject_id", medium) if column not in manifest.columns]
    if missing:
        raise DataError(f"The manifest has no column '{missing[0]}': name the column of media, or add it.")
    faces = manifest[manifest["subject_id"].notna()]
    if "is_face" in faces.columns:
        faces = faces[faces["is_face"].astype(bool)]
    if faces[medium].isna().any():
        raise DataError(f"A face has no '{medium}': name a column that says of every face which medium it is of.")
    # In an order of its own, so that the same generator makes the same protocol of the same faces.
    return faces.sort_values("face_id", kind="stable")


def _media_by_subject(faces: pd.DataFrame, medium: str) -> tuple[Names, list[list[Integers]]]:
    """The subjects, sorted, and for each the rows of every medium."""
    codes, subjects = pd.factorize(faces["subject_id"], sort=True)
    media, _ = pd.factorize(faces[medium])
    order = np.lexsort((media, codes))
    changes = (np.diff(codes[order]) != 0) | (np.diff(media[order]) != 0)
    by_subject: list[list[Integers]] = [[] for _ in range(len(subjects))]
    if len(order):
        for rows in np.split(order, np.flatnonzero(changes) + 1):
            by_subject[codes[rows[0]]].append(rows)
    return np.asarray(subjects, dtype=np.object_), by_subject


@dataclass
class _Making:
    """Forms templates of media and numbers both from 1."""

    samples_per_template: int
    frames_per_video: int
    generator: np.random.Generator
    rows: list[Integers] = field(default_factory=list)
    templates: list[Integers] = field(default_factory=list)
    media: list[Integers] = field(default_factory=list)
    _template: int = 0
    _medium: int = 0

    def split(self, media: Sequence[Integers]) -> tuple[list[Integers], list[Integers]]:
        """Media for the gallery, at most half of them and one template's worth, and the rest, in a drawn order."""
        drawn = [media[index] for index in self.generator.permutation(len(media))]
        taken = len(self.chunks(drawn[: max(1, len(drawn) // 2)])[0])
        return drawn[:taken], drawn[taken:]

    def chunks(self, media: Sequence[Integers]) -> list[list[Integers]]:
        """Media in groups, each of one template's worth of faces; a larger medium is a group by itself."""
        groups: list[list[Integers]] = []
        count = 0
        for rows in media:
            if not groups or count + len(rows) > self.samples_per_template:
                groups.append([])
                count = 0
            groups[-1].append(rows)
            count += len(rows)
        return groups

    def add(self, media: Sequence[Integers]) -> int:
        """Make a template of these media, of the first faces where they are too many, and return its number."""
        self._template += 1
        left = self.samples_per_template
        for joined in self._videos(media):
            rows = np.concatenate(joined)[:left]
            left -= len(rows)
            self._medium += 1
            self.rows.append(rows)
            self.templates.append(np.full(len(rows), self._template, dtype=np.int64))
            self.media.append(np.full(len(rows), self._medium, dtype=np.int64))
        return self._template

    def _videos(self, media: Sequence[Integers]) -> Iterator[Sequence[Integers]]:
        start, is_video = 0, False
        while start < len(media):
            size = self.frames_per_video if is_video else 1
            yield media[start : start + size]
            start, is_video = start + size, not is_video


def _enrol(
    making: _Making, rows_of_media: Sequence[Sequence[Integers]], enrolled: Sequence[int], probes_per_subject: int
) -> tuple[list[Gallery], dict[int, list[list[Integers]]]]:
    """Both galleries, and the media of each enrolled subject's probe templates."""
    galleries: list[Gallery] = []
    probe_media: dict[int, list[list[Integers]]] = {}
    parts = np.array_split(making.generator.permutation(enrolled), len(GALLERIES))
    for name, part in zip(GALLERIES, parts, strict=True):
        members = np.sort(part)
        templates = []
        for subject in members.tolist():
            chosen, rest = making.split(rows_of_media[subject])
            templates.append(making.add(chosen))
            probe_media[subject] = making.chunks(rest)[:probes_per_subject]
        galleries.append(Gallery(name, np.array(templates, np.int64), members.astype(np.int64)))
    return galleries, probe_media


def _pairs(
    galleries: Sequence[Gallery], probes: Probes, non_mated: int, generator: np.random.Generator
) -> TemplatePairs:
    templates = np.concatenate([gallery.templates for gallery in galleries])
    subjects = np.concatenate([gallery.subjects for gallery in galleries])
    # Each subject is enrolled once, so the mated cells of the table gallery x probe are one a mated probe.
    row_of_subject = np.full(int(max(subjects.max(), probes.subjects.max())) + 1, -1, dtype=np.int64)
    row_of_subject[subjects] = np.arange(len(subjects))
    mate = row_of_subject[probes.subjects]
    columns = np.flatnonzero(mate >= 0)
    mated = np.sort(mate[columns] * len(probes) + columns)
    drawn = _draw(len(templates) * len(probes) - len(mated), non_mated, generator)
    # The n-th cell that is not mated: as many mated ones come before it as are below n once those before are taken off.
    cells = drawn + np.searchsorted(mated - np.arange(len(mated)), drawn, side="right")
    chosen = np.concatenate([mated, cells])
    truths = np.repeat([True, False], [len(mated), len(cells)])
    return TemplatePairs(templates[chosen // len(probes)], probes.templates[chosen % len(probes)], truths)


def _draw(count: int, wanted: int, generator: np.random.Generator) -> Integers:
    """``wanted`` different numbers below ``count``, sorted; all of them where there are no more."""
    if wanted >= count:
        return np.arange(count)
    if 2 * wanted >= count:
        return np.sort(generator.permutation(count)[:wanted])
    found = np.empty(0, dtype=np.int64)
    while len(found) < wanted:
        found = np.unique(np.concatenate([found, generator.integers(count, size=wanted)]))
    return np.sort(generator.permutation(found)[:wanted])
