"""Pictures that are nearly the same: found by a perceptual hash, confirmed on thumbnails.

The hash is the DCT hash of Zauner, "Implementation and Benchmarking of Perceptual Image Hash Functions" (2010), as the
library ImageHash computes it but for the scaling of the picture: a copy that was compressed again, scaled, blurred or
brightened differs in at most 6 of the 64 bits; half of the bits differ between unlike pictures, fewer between faces.
Pairs are looked up as in Norouzi, Punjani & Fleet, "Fast Search in Hamming Space with Multi-Index Hashing" (CVPR 2012):
of four bands of 16 bits, one differs in at most one bit where the whole differs in at most seven.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from countenance.configuration import Configuration

THUMBNAIL_SIDE: Final = 16
"""Pixels a side of what a suspected copy is confirmed on."""

LARGEST_DISTANCE: Final = 7
"""Bits; the index finds every pair up to this distance, and would miss some beyond it."""

_HASHED_SIDE: Final = 32
_KEPT: Final = 8
_BANDS: Final = 4
_BAND_BITS: Final = 16
_PAIRS_AT_ONCE: Final = 1 << 22
_MOST_OWNERS: Final = 4
"""Of one hash, looked up among other hashes: who shares a hash with so many has copies enough already."""

Rows = NDArray[np.int64]
Hashes = NDArray[np.uint64]


class NearCopyConfiguration(Configuration):
    """When two pictures are copies: at most ``distance`` of 64 hash bits differ, and the thumbnails correlate."""

    distance: int = Field(default=6, ge=0, le=LARGEST_DISTANCE)
    correlation: float = Field(default=0.97, gt=0, le=1)


@dataclass(frozen=True, eq=False)
class Pictures:
    """What is compared: ``hashes`` [N] uint64, ``thumbnails`` [N, 16, 16] uint8, and ``view`` [N], a number for each
    kind of picture, of which only equal ones are compared; -1 where there is none."""

    hashes: Hashes
    thumbnails: NDArray[np.uint8]
    view: Rows


def perceptual_hash(grey: NDArray[np.uint8]) -> int:
    """The 64-bit hash of a picture [H, W]: which of its lowest 8 x 8 frequencies lie above their median."""
    small = cv2.resize(grey, (_HASHED_SIDE, _HASHED_SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    lowest = cv2.dct(small)[:_KEPT, :_KEPT].ravel()
    return int.from_bytes(np.packbits(lowest > np.median(lowest)).tobytes(), "big")


def thumbnail(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A picture [H, W] scaled to [16, 16]."""
    small = cv2.resize(grey, (THUMBNAIL_SIDE, THUMBNAIL_SIDE), interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)


def near_copies(pictures: Pictures, owner: Rows, configuration: NearCopyConfiguration) -> Rows:
    """For each picture, one near copy of it that belongs to somebody else.

    Args:
        pictures: what is compared.
        owner: [N] who or what a picture belongs to (a split, a subject); -1 for pictures that aren't compared.
        configuration: when two are copies.

    Returns:
        [N] rows of such a copy, -1 where there is none. Time grows with N and with the number of near pairs, not with
        all pairs.
    """
    found = np.full(len(owner), -1, dtype=np.int64)
    for view in np.unique(pictures.view[pictures.view >= 0]):
        rows = np.flatnonzero((pictures.view == view) & (owner >= 0))
        for first, second in _suspects(pictures.hashes[rows], owner[rows], configuration.distance):
            left, right = rows[first], rows[second]
            alike = _correlation(pictures.thumbnails, left, right) >= configuration.correlation
            found[left[alike]], found[right[alike]] = right[alike], left[alike]
        _share_with_equals(found, rows, pictures.hashes, owner)
    return found


