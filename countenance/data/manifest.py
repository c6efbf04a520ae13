"""The face manifest: one row a face, written by ingestion and read by every other room.

Everything that a source does not label is null, and null means "not in this loss" or "not in this metric".
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from countenance.data.alignment import five_points
from countenance.errors import DataError
from countenance.storage import write_aside

SPLITS: Final = ("train", "validation", "test")

MANIFEST_SCHEMA: Final = pa.schema(
    [
        pa.field("face_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("photo", pa.string(), nullable=False),
        pa.field("photo_sha256", pa.string(), nullable=False),
        pa.field("is_face", pa.bool_(), nullable=False),
        pa.field("box_xywh", pa.list_(pa.float32())),
        pa.field("crop", pa.string(), nullable=False),
        pa.field("scene_scale", pa.float32()),
        pa.field("subject_id", pa.string()),
        pa.field("landmarks", pa.list_(pa.float32())),
        pa.field("landmark_scheme", pa.string()),
        pa.field("visibility", pa.list_(pa.float32())),
        pa.field("yaw_deg", pa.float32()),
        pa.field("pitch_deg", pa.float32()),
        pa.field("roll_deg", pa.float32()),
        pa.field("yaw_range", pa.list_(pa.float32())),
        pa.field("gender", pa.string()),
        pa.field("smiling", pa.bool_()),
        pa.field("age_years", pa.float32()),
        pa.field("age_std", pa.float32()),
        pa.field("license", pa.string(), nullable=False),
        pa.field("consent_id", pa.string()),
        pa.field("purpose", pa.string()),
        pa.field("expires_at", pa.timestamp("us", tz="UTC")),
        pa.field("split", pa.string(), nullable=False),
    ]
)
"""Column names and types; boxes and landmarks are in photo pixels, angles in degrees, ages in years.

``scene_scale`` is set where the crop store holds the whole photo (the view ``scene``): its pixels per photo pixel."""

REQUIRED_COLUMNS: Final = tuple(field.name for field in MANIFEST_SCHEMA if not field.nullable)
"""What no row may be without."""

_SHOWN_ROWS: Final = 5

LABEL_COLUMNS: Final = {
    "identity": ("subject_id",),
    "landmarks": ("landmarks",),
    "pose": ("yaw_deg", "yaw_range"),
    "gender": ("gender",),
    "smile": ("smiling",),
    "age": ("age_years",),
}
"""For each task, the columns of which at least one must be set for a face to count as labelled."""


def manifest_table(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Build a manifest table from row dictionaries; an absent key is null.

    Raises:
        DataError: a row has an unknown key or a value of the wrong type.
    """
    for row in rows:
        unknown = set(row) - set(MANIFEST_SCHEMA.names)
        if unknown:
            raise DataError(f"A manifest row has the unknown column '{min(unknown)}': see MANIFEST_SCHEMA.")
    try:
        return pa.Table.from_pylist(list(rows), schema=MANIFEST_SCHEMA)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        name = next(field.name for field in MANIFEST_SCHEMA if not _fits([row.get(field.name) for row in rows], field))
        # Arrow's own words would repeat the value, which may be a name.
        raise DataError(
            f"A manifest row has a value of the wrong type in column '{name}': see MANIFEST_SCHEMA."
        ) from error


def to_frame(table: pa.Table) -> pd.DataFrame:
    """The manifest as a DataFrame: lists as NumPy arrays or None, ``smiling`` as a nullable boolean."""
    frame: pd.DataFrame = table.to_pandas(types_mapper={pa.bool_(): pd.BooleanDtype()}.get)
    return frame


def write_manifest(table: pa.Table, path: Path) -> None:
    """Write a manifest as Parquet, aside first and then renamed into place."""
    with write_aside(path) as aside:
        pq.write_table(table.cast(MANIFEST_SCHEMA), aside, compression="zstd")


