"""Deliver what waits in the outbox: each message through each channel, noted in the store as soon as it was taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import insert, select

from countenance.rollout import schema
from countenance.rollout.connection import moving, reading
from countenance.rollout.notifications.message import Message, NotDeliveredError, message_of
from countenance.rollout.records import OutboxJob
from countenance.rollout.store import RolloutStore

_LONGEST_WAIT: Final = timedelta(hours=1)


class Channel(Protocol):
    """A way to the operators. ``name`` must stay the same: the store notes by it what was delivered."""

    @property
    def name(self) -> str:
        """What the store calls it."""

    def deliver(self, message: Message, *, now: datetime) -> None:
        """Hand one message over, or raise ``NotDeliveredError``."""


@dataclass(frozen=True, kw_only=True)
class Delivered:
    """How many messages are done, how many wait for another try, and why (one sentence a channel that failed)."""

    done: int
    waiting: int
    failures: tuple[str, ...] = ()


def deliver_due(store: RolloutStore, channels: Sequence[Channel], *, now: datetime | None = None) -> Delivered:
    """Try every message that is due once, through every channel that did not take it yet.

    A message is done when all channels took it. A kill between a channel's taking and the store's note sends it once
    more: a log file notices by itself, a webhook's receiver by the key. A channel that fails is left alone for the rest
    of this call; its message is tried again after 2, 4, 8 ... seconds, at most an hour.

    Args:
        store: whose outbox.
        channels: all of them; without any, messages stay in the outbox.
        now: the moment, for what is due and for signatures; None takes the database's clock.
    """
    moment = now or store.now()
    jobs = store.pending_outbox("notify") if channels else ()
    due = [job for job in jobs if job.next_attempt_at is None or job.next_attempt_at <= moment]
    failed: dict[str, str] = {}
    done = 0
    for job in due:
        missing = [channel for channel in channels if channel.name not in _taken_by(store, job)]
        errors = [error for channel in missing if (error := _try(store, channel, job, moment, failed)) is not None]
        if errors:
            wait = min(timedelta(seconds=2.0 ** min(job.attempts + 1, 20)), _LONGEST_WAIT)
            store.defer(job.id, error=" ".join(errors), now=moment, wait=wait)
        elif not any(channel.name in failed for channel in missing):
            store.mark_done(job.id, now=moment)
            done += 1
    return Delivered(done=done, waiting=len(jobs) - done, failures=tuple(failed.values()))


def _try(store: RolloutStore, channel: Channel, job: OutboxJob, now: datetime, failed: dict[str, str]) -> str | None:
    """Why the channel did not take it; None when it did, or wasn't asked because it failed before in this call."""
    if channel.name in failed:
        return None
    try:
        channel.deliver(message_of(job, store._model), now=now)
    except NotDeliveredError as error:
        failed[channel.name] = str(error)
        return str(error)
    _note(store, job, channel, now)
    return None


def _note(store: RolloutStore, job: OutboxJob, channel: Channel, now: datetime) -> None:
    table = schema.notification
    with moving(store._engine) as connection:
        known = connection.execute(select(table.c.id).where(table.c.job == job.id, table.c.channel == channel.name))
        # Another process may have delivered it at the same time.
        if known.one_or_none() is None:
            connection.execute(insert(table).values(job=job.id, channel=channel.name, at=now))


def _taken_by(store: RolloutStore, job: OutboxJob) -> set[str]:
    table = schema.notification
    with reading(store._engine) as connection:
        return set(connection.execute(select(table.c.channel).where(table.c.job == job.id)).scalars())