def near_pairs(hashes: Hashes, owner: Rows, distance: int) -> Iterator[tuple[Rows, Rows]]:
    """All pairs of hashes with different owners that differ in 1 to ``distance`` bits (at most 7), in parts.

    A pair may come more than once.
    """
    for band in range(_BANDS):
        keys = ((hashes >> np.uint64(band * _BAND_BITS)) & np.uint64((1 << _BAND_BITS) - 1)).astype(np.int64)
        order = np.argsort(keys, kind="stable")
        sizes = np.bincount(keys, minlength=1 << _BAND_BITS)
        starts = np.cumsum(sizes) - sizes
        for flipped in (0, *(1 << bit for bit in range(_BAND_BITS))):
            asking = order if flipped == 0 else order[(keys[order] & flipped) == 0]
            partner = keys[asking] | flipped
            for first, second in _joined(asking, starts[partner], sizes[partner], order):
                apart = np.bitwise_count(hashes[first] ^ hashes[second])
                near = (apart > 0) & (apart <= distance) & (owner[first] != owner[second])
                yield first[near], second[near]


def _joined(asking: Rows, starts: Rows, sizes: Rows, order: Rows) -> Iterator[tuple[Rows, Rows]]:
    """Every asking row with each row of its bucket ``order[start : start + size]``, a few million pairs at a time."""
    ends = np.cumsum(sizes)
    at = 0
    while at < len(asking):
        before = int(ends[at] - sizes[at])
        stop = max(at + 1, int(np.searchsorted(ends, before + _PAIRS_AT_ONCE, side="right")))
        part = sizes[at:stop]
        first = np.repeat(asking[at:stop], part)
        place = np.arange(len(first)) - np.repeat(np.cumsum(part) - part, part)
        yield first, order[np.repeat(starts[at:stop], part) + place]
        at = stop


def _suspects(hashes: Hashes, owner: Rows, distance: int) -> Iterator[tuple[Rows, Rows]]:
    """Pairs of different owners with equal hashes, one a row at least, and those with hashes that differ a little."""
    frame = pd.DataFrame({"hash": hashes, "owner": owner})
    heads = frame.drop_duplicates()
    rank = heads.groupby("hash").cumcount()
    first = heads.index[rank == 0].to_numpy()
    second = heads.index[rank == 1].to_numpy()
    if len(second):
        of_hash = pd.Index(hashes[second])
        place = of_hash.get_indexer(pd.Index(hashes))
        shared = np.flatnonzero(place >= 0)
        one = first[pd.Index(hashes[first]).get_indexer(pd.Index(hashes[shared]))]
        other = second[place[shared]]
        yield shared, np.where(owner[one] == owner[shared], other, one)
    kept = heads.index[rank < _MOST_OWNERS].to_numpy()
    for left, right in near_pairs(hashes[kept], owner[kept], distance):
        yield kept[left], kept[right]


def _share_with_equals(found: Rows, rows: Rows, hashes: Hashes, owner: Rows) -> None:
    """Only the first of an owner's equal pictures was looked up among other hashes: the rest have its copy, too."""
    frame = pd.DataFrame({"hash": hashes[rows], "owner": owner[rows], "copy": found[rows]})
    known = frame[frame["copy"] >= 0].drop_duplicates(["hash", "owner"])
    copies = frame.merge(known, on=["hash", "owner"], how="left", suffixes=("", "_known"))["copy_known"]
    has = (found[rows] < 0) & copies.notna().to_numpy()
    found[rows[has]] = copies[has].to_numpy(dtype=np.int64)


def _correlation(thumbnails: NDArray[np.uint8], left: Rows, right: Rows) -> NDArray[np.float32]:
    one, other = (thumbnails[rows].reshape(len(rows), THUMBNAIL_SIDE**2).astype(np.float32) for rows in (left, right))
    one -= one.mean(axis=1, keepdims=True)
    other -= other.mean(axis=1, keepdims=True)
    lengths = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return np.asarray((one * other).sum(axis=1) / np.maximum(lengths, 1.0), dtype=np.float32)