def read_manifest(path: Path, *, gaps_allowed: bool = False) -> pd.DataFrame:
    """Read and check a manifest.

    Args:
        path: the Parquet file.
        gaps_allowed: whether rows may be without what no row may be without; the validation room reads them so, and
            names each in its report.

    Raises:
        DataError: the file is missing, not Parquet, lacks a column or has one of the wrong type; or a row lacks a value
            of :data:`REQUIRED_COLUMNS`.
    """
    if not path.is_file():
        raise DataError(f"The manifest {path} is missing: run the ingestion pipeline first.")
    try:
        table = pq.read_table(path)
    except pa.ArrowInvalid as error:
        raise DataError(f"The manifest {path} is not a readable Parquet file: write it again.") from error
    missing = [name for name in MANIFEST_SCHEMA.names if name not in table.column_names]
    if missing:
        names = ", ".join(f"'{name}'" for name in missing)
        raise DataError(f"The manifest {path} has no column {names}: run the ingestion pipeline again.")
    if not gaps_allowed:
        _require_no_gap(table, path)
    return to_frame(pa.table({field.name: _typed(table, field, path) for field in MANIFEST_SCHEMA}))


def _typed(table: Any, field: Any, path: Path) -> Any:
    """A column as the schema has it. The sentence of a refusal repeats no value: it may be a name."""
    try:
        return table.column(field.name).cast(field.type)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, ValueError):
        held = table.schema.field(field.name).type
        raise DataError(
            f"The manifest {path} has the column '{field.name}' of the wrong type, {held} with values that are no "
            f"{field.type}: run the ingestion pipeline again."
        ) from None  # whose text repeats the cell


def _require_no_gap(table: Any, path: Path) -> None:
    for name in REQUIRED_COLUMNS:
        rows = np.flatnonzero(table.column(name).is_null().to_numpy())
        if len(rows):
            shown = ", ".join(map(str, rows[:_SHOWN_ROWS])) + (", ..." if len(rows) > _SHOWN_ROWS else "")
            raise DataError(
                f"The manifest {path} has no '{name}' in {len(rows)} of its rows ({shown}): mend the source and run "
                "the ingestion pipeline again."
            )


def _fits(values: Sequence[Any], field: Any) -> bool:
    try:
        pa.array(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        return False
    return True


def label_coverage(manifest: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Count, by source, the faces that carry a label for each task."""
    coverage: dict[str, dict[str, int]] = {}
    for source, rows in manifest[manifest["is_face"]].groupby("source"):
        counts = {task: int(rows[list(columns)].notna().any(axis=1).sum()) for task, columns in LABEL_COLUMNS.items()}
        coverage[str(source)] = {"faces": len(rows), **counts}
    return coverage


def ingestion_counts(manifest: pd.DataFrame, quarantine: pd.DataFrame) -> dict[str, dict[str, int]]:
    """Counts of an ingestion: faces, background crops and named people by split, labels by source, and the records
    that were put aside (``quarantined``) in all, by source and by reason."""
    counts: dict[str, dict[str, int]] = {}
    for split in SPLITS:
        rows = manifest[manifest["split"] == split]
        faces = rows[rows["is_face"]]
        counts[split] = {
            "faces": len(faces),
            "background": len(rows) - len(faces),
            "subjects": int(faces["subject_id"].nunique()),
        }
    sources = manifest["source"].unique().tolist()
    aside = {source: int((quarantine["source"] == source).sum()) for source in sources}
    reasons = {str(reason): int(count) for reason, count in quarantine["reason"].value_counts().items()}
    quarantined = {"records": len(quarantine), **aside, **reasons}
    return {**counts, **label_coverage(manifest), "quarantined": quarantined}


def with_five_points(manifest: pd.DataFrame) -> pd.DataFrame:
    """The manifest with a column ``landmarks_5``: [10] photo pixels of the alignment template's points, or None where
    one of them isn't labelled."""
    reduced = [
        _five_or_none(points, scheme)
        for points, scheme in zip(manifest["landmarks"], manifest["landmark_scheme"], strict=True)
    ]
    return manifest.assign(landmarks_5=pd.Series(reduced, index=manifest.index, dtype="object"))


def _five_or_none(points: Any, scheme: str) -> Any:
    if points is None:
        return None
    five = five_points(np.asarray(points, dtype=np.float32), scheme).ravel()
    return five if np.isfinite(five).all() else None
