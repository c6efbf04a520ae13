"""All that a decision may rest on at one moment, read from the store."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import select

from countenance.rollout import schema
from countenance.rollout.connection import database_time, reading
from countenance.rollout.decisions.cursor import Cursor
from countenance.rollout.decisions.papers import papers_of
from countenance.rollout.decisions.rows import failures
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.reader import RolloutReader
from countenance.rollout.records import Look, RolloutRecord
from countenance.rollout.state import BreakerReading, ClockReading, Evidence


def present_evidence(
    reader: RolloutReader,
    record: RolloutRecord,
    *,
    now: datetime,
    look: Look | None = None,
    re_enrolled: Collection[str] = (),
) -> Evidence:
    """What the controller hands to ``advance``: the newest look with everything around it. Changes nothing.

    Args:
        reader: the store.
        record: a rollout with a policy.
        now: the moment.
        look: the newest look, where it is at hand; None: it is read.
        re_enrolled: releases for whom the whole gallery was enrolled again.

    Raises:
        RolloutError: when an approval in the store was not signed by a known operator.
    """
    assert record.policy is not None
    look = look or reader.latest_look(record.id)
    cursor = Cursor.from_json(None if look is None else look.cursor)
    papers = papers_of(reader, record, re_enrolled=re_enrolled)
    beat = reader.heartbeat()
    return Evidence(
        measured=EvidenceState(key=record.state.evidence_key) if look is None else look.measured,
        registration=papers.registration,
        offline=papers.offline,
        preconditions=papers.preconditions,
        approvals=reader.approvals(record.id),
        breaker=breaker_reading(reader, record, now),
        heartbeat_at=None if beat is None else beat.at,
        clock=_clock(reader, now),
        spent=cursor.spending.excess(),
        exposed_requests=cursor.exposed_requests,
    )


def breaker_reading(reader: RolloutReader, record: RolloutRecord, now: datetime) -> BreakerReading:
    """What the candidate answered within the breaker's window before ``now``, and how often it failed."""
    assert record.policy is not None
    with reading(reader._engine) as connection:
        return failures(connection, record.id, now - record.policy.errors.window)


def _clock(reader: RolloutReader, now: datetime) -> ClockReading:
    """The clock, read after the last event in one snapshot: an event that came since ``now`` is no sign of a fault."""
    table = schema.ledger
    with reading(reader._engine) as connection:
        newest = select(table.c.at).order_by(table.c.sequence.desc()).limit(1)
        last = connection.execute(newest).scalar_one_or_none()
        return ClockReading(database=max(now, database_time(connection)), last_event=last or now)
