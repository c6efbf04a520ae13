"""Stores that are tables: the person's rows go, every other row stays as it was, and so does the file's form."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from countenance.data.alignment import intersection_over_union
from countenance.erasure.byte_search import ByteSearch
from countenance.erasure.reading import ARROW, search_column
from countenance.erasure.store import Found, piece_of, piece_of_numbers
from countenance.erasure.trace import Trace
from countenance.errors import DataError
from countenance.storage import write_aside

Key = Literal["face", "subject", "photo_hash", "key"]
Mask = NDArray[np.bool_]

_LONG_LIST: Final = 16
"""Numbers in a row from which on they are somebody's embedding, landmarks or the like."""
_KEY_BYTES: Final = 16


@dataclass(frozen=True, kw_only=True)
class Rows:
    """A table of which a row is the person's by one of its columns: Parquet, Arrow, or CSV.

    Attributes:
        name, patterns: see :class:`countenance.erasure.store.Store`.
        keys: by column, what it holds.
        crop_views: columns that hold encoded crops.
    """

    name: str
    patterns: tuple[str, ...]
    keys: Mapping[str, Key]
    crop_views: tuple[str, ...] = ()

    def find(self, path: Path, trace: Trace) -> Found | None:
        """See :class:`countenance.erasure.store.Store`."""
        table = read_table(path)
        theirs = self.theirs(table, trace)
        if not theirs.any():
            return None
        own, kept = table.filter(pa.array(theirs)), table.filter(pa.array(~theirs))
        contents = {piece for column in own.column_names for piece in _pieces(own.column(column))}
        common = set(contents) & _common(contents, kept)
        keys = {
            hashlib.blake2b(value, digest_size=_KEY_BYTES).digest()
            for view in self.crop_views
            for value in own.column(view).drop_null().to_pylist()
            if piece_of(value) not in common
        }
        return Found(rows=int(theirs.sum()), contents=frozenset(contents - common), crop_keys=frozenset(keys))

    def erase(self, path: Path, trace: Trace, detail: Mapping[str, Any]) -> None:
        """See :class:`countenance.erasure.store.Store`."""
        theirs = self.theirs(read_table(path), trace)
        if theirs.any():
            keep_rows(path, ~theirs)

    def theirs(self, table: Any, trace: Trace) -> Mask:
        """Which rows are the person's; [N]."""
        values: Mapping[Key, frozenset[str]] = {
            "face": trace.faces,
            "subject": frozenset({trace.subject_id}),
            "photo_hash": trace.photo_hashes,
            "key": trace.keys,
        }
        mask = np.zeros(table.num_rows, dtype=np.bool_)
        for column, key in self.keys.items():
            if column in table.column_names:
                mask |= _is_in(table.column(column), values[key])
        return mask


@dataclass(frozen=True, kw_only=True)
class FoundFaces(Rows):
    """Faces that a model found in photos: of a photo with others, those that lie where the person's face is."""

    def theirs(self, table: Any, trace: Trace) -> Mask:
        """Which rows are the person's; [N]."""
        mask = super().theirs(table, trace)
        shared = np.flatnonzero(_is_in(table.column("photo_sha256"), frozenset(trace.shared)))
        for row in shared.tolist():
            photo = trace.shared[table.column("photo_sha256")[row].as_py()]
            box = np.asarray(table.column("box_xywh")[row].as_py(), dtype=np.float32)
            own, others = (_overlap(box, boxes) for boxes in (photo.own, photo.others))
            mask[row] = own > 0 and own >= others
        return mask


@dataclass(frozen=True, kw_only=True)
class Mentioning(Rows):
    """A table whose rows may also name faces of other people, as a near copy does: such a mention becomes null.

    Attributes:
        mentions: columns with ids of other faces.
    """

    mentions: tuple[str, ...]

    def find(self, path: Path, trace: Trace) -> Found | None:
        """See :class:`countenance.erasure.store.Store`; a row that only names the person counts, too."""
        found, table = super().find(path, trace), read_table(path)
        naming = self._naming(table, trace) & ~self.theirs(table, trace)
        if not naming.any():
            return found
        own = found or Found(rows=0)
        return replace(own, rows=own.rows + int(naming.sum()))

    def erase(self, path: Path, trace: Trace, detail: Mapping[str, Any]) -> None:
        """See :class:`countenance.erasure.store.Store`."""
        super().erase(path, trace, detail)
        table = read_table(path)
        if not self._naming(table, trace).any():
            return
        for name in self._there(table):
            column = table.column(name)
            told = pc.if_else(pa.array(_is_in(column, trace.faces)), pa.scalar(None, column.type), column)
            table = table.set_column(table.schema.get_field_index(name), table.schema.field(name), told)
        with write_aside(path) as aside:
            _write_parquet(table, aside, like=path)

    def _there(self, table: Any) -> list[str]:
        return [name for name in self.mentions if name in table.column_names]

    def _naming(self, table: Any, trace: Trace) -> Mask:
        mask = np.zeros(table.num_rows, dtype=np.bool_)
        for name in self._there(table):
            mask |= _is_in(table.column(name), trace.faces)
        return mask


