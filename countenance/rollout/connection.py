"""How the store talks to SQLite: write-ahead log, foreign keys, and writers one after the other."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from countenance.errors import RolloutError
from countenance.rollout import schema

_WAIT_FOR_A_WRITER_MS = 30_000


def connect(url: str) -> Engine:
    """Open the database at ``url`` (``sqlite:///path``) and make the tables that it lacks.

    Raises:
        RolloutError: when the URL is not one of an SQLite file; a database in memory would forget.
    """
    engine = create_engine(_sqlite_file(url))
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    with moving(engine) as connection:
        schema.metadata.create_all(connection)
    return engine


@contextmanager
def moving(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: it holds the only write lock from its first statement (BEGIN IMMEDIATE)."""
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads one consistent snapshot and waits for no writer."""
    with engine.connect() as connection, connection.begin():
        yield connection


def _sqlite_file(url: str) -> str:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise RolloutError(f"'{url}' is no database URL: give sqlite:///PATH.") from error
    if parsed.get_backend_name() != "sqlite" or parsed.database in (None, "", ":memory:"):
        raise RolloutError(
            f"The rollout store needs an SQLite file, not '{parsed.render_as_string()}': give sqlite:///PATH."
        )
    return url


def _prepare(connection: Any, record: Any) -> None:
    # The driver would otherwise open transactions by itself, and later than BEGIN IMMEDIATE must.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_WAIT_FOR_A_WRITER_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
