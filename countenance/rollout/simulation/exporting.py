"""The log of a rollout, written from the store: decisions with the labels that came, a page at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Connection, select, tuple_

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.connection import reading
from countenance.rollout.reader import RolloutReader
from countenance.rollout.simulation.columns import log_schema
from countenance.storage import write_aside

if TYPE_CHECKING:
    import pyarrow as pa

PAGE: Final = 50_000


@dataclass(frozen=True, kw_only=True)
class Exported:
    """What was written: of which rollout, how many decisions, and how many of them with a label."""

    rollout: int
    candidate: str
    champion: str
    decisions: int
    labelled: int


def export_log(store: RolloutReader, out: Path, *, rollout: int | None = None, page: int = PAGE) -> Exported:
    """Write the decisions of one rollout as Parquet, aside and then renamed.

    Memory stays flat: decisions are read by position, ``page`` at a time. A person who was erased has no routing
    key any more; each of their requests then counts as a person's own.

    Args:
        store: with the model's rollouts.
        out: the file.
        rollout: its number; None: the newest one with decisions.
        page: decisions at a time.

    Raises:
        RolloutError: there is no such rollout, it has no champion to compare with, or no decision is recorded.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with reading(store._engine) as connection:
            number, candidate, champion = _chosen(connection, store._model, rollout)
            kinds = log_schema(candidate, champion)
            decisions = labelled = 0
            with write_aside(out) as aside, pq.ParquetWriter(aside, kinds) as writer:
                for rows in _pages(connection, number, page):
                    table = _table(rows, kinds)
                    writer.write_table(table)
                    decisions, labelled = decisions + len(rows), labelled + len(rows) - table["label_at"].null_count
                if decisions == 0:
                    raise RolloutError(
                        f"No decision of rollout {number} is recorded: record traffic before it is exported."
                    )
    except pa.ArrowInvalid as error:
        raise RolloutError(
            f"A decision of the store doesn't fit the log's columns ({error}): verify the store."
        ) from error
    return Exported(rollout=number, candidate=candidate, champion=champion, decisions=decisions, labelled=labelled)


def _chosen(connection: Connection, model: str, number: int | None) -> tuple[int, str, str]:
    table, decision = schema.rollout, schema.decision
    query = select(table.c.id, table.c.release, table.c.champion).where(table.c.model == model)
    if number is None:
        traffic = select(decision.c.id).where(decision.c.rollout == table.c.id).exists()
        query = query.where(traffic).order_by(table.c.id.desc()).limit(1)
    else:
        query = query.where(table.c.id == number)
    row = connection.execute(query).first()
    if row is None:
        what = "No rollout with decisions" if number is None else f"No rollout {number}"
        raise RolloutError(f"{what} of model '{model}' is in the store: name another with --rollout or --model.")
    if row.champion is None:
        raise RolloutError(f"Rollout {row.id} began without a champion, so there is nothing to compare: name another.")
    return row.id, row.release, row.champion


def _pages(connection: Connection, number: int, page: int) -> Iterator[Sequence[Any]]:
    decision, label = schema.decision, schema.label
    query = (
        select(decision, label.c.mated, label.c.received_at)
        .outerjoin(label, label.c.decision == decision.c.id)
        .where(decision.c.rollout == number)
        .order_by(decision.c.at, decision.c.id)
        .limit(page)
    )
    rows = connection.execute(query).all()
    while rows:
        yield rows
        last = tuple_(decision.c.at, decision.c.id) > tuple_(
            *(_bound(column, value) for column, value in ((decision.c.at, rows[-1].at), (decision.c.id, rows[-1].id)))
        )
        rows = connection.execute(query.where(last)).all()


def _bound(column: Any, value: Any) -> Any:
    """A value as the column's type writes it; a tuple's members would lose it."""
    from sqlalchemy import literal

    return literal(value, column.type)


def _table(rows: Sequence[Any], kinds: pa.Schema) -> pa.Table:
    import pyarrow as pa

    other = {
        "group": [row.group_name for row in rows],
        "label_at": [row.received_at for row in rows],
        "routing_key": [row.routing_key or _own_key(row.decision_id) for row in rows],
    }
    columns = {name: other.get(name) or [getattr(row, name) for row in rows] for name in kinds.names}
    return pa.table(columns, schema=kinds)


def _own_key(decision_id: str) -> str:
    return hashlib.sha256(f"erased {decision_id}".encode()).hexdigest()
