"""Taking in decisions and labels: each once, in an order that folding can rely on.

Writers come one after the other (``connection.taking_in``), and the moment is read after the lock is held and never
lies before the newest one of the same rollout. So number and moment of the rows of a rollout grow together, and a row
is visible before any later one: what lies behind a cursor can't become more (ADR 0038).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from typing import Any, Final, TypeVar

from sqlalchemy import Connection, insert, select

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.connection import database_time, taking_in
from countenance.rollout.decisions.decision import Decision
from countenance.rollout.decisions.labels import LabelMessage, authenticate
from countenance.rollout.records import RolloutRecord
from countenance.rollout.store import RolloutStore
from countenance.rollout.transaction import Transaction

_ROWS_A_TRANSACTION: Final = 1000
"""So that nobody waits long for the lock."""

Item = TypeVar("Item")


def record(store: RolloutStore, decisions: Iterable[Decision], *, now: datetime | None = None) -> int:
    """Keep decisions; one whose id is known already is passed over.

    A decision counts as evidence for the rollout of its candidate against its champion; where the store knows no such
    rollout it is kept as a part of the history.

    Args:
        store: the store, which knows the model.
        decisions: in the order in which they were answered.
        now: the moment, in a replay; None: the database's.

    Returns:
        How many were new.

    Raises:
        RolloutError: when a decision's own moment lies before the newest one of its rollout, or is yet to come.
    """
    return sum(_record(store, part, now) for part in _parts(decisions))


def label(store: RolloutStore, message: LabelMessage, secret: bytes, *, now: datetime | None = None) -> bool:
    """Keep what was true of one request.

    Args:
        store: the store.
        message: signed with ``labels.sign_label``.
        secret: the label secret.
        now: the moment, in a replay; None: the database's.

    Returns:
        Whether it was new; the same label handed in again changes nothing.

    Raises:
        RolloutError: when the signature is wrong, the request is unknown, or it has another label already.
    """
    return label_all(store, [message], secret, now=now) == 1


def label_all(
    store: RolloutStore, messages: Iterable[LabelMessage], secret: bytes, *, now: datetime | None = None
) -> int:
    """Keep many labels, as :func:`label` does; return how many were new.

    A part of up to 1,000 is kept as a whole or, where one of it is refused, not at all.
    """
    return sum(_label(store, part, secret, now) for part in _parts(messages))


def _parts(items: Iterable[Item]) -> Iterator[list[Item]]:
    iterator = iter(items)
    while part := list(islice(iterator, _ROWS_A_TRANSACTION)):
        yield part


def _record(store: RolloutStore, decisions: Sequence[Decision], now: datetime | None) -> int:
    with taking_in(store._engine) as connection:
        clock = now or database_time(connection)
        transaction = Transaction(connection, store._model)
        records: dict[str, RolloutRecord | None] = {}
        newest: dict[int, datetime] = {}
        rows = []
        for decision in _new(connection, store._model, decisions):
            rollout = _rollout_of(transaction, decision, records)
            at = _moment(connection, decision, rollout, clock, newest)
            rows.append(_row(store._model, decision, rollout, at))
        if rows:
            connection.execute(insert(schema.decision), rows)
        return len(rows)


def _new(connection: Connection, model: str, decisions: Sequence[Decision]) -> list[Decision]:
    """The decisions whose id is not known yet, each once; asked under the lock."""
    made = schema.decision
    ids = [decision.decision_id for decision in decisions]
    known = select(made.c.decision_id).where(made.c.model == model, made.c.decision_id.in_(ids))
    seen = set(connection.execute(known).scalars())
    return [item for item in decisions if item.decision_id not in seen and not seen.add(item.decision_id)]  # type: ignore[func-returns-value]


def _rollout_of(
    transaction: Transaction, decision: Decision, records: dict[str, RolloutRecord | None]
) -> RolloutRecord | None:
    if decision.candidate is None:
        return None
    if decision.candidate not in records:
        records[decision.candidate] = transaction.latest(decision.candidate)
    found = records[decision.candidate]
    # Evidence speaks of two models: what was compared with another champion is none.
    return found if found is not None and found.state.champion == decision.champion else None


def _moment(
    connection: Connection,
    decision: Decision,
    rollout: RolloutRecord | None,
    clock: datetime,
    newest: dict[int, datetime],
) -> datetime:
    at = clock if decision.at is None else schema.in_utc(decision.at)
    if at > clock:
        raise RolloutError(
            f"Decision '{decision.decision_id}' is of {at.isoformat()}, which is yet to come: leave it to "
            "the store to say when."
        )
    if rollout is None:
        return at
    if rollout.id not in newest:
        made = schema.decision
        query = select(made.c.at).where(made.c.rollout == rollout.id).order_by(made.c.at.desc(), made.c.id.desc())
        newest[rollout.id] = connection.execute(query.limit(1)).scalar_one_or_none() or rollout.state.started_at
    if decision.at is not None and at < newest[rollout.id]:
        raise RolloutError(
            f"Decision '{decision.decision_id}' is of {at.isoformat()}, before the newest one of its rollout: hand "
            "decisions in in the order in which they were answered."
        )
    newest[rollout.id] = max(at, newest[rollout.id])
    return newest[rollout.id]


def _row(model: str, decision: Decision, rollout: RolloutRecord | None, at: datetime) -> dict[str, Any]:
    present = "" if rollout is None else rollout.state.stage_key
    return {
        "model": model,
        "decision_id": decision.decision_id,
        "rollout": None if rollout is None else rollout.id,
        "at": at,
        "stage_key": decision.stage_key or present,
        "by_candidate": decision.by_candidate,
        "candidate_match": decision.candidate_match,
        "champion_match": decision.champion_match,
        "candidate_score": decision.candidate_score,
        "group_name": decision.group,
        "routing_key": decision.routing_key,
        "site": decision.site,
        "candidate_ms": decision.candidate_ms,
        "champion_ms": decision.champion_ms,
        "failed": decision.failed,
        "shadow_dropped": decision.shadow_dropped,
        "audit_probability": decision.audit_probability,
        "audited": decision.audited,
    }


def _label(store: RolloutStore, messages: Sequence[LabelMessage], secret: bytes, now: datetime | None) -> int:
    for message in messages:
        authenticate(message, secret)
        if message.model != store._model:
            raise RolloutError(
                f"The label of decision '{message.decision_id}' is for model '{message.model}', and this store speaks "
                f"of '{store._model}': send it to its own model."
            )
    with taking_in(store._engine) as connection:
        moment = now or database_time(connection)
        known = _known_labels(connection, store._model, [message.decision_id for message in messages])
        rows = []
        for message in messages:
            if message.decision_id not in known:
                raise RolloutError(f"No decision '{message.decision_id}' is recorded: record it before its label.")
            number, mated = known[message.decision_id]
            if mated is None:
                known[message.decision_id] = (number, message.mated)
                row = {"decision": number, "mated": message.mated, "source": message.source}
                rows.append(row | {"received_at": moment})
            elif mated != message.mated:
                raise RolloutError(
                    f"Decision '{message.decision_id}' has another label already: a label is given once."
                )
        if rows:
            connection.execute(insert(schema.label), rows)
        return len(rows)


def _known_labels(connection: Connection, model: str, ids: Sequence[str]) -> dict[str, tuple[int, bool | None]]:
    made, told = schema.decision, schema.label
    query = (
        select(made.c.decision_id, made.c.id, told.c.mated)
        .outerjoin(told, told.c.decision == made.c.id)
        .where(made.c.model == model, made.c.decision_id.in_(ids))
    )
    return {row.decision_id: (row.id, row.mated) for row in connection.execute(query)}
