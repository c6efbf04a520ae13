"""Looks and evidence files, each held against its hash, and the hashes against the history."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Row, func, select

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.decisions.cursor import Cursor
from countenance.rollout.decisions.digest import recounted
from countenance.rollout.ledger import GENESIS
from countenance.rollout.looks import look_hash, newest_row, rows_of
from countenance.rollout.verified_story import Story, tampered
from countenance.storage import file_sha256

_REMEDY: Final = "restore the store from a copy"


def verify_looks(connection: Connection, story: Story) -> int:
    """Walk every rollout's chain of looks; return how many looks there are.

    Raises:
        RolloutError: naming the look that was changed, put in or removed, or the event that rests on none.
    """
    table, count = schema.rollout, 0
    heads = connection.execute(select(table.c.id, table.c.evidence_head).order_by(table.c.id)).all()
    for number, head in heads:
        hashes, before = set(), GENESIS
        for expected, (row, batches) in enumerate(rows_of(connection, number), start=1):
            if row.look != expected:
                raise RolloutError(f"Look {expected} of rollout {number} is gone: {_REMEDY}.")
            before = _verified_look(row, batches, before)
            hashes.add(before)
            count += 1
        if (head or GENESIS) != before:
            raise RolloutError(
                f"The looks of rollout {number} do not end with look {len(hashes)}: newer ones were removed, or it was "
                f"put in; {_REMEDY}."
            )
        for wanted, event in story.rollouts[number].rests_on.items():
            if wanted not in hashes:
                raise RolloutError(
                    f"Event {event} rests on a look of rollout {number} that the store does not hold: the evidence "
                    f"was rewritten; {_REMEDY}."
                )
    held = connection.execute(select(func.count()).select_from(schema.evidence)).scalar_one()
    if held != count:
        raise RolloutError(f"{held - count} looks belong to no rollout: they were put in; {_REMEDY}.")
    return count


def _verified_look(row: Row[Any], batches: list[Row[Any]], before: str) -> str:
    made = look_hash(before, row._asdict(), [batch._asdict() for batch in batches])
    if row.hash != made:
        raise RolloutError(
            f"Look {row.look} of rollout {row.rollout} was tampered with: its hash {row.hash[:16]} does not cover what "
            f"the store holds; {_REMEDY}."
        )
    return made


def verify_answers(connection: Connection) -> None:
    """What was answered between looks is covered by the looks; rows beside them were put in.

    Raises:
        RolloutError: when there are such rows.
    """
    sums, seen = schema.answered, schema.evidence
    joined = sums.outerjoin(seen, (seen.c.rollout == sums.c.rollout) & (seen.c.look == sums.c.look))
    beside = select(sums.c.rollout, sums.c.look).select_from(joined).where(seen.c.id.is_(None)).limit(1)
    row = connection.execute(beside).one_or_none()
    if row is not None:
        raise RolloutError(f"What was answered before look {row.look} of rollout {row.rollout} was put in: {_REMEDY}.")


def verify_decisions(connection: Connection) -> None:
    """Hold the single decisions and labels that every rollout's newest look rests on against its fingerprints.

    Looks of a replay rest on none and have no cursor.

    Raises:
        RolloutError: saying of which rollout decisions or labels were changed, put in or removed.
    """
    for number in connection.execute(select(schema.rollout.c.id).order_by(schema.rollout.c.id)).scalars().all():
        newest = newest_row(connection, number)
        if newest is None or newest.cursor is None or "labels_digest" not in json.loads(newest.cursor):
            continue
        cursor = Cursor.from_json(newest.cursor)
        arrivals, labels = recounted(connection, number, cursor)
        for what, holds, told in (
            ("decisions", arrivals, cursor.arrivals_digest),
            ("labels", labels, cursor.labels_digest),
        ):
            if holds != told:
                raise RolloutError(
                    f"The {what} of rollout {number} are not those that look {newest.look} rests on: some were "
                    f"changed, put in or removed; {_REMEDY}."
                )


def verify_attachments(connection: Connection, story: Story, files: Mapping[str, Path]) -> int:
    """Hold every evidence file's row against its event, and the files that are at hand against their hashes.

    Args:
        connection: in a transaction.
        story: what the history says.
        files: by name; where a name was attached to several rollouts, the newest one counts.

    Returns:
        How many are attached.

    Raises:
        RolloutError: naming the file.
    """
    table, seen = schema.attachment, set()
    for row in connection.execute(select(table).order_by(table.c.id)):
        what = f"The row of evidence file '{row.name}' of rollout {row.rollout}"
        event = story.attachments.get((row.rollout, row.name))
        if event is None:
            raise RolloutError(f"{what} was put in: no event tells of it; {_REMEDY}.")
        seen.add((row.rollout, row.name))
        told = {"sha256": event.payload["sha256"], "size": event.payload["size"], "at": event.at}
        for name, value in told.items():
            if row._mapping[name] != value:
                raise tampered(f"{what} ({name})", holds=row._mapping[name], told=value, event=event.sequence)
    newest: dict[str, tuple[str, int]] = {}
    for key, event in story.attachments.items():
        if key not in seen:
            raise RolloutError(f"The row of evidence file '{key[1]}' of rollout {key[0]} is gone: {_REMEDY}.")
        newest[key[1]] = (event.payload["sha256"], event.payload["size"])
    for name, (digest, size) in newest.items():
        if name in files:
            _verify_file(name, files[name], digest, size)
    return len(seen)


def _verify_file(name: str, path: Path, digest: str, size: int) -> None:
    if not path.is_file():
        raise RolloutError(f"The evidence file '{name}' is missing: bring it back to where it lay.")
    if path.stat().st_size != size or file_sha256(path) != digest:
        raise RolloutError(f"The evidence file '{name}' was changed since it was attached: bring back the one of then.")
