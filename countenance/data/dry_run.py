"""What an import would find, without importing: counts, what is labelled, licence, and the first problems.

The labels of the whole source are read and checked; photos of a sample, spread evenly, are also decoded and cut, by the
same code as in an import.
"""

from __future__ import annotations

import itertools
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from countenance.data.alignment import five_points
from countenance.data.cutting import cut_photo
from countenance.data.importers.labelled import (
    CorruptRecord,
    CorruptRecordError,
    Importer,
    LabelledFace,
    Record,
    Selective,
)
from countenance.data.quarantine import LARGEST_QUARANTINED_SHARE, require_sound_face
from countenance.progress import track

PHOTOS_DECODED: Final = 200
"""Photos of the sample, unless said otherwise."""

TASKS: Final = ("detection", "landmarks", "visibility", "pose", "gender", "smile", "age", "identity")
"""What a face may be labelled for; detection means that it has a box."""

_TURNED_DEG: Final = 20.0
_AT_ONCE: Final = 256


@dataclass(frozen=True, kw_only=True)
class DryRun:
    """What was found.

    Attributes:
        source, license, purpose: as they would stand in the manifest.
        photos, faces, subjects: counts; faces are those without a problem in their labels.
        coverage: by task of :data:`TASKS`, the faces that are labelled for it.
        groups: by protected attribute, the faces of each group.
        left_out: what the importer leaves out on purpose, by reason.
        yaw_agreement, roll_agreement: of the faces that are turned (tilted) by 20 degrees or more and have landmarks,
            how many are turned (tilted) the way that their landmarks show, and how many there are.
        decoded: photos of the sample.
        corrupt_labels: records whose labels can't be true, of all photos.
        corrupt_photos: records of which the photo, or its fit with the labels, is the problem, of those decoded.
        reasons: both, by reason.
        problems: the first of them.
        largest_share: corrupt records as a share of the photos, above which an import would stop.
        seconds: how long it took.
    """

    source: str
    license: str
    purpose: str
    photos: int
    faces: int
    subjects: int
    coverage: Mapping[str, int]
    groups: Mapping[str, Mapping[str, int]]
    left_out: Mapping[str, int]
    yaw_agreement: tuple[int, int]
    roll_agreement: tuple[int, int]
    decoded: int
    corrupt_labels: int
    corrupt_photos: int
    reasons: Mapping[str, int]
    problems: tuple[CorruptRecord, ...]
    largest_share: float
    seconds: float

    @property
    def corrupt_share(self) -> float:
        """Corrupt records as a share of all photos; what only a decoded photo shows is carried over from the sample."""
        return self.corrupt_labels / max(self.photos, 1) + self.corrupt_photos / max(self.decoded, 1)

    @property
    def would_stop(self) -> bool:
        """Whether an import would stop, as far as the sample tells."""
        return self.corrupt_share > self.largest_share


def dry_run(
    importer: Importer,
    limit: int | None = PHOTOS_DECODED,
    *,
    problems: int = 10,
    largest_share: float = LARGEST_QUARANTINED_SHARE,
    workers: int = 2,
) -> DryRun:
    """Read a source through without importing it.

    Args:
        importer: of the source.
        limit: photos to decode, spread evenly; None decodes all.
        problems: how many problems to keep in full; all are counted.
        largest_share: see :class:`DryRun`.
        workers: decoding threads.
    """
    started = time.monotonic()
    photos = len(importer)
    tally = _Tally(kept=problems)
    records = track(importer.photos(), what=f"Reading {importer.name}", total=photos, unit="photo")
    marked = zip(records, itertools.chain(_sampled(photos, limit), itertools.repeat(False)), strict=False)
    with ThreadPoolExecutor(workers) as pool:
        for chunk in _chunks(marked):
            found = pool.map(lambda item: _problems_of(item[0], item[1], importer), chunk)
            for (record, decode), corrupt in zip(chunk, found, strict=True):
                tally.add(record, corrupt, decoded=decode)
    return tally.result(importer, photos, largest_share, time.monotonic() - started)


