"""The crop store: encoded face crops in a few memory-mapped Arrow files.

A file holds whole subjects, so that erasing one person means rewriting one file. Random access reads the
offsets of the mapped columns directly; nothing is decoded or copied until a crop is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import cv2
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from countenance.errors import DataError
from countenance.storage import write_folder_aside

View = Literal["aligned", "box", "scene"]
VIEWS: Final[tuple[View, ...]] = ("aligned", "box", "scene")

CROP_SCHEMA: Final = pa.schema(
    [
        pa.field("crop", pa.string(), nullable=False),
        pa.field("owner", pa.string(), nullable=False),
        pa.field("aligned", pa.binary()),
        pa.field("box", pa.binary()),
        pa.field("scene", pa.binary()),
    ]
)
"""``owner`` is the subject, or the face itself where nobody is named; ``aligned`` and ``box`` are encoded
112 x 112 RGB images, ``scene`` is the whole photo, at most :data:`SCENE_SIDE` pixels long, with one of its rows."""

SCENE_SIDE: Final = 256
"""Longer side of a stored scene, in pixels, at most."""

_ROWS_PER_BATCH: Final = 4096


@dataclass(frozen=True, kw_only=True)
class Crop:
    """One face's encoded views (JPEG or PNG bytes); a view that the source cannot give is None."""

    crop: str
    owner: str
    aligned: bytes | None
    box: bytes | None
    scene: bytes | None = None


class CropStoreWriter:
    """Collects crops and writes each to the file that its owner belongs to; use :func:`write_crop_store`."""

    def __init__(self, folder: Path, files: int) -> None:
        self._writers = [pa.ipc.new_file(folder / f"crops-{index:05d}.arrow", CROP_SCHEMA) for index in range(files)]
        self._pending: list[list[Crop]] = [[] for _ in range(files)]

    def add(self, crop: Crop) -> None:
        """Add one face's crop."""
        index = _file_of(crop.owner, len(self._writers))
        self._pending[index].append(crop)
        if len(self._pending[index]) >= _ROWS_PER_BATCH:
            self._flush(index)

    def close(self) -> None:
        """Write what is pending and finish every file."""
        for index, writer in enumerate(self._writers):
            self._flush(index)
            writer.close()

    def _flush(self, index: int) -> None:
        if self._pending[index]:
            self._writers[index].write_batch(_record_batch(self._pending[index]))
            self._pending[index] = []


@contextmanager
def write_crop_store(folder: Path, *, files: int = 8) -> Iterator[CropStoreWriter]:
    """Write a crop store; it replaces what was at ``folder`` only when the block succeeds."""
    with write_folder_aside(folder) as aside:
        writer = CropStoreWriter(aside, files)
        try:
            yield writer
        finally:
            writer.close()


