"""One append-only file of a teacher's features: blocks of rows that are whole or not there.

The file begins with a header (which teacher, how long a feature is, in what numbers). Each block is a header of its
own with the number of its rows and checksums, the rows' 16-byte crop keys, and their features [n, 2, D]: of the image
and of its mirror image. A block is added by one write at the end, by the one process that made the file. So whenever
that process is killed, the file is its whole blocks and perhaps a beginning of one, which readers pass over. That is
why this file isn't written aside and renamed as others are: what was computed before an interruption is to count.
"""

from __future__ import annotations

import os
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from countenance.errors import DataError
from countenance.storage import write_aside

Keys = NDArray[np.bytes_]
"""[n] of type S16: what :func:`countenance.learning.teacher_cache.crop_key` makes of the crops."""

KEY_BYTES: Final = 16
_READ_BYTES: Final = 2**20
"""Files up to this size are read, larger ones are mapped."""
_HEADER: Final = struct.Struct("<8s32sIII12x")
_BLOCK: Final = struct.Struct("<4sIII")
_MAGIC: Final = b"cntfeat1"
_BLOCK_MAGIC: Final = b"rows"


@dataclass(frozen=True)
class RowKind:
    """What the rows of a file are.

    Attributes:
        identity: of the teacher, 64 hexadecimal digits.
        dimension: length D of a feature.
        dtype: float16 or float32.
    """

    identity: str
    dimension: int
    dtype: np.dtype[np.floating]

    @property
    def block_row_bytes(self) -> int:
        """What a row takes of a block."""
        return KEY_BYTES + 2 * self.dimension * self.dtype.itemsize

    def header(self) -> bytes:
        """The beginning of a file."""
        what = (_MAGIC, bytes.fromhex(self.identity), self.dtype.itemsize, self.dimension)
        return _HEADER.pack(*what, zlib.crc32(_HEADER.pack(*what, 0)))

    @staticmethod
    def of_header(header: bytes) -> RowKind | None:
        """The kind that a file's beginning tells, or None where it isn't such a file's."""
        if len(header) < _HEADER.size:
            return None
        magic, identity, itemsize, dimension, checksum = _HEADER.unpack_from(header)
        whole = zlib.crc32(_HEADER.pack(magic, identity, itemsize, dimension, 0)) == checksum
        if magic != _MAGIC or not whole or itemsize not in (2, 4):
            return None
        return RowKind(identity.hex(), dimension, np.dtype(f"float{8 * itemsize}"))


@dataclass
class Block:
    """Rows that were written together.

    Attributes:
        count: how many.
        start: where their keys begin in the file.
        checksum: of keys and features.
        is_whole: what a look at the checksum gave; None before the first.
    """

    count: int
    start: int
    checksum: int
    is_whole: bool | None = None


