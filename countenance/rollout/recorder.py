"""What is written around a rollout's moves: looks, evidence files, signs of life, leases, jobs that were done."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Engine, insert, update

from countenance.errors import RolloutError
from countenance.rollout import lease as leases
from countenance.rollout import outbox, schema
from countenance.rollout.approvals import OperatorKey
from countenance.rollout.connection import database_time, moving, taking_in
from countenance.rollout.lease import Lease
from countenance.rollout.looks import keep_look
from countenance.rollout.reader import RolloutReader
from countenance.rollout.records import Look, OutboxJob, RolloutRecord
from countenance.rollout.transaction import Transaction

_SHA256_LENGTH = 64


class RolloutRecorder(RolloutReader):
    """The writes that move no rollout. Each is one transaction; ``now`` None is the database's time within it."""

    def __init__(self, engine: Engine, model: str, keys: Mapping[str, OperatorKey]):
        super().__init__(engine, model, keys)
        self._listeners: list[Callable[[], None]] = []

    def listen(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` after every committed move, command and rollback of this object."""
        self._listeners.append(callback)

    def observe(self, record: RolloutRecord, look: Look, *, cursor: str | None = None, token: int | None = None) -> str:
        """Keep one look and what was answered since the last one.

        Args:
            record: the rollout as it was read before looking.
            look: numbered one after the newest.
            cursor: JSON; up to where decisions and labels were folded into it.
            token: of the lease that the controller holds.

        Returns:
            The look's hash, to be handed to the ``move`` that rests on it.

        Raises:
            RolloutError: when somebody moved the rollout since ``record`` was read, took the lease, or looked.
        """
        with moving(self._engine) as connection:
            leases.refuse_stale(connection, self._model, token)
            Transaction(connection, self._model).fence(record)
            return keep_look(connection, record.id, look, cursor)

    def attach(self, record: RolloutRecord, name: str, sha256: str, size: int, *, now: datetime | None = None) -> None:
        """Note an evidence file, which lies elsewhere: an event vouches for its bytes from now on.

        Args:
            record: the rollout it belongs to, ended or not.
            name: under which ``verify_store`` is handed the file; once a rollout.
            sha256: of its bytes, hex.
            size: in bytes.
            now: the moment.

        Raises:
            RolloutError: when the name was used before, or the hash is none.
        """
        if len(sha256) != _SHA256_LENGTH or set(sha256) - set("0123456789abcdef"):
            raise RolloutError(f"The hash of evidence file '{name}' is no sha256: give 64 hexadecimal digits.")
        if any(each.name == name for each in self.attachments(record.id)):
            raise RolloutError(f"The rollout has an evidence file '{name}' already: give each its own name.")
        with self._at(now) as (connection, moment):
            what: dict[str, Any] = {"name": name, "sha256": sha256, "size": size}
            connection.execute(insert(schema.attachment).values(rollout=record.id, at=moment, **what))
            Transaction(connection, self._model).append(record.id, "attached", what, moment)

    def beat(self, *, epoch: int, now: datetime | None = None) -> None:
        """Note that the traffic plane lives and routes by the snapshot of ``epoch``."""
        table = schema.heartbeat
        with taking_in(self._engine) as connection:
            values = {"at": self._moment(connection, now), "epoch": epoch}
            if connection.execute(update(table).where(table.c.model == self._model).values(**values)).rowcount == 0:
                connection.execute(insert(table).values(model=self._model, **values))

    def lease(self, holder: str, ttl: timedelta, *, now: datetime | None = None) -> Lease:
        """Take or renew the right to move the rollout; see ``lease.take``.

        Raises:
            LeaseTaken: when another holder's lease has not run out.
        """
        with self._at(now) as (connection, moment):
            return leases.take(connection, self._model, holder, ttl, moment)

    def release_lease(self, lease: Lease, *, now: datetime | None = None) -> None:
        """Let the lease go before it runs out; one that was lost already is left alone."""
        with self._at(now) as (connection, moment):
            leases.release(connection, self._model, lease, moment)

    def mark_done(self, job: int, *, now: datetime | None = None) -> None:
        """Note that a job of the outbox was carried out; doing so twice changes nothing.

        Raises:
            RolloutError: when there is no such job.
        """
        with self._at(now) as (connection, moment):
            outbox.mark_done(connection, self._model, job, moment)

    def mark_projected(self, job: int, *, now: datetime | None = None) -> None:
        """Note that the registry carries alias move ``job``; the same as ``mark_done``."""
        self.mark_done(job, now=now)

    def defer(self, job: int, *, error: str, now: datetime | None = None, wait: timedelta | None = None) -> OutboxJob:
        """Note that a job failed; the next try is due after ``wait`` (None: 2, 4, 8 ... seconds, at most 5 minutes).

        Raises:
            RolloutError: when there is no such job.
        """
        with self._at(now) as (connection, moment):
            return outbox.defer(connection, self._model, job, error=error, now=moment, wait=wait)

    def forget(self, routing_key: str) -> int:
        """Erase a person: empty the routing key of all their decisions, which then stand for nobody.

        Decisions can only be added to; the triggers let this one change pass and no other, so that what was counted
        stays countable. Decisions of every model in the store are meant. On SQLite the old pages are written over by
        the erasure of the file (``erasure.databases``), not here.

        Args:
            routing_key: the HMAC under which the person's requests came.

        Returns:
            How many decisions were theirs.

        Raises:
            RolloutError: when the key is empty.
        """
        if not routing_key:
            raise RolloutError("An empty routing key stands for nobody: give the HMAC of who is to be forgotten.")
        table = schema.decision
        with taking_in(self._engine) as connection:
            done = connection.execute(update(table).where(table.c.routing_key == routing_key).values(routing_key=""))
            return int(done.rowcount)

    @contextmanager
    def _at(self, now: datetime | None) -> Iterator[tuple[Connection, datetime]]:
        with moving(self._engine) as connection:
            yield connection, self._moment(connection, now)

    @staticmethod
    def _moment(connection: Connection, now: datetime | None) -> datetime:
        return database_time(connection) if now is None else schema.in_utc(now)
