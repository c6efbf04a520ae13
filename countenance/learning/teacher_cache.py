"""A teacher's features, kept for every later run, room and seed: looked up by teacher and by the crop's content.

``<folder>/<teacher's identity>/<type>-<random>.rows``: every writer has files of its own, see
:mod:`countenance.learning.teacher_segment`, so that two may write at once and one may be killed. What is read is
verified first; a damaged block counts as not there, and its crops are embedded again. It is a cache: all of it may be
removed at any time. Its rows are biometric: :func:`forget_crops` removes those of some crops, of every teacher.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from pathlib import Path
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from countenance.learning.teacher_segment import (
    KEY_BYTES,
    Block,
    Keys,
    RowKind,
    Segment,
    SegmentWriter,
    fresh_segment_name,
)

LOG: Final = logging.getLogger(__name__)


def crop_key(encoded: bytes | memoryview) -> bytes:
    """16 bytes that stand for a crop's content: its encoded bytes."""
    return hashlib.blake2b(encoded, digest_size=KEY_BYTES).digest()


class TeacherCache:
    """The rows of one teacher; a context manager.

    The index is arrays: 16-byte keys in order and where their rows lie, 24 bytes a row.

    Args:
        folder: of all teachers.
        identity: of this one.
        dtype: of the rows.
    """

    def __init__(self, folder: Path, identity: str, dtype: Literal["float16", "float32"]) -> None:
        self.folder = folder / identity
        self._identity, self._dtype = identity, np.dtype(dtype)
        self._segments: dict[Path, Segment] = {}
        self._blocks: list[tuple[Segment, Block]] = []
        self._keys: Keys = np.zeros(0, dtype=f"S{KEY_BYTES}")
        self._block_of = self._row_of = np.zeros(0, dtype=np.int32)
        self._writer: SegmentWriter | None = None
        self._told: set[Path] = set()
        self.refresh()

    @property
    def dimension(self) -> int | None:
        """Length D of a feature; None as long as there is no row."""
        kind = self._blocks[0][0].kind if self._blocks else None
        return None if kind is None else kind.dimension

    def __len__(self) -> int:
        return len(self._keys)

    def refresh(self) -> None:
        """See what has come since, from this writer or another."""
        for path in sorted(self.folder.glob(f"{self._dtype.name}-*.rows")):
            segment = self._segments.setdefault(path, Segment(path))
            new = segment.look()
            foreign = segment.kind is not None and segment.kind.identity != self._identity
            if segment.is_damaged or foreign:
                self._tell(segment, "is damaged or of another teacher; what can't be read of it")
            if not foreign:
                self._blocks += [(segment, block) for block in new if block.is_whole is not False]
        self._index()

    def find(self, keys: Keys) -> NDArray[np.int64]:
        """Where the rows of [n] keys are, for :meth:`take`; -1 for those that aren't there or are damaged."""
        while True:
            if not len(self._keys):
                return np.full(len(keys), -1, dtype=np.int64)
            at = np.minimum(np.searchsorted(self._keys, keys), len(self._keys) - 1)
            found = self._keys[at] == keys
            damaged = {
                index
                for index in np.unique(self._block_of[at[found]]).tolist()
                if not self._blocks[index][0].is_whole(self._blocks[index][1])
            }
            if not damaged:
                return np.where(found, at, -1)
            for index in damaged:
                self._tell(self._blocks[index][0], "has a damaged block, whose rows")
            # A crop of a damaged block may be in another, whole one: look again without it.
            self._blocks = [pair for index, pair in enumerate(self._blocks) if index not in damaged]
            self._index()

    def take(self, places: NDArray[np.int64], out: NDArray[np.floating]) -> None:
        """Copy the rows of [n] places, none of them -1, to ``out`` [n, 2, D]."""
        order = np.argsort(self._block_of[places], kind="stable")
        block_of, row_of = self._block_of[places][order], self._row_of[places][order]
        edges = [0, *(np.flatnonzero(np.diff(block_of)) + 1).tolist(), len(order)]
        for start, end in itertools.pairwise(edges):
            if end > start:
                segment, block = self._blocks[int(block_of[start])]
                out[order[start:end]] = segment.features(block)[row_of[start:end]]

    def append(self, keys: Keys, features: NDArray[np.floating]) -> None:
        """Keep [n, 2, D] finite features; they are there for others at once, and here after a :meth:`refresh`.

        Raises:
            DataError: they can't be written.
        """
        if self._writer is None:
            kind = RowKind(self._identity, features.shape[2], self._dtype)
            self._writer = SegmentWriter(self.folder / fresh_segment_name(self._dtype), kind)
        self._writer.append(keys, features)

    def close(self) -> None:
        """Bring what was written to the disk."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None

    def __enter__(self) -> TeacherCache:
        return self

    def __exit__(self, *raised: object) -> None:
        self.close()

    def _index(self) -> None:
        if not self._blocks:
            self._keys = np.zeros(0, dtype=f"S{KEY_BYTES}")
            self._block_of = self._row_of = np.zeros(0, dtype=np.int32)
            return
        counts = np.array([block.count for _, block in self._blocks])
        keys = np.concatenate([segment.keys(block) for segment, block in self._blocks])
        # Of a crop that two writers embedded, the first row is taken, always.
        order = np.argsort(keys, kind="stable")
        self._keys = keys[order]
        self._block_of = np.repeat(np.arange(len(counts), dtype=np.int32), counts)[order]
        self._row_of = np.concatenate([np.arange(count, dtype=np.int32) for count in counts])[order]

    def _tell(self, segment: Segment, what: str) -> None:
        if segment.path not in self._told:
            self._told.add(segment.path)
            LOG.warning(
                "The teacher cache's file %s %s won't be used: those crops are embedded again.", segment.path.name, what
            )


def forget_crops(folder: Path, keys: Keys) -> int:
    """Remove the rows of some crops from the cache, of every teacher; for a person who withdrew consent.

    Files that hold such a row are written anew, and what can't be read in any file goes, too, as it may be such a row.

    Args:
        folder: of all teachers.
        keys: of the crops, see :func:`crop_key`.

    Returns:
        The number of rows that are gone.
    """
    gone = 0
    for path in sorted(folder.glob("*/*.rows")):
        segment = Segment(path)
        segment.look()
        gone += segment.without(keys)
    return gone