@dataclass(kw_only=True)
class _Tally:
    kept: int
    faces: int = 0
    subjects: set[str] = field(default_factory=set)
    coverage: Counter[str] = field(default_factory=Counter)
    groups: dict[str, Counter[str]] = field(default_factory=dict)
    yaw: Counter[bool] = field(default_factory=Counter)
    roll: Counter[bool] = field(default_factory=Counter)
    decoded: int = 0
    corrupt_labels: int = 0
    corrupt_photos: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    problems: list[CorruptRecord] = field(default_factory=list)

    def add(self, record: Record, corrupt: _Problems, *, decoded: bool) -> None:
        self.decoded += decoded
        self.corrupt_labels += len(corrupt.labels)
        self.corrupt_photos += len(corrupt.photos)
        for problem in (*corrupt.labels, *corrupt.photos):
            self.reasons[problem.reason] += 1
            if len(self.problems) < self.kept:
                self.problems.append(problem)
        for face in corrupt.sound:
            self._add_face(face)

    def _add_face(self, face: LabelledFace) -> None:
        self.faces += 1
        self.coverage.update(task for task in TASKS if _is_labelled(face, task))
        if face.subject_id is not None:
            self.subjects.add(face.subject_id)
        for attribute, group in face.groups.items():
            self.groups.setdefault(attribute, Counter())[group] += 1
        for counter, agrees in zip((self.yaw, self.roll), _agreement(face), strict=True):
            if agrees is not None:
                counter[agrees] += 1

    def result(self, importer: Importer, photos: int, largest_share: float, seconds: float) -> DryRun:
        return DryRun(
            source=importer.name,
            license=importer.license,
            purpose=importer.purpose,
            photos=photos,
            faces=self.faces,
            subjects=len(self.subjects),
            coverage={task: self.coverage[task] for task in TASKS},
            groups={name: dict(counts.most_common()) for name, counts in sorted(self.groups.items())},
            left_out=dict(importer.left_out) if isinstance(importer, Selective) else {},
            yaw_agreement=(self.yaw[True], self.yaw.total()),
            roll_agreement=(self.roll[True], self.roll.total()),
            decoded=self.decoded,
            corrupt_labels=self.corrupt_labels,
            corrupt_photos=self.corrupt_photos,
            reasons=dict(self.reasons.most_common()),
            problems=tuple(self.problems),
            largest_share=largest_share,
            seconds=seconds,
        )


@dataclass(frozen=True, kw_only=True)
class _Problems:
    """What is wrong with a record's labels, and what only its photo shows; and the faces that are labelled well."""

    sound: tuple[LabelledFace, ...] = ()
    labels: tuple[CorruptRecord, ...] = ()
    photos: tuple[CorruptRecord, ...] = ()


def _problems_of(record: Record, decode: bool, importer: Importer) -> _Problems:
    if isinstance(record, CorruptRecord):
        return _Problems(labels=(record,))
    sound: list[LabelledFace] = []
    labels: list[CorruptRecord] = []
    for index, face in enumerate(record.faces):
        try:
            require_sound_face(face)
            sound.append(face)
        except CorruptRecordError as error:
            labels.append(CorruptRecord(photo=record.key_of(index), reason=error.reason, detail=str(error)))
    photos = cut_photo(record, importer, 0.0) if decode else []
    known = {problem.photo for problem in labels}
    only_seen = (found for found in photos if isinstance(found, CorruptRecord) and found.photo not in known)
    return _Problems(sound=tuple(sound), labels=tuple(labels), photos=tuple(only_seen))


def _is_labelled(face: LabelledFace, task: str) -> bool:
    values: dict[str, Any] = {
        "detection": face.box_xywh,
        "landmarks": face.landmarks,
        "visibility": face.visibility,
        "pose": face.yaw_deg if face.yaw_deg is not None else face.yaw_range,
        "gender": face.gender,
        "smile": face.smiling,
        "age": face.age_years,
        "identity": face.subject_id,
    }
    return values[task] is not None


def _agreement(face: LabelledFace) -> tuple[bool | None, bool | None]:
    """Whether yaw and roll have the signs that the landmarks show; None where one can't tell."""
    if face.landmarks is None or face.landmark_scheme is None:
        return None, None
    left, right, nose, *_ = five_points(face.landmarks, face.landmark_scheme)
    eyes = right - left
    yaw, roll = _yaw_of(face), face.roll_deg
    yaw_agrees = roll_agrees = None
    if abs(yaw) >= _TURNED_DEG and np.isfinite([*eyes, *nose]).all():
        offset = float((nose - (left + right) / 2) @ eyes)
        yaw_agrees = offset * yaw > 0
    # The eyes of a face that is turned far say little of its tilt, those of one upside down nothing.
    if roll is not None and _TURNED_DEG <= abs(roll) <= 90 and abs(yaw) < 45 and np.isfinite(eyes).all():
        roll_agrees = float(eyes[1]) * roll > 0
    return yaw_agrees, roll_agrees


def _yaw_of(face: LabelledFace) -> float:
    """The yaw of a face, or the middle of its range; 0 where it isn't labelled."""
    if face.yaw_deg is not None:
        return face.yaw_deg
    return 0.0 if face.yaw_range is None else sum(face.yaw_range) / 2


def _sampled(photos: int, limit: int | None) -> Iterator[bool]:
    """For each photo whether it is decoded: ``limit`` of them, spread evenly, the first among them."""
    wanted = photos if limit is None else min(limit, photos)
    return (index * wanted // photos != (index - 1) * wanted // photos for index in range(photos))


def _chunks(items: Iterable[tuple[Record, bool]]) -> Iterator[list[tuple[Record, bool]]]:
    iterator = iter(items)
    while chunk := list(itertools.islice(iterator, _AT_ONCE)):
        yield chunk
