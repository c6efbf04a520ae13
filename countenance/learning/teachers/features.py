"""What a teacher said of the training faces: a table that batches look up, and the Arrow file that it travels in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from countenance.errors import ModelError
from countenance.learning.fingerprint import fingerprint
from countenance.learning.teachers.teacher import Teacher
from countenance.storage import write_aside

Features = NDArray[np.float16] | NDArray[np.float32]

_SAID_BY: Final = b"said_by"
_CHECKED_ROWS: Final = 65536
"""Rows looked at together: a table of millions shall not need its size in memory once more."""


@dataclass(frozen=True)
class TeacherFeatures:
    """A table of unit-norm teacher features.

    Attributes:
        face_ids: the M faces, in row order.
        features: [M, 2, D] float16 or float32, often a memory map; ``[:, 0]`` of the image, ``[:, 1]`` of its mirror
            image. Use :meth:`take` for float32 rows.
        live: the teacher itself, where it is to look at every crop as it is varied; None where the table serves.
        source: the file that a memory map belongs to, or None.
        said_by: the identity of the teacher that said it, see
            :func:`countenance.learning.teachers.opening.identity_of`; empty where nobody told.
    """

    face_ids: tuple[str, ...]
    features: Features
    live: Teacher | None = None
    source: Path | None = field(default=None, repr=False, compare=False)
    said_by: str = ""

    def __post_init__(self) -> None:
        """Check that the table is whole.

        Raises:
            ModelError: the shape or type doesn't fit, or a feature isn't finite.
        """
        if self.features.ndim != 3 or self.features.shape[:2] != (len(self.face_ids), 2):
            raise ModelError(
                f"The teacher's feature table has shape {self.features.shape}, not ({len(self.face_ids)}, 2, D): "
                "compute it again for these faces."
            )
        if self.features.dtype not in (np.float16, np.float32):
            raise ModelError(
                f"The teacher's feature table holds {self.features.dtype} numbers, not float16 or float32: convert it."
            )
        damaged = sum(
            int((~np.isfinite(self.features[start : start + _CHECKED_ROWS])).any(axis=(1, 2)).sum())
            for start in range(0, len(self.features), _CHECKED_ROWS)
        )
        if damaged:
            raise ModelError(
                f"The teacher gave NaN or infinite features for {damaged} of {len(self.face_ids)} faces: "
                "use an undamaged teacher."
            )

    @staticmethod
    def nothing() -> TeacherFeatures:
        """The table of a recipe without a teacher: no face, and false."""
        return TeacherFeatures((), np.zeros((0, 2, 0), dtype=np.float32))

    def __len__(self) -> int:
        return len(self.face_ids)

    def __reduce__(self) -> tuple[Any, ...]:
        # Another process maps the file itself; a memory map can't be sent.
        if self.source is not None:
            return _reopened, (self.source, self.live)
        return type(self), (self.face_ids, self.features, self.live, None, self.said_by)

    @property
    def dimension(self) -> int:
        """Length D of a feature."""
        return int(self.features.shape[2])

    @cached_property
    def identity(self) -> str:
        """Equal for tables that teach alike; a very long table is sampled, see :func:`fingerprint`."""
        return fingerprint(self.face_ids, self.features, None if self.live is None else self.live.identity)

    def rows_of(self, face_ids: Sequence[str]) -> NDArray[np.int64]:
        """Table row of each face; -1 for a face without one.

        Raises:
            ModelError: the table holds a face twice.
        """
        index = pd.Index(self.face_ids, dtype="object")
        if not index.is_unique:
            raise ModelError("The teacher's feature table holds a face twice: keep one row a face.")
        return np.asarray(index.get_indexer(pd.Index(list(face_ids), dtype="object")), dtype=np.int64)

    def take(self, rows: NDArray[np.int64], mirrored: NDArray[np.int64] | int = 0) -> NDArray[np.float32]:
        """[n] table rows -> [n, D] float32 features; zeros for a row of -1.

        Args:
            rows: as :meth:`rows_of` gives them.
            mirrored: [n] or one for all: 0 for the feature of the image, 1 for that of its mirror image.
        """
        taken: NDArray[np.float32] = self.features[rows, mirrored].astype(np.float32)
        taken[rows < 0] = 0.0
        return taken

    def of(self, face_ids: Sequence[str]) -> TeacherFeatures:
        """The table of some of the faces, in memory.

        Raises:
            ModelError: one of them isn't in the table.
        """
        rows = self.rows_of(face_ids)
        if (rows < 0).any():
            raise ModelError(
                f"The teacher has no feature for {int((rows < 0).sum())} of {len(rows)} faces: compute the table again."
            )
        return TeacherFeatures(tuple(face_ids), self.features[rows], self.live, said_by=self.said_by)

    def with_live(self, teacher: Teacher | None) -> TeacherFeatures:
        """The same table, with a teacher that looks at every crop as it is varied."""
        return replace(self, live=teacher)


def write_features(features: TeacherFeatures, path: Path) -> None:
    """Write a table as an Arrow file that can be memory-mapped; it is written aside and renamed.

    Columns are ``face_id`` and ``features``: 2 D numbers, those of the image and then those of its mirror image. The
    schema's metadata name who said it.
    """
    flat = pa.array(features.features.reshape(-1))
    # A list of no length can't be told from no list: an empty table has lists of 2.
    size = max(2, 2 * features.dimension)
    batch = pa.record_batch(
        [pa.array(features.face_ids, pa.string()), pa.FixedSizeListArray.from_arrays(flat, size)],
        names=["face_id", "features"],
    ).replace_schema_metadata({_SAID_BY: features.said_by})
    with write_aside(path) as aside, pa.ipc.new_file(aside, batch.schema) as writer:
        writer.write_batch(batch)


def read_features(path: Path) -> TeacherFeatures:
    """Map a table that :func:`write_features` wrote; its numbers stay on the disk until they are looked up.

    Raises:
        ModelError: the file is missing, isn't such a table, or holds a feature that isn't finite.
    """
    if not path.is_file():
        raise ModelError(f"The teacher's feature table {path.name} is not there: run the room that writes it first.")
    try:
        batch = pa.ipc.open_file(pa.memory_map(str(path))).get_batch(0)
        face_ids = tuple(batch.column("face_id").to_pylist())
        lists = batch.column("features")
        flat = lists.values.to_numpy(zero_copy_only=True)
        features = flat.reshape(len(face_ids), 2, lists.type.list_size // 2 if face_ids else 0)
        said_by = batch.schema.metadata[_SAID_BY].decode()
    except (pa.ArrowInvalid, pa.ArrowTypeError, AttributeError, KeyError, OSError, TypeError, ValueError) as error:
        raise ModelError(
            f"The teacher's feature table {path.name} is damaged or another file: remove it and run the room that "
            "writes it again."
        ) from error
    return TeacherFeatures(face_ids, features, source=path, said_by=said_by)


def _reopened(path: Path, live: Teacher | None) -> TeacherFeatures:
    return read_features(path).with_live(live)
