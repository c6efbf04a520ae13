"""Stores that are SQLite databases: the person's rows go, and the pages that held them are written over."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from countenance.erasure.store import Found, piece_of
from countenance.erasure.trace import Trace
from countenance.errors import DataError

_WAIT_SECONDS: Final = 30.0
_AT_ONCE: Final = 500


@dataclass(frozen=True, kw_only=True)
class Database:
    """A database of which some tables hold people: a gallery, single decisions, labels.

    Attributes:
        name, patterns: see :class:`countenance.erasure.store.Store`.
        people: by table, the columns that hold an identifier (a subject id, a face id, or an HMAC).
    """

    name: str
    patterns: tuple[str, ...]
    people: Mapping[str, tuple[str, ...]]

    def find(self, path: Path, trace: Trace) -> Found | None:
        """See :class:`countenance.erasure.store.Store`."""
        rows, contents = 0, set()
        with _opened(path) as connection:
            for query, values in self._conditions(connection, trace):
                for row in connection.execute(f"SELECT * FROM {query}", values):
                    rows += 1
                    contents |= {piece_of(cell) for cell in row if isinstance(cell, bytes)}
        found = frozenset(piece for piece in contents if piece is not None)
        return Found(rows=rows, contents=found) if rows else None

    def erase(self, path: Path, trace: Trace, detail: Mapping[str, Any]) -> None:
        """See :class:`countenance.erasure.store.Store`; what was deleted earlier is written over all the same."""
        with _opened(path) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            with connection:
                for query, values in self._conditions(connection, trace):
                    connection.execute(f"DELETE FROM {query}", values)
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _conditions(self, connection: sqlite3.Connection, trace: Trace) -> Iterator[tuple[str, list[str]]]:
        texts = sorted(trace.texts())
        present = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table, columns in self.people.items():
            for start in range(0, len(texts) if table in present else 0, _AT_ONCE):
                some = texts[start : start + _AT_ONCE]
                places = ", ".join("?" * len(some))
                where = " OR ".join(f'"{column}" IN ({places})' for column in columns)
                yield f'"{table}" WHERE {where}', some * len(columns)


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS)) as connection:
            yield connection
    except sqlite3.DatabaseError as error:
        raise DataError(
            f"{path} can't be rewritten ({error}): stop what uses it, or restore it, and run the erasure again."
        ) from error
