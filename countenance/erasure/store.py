"""What a store is to the erasure: something that can be found under a data root, looked at, and rewritten."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from countenance.erasure.trace import Trace

PIECE: Final = 24
"""Bytes of a picture or embedding that are looked for."""

_LEAST_DISTINCT: Final = 8


@dataclass(frozen=True, kw_only=True)
class Found:
    """What of a person a store's file holds.

    Attributes:
        rows: how many rows, crops, entries or files; for a page, 1.
        contents: pieces of pictures and embeddings that nobody else has.
        crop_keys: 16 bytes each that stand for the content of a crop, see
            :func:`countenance.learning.teacher_cache.crop_key`.
        detail: JSON values that the rewriting needs, should it be done again after it was begun.
    """

    rows: int
    contents: frozenset[bytes] = frozenset()
    crop_keys: frozenset[bytes] = frozenset()
    detail: Mapping[str, Any] = field(default_factory=dict)


class Store(Protocol):
    """One kind of store. It finds what it holds of a person, and rewrites it: both as often as one likes.

    Attributes:
        name: as in the catalog, where it is there.
        patterns: of its files or folders, relative to a data root.
    """

    @property
    def name(self) -> str:
        """See above."""
        ...

    @property
    def patterns(self) -> tuple[str, ...]:
        """See above."""
        ...

    def find(self, path: Path, trace: Trace) -> Found | None:
        """What a file of it holds of the person; None for nothing.

        Raises:
            DataError: the file is damaged.
        """
        ...

    def erase(self, path: Path, trace: Trace, detail: Mapping[str, Any]) -> None:
        """Rewrite a file without the person, in one step; where they are gone already, leave it as it is."""
        ...


def paths_of(store: Store, root: Path, others: Sequence[Path] = ()) -> Iterator[Path]:
    """What there is of a store under a data root, in order.

    Args:
        store: which.
        root: where.
        others: all data roots; what lies in one that lies within ``root`` is not ``root``'s.
    """
    inner = [other for other in others if other != root and other.is_relative_to(root)]
    seen: set[Path] = set()
    for pattern in store.patterns:
        for path in sorted(set(root.glob(pattern)) - seen):
            seen.add(path)
            if not any(path.is_relative_to(other) for other in inner):
                yield path


def piece_of(content: bytes) -> bytes | None:
    """The piece by which a picture or embedding is found again; None for one that is too plain to tell."""
    start = max(0, (len(content) - PIECE) // 2)
    piece = content[start : start + PIECE]
    if len(piece) < PIECE or len(set(piece)) < _LEAST_DISTINCT:
        return None
    return piece


def piece_of_numbers(values: NDArray[np.generic]) -> bytes | None:
    """The same of a list of numbers, as it lies in a file."""
    return piece_of(np.ascontiguousarray(values).tobytes())
