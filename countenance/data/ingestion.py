"""From importers to a manifest, a crop store and a table of protected attributes, in one pass."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa

from countenance.data.crop_store import write_crop_store
from countenance.data.cutting import CutFace, cut_photo
from countenance.data.importers.labelled import CorruptRecord, Importer, Record
from countenance.data.manifest import manifest_table
from countenance.data.protected_attributes import GROUP_COLUMNS, subject_key
from countenance.data.quarantine import LARGEST_QUARANTINED_SHARE, Quarantine, quarantine_table
from countenance.data.splits import SplitConfiguration, assign_splits
from countenance.data.tombstones import Tombstones
from countenance.errors import DataError
from countenance.progress import track

_PHOTOS_IN_FLIGHT: Final = 256
_TIES: Final = ("subject_id", "photo_sha256", "kept_with")


@dataclass(frozen=True, kw_only=True)
class Ingested:
    """What an ingestion gives beside the crop store: the manifest, the table of protected attributes, and the table of
    records that were not imported (:data:`countenance.data.quarantine.QUARANTINE_COLUMNS`)."""

    manifest: pa.Table
    groups: pd.DataFrame
    quarantine: pd.DataFrame


def ingest(
    importers: Sequence[Importer],
    *,
    crop_folder: Path,
    splits: SplitConfiguration,
    subject_secret: bytes,
    non_face_share: float = 0.15,
    largest_quarantined_share: float = LARGEST_QUARANTINED_SHARE,
    workers: int = 2,
    tombstones: Tombstones | None = None,
) -> Ingested:
    """Read every source into one manifest and one crop store.

    Args:
        importers: the sources.
        crop_folder: where the crop store goes; what was there is replaced only when everything was read.
        splits: shares and seed.
        subject_secret: key of the HMAC that hides the subject in the table of protected attributes.
        non_face_share: background crops (``is_face`` false), as a share of the faces with a box.
        largest_quarantined_share: corrupt records of a source, as a share of its photos, that are put aside; more of
            them stop the import.
        workers: decoding threads.
        tombstones: of people who were erased: nothing of theirs is imported. They still count where people are split,
            so that nobody else changes sides because they are gone.

    Raises:
        DataError: a source's label files are missing or malformed, or too many of its records are corrupt.
    """
    if not importers:
        raise DataError("No source is configured: name at least one under 'sources' in parameters_ingestion.yml.")
    barred = tombstones or Tombstones()
    rows: list[dict[str, Any]] = []
    groups: list[dict[str, str]] = []
    ties: list[dict[str, str | None]] = []
    erased_ties: list[dict[str, str | None]] = []
    quarantines: list[Quarantine] = []
    with write_crop_store(crop_folder) as store:
        for importer in importers:
            quarantine = Quarantine(importer.name, photos=len(importer), largest_share=largest_quarantined_share)
            quarantines.append(quarantine)
            for found in _cut_all(importer, non_face_share, workers):
                kept, erased = left_of(found, barred, importer.name)
                erased_ties += [_ties(face) for face in erased]
                for face in kept:
                    if isinstance(face, CorruptRecord):
                        quarantine.add(face)
                        continue
                    store.add(face.crop)
                    rows.append(face.row)
                    ties.append(_ties(face))
                    groups.extend(_group_rows(face, importer, subject_secret))
        splits_of_all = assign_splits(pd.DataFrame([*ties, *erased_ties], columns=list(_TIES)), splits)
        for row, split in zip(rows, splits_of_all.iloc[: len(rows)], strict=True):
            row["split"] = split
        manifest = manifest_table(rows)
    table = pd.DataFrame(groups, columns=list(GROUP_COLUMNS)).drop_duplicates().reset_index(drop=True)
    return Ingested(manifest=manifest, groups=table, quarantine=quarantine_table(quarantines))


def left_of(
    found: list[CutFace | CorruptRecord], tombstones: Tombstones, source: str
) -> tuple[list[CutFace | CorruptRecord], list[CutFace]]:
    """What of one photo may be imported: all of it, unless it shows somebody who was erased.

    Where it shows others who are named, their faces are left; nothing else of it is.

    Returns:
        What is left, and the faces and background that are not.
    """
    barred = [_is_barred(face, tombstones, source) for face in found]
    if not any(barred):
        return found, []
    stays = [not bar and _is_named(face) for face, bar in zip(found, barred, strict=True)]
    kept = [face for face, stay in zip(found, stays, strict=True) if stay]
    return kept, [face for face, stay in zip(found, stays, strict=True) if not stay and isinstance(face, CutFace)]


def _is_barred(face: CutFace | CorruptRecord, tombstones: Tombstones, source: str) -> bool:
    if isinstance(face, CorruptRecord):
        # A record of one face of several is called by its photo and place.
        names = {face.photo, face.photo.rpartition("#")[0] or face.photo}
        return any(map(tombstones.bars_subject, face.subject_ids)) or any(
            tombstones.bars_photo(source, name, None) for name in names
        )
    return tombstones.bars_subject(face.row.get("subject_id")) or tombstones.bars_photo(
        source, face.row["photo"], face.row["photo_sha256"]
    )


def _is_named(face: CutFace | CorruptRecord) -> bool:
    return bool(face.subject_ids if isinstance(face, CorruptRecord) else face.row.get("subject_id"))


def _ties(face: CutFace) -> dict[str, str | None]:
    values = (face.row.get("subject_id"), face.row["photo_sha256"], face.kept_with)
    return dict(zip(_TIES, values, strict=True))


def _cut_all(importer: Importer, non_face_share: float, workers: int) -> Iterator[list[CutFace | CorruptRecord]]:
    progress = track(importer.photos(), what=f"Importing {importer.name}", total=len(importer), unit="photo")
    with ThreadPoolExecutor(workers) as pool:
        for photos in _chunks(progress, _PHOTOS_IN_FLIGHT):
            yield from pool.map(lambda photo: cut_photo(photo, importer, non_face_share), photos)


def _chunks(photos: Iterable[Record], size: int) -> Iterator[list[Record]]:
    iterator = iter(photos)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


def _group_rows(face: CutFace, importer: Importer, secret: bytes) -> Iterator[dict[str, str]]:
    key = subject_key(face.row.get("subject_id"), face.row["face_id"], secret)
    for attribute, group in face.groups.items():
        values = (key, attribute, group, importer.group_source)
        yield dict(zip(GROUP_COLUMNS, values, strict=True))