@dataclass(frozen=True, kw_only=True)
class Quarantined(Rows):
    """Records that were not imported: a row is the person's by its source and photo."""

    def theirs(self, table: Any, trace: Trace) -> Mask:
        """Which rows are the person's; [N]."""
        records = zip(table.column("source").to_pylist(), table.column("photo").to_pylist(), strict=True)
        is_theirs = [
            (source, photo) in trace.photos or (source, photo.rpartition("#")[0]) in trace.photos
            for source, photo in records
        ]
        return np.array(is_theirs, dtype=np.bool_)


def read_table(path: Path) -> Any:
    """A Parquet, Arrow or CSV file as an Arrow table; of a CSV, all cells are texts.

    Raises:
        DataError: it is damaged.
    """
    try:
        if path.suffix == ".csv":
            _, header, rows = _csv(path)
            columns = list(zip(*rows, strict=True)) if rows else [()] * len(header)
            return pa.table([pa.array(list(column), pa.string()) for column in columns], names=header)
        with path.open("rb") as file:
            if file.read(len(ARROW)) == ARROW:
                return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
        return pq.read_table(path)
    except (pa.ArrowInvalid, ValueError) as error:
        raise DataError(f"{path} is no readable table: restore or remove it, and run the erasure again.") from error


def keep_rows(path: Path, keep: Mask) -> None:
    """Rewrite a table with some of its rows, in the form that it has: columns, metadata, batches, compression.

    Args:
        path: Parquet, Arrow or CSV.
        keep: [N] of its rows.
    """
    with write_aside(path) as aside:
        if path.suffix == ".csv":
            first = _csv(path)[0]
            lines = path.read_bytes().splitlines(keepends=True)
            kept = [line for line, stays in zip(lines[first:], keep, strict=True) if stays]
            aside.write_bytes(b"".join([*lines[:first], *kept]))
            return
        with path.open("rb") as file:
            is_arrow = file.read(len(ARROW)) == ARROW
        if is_arrow:
            _keep_in_arrow(path, aside, keep)
        else:
            _write_parquet(pq.read_table(path).filter(pa.array(keep)), aside, like=path)


def _keep_in_arrow(path: Path, aside: Path, keep: Mask) -> None:
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    with pa.ipc.new_file(aside, reader.schema) as writer:
        start = 0
        for index in range(reader.num_record_batches):
            batch = reader.get_batch(index)
            writer.write_batch(batch.filter(pa.array(keep[start : start + batch.num_rows])))
            start += batch.num_rows


def _write_parquet(table: Any, aside: Path, *, like: Path) -> None:
    metadata = pq.read_metadata(like)
    compression = metadata.row_group(0).column(0).compression.lower() if metadata.num_row_groups else "zstd"
    compression = "none" if compression == "uncompressed" else compression
    pq.write_table(table, aside, compression=compression)


def _csv(path: Path) -> tuple[int, list[str], list[list[str]]]:
    """The number of lines before the rows, the header, and the rows' cells."""
    lines = [line.decode() for line in path.read_bytes().splitlines()]
    rows = list(csv.reader(lines))
    if len(rows) != len(lines) or len({len(row) for row in rows}) > 1:
        raise ValueError("A line of the file is no row.")
    return 1, rows[0] if rows else [], rows[1:]


def _is_in(column: Any, values: frozenset[str]) -> Mask:
    if pa.types.is_null(column.type) or not values:
        return np.zeros(len(column), dtype=np.bool_)
    hit = pc.is_in(column, value_set=pa.array(sorted(values), column.type))
    return np.asarray(hit.to_numpy(zero_copy_only=False) if isinstance(hit, pa.Array) else hit.to_numpy(), dtype=bool)


def _pieces(column: Any) -> set[bytes]:
    kind = column.type
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        found = [piece_of(value) for value in column.drop_null().to_pylist()]
    elif (pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)) and (
        pa.types.is_floating(kind.value_type)
    ):
        lists = [row.values.to_numpy(zero_copy_only=False) for row in column if row.is_valid]
        found = [piece_of_numbers(values) for values in lists if len(values) >= _LONG_LIST]
    else:
        return set()
    return {piece for piece in found if piece is not None}


def _common(contents: set[bytes], kept: Any) -> set[bytes]:
    search = ByteSearch(contents)
    return set().union(*(search_column(kept.column(name), search) for name in kept.column_names))


def _overlap(box: NDArray[np.float32], boxes: tuple[tuple[float, ...], ...]) -> float:
    if not boxes:
        return 0.0
    return float(intersection_over_union(box, np.asarray(boxes, dtype=np.float32)).max())
