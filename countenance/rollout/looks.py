"""Looks as they lie in the store: each one's hash covers the look before it, as an event's does."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, insert, select, update

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.ledger import GENESIS, canonical_json
from countenance.rollout.records import DecisionBatch, Look
from countenance.rollout.state import Stage

SUMS: Final = (
    "release",
    "first_at",
    "last_at",
    "requests",
    "new_people",
    "false_matches",
    "false_non_matches",
    "champion_false_matches",
    "champion_false_non_matches",
)
"""The columns of what was answered between two looks that a look's hash covers."""

_OF_A_LOOK: Final = ("rollout", "look", "at", "stage", "stage_key", "share", "measured", "verdict", "cursor")


def look_hash(previous: str, look: Mapping[str, Any], batches: Sequence[Mapping[str, Any]]) -> str:
    """The sha256 (hex) of a look: over the look before it, all that was measured, and what was answered.

    Args:
        previous: the hash of the look before it in this rollout; ``GENESIS`` for the first.
        look: the row of the table ``evidence``; a column that is not there counts as null.
        batches: its rows of the table ``answered``, by release.
    """
    body = {name: _plain(look.get(name)) for name in _OF_A_LOOK}
    ordered = sorted(batches, key=lambda batch: str(batch["release"]))
    body["batches"] = [{name: _plain(batch[name]) for name in SUMS} for batch in ordered]
    return hashlib.sha256(f"{previous}\n{canonical_json(body)}".encode()).hexdigest()


def keep_look(connection: Connection, rollout: int, look: Look, cursor: str | None) -> str:
    """Add a look to a rollout's chain and return its hash.

    Raises:
        RolloutError: when the look is not the one after the newest.
    """
    table = schema.evidence
    newest = newest_row(connection, rollout)
    before = 0 if newest is None else int(newest.look)
    if look.number != before + 1:
        raise RolloutError(
            f"Look {look.number} cannot be kept after look {before} of this rollout: number looks one by one."
        )
    row = {
        "rollout": rollout,
        "look": look.number,
        "at": schema.in_utc(look.at),
        "stage": str(look.stage),
        "stage_key": look.stage_key,
        "share": look.share,
        "measured": look.measured.to_json(),
        "verdict": canonical_json(look.verdict),
        "cursor": cursor,
    }
    batches = [asdict(batch) for batch in look.batches]
    row["hash"] = look_hash(GENESIS if newest is None else newest.hash, row, batches)
    connection.execute(insert(table).values(**row))
    if batches:
        connection.execute(
            insert(schema.answered), [{"rollout": rollout, "look": look.number, **batch} for batch in batches]
        )
    connection.execute(update(schema.rollout).where(schema.rollout.c.id == rollout).values(evidence_head=row["hash"]))
    return str(row["hash"])


def newest_row(connection: Connection, rollout: int) -> Row[Any] | None:
    """The newest look of a rollout as it lies in the store."""
    table = schema.evidence
    newest = select(table).where(table.c.rollout == rollout).order_by(table.c.look.desc()).limit(1)
    return connection.execute(newest).one_or_none()


def rows_of(connection: Connection, rollout: int) -> Iterable[tuple[Row[Any], list[Row[Any]]]]:
    """Every look of a rollout in its order, with its batches, as they lie in the store."""
    seen, made = schema.evidence, schema.answered
    batches: dict[int, list[Row[Any]]] = {}
    for batch in connection.execute(select(made).where(made.c.rollout == rollout).order_by(made.c.id)):
        batches.setdefault(batch.look, []).append(batch)
    for row in connection.execute(select(seen).where(seen.c.rollout == rollout).order_by(seen.c.look)):
        yield row, batches.get(row.look, [])


def read_look(row: Row[Any], batches: Sequence[Row[Any]] = ()) -> Look:
    """A look from its row and those of its batches."""
    return Look(
        number=row.look,
        at=row.at,
        stage=Stage(row.stage),
        stage_key=row.stage_key,
        share=row.share,
        measured=EvidenceState.from_json(row.measured),
        verdict=json.loads(row.verdict),
        batches=tuple(DecisionBatch(**{name: batch._mapping[name] for name in SUMS}) for batch in batches),
        cursor=row.cursor,
        hash=row.hash,
    )


def _plain(value: Any) -> Any:
    return schema.in_utc(value).isoformat() if isinstance(value, datetime) else value
