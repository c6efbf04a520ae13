"""Earlier versions of the data: of each, a sample of plain figures that names no face, kept to be compared with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from countenance.errors import DataError
from countenance.storage import write_aside

_FACES: Final = b"faces"
_SHORT: Final = 12


@dataclass(frozen=True, eq=False)
class Version:
    """A version of the data.

    Attributes:
        name: the beginning of its digest.
        faces: how many it has.
        sample: figures of some of them, without ids.
    """

    name: str
    faces: int
    sample: pd.DataFrame


def version_of(facts: pd.DataFrame, columns: list[str], *, rows: int) -> Version:
    """The version that these facts describe; equal facts give an equal name."""
    digest = hashlib.sha256(pd.util.hash_pandas_object(facts[["face_id", *columns]], index=False).to_numpy().tobytes())
    chosen = np.unique(np.linspace(0, max(0, len(facts) - 1), min(rows, len(facts))).astype(np.int64))
    return Version(digest.hexdigest()[:_SHORT], len(facts), facts[columns].iloc[chosen].reset_index(drop=True))


def last_version(folder: Path, *, other_than: str) -> Version | None:
    """The version that was kept last, but for the one of this name; None where there is none.

    Raises:
        DataError: a kept version can't be read.
    """
    earlier = [path for path in _kept(folder) if _name_of(path) != other_than]
    return None if not earlier else _read(earlier[-1])


def keep_version(folder: Path, version: Version, *, kept: int) -> None:
    """Keep a version as the last one; one that is the last already stays as it is. The oldest make room."""
    files = _kept(folder)
    if files and _name_of(files[-1]) == version.name:
        return
    number = 1 + (int(files[-1].name.split("-")[0]) if files else 0)
    table = pa.Table.from_pandas(version.sample, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _FACES: str(version.faces)})
    with write_aside(folder / f"{number:06d}-{version.name}.parquet") as aside:
        pq.write_table(table, aside, compression="zstd")
    for oldest in _kept(folder)[:-kept]:
        oldest.unlink()


def _kept(folder: Path) -> list[Path]:
    return sorted(folder.glob("[0-9]*-*.parquet"))


def _name_of(path: Path) -> str:
    return path.stem.split("-")[1]


def _read(path: Path) -> Version:
    try:
        table = pq.read_table(path)
        return Version(_name_of(path), int(table.schema.metadata[_FACES]), table.to_pandas())
    except (pa.ArrowInvalid, KeyError, ValueError, OSError) as error:
        raise DataError(
            f"The kept version {path.name} of the data is damaged: remove it from {path.parent}."
        ) from error
