"""Asking a teacher about many faces: each crop and its mirror image once, whatever is known already left out."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.errors import DataError, ModelError
from countenance.learning.crop_reader import CropReader
from countenance.learning.teacher_cache import TeacherCache, crop_key
from countenance.learning.teacher_segment import KEY_BYTES, Keys
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.teachers.teacher import Crops, Teacher
from countenance.progress import track

LOG: Final = logging.getLogger(__name__)


def aligned_faces(faces: pd.DataFrame, crops: CropReader) -> tuple[list[str], NDArray[np.int64]]:
    """The ids and store rows of those faces that have an aligned crop."""
    rows = crops.rows(faces["crop"].tolist())
    aligned = np.array([crops.encoded(int(row), "aligned") is not None for row in rows], dtype=bool)
    return [str(face_id) for face_id in faces["face_id"].to_numpy()[aligned]], rows[aligned]


def ask(
    teacher: Teacher,
    face_ids: Sequence[str],
    rows: NDArray[np.int64],
    crops: CropReader,
    *,
    cache: Path | None,
    dimension: int | None = None,
    batch_size: int = 64,
    dtype: Literal["float16", "float32"] = "float16",
) -> TeacherFeatures:
    """What a teacher says of some aligned crops and of their mirror images.

    Crops whose features are in the cache aren't shown to it; the others' are kept there, batch by batch, so that an
    interrupted call goes on where it was. Two faces with the same crop are looked at once.

    Args:
        teacher: whom to ask.
        face_ids: the M faces.
        rows: [M] their rows in the store.
        crops: the store.
        cache: the folder of all teachers' features; None: nothing is kept.
        dimension: what the features' length must be; None: any.
        batch_size: crops between two writes to the cache.
        dtype: of the features, with or without a cache.

    Raises:
        DataError: there is no face, or the cache can't be written.
        ModelError: the teacher can't be run, its features have another length or one isn't finite.
    """
    if not face_ids:
        raise DataError("There is no named face with an aligned crop for the teacher to look at: name some people.")
    keys, first, face_of = np.unique(_keys(rows, crops), return_index=True, return_inverse=True)
    if cache is None:
        features, known = _all(teacher, keys, rows[first], crops, None, dimension, batch_size, dtype)
    else:
        with TeacherCache(cache, teacher.identity, dtype) as kept:
            features, known = _all(teacher, keys, rows[first], crops, kept, dimension, batch_size, dtype)
    new = len(keys) - known
    LOG.info("teacher %s: %d crops, %d from the cache, %d looked at now", teacher.name, len(keys), known, new)
    # As they are where no crop comes twice: a table of millions isn't copied for nothing.
    in_order = len(keys) == len(face_ids) and bool((np.diff(face_of) == 1).all())
    return TeacherFeatures(tuple(face_ids), features if in_order else features[face_of])


def check_dimension(found: int, dimension: int) -> None:
    """Refuse a teacher whose features are not as long as the embedding that is to learn from them."""
    if found != dimension:
        raise ModelError(
            f"The teacher's features have {found} dimensions but the embedding to be trained has "
            f"{dimension}: set 'network.embedding_dimension' to {found}."
        )


def _keys(rows: NDArray[np.int64], crops: CropReader) -> Keys:
    encoded = (crops.encoded(int(row), "aligned") for row in rows)
    return np.array([crop_key(memoryview(each)) for each in encoded], dtype=f"S{KEY_BYTES}")  # type: ignore[arg-type]


def _all(
    teacher: Teacher,
    keys: Keys,
    rows: NDArray[np.int64],
    crops: CropReader,
    kept: TeacherCache | None,
    dimension: int | None,
    batch_size: int,
    dtype: Literal["float16", "float32"],
) -> tuple[NDArray[Any], int]:
    """[n, 2, D] features of n different crops, and how many of them were known."""
    places = np.full(len(keys), -1) if kept is None else kept.find(keys)
    missing, known = np.flatnonzero(places < 0), np.flatnonzero(places >= 0)
    # The engine isn't started where nothing is missing.
    length = kept.dimension if kept is not None and kept.dimension and not len(missing) else teacher.dimension
    if dimension is not None:
        check_dimension(length, dimension)
    features = np.empty((len(keys), 2, length), dtype=dtype)
    if kept is not None and len(known):
        found = np.empty((len(known), 2, length), dtype=dtype)
        kept.take(places[known], found)
        features[known] = found
    starts = range(0, len(missing), batch_size)
    batches = _read_ahead([missing[start : start + batch_size] for start in starts], rows, crops)
    if len(missing):
        for chosen, images in track(batches, what="asking the teacher", total=len(starts), unit="batch"):
            said = teacher.embed(np.concatenate([images, images[:, :, ::-1]]))
            features[chosen] = said.reshape(2, len(chosen), length).swapaxes(0, 1)
            if kept is not None:
                kept.append(keys[chosen], features[chosen])
    return features, len(known)


def _read_ahead(
    batches: Sequence[NDArray[np.int64]], rows: NDArray[np.int64], crops: CropReader
) -> Iterator[tuple[NDArray[np.int64], Crops]]:
    """Each batch with its crops, the next of which are decoded while the teacher looks at these."""

    def read(chosen: NDArray[np.int64]) -> Crops:
        return np.stack([crops.read_row(int(row), "aligned") for row in rows[chosen]])

    with ThreadPoolExecutor(1) as pool:
        pending = [pool.submit(read, chosen) for chosen in batches[:1]]
        for number, chosen in enumerate(batches):
            images = pending.pop().result()
            pending = [pool.submit(read, following) for following in batches[number + 1 : number + 2]]
            yield chosen, images
