"""Ranges of the tables ``decision`` and ``label``, each read by an index from where the last look ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, NamedTuple, TypeVar

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select

from countenance.rollout import schema
from countenance.rollout.decisions.cursor import BEGINNING, Cursor, Position
from countenance.rollout.state import BreakerReading

_made, _told = schema.decision, schema.label
_KEYS_A_QUERY: Final = 500
_STREAMED: Final = {"yield_per": 5000}

Key = TypeVar("Key", int, str)


class Arrival(NamedTuple):
    """A decision as it arrived; the columns of the table ``decision``."""

    at: datetime
    id: int
    by_candidate: bool
    candidate_match: bool | None
    champion_match: bool | None
    candidate_ms: float | None
    champion_ms: float | None
    failed: bool
    shadow_dropped: bool
    audit_probability: float
    site: str | None
    routing_key: str


class Ripe(NamedTuple):
    """A decision that is old enough, with what was true of it; ``mated`` None: nobody has told yet."""

    at: datetime
    id: int
    by_candidate: bool
    candidate_match: bool | None
    champion_match: bool | None
    candidate_score: float | None
    group_name: str | None
    stage_key: str
    audit_probability: float
    audited: bool
    mated: bool | None


class Told(NamedTuple):
    """A label: its number, the number of its decision, and the truth."""

    id: int
    decision: int
    mated: bool


_ARRIVAL: Final = tuple(_made.c[name] for name in Arrival._fields)
_RIPE: Final = tuple(_made.c[name] for name in Ripe._fields[:-1])


def arrivals(connection: Connection, rollout: int, after: Position, rows: int) -> list[Arrival]:
    """Decisions that came after a place, in their order."""
    query = select(*_ARRIVAL).where(_made.c.rollout == rollout, _behind(after))
    found = connection.execute(query.order_by(_made.c.at, _made.c.id).limit(rows))
    return [Arrival(*row) for row in found]


def new_labels(connection: Connection, cursor: Cursor, rows: int) -> tuple[list[Told], int]:
    """The labels that came since the last look, of whatever rollout, and the number of the last one to look at."""
    if cursor.matured == BEGINNING:
        # Nothing was old enough before, so that no label can be late: all that are there are found by their decision.
        return [], connection.execute(select(func.max(_told.c.id))).scalar_one() or 0
    query = select(_told.c.id, _told.c.decision, _told.c.mated).where(_told.c.id > cursor.label)
    found = [Told(*row) for row in connection.execute(query.order_by(_told.c.id).limit(rows))]
    return found, found[-1].id if found else cursor.label


def matured(
    connection: Connection, rollout: int, after: Position, until: datetime, until_label: int, rows: int
) -> list[Ripe]:
    """Decisions that are old enough now and were not at the last look, with their label if it is there."""
    query = select(*_RIPE).where(_made.c.rollout == rollout, _behind(after), _made.c.at <= until)
    found = connection.execute(query.order_by(_made.c.at, _made.c.id).limit(rows)).all()
    truths: dict[int, bool] = {}
    for keys in _parts([row.id for row in found]):
        told = select(_told.c.decision, _told.c.mated).where(_told.c.decision.in_(keys), _told.c.id <= until_label)
        truths |= {row.decision: row.mated for row in connection.execute(told)}
    return [Ripe._make((*row, truths.get(row.id))) for row in found]


def late(connection: Connection, rollout: int, place: Position, labels: Sequence[Told]) -> list[Ripe]:
    """Decisions that were old enough at the last look, up to ``place``, and whose label is among ``labels``."""
    # Numbers and moments grow together, so most labels that came before their decision was old enough end here.
    truths = {label.decision: label.mated for label in labels if label.decision <= place.id}
    # By their keys and nothing else: a database that knew of the rollout, too, might walk through all of it.
    found = [
        row
        for keys in _parts(list(truths))
        for row in connection.execute(select(*_RIPE, _made.c.rollout).where(_made.c.id.in_(keys)))
    ]
    return [
        Ripe._make((*row[:-1], truths[row.id]))
        for row in found
        if row.rollout == rollout and Position(row.at, row.id) <= place
    ]


def _parts(keys: list[Key]) -> Iterator[list[Key]]:
    return (keys[start : start + _KEYS_A_QUERY] for start in range(0, len(keys), _KEYS_A_QUERY))


def folded_arrivals(connection: Connection, rollout: int, cursor: Cursor) -> Iterator[Arrival]:
    """All decisions that were counted as arrivals up to ``cursor``, in no order."""
    query = select(*_ARRIVAL).where(_made.c.rollout == rollout, ~_behind(cursor.arrived))
    return (Arrival(*row) for row in connection.execute(query, execution_options=_STREAMED))


def folded_labels(connection: Connection, rollout: int, cursor: Cursor) -> Iterator[Ripe]:
    """All labelled decisions that were counted up to ``cursor``, in no order."""
    query = (
        select(*_RIPE, _told.c.mated)
        .join_from(_made, _told, _told.c.decision == _made.c.id)
        .where(_made.c.rollout == rollout, ~_behind(cursor.matured), _told.c.id <= cursor.label)
    )
    return (Ripe(*row) for row in connection.execute(query, execution_options=_STREAMED))


def _behind(place: Position) -> ColumnElement[bool]:
    # The first half alone is what an index is searched by.
    later = or_(_made.c.at > place.at, _made.c.id > place.id)
    return and_(_made.c.at >= place.at, later)


def last_place(rows: Sequence[Arrival] | Sequence[Ripe], before: Position) -> Position:
    """The place of the last row; ``before`` where there is none."""
    return Position(rows[-1].at, rows[-1].id) if rows else before


def new_people(connection: Connection, rollout: int, after: Position, exposed: Sequence[Arrival]) -> int:
    """How many of ``exposed``, whom the candidate answered after a place, it had never answered before it."""
    keys = sorted({row.routing_key for row in exposed} - {""})
    known = 0
    for part in _parts(keys):
        first = func.min(_made.c.id).label("first")
        query = select(_made.c.rollout, first).where(_made.c.routing_key.in_(part), _made.c.by_candidate)
        rows = connection.execute(query.group_by(_made.c.routing_key, _made.c.rollout))
        known += sum(row.rollout == rollout and row.first <= after.id for row in rows)
    return len(keys) - known


def failures(connection: Connection, rollout: int, since: datetime) -> BreakerReading:
    """What the candidate answered since a moment, and how often it failed."""
    query = select(func.count(), func.count().filter(_made.c.failed)).where(
        _made.c.rollout == rollout, _made.c.at > since, _made.c.by_candidate
    )
    requests, errors = connection.execute(query).one()
    return BreakerReading(requests=requests, errors=errors)
