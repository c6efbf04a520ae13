"""How the store talks to its database: SQLite or PostgreSQL, one writer after the other, the database's clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, OperationalError

from countenance.errors import RolloutError
from countenance.rollout.migrations import upgrade
from countenance.rollout.schema import in_utc

_WAIT_FOR_A_WRITER_MS: Final = 30_000

# Keys of PostgreSQL's advisory locks. Intake has its own, so that a move never waits for a million requests.
_MOVES: Final = 0x636F756E
_INTAKE: Final = 0x636F756F


def connect(url: str) -> Engine:
    """Open the database at ``url``; make the tables that it lacks and bring older ones up to date.

    Args:
        url: ``sqlite:///PATH`` or ``postgresql+psycopg://USER@HOST/DATABASE``.

    Raises:
        RolloutError: when the URL is none of these (a database in memory would forget), the server does not
            answer, or a newer release made the store.
    """
    parsed = _known(url)
    engine = _sqlite(parsed) if parsed.get_backend_name() == "sqlite" else _postgresql(parsed)
    try:
        with moving(engine) as connection:
            upgrade(connection)
    except OperationalError as error:
        engine.dispose()
        raise RolloutError(
            f"The rollout store at {parsed.render_as_string()} cannot be opened "
            f"({str(error.orig).partition(chr(10))[0]}): check the address and whether the database runs."
        ) from error
    except RolloutError:
        engine.dispose()
        raise
    return engine


@contextmanager
def moving(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: it holds the store's only write lock from its first statement on.

    SQLite: BEGIN IMMEDIATE. PostgreSQL: an advisory lock till the end of the transaction, at READ COMMITTED, so that
    what is read after the lock is what the last writer left.
    """
    with _writing(engine, _MOVES) as connection:
        yield connection


@contextmanager
def taking_in(engine: Engine) -> Iterator[Connection]:
    """A transaction that adds decisions or labels: these come one after the other, but keep no move waiting.

    Without this order a row with a lower number could become visible after one with a higher number was folded, and
    would never be counted. (SQLite has one writer anyway.)
    """
    with _writing(engine, _INTAKE) as connection:
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A transaction that reads one consistent snapshot and waits for no writer."""
    options: dict[str, Any] = {}
    if engine.dialect.name == "postgresql":
        options = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with engine.connect().execution_options(**options) as connection, connection.begin():
        yield connection


def database_time(connection: Connection) -> datetime:
    """The database's clock now, in UTC, also within a transaction that has been open for long.

    SQLite has no server: its clock is that of the machine which writes, to the microsecond.
    """
    if connection.dialect.name == "sqlite":
        micros = connection.exec_driver_sql("SELECT machine_microseconds()").scalar_one()
        return _from_microseconds(int(micros))
    return in_utc(connection.execute(text("SELECT clock_timestamp()")).scalar_one())


@contextmanager
def _writing(engine: Engine, lock: int) -> Iterator[Connection]:
    with engine.connect().execution_options(writes=True) as connection, connection.begin():
        if connection.dialect.name == "postgresql":
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {_WAIT_FOR_A_WRITER_MS}")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({lock})")
        yield connection


def _known(url: str) -> URL:
    remedy = "give sqlite:///PATH or postgresql+psycopg://USER@HOST/DATABASE"
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise RolloutError(f"'{url}' is no database URL: {remedy}.") from error
    file = parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:")
    if not file and parsed.drivername not in ("postgresql", "postgresql+psycopg"):
        raise RolloutError(
            f"The rollout store needs an SQLite file or PostgreSQL, not '{parsed.render_as_string()}': {remedy}."
        )
    return parsed


def _sqlite(url: URL) -> Engine:
    engine = create_engine(url)
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _postgresql(url: URL) -> Engine:
    try:
        # A connection that the server closed meanwhile is opened again instead of failing a move.
        return create_engine(url.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise RolloutError(
            "A rollout store on PostgreSQL needs the driver psycopg: install countenance[postgresql]."
        ) from error


def _prepare(connection: Any, record: Any) -> None:
    # The driver would otherwise open transactions by itself, and later than BEGIN IMMEDIATE must.
    connection.isolation_level = None
    connection.create_function("machine_microseconds", 0, _machine_microseconds)
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_WAIT_FOR_A_WRITER_MS}")
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _machine_microseconds() -> int:
    return time.time_ns() // 1000


def _from_microseconds(count: int) -> datetime:
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=count)
