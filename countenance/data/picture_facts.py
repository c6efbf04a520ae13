"""What a look at the stored pictures says of each face: whether they decode, how they look, a hash to find copies."""

from __future__ import annotations

import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from countenance.data.crop_store import VIEWS, CropStore
from countenance.data.near_copies import THUMBNAIL_SIDE, Pictures, perceptual_hash, thumbnail
from countenance.progress import track

_JPEG: Final = b"\xff\xd8"
_END_OF_JPEG: Final = b"\xff\xd9"
_AT_ONCE: Final = 256
_NOTHING: Final = np.zeros((THUMBNAIL_SIDE, THUMBNAIL_SIDE), dtype=np.uint8)


@dataclass(frozen=True)
class _Look:
    decodes: bool
    view: int = -1
    luminance: float = float("nan")
    contrast: float = float("nan")
    sharpness: float = float("nan")
    hash: int = 0
    thumbnail: NDArray[np.uint8] | None = None


def picture_facts(manifest: pd.DataFrame, crops: CropStore, *, workers: int = 2) -> tuple[pd.DataFrame, Pictures]:
    """Decode every view of every face.

    Args:
        manifest: its column ``crop`` is looked up.
        crops: the store.
        workers: decoding threads.

    Returns:
        [N] rows in the manifest's order, numbered from 0: ``crop_is_stored``, ``crop_decodes`` (every view, to its
        last byte), and of the first view (aligned before box before scene) ``luminance`` (mean, 0 to 255), ``contrast``
        (standard deviation of the luminance) and ``sharpness`` (variance of the Laplacian), null where it doesn't
        decode; and what :func:`countenance.data.near_copies.near_copies` asks for.
    """
    rows = pd.Index(crops.crop_keys()).get_indexer(pd.Index(manifest["crop"].tolist()))
    looks = list(track(_looks(crops, rows, workers), what="Looking at crops", total=len(rows), unit="crop"))
    facts = pd.DataFrame(
        {
            "crop_is_stored": rows >= 0,
            "crop_decodes": pd.array([look.decodes for look in looks], dtype="boolean"),
            **{
                name: np.array([getattr(look, name) for look in looks], dtype=np.float64)
                for name in ("luminance", "contrast", "sharpness")
            },
        }
    )
    facts["crop_decodes"] = facts["crop_decodes"].mask(~facts["crop_is_stored"])
    pictures = Pictures(
        hashes=np.array([look.hash for look in looks], dtype=np.uint64),
        thumbnails=np.stack([_NOTHING if look.thumbnail is None else look.thumbnail for look in looks])
        if looks
        else np.zeros((0, THUMBNAIL_SIDE, THUMBNAIL_SIDE), dtype=np.uint8),
        view=np.array([look.view for look in looks], dtype=np.int64),
    )
    return facts, pictures


def _looks(crops: CropStore, rows: NDArray[np.int64], workers: int) -> Iterator[_Look]:
    with ThreadPoolExecutor(workers) as pool:
        parts = [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)]
        for looks in pool.map(lambda part: [_look(crops, int(row)) for row in part], parts):
            yield from looks


def _look(crops: CropStore, row: int) -> _Look:
    if row < 0:
        return _Look(False)
    views = [(index, crops.encoded(row, view)) for index, view in enumerate(VIEWS)]
    pictures = [(index, _grey(encoded)) for index, encoded in views if encoded is not None]
    first = next(((index, grey) for index, grey in pictures if grey is not None), None)
    if first is None:
        return _Look(False)
    view, grey = first
    mean, deviation = cv2.meanStdDev(grey)
    return _Look(
        decodes=all(picture is not None for _, picture in pictures),
        view=view,
        luminance=float(mean[0, 0]),
        contrast=float(deviation[0, 0]),
        sharpness=float(cv2.Laplacian(grey, cv2.CV_32F).var()),
        hash=perceptual_hash(grey),
        thumbnail=thumbnail(grey),
    )


def _grey(encoded: memoryview) -> NDArray[np.uint8] | None:
    """[H, W] luminance, or None where the bytes are no whole picture."""
    if len(encoded) == 0 or not _is_whole(encoded):
        return None
    grey = cv2.imdecode(np.frombuffer(encoded, dtype=np.uint8), cv2.IMREAD_GRAYSCALE)
    return None if grey is None else np.asarray(grey, dtype=np.uint8)


def _is_whole(encoded: memoryview) -> bool:
    # OpenCV fills the missing part of a truncated file with grey and says nothing; Pillow says so, but takes longer.
    if bytes(encoded[:2]) == _JPEG and bytes(encoded[-2:]) == _END_OF_JPEG:
        return True
    try:
        with Image.open(io.BytesIO(encoded)) as image:
            image.load()
    except (OSError, SyntaxError, ValueError):
        return False
    return True
