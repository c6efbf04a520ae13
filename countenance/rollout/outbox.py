"""What the world must still be told: written in the transaction that decided it, done by whoever carries it out."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.actions import Action, Notify, RequestApproval
from countenance.rollout.ledger import canonical_json
from countenance.rollout.records import AliasMove, OutboxJob
from countenance.rollout.state import RolloutState

_LONGEST_WAIT: Final = timedelta(minutes=5)
_LONGEST_ERROR: Final = 500


def add_alias_moves(
    connection: Connection, model: str, event: int, changes: Iterable[tuple[str, str | None]], now: datetime
) -> None:
    """Queue moves of aliases, in their order."""
    fixed = {"model": model, "kind": "alias", "event": event, "payload": None, "created_at": now, "attempts": 0}
    rows = [fixed | {"alias": alias, "release": release} for alias, release in changes]
    if rows:
        connection.execute(insert(schema.outbox), rows)


def add_message(connection: Connection, model: str, event: int, payload: dict[str, Any], now: datetime) -> None:
    """Queue a message to the operators."""
    row = {"model": model, "kind": "notify", "event": event, "created_at": now, "attempts": 0}
    connection.execute(insert(schema.outbox).values(**row, payload=canonical_json(payload)))


def messages(after: RolloutState, actions: Iterable[Action]) -> list[dict[str, Any]]:
    """What the operators are told of a move to ``after``: one message for each action that asks for one."""
    where = {"stage": str(after.stage), "share": after.share}
    told: list[dict[str, Any]] = []
    for action in actions:
        if isinstance(action, Notify):
            told.append({"kind": "moved", "release": action.release, "message": action.message} | where)
        elif isinstance(action, RequestApproval):
            what = {"kind": "approval_wanted", "release": action.release, "act": str(action.act)}
            told.append(what | {"message": after.reason} | where)
    return told


def pending(connection: Connection, model: str, kind: str | None) -> Iterable[OutboxJob]:
    """The jobs that are not done, oldest first; of one kind or of all."""
    table = schema.outbox
    query = select(table).where(table.c.model == model, table.c.done_at.is_(None)).order_by(table.c.id)
    return map(_job, connection.execute(query if kind is None else query.where(table.c.kind == kind)))


def mark_done(connection: Connection, model: str, job: int, now: datetime) -> None:
    """Note that a job was carried out; doing so twice changes nothing.

    Raises:
        RolloutError: when there is no such job.
    """
    _known(connection, model, job)
    table = schema.outbox
    connection.execute(update(table).where(table.c.id == job, table.c.done_at.is_(None)).values(done_at=now))


def defer(
    connection: Connection, model: str, job: int, *, error: str, now: datetime, wait: timedelta | None
) -> OutboxJob:
    """Note that a try failed; the next one is due after ``wait`` (None: 2, 4, 8 ... seconds, at most 5 minutes).

    Raises:
        RolloutError: when there is no such job.
    """
    row = _known(connection, model, job)
    attempts = row.attempts + 1
    wait = wait if wait is not None else min(timedelta(seconds=2.0 ** min(attempts, 20)), _LONGEST_WAIT)
    values = {"attempts": attempts, "next_attempt_at": now + wait, "error": error[:_LONGEST_ERROR]}
    table = schema.outbox
    connection.execute(update(table).where(table.c.id == job, table.c.done_at.is_(None)).values(**values))
    return _job(_known(connection, model, job))


def _known(connection: Connection, model: str, job: int) -> Row[Any]:
    table = schema.outbox
    row = connection.execute(select(table).where(table.c.id == job, table.c.model == model)).one_or_none()
    if row is None:
        raise RolloutError(f"There is no projection job {job}: take the numbers from the pending outbox.")
    return row


def _job(row: Row[Any]) -> OutboxJob:
    common: dict[str, Any] = {
        name: row._mapping[name]
        for name in ("id", "kind", "event", "created_at", "attempts", "next_attempt_at", "error")
    }
    if row.kind == "alias":
        return AliasMove(**common, alias=row.alias, release=row.release)
    return OutboxJob(**common, payload=json.loads(row.payload))
