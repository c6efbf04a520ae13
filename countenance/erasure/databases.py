"""Stores that are SQLite databases: the person's rows go, and the pages that held them are written over.

Where what was counted must stay countable, a row stays and what stands for the person in it goes.
"""

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
        kept: those of the tables whose rows stay; their columns are emptied instead.
    """

    name: str
    patterns: tuple[str, ...]
    people: Mapping[str, tuple[str, ...]]
    kept: frozenset[str] = frozenset()

    def find(self, path: Path, trace: Trace) -> Found | None:
        """See :class:`countenance.erasure.store.Store`."""
        rows, contents = 0, set()
        with _opened(path) as connection:
            for table, columns, texts in self._searches(connection, trace):
                where = " OR ".join(_among(column, texts) for column in columns)
                for row in connection.execute(f'SELECT * FROM "{table}" WHERE {where}', texts * len(columns)):
                    rows += 1
                    contents |= {piece_of(cell) for cell in row if isinstance(cell, bytes)}
        found = frozenset(piece for piece in contents if piece is not None)
        return Found(rows=rows, contents=found) if rows else None

    def erase(self, path: Path, trace: Trace, detail: Mapping[str, Any]) -> None:
        """See :class:`countenance.erasure.store.Store`; what was deleted earlier is written over all the same."""
        with _opened(path) as connection:
            connection.execute("PRAGMA secure_delete = ON")
            with connection:
                for table, columns, texts in self._searches(connection, trace):
                    for column in columns:
                        where = _among(column, texts)
                        if table in self.kept:
                            connection.execute(f'UPDATE "{table}" SET "{column}" = \'\' WHERE {where}', texts)
                        else:
                            connection.execute(f'DELETE FROM "{table}" WHERE {where}', texts)
            connection.execute("VACUUM")
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _searches(
        self, connection: sqlite3.Connection, trace: Trace
    ) -> Iterator[tuple[str, tuple[str, ...], list[str]]]:
        texts = sorted(trace.texts())
        present = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        for table, columns in self.people.items():
            for start in range(0, len(texts) if table in present else 0, _AT_ONCE):
                yield table, columns, texts[start : start + _AT_ONCE]


def _among(column: str, texts: list[str]) -> str:
    return f'"{column}" IN ({", ".join("?" * len(texts))})'


@contextmanager
def _opened(path: Path) -> Iterator[sqlite3.Connection]:
    try:
        with closing(sqlite3.connect(path, timeout=_WAIT_SECONDS)) as connection:
            yield connection
    except sqlite3.DatabaseError as error:
        raise DataError(
            f"{path} can't be rewritten ({error}): stop what uses it, or restore it, and run the erasure again."
        ) from error
