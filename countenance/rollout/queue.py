"""Candidates that wait for the active rollout to end, first come, first served."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.ledger import canonical_json
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.records import Queued


def put(
    connection: Connection,
    model: str,
    release: str,
    *,
    champion: str,
    policy: RolloutPolicy,
    evidence_key: str,
    papers: Mapping[str, Any],
    now: datetime,
) -> None:
    """Let ``release`` wait for its turn.

    Raises:
        RolloutError: when it waits already.
    """
    if any(each.release == release for each in waiting(connection, model)):
        raise RolloutError(f"'{release}' waits for its rollout already: let the active one end.")
    connection.execute(
        insert(schema.queue).values(
            model=model,
            release=release,
            champion=champion,
            policy=policy.model_dump_json(),
            evidence_key=evidence_key,
            papers=canonical_json(dict(papers)),
            queued_at=now,
        )
    )


def waiting(connection: Connection, model: str) -> tuple[Queued, ...]:
    """Who waits, in the order of their turns."""
    table = schema.queue
    rows = connection.execute(
        select(table)
        .where(table.c.model == model, table.c.started_rollout.is_(None), table.c.dropped.is_(None))
        .order_by(table.c.id)
    )
    return tuple(
        Queued(
            id=row.id,
            release=row.release,
            champion=row.champion,
            policy=RolloutPolicy.model_validate_json(row.policy),
            evidence_key=row.evidence_key,
            papers=json.loads(row.papers),
            queued_at=row.queued_at,
        )
        for row in rows
    )


def note_started(connection: Connection, queued: Queued, rollout: int) -> None:
    """Its turn came."""
    table = schema.queue
    connection.execute(update(table).where(table.c.id == queued.id).values(started_rollout=rollout))


def drop(connection: Connection, queued: Queued, why: str) -> None:
    """Its turn came and it cannot be rolled out."""
    table = schema.queue
    connection.execute(update(table).where(table.c.id == queued.id).values(dropped=why))
