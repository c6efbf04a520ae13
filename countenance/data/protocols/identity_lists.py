"""Lists of whose face is on which photo, as far as a protocol of templates needs them: a manifest, or a ``.csv``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from countenance.data.protocols.delimited_text import Column, read_headed_columns
from countenance.data.protocols.face_points import has_points, read_face_points
from countenance.data.protocols.row_origins import TextFile, refuse_rows
from countenance.data.protocols.template_protocol import TemplateProtocol
from countenance.errors import DataError

ALL: Final = "all"
_LISTED: Final = (
    Column(name="photo", kind="text", headers=("photo", "name")),
    Column(name="subject_id", kind="text", headers=("subject_id", "subject", "identity")),
)


def read_identities(path: Path, *, split: str, medium: str) -> pd.DataFrame:
    """Read ``face_id``, ``subject_id`` and the column of media, a row a face.

    Args:
        path: a manifest of faces (.parquet), or a ``.csv`` with ``photo`` (or ``name``) and ``subject_id`` (or
            ``subject``, ``identity``), whose faces are called by their photos.
        split: of the manifest, or ``all``.
        medium: the column of media; of a ``.csv`` each photo is one.

    Raises:
        DataError: the file is missing or unreadable, lacks a column, or has no face in the split.
    """
    if path.suffix.lower() == ".csv":
        return _read_list(path, split, medium)
    try:
        manifest = pd.read_parquet(path)
    except OSError as error:
        raise DataError(f"The manifest {path} is missing: give a Parquet file with a row a face.") from error
    except pa.ArrowInvalid as error:
        raise DataError(f"The manifest {path} is not a readable Parquet file: write it again.") from error
    needed = {"face_id", "subject_id", medium} | (set() if split == ALL else {"split"})
    missing = sorted(needed - set(manifest.columns))
    if missing:
        raise DataError(f"The manifest {path} has no column '{missing[0]}': add it, or name another.")
    if split == ALL:
        return manifest
    faces = manifest[manifest["split"] == split]
    if not len(faces):
        known = ", ".join(f"'{name}'" for name in sorted(manifest["split"].dropna().unique()))
        raise DataError(f"The manifest {path} has no face in the split '{split}': give one of {known}, or '{ALL}'.")
    return faces


def with_listed_points(protocol: TemplateProtocol, path: Path) -> TemplateProtocol:
    """The protocol with the five points that the same ``.csv`` tells of its photos.

    Raises:
        DataError: the list has points, but a line of it can't be read.
    """
    if not has_points(path):
        return protocol
    faces = read_face_points(path)
    rows = pd.Index(faces.names).get_indexer(pd.Index(protocol.samples.names))
    return replace(protocol, samples=replace(protocol.samples, five_points=faces.five_points[rows]))


def _read_list(path: Path, split: str, medium: str) -> pd.DataFrame:
    if split != ALL:
        raise DataError(f"{path} has no splits: ask for all of its faces with --split {ALL}.")
    columns = read_headed_columns(path, _LISTED)
    photos = columns["photo"]
    again = np.asarray(pd.Index(photos).duplicated())
    refuse_rows(again, TextFile(path, header_lines=1), "the photo is listed before", "list each photo once")
    return pd.DataFrame({"face_id": photos, "subject_id": columns["subject_id"], medium: photos})
