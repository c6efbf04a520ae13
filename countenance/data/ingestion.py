"""From importers to a manifest, a crop store and a table of protected attributes, in one pass."""

from __future__ import annotations

import hashlib
import hmac
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
from countenance.data.quarantine import LARGEST_QUARANTINED_SHARE, Quarantine, quarantine_table
from countenance.data.splits import SplitConfiguration, assign_splits
from countenance.errors import DataError
from countenance.progress import track

_PHOTOS_IN_FLIGHT: Final = 256

GROUP_COLUMNS: Final = ("subject_key", "attribute", "group", "group_source")
"""The table of protected attributes: one row a subject (or unnamed face) and attribute."""


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

    Raises:
        DataError: a source's label files are missing or malformed, or too many of its records are corrupt.
    """
    if not importers:
        raise DataError("No source is configured: name at least one under 'sources' in parameters_ingestion.yml.")
    rows: list[dict[str, Any]] = []
    groups: list[dict[str, str]] = []
    kept_with: list[str | None] = []
    quarantines: list[Quarantine] = []
    with write_crop_store(crop_folder) as store:
        for importer in importers:
            quarantine = Quarantine(importer.name, photos=len(importer), largest_share=largest_quarantined_share)
            quarantines.append(quarantine)
            for face in _cut_all(importer, non_face_share, workers):
                if isinstance(face, CorruptRecord):
                    quarantine.add(face)
                    continue
                store.add(face.crop)
                rows.append(face.row)
                kept_with.append(face.kept_with)
                groups.extend(_group_rows(face, importer, subject_secret))
        ties = pd.DataFrame(rows, columns=["subject_id", "photo_sha256"]).assign(
            kept_with=pd.Series(kept_with, dtype="object")
        )
        splits_of_rows = assign_splits(ties, splits)
        for row, split in zip(rows, splits_of_rows, strict=True):
            row["split"] = split
        manifest = manifest_table(rows)
    table = pd.DataFrame(groups, columns=list(GROUP_COLUMNS)).drop_duplicates().reset_index(drop=True)
    return Ingested(manifest=manifest, groups=table, quarantine=quarantine_table(quarantines))


def subject_key(subject_id: str | None, face_id: str, secret: bytes) -> str:
    """The key of a person (or of an unnamed face) in the table of protected attributes: HMAC-SHA256, hexadecimal."""
    owner = subject_id if subject_id is not None else f"face:{face_id}"
    return hmac.new(secret, owner.encode(), hashlib.sha256).hexdigest()[:32]


def group_of_faces(manifest: pd.DataFrame, groups: pd.DataFrame, attribute: str, secret: bytes) -> pd.Series[str]:
    """Look up the protected attribute of every face of a manifest; [N], null where it is not known.

    Only the bias room and the rollout's replay call this; training never sees ``groups``.
    """
    owners = zip(manifest["subject_id"], manifest["face_id"], strict=True)
    keys = [subject_key(_text(subject), str(face), secret) for subject, face in owners]
    rows = groups[groups["attribute"] == attribute]
    # A person may be labelled differently by photo: the most frequent label stands for the person.
    by_key = rows.groupby("subject_key")["group"].agg(lambda labels: labels.mode().iloc[0])
    return pd.Series(keys, index=manifest.index).map(by_key)


def groups_by_face(
    manifest: pd.DataFrame, groups: pd.DataFrame, attributes: Sequence[str], secret: bytes
) -> pd.DataFrame:
    """The group of every face for several attributes: ``face_id`` and one column an attribute, null where unknown.

    Raises:
        DataError: no face of the manifest has a group of some attribute.
    """
    table = pd.DataFrame({"face_id": manifest["face_id"].to_numpy()})
    for attribute in attributes:
        column = group_of_faces(manifest, groups, attribute, secret)
        if column.isna().all():
            raise DataError(
                f"No face has a group of '{attribute}': check 'attributes' in parameters_bias.yml, and that the "
                "subject secret is the one of the ingestion."
            )
        table[attribute] = column.to_numpy(dtype=object)
    return table


def _cut_all(importer: Importer, non_face_share: float, workers: int) -> Iterator[CutFace | CorruptRecord]:
    progress = track(importer.photos(), what=f"Importing {importer.name}", total=len(importer), unit="photo")
    with ThreadPoolExecutor(workers) as pool:
        for photos in _chunks(progress, _PHOTOS_IN_FLIGHT):
            for faces in pool.map(lambda photo: cut_photo(photo, importer, non_face_share), photos):
                yield from faces


def _chunks(photos: Iterable[Record], size: int) -> Iterator[list[Record]]:
    iterator = iter(photos)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


def _group_rows(face: CutFace, importer: Importer, secret: bytes) -> Iterator[dict[str, str]]:
    key = subject_key(face.row.get("subject_id"), face.row["face_id"], secret)
    for attribute, group in face.groups.items():
        values = (key, attribute, group, importer.group_source)
        yield dict(zip(GROUP_COLUMNS, values, strict=True))


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