class Segment:
    """A file's whole blocks, as far as it was written when last looked at; memory-mapped if it is large.

    Attributes:
        path: the file.
        kind: what its rows are; None where it isn't such a file, or where its header isn't there yet.
        blocks: its blocks so far.
        is_damaged: whether something stands in it that never was a block, nor the beginning of one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.kind: RowKind | None = None
        self.blocks: list[Block] = []
        self.is_damaged = False
        self._bytes = np.zeros(0, dtype=np.uint8)
        self._end = _HEADER.size

    def look(self) -> list[Block]:
        """The blocks that have come since the last look."""
        size = self.path.stat().st_size
        if size <= max(len(self._bytes), _HEADER.size - 1):
            return []
        # A map keeps a file open, and many interrupted runs leave many small files.
        is_small = size <= _READ_BYTES
        self._bytes = np.fromfile(self.path, np.uint8) if is_small else np.memmap(self.path, np.uint8, mode="r")
        if self.kind is None:
            self.kind = RowKind.of_header(self._bytes[: _HEADER.size].tobytes())
            self.is_damaged = self.kind is None
        before = len(self.blocks)
        while not self.is_damaged and self._end + _BLOCK.size <= len(self._bytes):
            if not self._next_block():
                break
        return self.blocks[before:]

    def keys(self, block: Block) -> Keys:
        """[n] keys of a block's rows."""
        end = block.start + KEY_BYTES * block.count
        return np.asarray(self._bytes[block.start : end]).view(f"S{KEY_BYTES}")

    def features(self, block: Block) -> NDArray[np.floating]:
        """[n, 2, D] features of a block's rows, mapped."""
        assert self.kind is not None
        start = block.start + KEY_BYTES * block.count
        end = block.start + self.kind.block_row_bytes * block.count
        return np.asarray(self._bytes[start:end]).view(self.kind.dtype).reshape(block.count, 2, self.kind.dimension)

    def is_whole(self, block: Block) -> bool:
        """Whether a block is as it was written; read once."""
        assert self.kind is not None
        if block.is_whole is None:
            end = block.start + self.kind.block_row_bytes * block.count
            block.is_whole = zlib.crc32(self._bytes[block.start : end].data) == block.checksum
        return block.is_whole

    def without(self, keys: Keys) -> int:
        """Write the file anew without some rows, and without whatever in it can't be read; nothing left: no file.

        Returns:
            The number of rows that are gone.
        """
        kept: list[tuple[Keys, NDArray[np.floating]]] = []
        gone, end = 0, _HEADER.size
        for block in self.blocks:
            end = block.start + (self.kind.block_row_bytes * block.count if self.kind else 0)
            own = self.keys(block)
            stays = ~np.isin(own, keys) & self.is_whole(block)
            gone += int((~stays).sum())
            if stays.any():
                kept.append((own[stays], self.features(block)[stays]))
        if gone == 0 and end == len(self._bytes):
            return 0
        if not kept or self.kind is None:
            self.path.unlink()
            return gone
        with write_aside(self.path) as aside, SegmentWriter(aside, self.kind) as writer:
            for own, features in kept:
                writer.append(own, features)
        return gone

    def _next_block(self) -> bool:
        assert self.kind is not None
        head = self._bytes[self._end : self._end + _BLOCK.size].tobytes()
        magic, count, checksum, own = _BLOCK.unpack(head)
        if magic != _BLOCK_MAGIC or own != zlib.crc32(head[:-4]):
            self.is_damaged = True
            return False
        start = self._end + _BLOCK.size
        end = start + self.kind.block_row_bytes * count
        if end > len(self._bytes):
            return False
        self.blocks.append(Block(count, start, checksum))
        self._end = end
        return True


class SegmentWriter:
    """Adds blocks to a file of its own; a context manager.

    Args:
        path: of a file that isn't there yet.
        kind: of its rows.

    Raises:
        DataError: the file can't be made or written.
    """

    def __init__(self, path: Path, kind: RowKind) -> None:
        self.path, self.kind = path, kind
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o666)
        except OSError as error:
            raise self._unwritable(error) from error
        self._write(kind.header())

    def append(self, keys: Keys, features: NDArray[np.floating]) -> None:
        """Add [n] keys with their [n, 2, D] features as one block."""
        rows = np.ascontiguousarray(features, dtype=self.kind.dtype)
        payload = np.ascontiguousarray(keys, dtype=f"S{KEY_BYTES}").tobytes() + rows.tobytes()
        head = _BLOCK.pack(_BLOCK_MAGIC, len(keys), zlib.crc32(payload), 0)[:-4]
        self._write(head + struct.pack("<I", zlib.crc32(head)) + payload)

    def close(self) -> None:
        """Bring everything to the disk."""
        os.fsync(self._file)
        os.close(self._file)

    def __enter__(self) -> SegmentWriter:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _write(self, content: bytes) -> None:
        view = memoryview(content)
        try:
            while view:
                view = view[os.write(self._file, view) :]
        except OSError as error:
            raise self._unwritable(error) from error

    def _unwritable(self, error: OSError) -> DataError:
        return DataError(
            f"The teacher's features can't be kept in {self.path.parent} ({error.strerror}): make room or change "
            "'teacher_cache_folder'."
        )


def fresh_segment_name(dtype: np.dtype[np.floating]) -> str:
    """A file name that no other writer has."""
    return f"{dtype.name}-{uuid4().hex}.rows"
