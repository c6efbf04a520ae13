"""InsightFace's packed training sets: ``train.rec``, ``train.idx`` and ``property``, read without MXNet.

Format: RecordIO of dmlc-core and MXNet's image header. A record is the magic number, a word with a flag (3 bits) and a
length (29 bits), and the content, filled up to four bytes. Content in which the magic number occurs is written in parts
(flags 1, 2 ... 2, 3) that it joins. The content starts with flag, label, id and id2 (``<IfQQ``); a flag above 0 is the
number of labels that follow as float32. Record 0 of the index, where it has two labels, says that images are the
records from 1 to before the first label; what comes after lists the images of each identity. Images are aligned,
112 x 112.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.data.alignment import CROP_SIZE
from countenance.data.importers.labelled import (
    CorruptRecordError,
    FolderSource,
    LabelledFace,
    LabelledPhoto,
    Record,
    each_record,
    find_file,
)
from countenance.errors import DataError

MAGIC: Final = 0xCED7230A
_MAGIC_BYTES: Final = struct.pack("<I", MAGIC)
_WORDS: Final = struct.Struct("<II")
_HEADER: Final = struct.Struct("<IfQQ")
_LENGTH_BITS: Final = 29
_WHOLE, _FIRST, _MIDDLE, _LAST = range(4)


class RecordIoSource(FolderSource):
    """A folder with one packed set.

    Attributes:
        prefix: of the three files.
        license, purpose: what the set may be used for; the files don't say.
    """

    prefix: str = "train"
    license: str = "unstated"
    purpose: str = "research"


class RecordFile:
    """Random access to the records of one file, which is mapped, not read.

    Args:
        path: the ``.rec`` file.

    Raises:
        DataError: it can't be opened or is empty.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            with path.open("rb") as file:
                self._bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        except (OSError, ValueError) as error:
            raise DataError(f"Packed set {path} can't be opened or is empty: restore it.") from error

    def content(self, offset: int) -> bytes:
        """The content of the record at an offset, its parts joined.

        Raises:
            CorruptRecordError: there is no whole record.
        """
        parts: list[bytes] = []
        while True:
            flag, start, end = self._part(offset)
            if (flag in (_WHOLE, _FIRST)) != (not parts):
                raise CorruptRecordError("unreadable record", "A record's parts are out of order.")
            parts.append(self._bytes[start:end])
            if flag in (_WHOLE, _LAST):
                return _MAGIC_BYTES.join(parts)
            offset = _padded(end)

    def labels(self, offset: int) -> NDArray[np.float32]:
        """The labels of the record at an offset, without its image; [L]."""
        flag, start, end = self._part(offset)
        if flag != _WHOLE:
            return _unpack(self.content(offset))[0]
        size = _unpacked_size(self._bytes[start : min(end, start + _HEADER.size)])
        return _unpack(self._bytes[start : min(end, start + size)])[0]

    def image(self, offset: int) -> bytes:
        """The encoded image of the record at an offset."""
        return _unpack(self.content(offset))[1]

    def scan(self) -> Iterator[int]:
        """The offsets of all records that hold an image, in the order in which they lie.

        Raises:
            DataError: what follows a record is none.
        """
        offset, at_start = 0, True
        while offset < len(self._bytes):
            try:
                flag, start, end = self._part(offset)
            except CorruptRecordError as error:
                raise DataError(f"Packed set {self._path} is damaged at byte {offset}: restore it.") from error
            beginning = self._bytes[start : start + _HEADER.size]
            if at_start and (flag == _FIRST or _unpacked_size(beginning) < end - start):
                yield offset
            at_start = flag in (_WHOLE, _LAST)
            offset = _padded(end)

    def _part(self, offset: int) -> tuple[int, int, int]:
        start = offset + _WORDS.size
        if not 0 <= offset <= len(self._bytes) - _WORDS.size:
            raise CorruptRecordError("unreadable record", "A record lies beyond the end of its file.")
        magic, word = _WORDS.unpack_from(self._bytes, offset)
        end = start + (word & ((1 << _LENGTH_BITS) - 1))
        if magic != MAGIC or end > len(self._bytes):
            raise CorruptRecordError("unreadable record", "A record doesn't start with the magic number or is cut off.")
        return word >> _LENGTH_BITS, start, end


