"""Does a file hold somebody? Its bytes are searched as they lie, and what is encoded in them is searched decoded.

Known by their first bytes: Parquet and Arrow tables, SQLite databases, zip and gzip archives, and pictures, which are
compared by their digest. Everything else is searched as it lies.
"""

from __future__ import annotations

import gzip
import hashlib
import mmap
import sqlite3
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from countenance.erasure.byte_search import Bytes, ByteSearch
from countenance.errors import DataError

PARQUET: Final = b"PAR1"
ARROW: Final = b"ARROW1"
SQLITE: Final = b"SQLite format 3\0"
_GZIP: Final = b"\x1f\x8b"
_ZIP: Final = b"PK\x03\x04"
_PICTURES: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n", b"RIFF", b"BM", b"GIF8", b"II*\0", b"MM\0*")
_ROWS: Final = 65_536


@dataclass(frozen=True)
class Wanted:
    """What is looked for.

    Attributes:
        search: of identifiers and of contents.
        pictures: sha256 of whole photos, hexadecimal.
    """

    search: ByteSearch
    pictures: frozenset[str] = frozenset()


def holds(path: Path, wanted: Wanted) -> bool:
    """Whether a file holds anything of what is wanted.

    Raises:
        DataError: the file says that it is a table, database or archive and can't be read, so nobody can tell.
    """
    if path.stat().st_size == 0:
        return False
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        view = memoryview(content)
        try:
            if _bytes_hold(view, wanted):
                return True
            head = bytes(view[:16])
        finally:
            view.release()
    try:
        if head.startswith(PARQUET):
            return any(_table_holds(batch, wanted) for batch in pq.ParquetFile(path).iter_batches(_ROWS))
        if head.startswith(ARROW):
            return any(_table_holds(batch, wanted) for batch in arrow_batches(path))
        if head.startswith(SQLITE):
            return any(wanted.search.is_in(text) for text in _cells(path))
        if head.startswith(_GZIP):
            return _bytes_hold(gzip.decompress(path.read_bytes()), wanted)
        if head.startswith(_ZIP):
            with zipfile.ZipFile(path) as archive:
                return any(_bytes_hold(archive.read(name), wanted) for name in archive.namelist())
    except (pa.ArrowInvalid, sqlite3.DatabaseError, zipfile.BadZipFile, OSError, EOFError, zlib.error) as error:
        raise DataError(
            f"{path} is damaged, so nobody can tell whom it holds: restore or remove it, and run the erasure again."
        ) from error
    return False


def arrow_batches(path: Path) -> Iterator[Any]:
    """The batches of an Arrow file, mapped."""
    reader = pa.ipc.open_file(pa.memory_map(str(path)))
    for index in range(reader.num_record_batches):
        yield reader.get_batch(index)


def search_column(column: Any, search: ByteSearch) -> set[bytes]:
    """The needles in one Arrow column: in its texts and pictures, and in its numbers as the bytes that they are."""
    if isinstance(column, pa.ChunkedArray):
        return set().union(*(search_column(chunk, search) for chunk in column.chunks))
    kind = column.type
    if pa.types.is_dictionary(kind):
        return search_column(column.dictionary_decode(), search)
    if pa.types.is_struct(kind):
        return set().union(*(search_column(part, search) for part in column.flatten()))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return search_column(column.flatten(), search)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return search.found_in("\n".join(column.drop_null().to_pylist()).encode())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_fixed_size_binary(kind):
        return search.found_in(b"\n".join(column.drop_null().to_pylist()))
    if pa.types.is_floating(kind):
        return search.found_in(_numbers(column))
    return set()


def _numbers(column: Any) -> Bytes:
    values = column.to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(values).view(np.uint8)


def _bytes_hold(content: Bytes, wanted: Wanted) -> bool:
    if wanted.search.is_in(content):
        return True
    is_picture = bool(wanted.pictures) and bytes(content[:8]).startswith(_PICTURES)
    return is_picture and hashlib.sha256(np.frombuffer(content, dtype=np.uint8).data).hexdigest() in wanted.pictures


def _table_holds(batch: Any, wanted: Wanted) -> bool:
    return any(search_column(column, wanted.search) for column in batch.columns)


def _cells(path: Path) -> Iterator[bytes]:
    # What lies beside a live database, its write-ahead log, is a file of its own and searched as such.
    with closing(sqlite3.connect(f"file:{path}?mode=ro&immutable=1", uri=True)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND sql NOT NULL").fetchall()
        for (table,) in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):
                texts = [cell.encode() if isinstance(cell, str) else cell for cell in row if cell is not None]
                yield b"\n".join(cell for cell in texts if isinstance(cell, bytes))
