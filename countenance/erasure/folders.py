"""Stores that are folders or whole files: the teachers' cache, kept sessions, and what was delivered."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from countenance.erasure.store import Found
from countenance.erasure.trace import Trace
from countenance.learning.teacher_cache import forget_crops
from countenance.learning.teacher_segment import Keys
from countenance.storage import file_sha256


@dataclass(frozen=True, kw_only=True)
class TeacherCaches:
    """What teachers said of crops, by a digest of the crop: the crops' store tells which."""

    name: str
    patterns: tuple[str, ...]

    def find(self, path: Path, trace: Trace) -> Found | None:
        """Nothing by itself; see :meth:`forget`."""
        return None

    def erase(self, path: Path, trace: Trace, detail: Mapping[str, Any]) -> None:
        """Nothing by itself; see :meth:`forget`."""

    @staticmethod
    def count(path: Path, crop_keys: frozenset[bytes]) -> int:
        """How many rows of a cache are of these crops."""
        return sum(
            int(np.isin(segment.keys(block), _keys(crop_keys)).sum())
            for segment in _segments(path)
            for block in segment.blocks
        )

    @staticmethod
    def forget(path: Path, crop_keys: frozenset[bytes]) -> None:
        """Remove the rows of these crops."""
        forget_crops(path, _keys(crop_keys))


@dataclass(frozen=True, kw_only=True)
class Sessions:
    """Trainings that were interrupted: their state holds the class centres of everybody, and no longer fits the data.

    They go whole, where the person is in the data root at all.
    """

    name: str
    patterns: tuple[str, ...]

    def find(self, path: Path, trace: Trace) -> Found | None:
        """See :class:`countenance.erasure.store.Store`."""
        return Found(rows=1) if trace.faces else None

    def erase(self, path: Path, trace: Trace, detail: Mapping[str, Any]) -> None:
        """See :class:`countenance.erasure.store.Store`."""
        shutil.rmtree(path)


@dataclass(frozen=True, kw_only=True)
class Photographs:
    """Photos as they were delivered: a file whose digest is that of a photo of the person goes, whatever its name."""

    name: str
    patterns: tuple[str, ...]

    def find(self, path: Path, trace: Trace) -> Found | None:
        """See :class:`countenance.erasure.store.Store`."""
        if not path.is_file():
            return None
        hashes = trace.photo_hashes | frozenset(trace.shared)
        return Found(rows=1) if file_sha256(path) in hashes else None

    def erase(self, path: Path, trace: Trace, detail: Mapping[str, Any]) -> None:
        """See :class:`countenance.erasure.store.Store`."""
        path.unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class Nobody:
    """What holds nobody, and why; it is searched all the same.

    Attributes:
        name, patterns: see :class:`countenance.erasure.store.Store`.
        why: what it holds in place of people.
    """

    name: str
    patterns: tuple[str, ...]
    why: str

    def find(self, path: Path, trace: Trace) -> Found | None:
        """Nothing."""
        return None

    def erase(self, path: Path, trace: Trace, detail: Mapping[str, Any]) -> None:
        """Nothing."""


def _segments(folder: Path) -> list[Any]:
    from countenance.learning.teacher_segment import Segment

    segments = [Segment(path) for path in sorted(folder.glob("*/*.rows"))]
    for segment in segments:
        segment.look()
    return segments


def _keys(crop_keys: frozenset[bytes]) -> Keys:
    return np.array(sorted(crop_keys), dtype="S16")