class RecordIoImporter:
    """Reads a packed set; every label is a subject. Nobody is named."""

    group_source = "none"

    def __init__(self, source: RecordIoSource) -> None:
        self.name = source.name or "record_io"
        self.license, self.purpose = source.license, source.purpose
        folder = Path(source.folder)
        self._records = RecordFile(find_file(folder, f"{source.prefix}.rec", source=self.name))
        _require_crop_size(folder / "property")
        index = folder / f"{source.prefix}.idx"
        table = _read_index(index) if index.is_file() else self._index_by_scanning()
        self._keys, self._offsets = self._images(*table)
        if not len(self._keys):
            raise DataError(f"Packed set {folder / source.prefix}.rec has no images: restore it.")

    def __len__(self) -> int:
        return len(self._keys)

    def photos(self) -> Iterator[Record]:
        """One aligned face a record, in the order of the keys."""
        records = zip(self._keys.tolist(), self._offsets.tolist(), strict=True)
        return each_record(records, photo=lambda record: _photo_name(record[0]), label=self._labelled)

    def _labelled(self, record: tuple[int, int]) -> LabelledPhoto:
        key, offset = record
        labels = self._records.labels(offset)
        if not len(labels) or not np.isfinite(labels[0]) or labels[0] < 0:
            raise CorruptRecordError("bad number", "A record's label is no identity: it is missing or negative.")
        records = self._records
        return LabelledPhoto(
            name=_photo_name(key),
            read=lambda: records.image(offset),
            faces=(LabelledFace(subject_id=f"{self.name}:{int(labels[0])}"),),
            is_aligned=True,
        )

    def _images(
        self, keys: NDArray[np.int64], offsets: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Of all records, those that are images, by key."""
        order = np.argsort(keys, kind="stable")
        keys, offsets = keys[order], offsets[order]
        if not len(keys) or keys[0] != 0:
            return keys, offsets
        content = self._records.content(int(offsets[0]))
        labels, image = _unpack(content)
        if len(labels) < 2 or image:
            return keys, offsets
        images = (keys > 0) & (keys < int(labels[0]))
        return keys[images], offsets[images]

    def _index_by_scanning(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Without an index, images are numbered from 1 as they lie; records without an image are lists."""
        found = list(self._records.scan())
        return np.arange(1, len(found) + 1), np.array(found, dtype=np.int64)


def _photo_name(key: int) -> str:
    return f"{key:09d}"


def _padded(end: int) -> int:
    return end + (-end) % 4


def _unpacked_size(beginning: bytes) -> int:
    """Bytes of a record's header and labels, from its beginning."""
    count = _HEADER.unpack_from(beginning)[0] if len(beginning) == _HEADER.size else 0
    return _HEADER.size + 4 * int(count)


def _unpack(content: bytes) -> tuple[NDArray[np.float32], bytes]:
    """Labels [L] and image of a record's content."""
    if len(content) < _HEADER.size:
        raise CorruptRecordError("unreadable record", "A record is too short for its header.")
    count, label, _, _ = _HEADER.unpack_from(content)
    if not count:
        return np.array([label], dtype=np.float32), content[_HEADER.size :]
    end = _HEADER.size + 4 * count
    if len(content) < end:
        raise CorruptRecordError("unreadable record", "A record is too short for its labels.")
    return np.frombuffer(content[_HEADER.size : end], dtype="<f4").astype(np.float32), content[end:]


def _read_index(file: Path) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    try:
        table = pd.read_csv(file, sep="\t", header=None, dtype=np.int64).to_numpy()
    except (ValueError, pd.errors.ParserError) as error:
        raise DataError(f"Index {file} is not one of keys and offsets: delete it to read without one.") from error
    if table.shape[1] != 2:
        raise DataError(f"Index {file} is not one of keys and offsets: delete it to read without one.")
    return table[:, 0], table[:, 1]


def _require_crop_size(file: Path) -> None:
    """The file ``property`` says: classes, height, width."""
    if not file.is_file():
        return
    fields = file.read_text(encoding="utf-8").strip().split(",")
    if [field.strip() for field in fields[1:3]] != [str(CROP_SIZE)] * 2:
        raise DataError(f"{file} says that the photos are not {CROP_SIZE} x {CROP_SIZE}: pack aligned crops.")
