"""Many needles in large haystacks at once: is any of some thousand byte strings in these bytes?

A needle is known by its last eight bytes. The haystack is read as 64-bit numbers at each of the eight alignments; a
table of their lowest bits leaves next to nothing to compare in full. So the cost hardly depends on the number of
needles.
"""

from __future__ import annotations

import string
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

ANCHOR: Final = 8
_WORD: Final = frozenset((string.ascii_letters + string.digits + "_").encode()) | frozenset(range(0x80, 0x100))
_CHUNK: Final = 2**24

Bytes = bytes | memoryview | NDArray[np.uint8]


class ByteSearch:
    """Looks for needles.

    Args:
        exact: counted wherever they are; at least eight bytes each.
        bounded: counted only where no letter or digit stands next to them.
    """

    def __init__(self, exact: Iterable[bytes], bounded: Iterable[bytes] = ()) -> None:
        self._exact = frozenset(exact)
        bounded = frozenset(bounded)
        short = next((needle for needle in self._exact if len(needle) < ANCHOR), None)
        if short is not None:
            raise ValueError(f"A needle of {len(short)} bytes is found by chance: give it as a bounded one.")
        self._bounded = bounded
        self._short = sorted(needle for needle in bounded if 0 < len(needle) < ANCHOR)
        self._by_anchor: dict[int, list[bytes]] = defaultdict(list)
        for needle in sorted(self._exact | bounded):
            if len(needle) >= ANCHOR:
                self._by_anchor[int.from_bytes(needle[-ANCHOR:], "little")].append(needle)
        self._anchors = np.array(sorted(self._by_anchor), dtype=np.uint64)
        self._low_half = np.zeros(2**16, dtype=np.bool_)
        self._low_half[(self._anchors & np.uint64(0xFFFF)).astype(np.int64)] = True
        self._longest = max((len(needle) for needle in self._exact | bounded), default=0)

    def __len__(self) -> int:
        return len(self._exact | self._bounded)

    def found_in(self, haystack: Bytes) -> set[bytes]:
        """The needles that are there."""
        data = np.frombuffer(haystack, dtype=np.uint8)
        found: set[bytes] = set()
        overlap = self._longest + 1  # one more: what stands next to a needle counts
        for start in range(0, len(data), _CHUNK):
            first, last = max(0, start - overlap), min(len(data), start + _CHUNK + overlap)
            self._look(_Piece(data[first:last], first > 0, last < len(data)), found)
        return found

    def is_in(self, haystack: Bytes) -> bool:
        """Whether any needle is there."""
        return bool(self.found_in(haystack))

    def _look(self, piece: _Piece, found: set[bytes]) -> None:
        for needle in self._short:
            if needle not in found and piece.has_bounded(needle):
                found.add(needle)
        if not len(self._anchors):
            return
        data = piece.data
        for offset in range(min(ANCHOR, max(0, len(data) - ANCHOR + 1))):
            numbers = np.frombuffer(data, dtype="<u8", offset=offset, count=(len(data) - offset) // ANCHOR)
            likely = np.flatnonzero(self._low_half[(numbers & np.uint64(0xFFFF)).astype(np.uint16)])
            for at in likely[np.isin(numbers[likely], self._anchors)].tolist():
                self._compare(piece, offset + ANCHOR * at, int(numbers[at]), found)

    def _compare(self, piece: _Piece, at: int, anchor: int, found: set[bytes]) -> None:
        end = at + ANCHOR
        for needle in self._by_anchor[anchor]:
            start = end - len(needle)
            if needle in found or start < 0 or piece.data[start:end].tobytes() != needle:
                continue
            if needle in self._exact or piece.is_bounded(start, end):
                found.add(needle)


@dataclass(frozen=True)
class _Piece:
    """A part of a haystack; where it was cut off, what stands next to a needle isn't known: another part tells."""

    data: NDArray[np.uint8]
    cut_before: bool
    cut_after: bool

    def is_bounded(self, start: int, end: int) -> bool:
        before = int(self.data[start - 1]) in _WORD if start > 0 else self.cut_before
        after = int(self.data[end]) in _WORD if end < len(self.data) else self.cut_after
        return not before and not after

    def has_bounded(self, needle: bytes) -> bool:
        content = self.data.tobytes()
        start = content.find(needle)
        while start >= 0:
            if self.is_bounded(start, start + len(needle)):
                return True
            start = content.find(needle, start + 1)
        return False
