"""Whether the store still holds what its history says: every row that decides anything, against the chain of events.

The events vouch for each other; they repeat what the other tables hold, and so vouch for those. Whoever can write to
the database can rewrite all of it, hashes included: against that, the newest event's hash is noted elsewhere
(``RolloutReader.head``), and approvals are signed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, select

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.connection import reading
from countenance.rollout.ledger import Event, verified_links
from countenance.rollout.reader import RolloutReader
from countenance.rollout.verified_evidence import verify_answers, verify_attachments, verify_decisions, verify_looks
from countenance.rollout.verified_story import Story
from countenance.rollout.verified_tables import verify_approvals, verify_champions, verify_outbox, verify_rollouts


@dataclass(frozen=True, kw_only=True)
class Verified:
    """How much was checked and found as it was written.

    ``files`` counts the evidence files whose bytes were compared; ``unchecked_signatures`` those approvals whose
    signer's key was not at hand, and which the history alone vouches for.
    """

    events: int
    rollouts: int
    looks: int
    approvals: int
    attachments: int
    files: int
    unchecked_signatures: int


def verify_store(
    reader: RolloutReader, *, expected_head: str | None = None, files: Mapping[str, Path] | None = None
) -> Verified:
    """Check the whole store (all models) against its history, in one snapshot.

    Args:
        reader: an opened store; its keys check the signatures.
        expected_head: a head noted earlier outside the store; without it a store that was set back to an earlier
            moment as a whole still verifies.
        files: where evidence files lie, by the name under which they were attached; each that is named here must be
            there and have its bytes.

    Raises:
        RolloutError: naming the first thing that was tampered with: an event, a look, a rollout, the champion, an
            approval, an evidence file, a move of an alias.
    """
    try:
        return _verified(reader, expected_head, files or {})
    except (ValueError, TypeError) as error:
        raise RolloutError(
            f"The rollout store holds a value that cannot be read ({error}): it was not written by the store; restore "
            "it from a copy."
        ) from error


def _verified(reader: RolloutReader, expected_head: str | None, files: Mapping[str, Path]) -> Verified:
    with reading(reader._engine) as connection:
        story = Story()
        for event in verified_links(_events(connection), expected_head=expected_head):
            story.hear(event)
        rollouts = verify_rollouts(connection, story)
        verify_champions(connection, story)
        approvals, unchecked = verify_approvals(connection, story, reader._keys)
        looks = verify_looks(connection, story)
        verify_answers(connection)
        verify_decisions(connection)
        attachments = verify_attachments(connection, story, files)
        verify_outbox(connection)
    return Verified(
        events=story.events,
        rollouts=rollouts,
        looks=looks,
        approvals=approvals,
        attachments=attachments,
        files=len(story.attached_names() & set(files)),
        unchecked_signatures=unchecked,
    )


def _events(connection: Connection) -> Iterator[Event]:
    table = schema.ledger
    for row in connection.execute(select(table).order_by(table.c.sequence), execution_options={"yield_per": 1000}):
        try:
            payload = json.loads(row.payload)
        except json.JSONDecodeError as error:
            raise RolloutError(
                f"The history is broken at event {row.sequence} ({row.kind}): what it tells cannot be read; restore "
                "the store from a copy."
            ) from error
        yield Event(**{**row._mapping, "payload": payload})
