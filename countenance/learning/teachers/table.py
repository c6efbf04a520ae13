"""A teacher that isn't there any more, or is somebody else's: a Parquet table of its embeddings, by face."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from countenance.errors import ModelError
from countenance.learning.teachers.configuration import not_there
from countenance.learning.teachers.features import TeacherFeatures

EMBEDDING: Final = "embedding"
MIRRORED: Final = "mirrored"


def read_table(
    path: Path, face_ids: Sequence[str], *, only_known: bool = False, mirrored: bool = False
) -> TeacherFeatures:
    """The rows of some faces from a Parquet table of embeddings, made unit-norm.

    Columns: ``face_id``, ``embedding`` (D numbers) and, if the teacher looked at mirror images too, ``mirrored`` (D
    numbers). Without that column a mirrored face is taught what the face is: the same person has the same direction.

    Args:
        path: the table.
        face_ids: the faces.
        only_known: leave out those that the table doesn't have, instead of refusing it.
        mirrored: whether the teacher must have looked at mirror images, too.

    Raises:
        ModelError: the file is missing or no such table; it has a face twice or lacks one, or its embeddings differ in
            length, aren't finite or have no direction.
    """
    table = _read(path)
    if mirrored and MIRRORED not in table.column_names:
        raise ModelError(
            f"The teacher's table {path.name} has no column '{MIRRORED}', but the teacher is to see what the student "
            "sees: add it, or set 'teacher_sees' to crop."
        )
    index = pd.Index(table.column("face_id").cast(pa.string()).to_pandas())
    if not index.is_unique:
        raise ModelError(f"The teacher's table {path.name} has a face twice: keep one row a face.")
    rows = np.asarray(index.get_indexer(pd.Index(list(face_ids), dtype=index.dtype)), dtype=np.int64)
    missing = int((rows < 0).sum())
    if missing and not only_known:
        raise ModelError(
            f"The teacher's table {path.name} lacks {missing} of {len(rows)} faces: add them, or use a teacher that "
            "can look at them."
        )
    chosen = table.take(pa.array(rows[rows >= 0]))
    straight = _vectors(chosen.column(EMBEDDING), path)
    other = _vectors(chosen.column(MIRRORED), path) if MIRRORED in table.column_names else straight
    if straight.shape != other.shape:
        raise ModelError(f"The columns of the teacher's table {path.name} hold vectors of unequal length: mend it.")
    known = tuple(face_id for face_id, row in zip(face_ids, rows, strict=True) if row >= 0)
    return TeacherFeatures(known, np.stack([straight, other], axis=1))


def _read(path: Path) -> Any:
    if not path.is_file():
        raise ModelError(not_there(path))
    try:
        names = pq.read_schema(path).names
        lacking = [name for name in ("face_id", EMBEDDING) if name not in names]
        if lacking:
            raise ModelError(
                f"The teacher's table {path.name} has no column '{lacking[0]}': it needs 'face_id' and '{EMBEDDING}'."
            )
        return pq.read_table(path, columns=["face_id", EMBEDDING, *([MIRRORED] if MIRRORED in names else [])])
    except (pa.ArrowInvalid, pa.ArrowTypeError, OSError) as error:
        raise ModelError(f"The teacher's table {path.name} is not a readable Parquet file: write it again.") from error


def _vectors(column: Any, path: Path) -> NDArray[np.float32]:
    """[M, D] unit rows of a column of lists."""
    if column.null_count or not (
        pa.types.is_list(column.type) or pa.types.is_large_list(column.type) or pa.types.is_fixed_size_list(column.type)
    ):
        raise ModelError(f"A column of the teacher's table {path.name} holds no vectors, or null ones: mend it.")
    column = column.combine_chunks()
    lengths = np.unique(pa.compute.list_value_length(column).to_numpy(zero_copy_only=False))
    if len(lengths) > 1:
        raise ModelError(f"The columns of the teacher's table {path.name} hold vectors of unequal length: mend it.")
    flat = column.flatten().to_numpy(zero_copy_only=False).astype(np.float32)
    vectors = flat.reshape(len(column), int(lengths[0]) if len(lengths) else 0)
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    damaged = int((~np.isfinite(norms) | (norms == 0)).sum())
    if damaged:
        raise ModelError(
            f"The teacher's table {path.name} holds {damaged} vectors of {len(vectors)} with NaN, infinity or nothing "
            "but zeros: use an undamaged teacher."
        )
    return np.asarray(vectors / norms, dtype=np.float32)
