"""What the registry was last seen and told to show, kept in the store, so that an edit by another hand is known."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.connection import moving, reading
from countenance.rollout.reader import RolloutReader
from countenance.rollout.registry.projection import HandEdit, Projection, from_json, to_json
from countenance.rollout.store import RolloutStore
from countenance.rollout.transaction import Transaction

HAND_EDITED = "hand_edited"
"""The kind of the event that tells of an edit made in the registry."""


class OvertakenError(RolloutError):
    """Another reconciler wrote to the registry in between: read both again."""


@dataclass(frozen=True, kw_only=True)
class Memory:
    """``shown`` is what the registry showed when it was last looked at, ``meant`` what it was then told.

    While it is being told, each place shows one or the other; a value that is neither was written by somebody else.
    """

    revision: int
    shown: Projection
    meant: Projection


def remembered(reader: RolloutReader) -> Memory | None:
    """What the registry was last told; None where it never was told anything."""
    table = schema.projection
    with reading(reader._engine) as connection:
        row = connection.execute(select(table).where(table.c.model == reader._model)).one_or_none()
    if row is None:
        return None
    return Memory(revision=row.revision, shown=from_json(row.shown), meant=from_json(row.meant))


def tell_edits(
    store: RolloutStore, memory: Memory, shown: Projection, edits: Iterable[HandEdit], now: datetime
) -> Memory:
    """Append one event and one message for each edit, and remember what was seen so that it is told once."""
    with moving(store._engine) as connection:
        _keep(connection, store._model, memory.revision, shown, memory.meant, now)
        transaction = Transaction(connection, store._model)
        for edit in edits:
            rollout = _rollout_of(transaction, edit)
            payload: dict[str, Any] = {
                "place": edit.place.kind,
                "key": edit.place.key,
                "release": edit.place.release,
                "found": edit.found,
                "belongs": edit.belongs,
                "message": edit.sentence(),
            }
            # The edit was found now, whatever clock the last move was told by: it is told after that move.
            at = max(now, transaction.last_event_at(rollout) or now)
            transaction.append(rollout, HAND_EDITED, payload, at)
            message = {"kind": HAND_EDITED, "release": edit.place.release, "message": edit.sentence()}
            transaction.notify(message | {"rollout": rollout}, at)
    return Memory(revision=memory.revision + 1, shown=shown, meant=memory.meant)


def intend(store: RolloutStore, memory: Memory | None, shown: Projection, meant: Projection, now: datetime) -> Memory:
    """Remember what is about to be written, before it is."""
    revision = 0 if memory is None else memory.revision
    with moving(store._engine) as connection:
        _keep(connection, store._model, revision, shown, meant, now)
    return Memory(revision=revision + 1, shown=shown, meant=meant)


def settle(store: RolloutStore, memory: Memory, jobs: Iterable[int], now: datetime) -> None:
    """Note that all of ``memory.meant`` is shown, and that these jobs of the outbox are done."""
    table = schema.outbox
    done = list(jobs)
    with moving(store._engine) as connection:
        _keep(connection, store._model, memory.revision, memory.meant, memory.meant, now)
        mine = (table.c.model == store._model, table.c.id.in_(done), table.c.done_at.is_(None))
        connection.execute(update(table).where(*mine).values(done_at=now))


def _keep(
    connection: Connection, model: str, revision: int, shown: Projection, meant: Projection, now: datetime
) -> None:
    table = schema.projection
    values = {"revision": revision + 1, "shown": to_json(shown), "meant": to_json(meant), "at": now}
    known = connection.execute(select(table.c.revision).where(table.c.model == model)).scalar_one_or_none()
    if (known or 0) != revision:
        raise OvertakenError("Another reconciler wrote to the registry in between: run the reconciliation again.")
    if known is None:
        connection.execute(insert(table).values(model=model, **values))
    else:
        connection.execute(update(table).where(table.c.model == model).values(**values))


def _rollout_of(transaction: Transaction, edit: HandEdit) -> int:
    """The rollout in whose history an edit is told: that of the release it is about, or else the champion's."""
    for release in (edit.place.release, edit.belongs, edit.found, transaction.champion()):
        record = None if release is None else transaction.latest(release)
        if record is not None:
            return record.id
    raise RolloutError("The registry was edited, but the store holds no rollout to tell it of: bootstrap one first.")
