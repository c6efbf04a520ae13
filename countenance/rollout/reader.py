"""The rollout store as read: who answers whom, why, and since when."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Literal, Self, overload

from sqlalchemy import Connection, Engine, Row, select

from countenance.rollout import schema
from countenance.rollout.approvals import Approval, OperatorKey, keyring, verify
from countenance.rollout.connection import connect, database_time, reading
from countenance.rollout.lease import alive_at
from countenance.rollout.ledger import GENESIS, Event, verify_links
from countenance.rollout.looks import newest_row, read_look, rows_of
from countenance.rollout.outbox import pending
from countenance.rollout.queue import waiting
from countenance.rollout.records import (
    AliasMove,
    Attachment,
    Heartbeat,
    Look,
    OutboxJob,
    Queued,
    RolloutRecord,
    Standing,
)
from countenance.rollout.transaction import Transaction


class RolloutReader:
    """One model's rollouts, champion, history and projection jobs; changes nothing."""

    def __init__(self, engine: Engine, model: str, keys: Mapping[str, OperatorKey]):
        self._engine = engine
        self._model = model
        self._keys = keys

    @classmethod
    def open(cls, url: str, *, model: str = "countenance", keys: Iterable[OperatorKey] = ()) -> Self:
        """Open or make the store at ``url``; tables of an older release are brought up to date.

        Args:
            url: ``sqlite:///PATH`` or ``postgresql+psycopg://USER@HOST/DATABASE``.
            model: which model's rollouts this object speaks of; a store may hold several.
            keys: the operators whose signatures count.

        Raises:
            RolloutError: when the URL is none of these, the database cannot be opened, or a newer release made it.
        """
        return cls(connect(url), model, keyring(keys))

    def close(self) -> None:
        """Give the connections back."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def champion(self) -> str | None:
        """The release that answers everybody who is in no canary; None before the first bootstrap."""
        with self._reading() as transaction:
            return transaction.champion()

    def previous(self) -> str | None:
        """The release that ``roll_back`` would return to."""
        with self._reading() as transaction:
            row = transaction.pointer()
            return None if row is None else row.previous

    def now(self) -> datetime:
        """The database's clock, in UTC."""
        with reading(self._engine) as connection:
            return database_time(connection)

    def standing(self) -> Standing:
        """Who answers whom now: champion and active rollout of one moment."""
        with reading(self._engine) as connection:
            transaction, now = Transaction(connection, self._model), database_time(connection)
            row, newest = transaction.pointer(), _newest(connection)
            return Standing(
                model=self._model,
                champion=None if row is None else row.release,
                previous=None if row is None else row.previous,
                champion_epoch=0 if row is None else row.epoch,
                active=transaction.active(),
                epoch=0 if newest is None else newest.sequence,
                head=GENESIS if newest is None else newest.hash,
                controller_at=alive_at(connection, self._model, now),
                now=now,
            )

    def epoch(self) -> int:
        """The number of the store's newest event, 0 before the first: what to ask for often."""
        with reading(self._engine) as connection:
            newest = _newest(connection)
            return 0 if newest is None else int(newest.sequence)

    def position(self) -> tuple[int, int, int]:
        """Numbers that change whenever the routing may: the champion's epoch, the active rollout and its epoch.

        Each is 0 where there is none. One cheap query, to be asked often.
        """
        champion, rollout = schema.champion, schema.rollout
        pointer = select(champion.c.epoch).where(champion.c.model == self._model)
        active = select(rollout.c.id, rollout.c.epoch).where(
            rollout.c.model == self._model, rollout.c.ended_at.is_(None)
        )
        with reading(self._engine) as connection:
            top = connection.execute(pointer).scalar_one_or_none()
            running = connection.execute(active).one_or_none()
        return (top or 0, 0, 0) if running is None else (top or 0, running.id, running.epoch)

    def active(self) -> RolloutRecord | None:
        """The rollout that has not ended, if there is one."""
        with self._reading() as transaction:
            return transaction.active()

    def rollout_of(self, release: str) -> RolloutRecord | None:
        """The newest rollout of ``release``, ended or not."""
        with self._reading() as transaction:
            return transaction.latest(release)

    def looks(self, rollout: int) -> tuple[Look, ...]:
        """All looks of a rollout in their order."""
        with reading(self._engine) as connection:
            return tuple(read_look(row, batches) for row, batches in rows_of(connection, rollout))

    def latest_look(self, rollout: int) -> Look | None:
        """The newest look of a rollout, without its batches; its cursor says where to go on folding."""
        with reading(self._engine) as connection:
            row = newest_row(connection, rollout)
            return None if row is None else read_look(row)

    def approvals(self, rollout: int) -> tuple[Approval, ...]:
        """The approvals kept for a rollout, each verified again.

        Raises:
            RolloutError: when one of them was not signed by a known operator.
        """
        with self._reading() as transaction:
            kept = transaction.approvals(rollout)
        for approval in kept:
            verify(approval, self._keys)
        return kept

    def events(self, rollout: int | None = None) -> tuple[Event, ...]:
        """The history in its order: of one rollout, or of the whole store (all models; one chain)."""
        table = schema.ledger
        query = select(table).order_by(table.c.sequence)
        with reading(self._engine) as connection:
            rows = connection.execute(query if rollout is None else query.where(table.c.rollout == rollout))
            return tuple(Event(**{**row._mapping, "payload": json.loads(row.payload)}) for row in rows)

    def verify_chain(self, *, expected_head: str | None = None) -> int:
        """Check every event's hash and return their number; see ``ledger.verify_links``.

        Raises:
            RolloutError: naming the first broken event.
        """
        return verify_links(self.events(), expected_head=expected_head)

    def head(self) -> str:
        """The newest event's hash, to be noted outside the store; see ``verify_chain``."""
        with reading(self._engine) as connection:
            newest = _newest(connection)
            return GENESIS if newest is None else str(newest.hash)

    @overload
    def pending_outbox(self, kind: Literal["alias"] = "alias") -> tuple[AliasMove, ...]: ...

    @overload
    def pending_outbox(self, kind: Literal["notify"] | None) -> tuple[OutboxJob, ...]: ...

    def pending_outbox(self, kind: Literal["alias", "notify"] | None = "alias") -> tuple[OutboxJob, ...]:
        """What the world was not told yet, oldest first; carry it out in this order.

        Args:
            kind: moves of aliases, messages, or None for both.
        """
        with reading(self._engine) as connection:
            return tuple(pending(connection, self._model, kind))

    def queued(self) -> tuple[Queued, ...]:
        """The candidates that wait for the active rollout to end, in the order of their turns."""
        with reading(self._engine) as connection:
            return waiting(connection, self._model)

    def heartbeat(self) -> Heartbeat | None:
        """The traffic plane's last sign of life."""
        table = schema.heartbeat
        with reading(self._engine) as connection:
            row = connection.execute(select(table).where(table.c.model == self._model)).one_or_none()
            return None if row is None else Heartbeat(at=row.at, epoch=row.epoch)

    def attachments(self, rollout: int) -> tuple[Attachment, ...]:
        """The evidence files of a rollout, as they were when they were attached."""
        table = schema.attachment
        with reading(self._engine) as connection:
            rows = connection.execute(select(table).where(table.c.rollout == rollout).order_by(table.c.id))
            return tuple(Attachment(name=row.name, sha256=row.sha256, size=row.size, at=row.at) for row in rows)

    @contextmanager
    def _reading(self) -> Iterator[Transaction]:
        with reading(self._engine) as connection:
            yield Transaction(connection, self._model)


def _newest(connection: Connection) -> Row[int, str] | None:
    table = schema.ledger
    newest = select(table.c.sequence, table.c.hash).order_by(table.c.sequence.desc()).limit(1)
    return connection.execute(newest).one_or_none()
