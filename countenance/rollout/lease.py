"""Who may move a model's rollout now: a lease that runs out, and the fencing token that outlives it.

A controller that was paused past its lease may wake up and write what it decided long ago. It still holds the token
of its lease, and the store refuses a token once a newer lease was given (Kleppmann, "How to do distributed locking",
2016); its writes would fail on the epoch too, but only if the other controller had moved already.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection, Row, insert, select, update

from countenance.errors import RolloutError
from countenance.rollout import schema


class LeaseTaken(RolloutError):  # noqa: N818
    """Another controller holds the lease."""


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The right to move a model's rollout until ``expires_at`` by the database's clock.

    ``token`` grows with every lease that is given anew; a renewed one keeps its own.
    """

    holder: str
    token: int
    expires_at: datetime


def take(connection: Connection, model: str, holder: str, ttl: timedelta, now: datetime) -> Lease:
    """Take the lease, or renew it when ``holder`` has it.

    Args:
        connection: in a transaction that writes.
        model: whose rollout.
        holder: unique to one process, such as host and process number.
        ttl: how long it lasts.
        now: the database's time.

    Raises:
        LeaseTaken: when another holder's lease has not run out.
        RolloutError: when ``ttl`` is not positive or the holder has no name.
    """
    if ttl <= timedelta(0) or not holder:
        raise RolloutError("A lease needs a holder's name and a time to live above zero: give both.")
    row = _row(connection, model)
    expires = now + ttl
    if row is None:
        connection.execute(insert(schema.lease).values(model=model, holder=holder, token=1, expires_at=expires))
        return Lease(holder=holder, token=1, expires_at=expires)
    running = now < row.expires_at
    if running and row.holder != holder:
        raise LeaseTaken(
            f"'{row.holder}' holds the lease on the rollout of '{model}' until {row.expires_at.isoformat()}: leave it "
            "to that controller, or try again then."
        )
    token = row.token if running else row.token + 1
    connection.execute(
        update(schema.lease).where(schema.lease.c.model == model).values(holder=holder, token=token, expires_at=expires)
    )
    return Lease(holder=holder, token=token, expires_at=expires)


def release(connection: Connection, model: str, lease: Lease, now: datetime) -> None:
    """Let a lease run out now; one that was lost already is left alone."""
    table = schema.lease
    mine = (table.c.model == model, table.c.holder == lease.holder, table.c.token == lease.token)
    connection.execute(update(table).where(*mine, table.c.expires_at > now).values(expires_at=now))


def alive_at(connection: Connection, model: str, now: datetime) -> datetime | None:
    """The controller's last sign of life: now while its lease runs, then the moment it ran out; None: never."""
    row = _row(connection, model)
    return None if row is None else min(row.expires_at, now)


def refuse_stale(connection: Connection, model: str, token: int | None) -> None:
    """Refuse a writer whose lease was given to another since; None stands for a writer without one.

    Raises:
        RolloutError: when a newer lease exists.
    """
    if token is None:
        return
    row = _row(connection, model)
    if row is None or row.token != token:
        raise RolloutError(
            f"The lease {token} on the rollout of '{model}' is no longer the newest: take the lease again, read the "
            "rollout again and decide again."
        )


def _row(connection: Connection, model: str) -> Row[str, int, datetime] | None:
    table = schema.lease
    held = select(table.c.holder, table.c.token, table.c.expires_at).where(table.c.model == model)
    return connection.execute(held).one_or_none()