class CropStore:
    """Random access to the crops under a folder.

    Args:
        folder: as written by :func:`write_crop_store`.

    Raises:
        DataError: the folder or its files are missing or damaged.
    """

    def __init__(self, folder: Path) -> None:
        files = sorted(folder.glob("crops-*.arrow"))
        if not files:
            raise DataError(f"The crop store {folder} is missing or empty: run the ingestion pipeline first.")
        self.folder = folder
        self._batches: list[dict[View, _MappedColumn]] = []
        keys: list[pa.Array] = []
        starts = [0]
        for file in files:
            for batch in _mapped_batches(file):
                keys.append(batch.column("crop"))
                self._batches.append({view: _MappedColumn(batch.column(view)) for view in VIEWS})
                starts.append(starts[-1] + batch.num_rows)
        self._starts = np.array(starts)
        self._index = pd.Index(pa.chunked_array(keys, type=pa.string()).to_pandas())
        if not self._index.is_unique:
            raise DataError(f"The crop store {folder} holds a crop key twice: run the ingestion pipeline again.")

    def __len__(self) -> int:
        return len(self._index)

    def __reduce__(self) -> tuple[type[CropStore], tuple[Path]]:
        # Another process maps the files itself; a memory map can't be sent.
        return type(self), (self.folder,)

    def crop_keys(self) -> list[str]:
        """All crop keys, in storage order."""
        return [str(key) for key in self._index]

    def rows(self, crops: Sequence[str]) -> NDArray[np.int64]:
        """Storage rows of many crop keys at once; [N] int64.

        Raises:
            DataError: a key is not in the store.
        """
        found = np.asarray(self._index.get_indexer(pd.Index(list(crops))), dtype=np.int64)
        if (found < 0).any():
            missing = int((found < 0).sum())
            raise DataError(
                f"{missing} crops of the manifest are not in {self.folder}: run the ingestion pipeline again."
            )
        return found

    def encoded(self, row: int, view: View) -> memoryview | None:
        """The encoded bytes of a storage row's view without copying, or None where there is no such view."""
        batch = int(np.searchsorted(self._starts, row, side="right")) - 1
        return self._batches[batch][view].value(row - int(self._starts[batch]))

    def has(self, crop: str, view: View) -> bool:
        """Whether a crop has this view."""
        return self.encoded(int(self.rows([crop])[0]), view) is not None

    def read(self, crop: str, view: View) -> NDArray[np.uint8]:
        """Decode one view; [112, 112, 3] RGB, a scene [H, W, 3].

        Raises:
            DataError: the key or view is not in the store, or its bytes do not decode.
        """
        return self.read_row(int(self.rows([crop])[0]), view)

    def read_row(self, row: int, view: View) -> NDArray[np.uint8]:
        """Decode the view of a storage row (see :meth:`rows`); [112, 112, 3] RGB, a scene [H, W, 3]."""
        encoded = self.encoded(row, view)
        if encoded is None:
            raise DataError(f"Crop '{self._index[row]}' has no '{view}' view: ask for the other one.")
        image = cv2.imdecode(np.frombuffer(encoded, dtype=np.uint8), cv2.IMREAD_COLOR_RGB)
        if image is None:
            raise DataError(
                f"Crop '{self._index[row]}' in {self.folder} does not decode: run the ingestion pipeline again."
            )
        return np.asarray(image, dtype=np.uint8)


class _MappedColumn:
    """A binary column's offsets and bytes, straight from the memory map."""

    def __init__(self, column: Any) -> None:
        validity, offsets, data = column.buffers()
        start = column.offset
        self._offsets = np.frombuffer(offsets, dtype=np.int32)[start : start + len(column) + 1]
        # pyarrow exposes signed bytes; cast to unsigned so that slices decode without a copy
        self._data = memoryview(data).cast("B") if data is not None else memoryview(b"")
        self._valid = None if validity is None else np.asarray(column.is_valid())

    def value(self, row: int) -> memoryview | None:
        if self._valid is not None and not self._valid[row]:
            return None
        return self._data[self._offsets[row] : self._offsets[row + 1]]


def _mapped_batches(file: Path) -> list[Any]:
    try:
        reader = pa.ipc.open_file(pa.memory_map(str(file)))
        if reader.schema != CROP_SCHEMA:
            raise DataError(f"The crop file {file} has other columns than expected: run the ingestion pipeline again.")
        return [reader.get_batch(index) for index in range(reader.num_record_batches)]
    except pa.ArrowInvalid as error:
        raise DataError(f"The crop file {file} is damaged: run the ingestion pipeline again.") from error


def _record_batch(crops: list[Crop]) -> Any:
    columns = {field.name: [getattr(crop, field.name) for crop in crops] for field in CROP_SCHEMA}
    return pa.record_batch(
        [pa.array(columns[field.name], type=field.type) for field in CROP_SCHEMA], schema=CROP_SCHEMA
    )


def _file_of(owner: str, files: int) -> int:
    return int.from_bytes(hashlib.blake2b(owner.encode(), digest_size=8).digest(), "big") % files
