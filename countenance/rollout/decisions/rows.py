"""Ranges of the tables ``decision`` and ``label``, each read by an index from where the last look ended."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, FromClause, and_, distinct, exists, func, or_, select

from countenance.rollout import schema
from countenance.rollout.decisions.cursor import BEGINNING, Cursor, Position
from countenance.rollout.state import BreakerReading

_made, _told = schema.decision, schema.label
_ARRIVAL = (
    _made.c.at,
    _made.c.id,
    _made.c.by_candidate,
    _made.c.candidate_match,
    _made.c.champion_match,
    _made.c.candidate_ms,
    _made.c.champion_ms,
    _made.c.failed,
    _made.c.shadow_dropped,
    _made.c.audit_probability,
    _made.c.site,
)
_LABELLED = (
    _made.c.at,
    _made.c.id,
    _made.c.by_candidate,
    _made.c.candidate_match,
    _made.c.champion_match,
    _made.c.candidate_score,
    _made.c.group_name,
    _made.c.stage_key,
    _made.c.audit_probability,
    _made.c.audited,
    _told.c.mated,
)
Rows = Sequence[Any]
"""Rows of a query; what they hold is named in ``_ARRIVAL`` and ``_LABELLED``."""


def arrivals(connection: Connection, rollout: int, after: Position, rows: int) -> Rows:
    """Decisions that came after a place, in their order."""
    query = select(*_ARRIVAL).where(_made.c.rollout == rollout, _behind(after))
    return connection.execute(query.order_by(_made.c.at, _made.c.id).limit(rows)).all()


def last_label(connection: Connection, cursor: Cursor, rows: int) -> tuple[int, bool]:
    """The number of the last label to look at, and whether there are more."""
    if cursor.matured == BEGINNING:
        # Nothing was old enough before, so that no label can be late: all that are there are found by their decision.
        return connection.execute(select(func.max(_told.c.id))).scalar_one() or 0, False
    query = select(_told.c.id).where(_told.c.id > cursor.label).order_by(_told.c.id).limit(rows)
    numbers = connection.execute(query).scalars().all()
    return (numbers[-1] if numbers else cursor.label), len(numbers) == rows


def matured(
    connection: Connection, rollout: int, after: Position, until: datetime, until_label: int, rows: int
) -> Rows:
    """Decisions that are old enough now and were not at the last look, with their label if it is there."""
    query = (
        select(*_LABELLED)
        .outerjoin(_told, and_(_told.c.decision == _made.c.id, _told.c.id <= until_label))
        .where(_made.c.rollout == rollout, _behind(after), _made.c.at <= until)
    )
    return connection.execute(query.order_by(_made.c.at, _made.c.id).limit(rows)).all()


def late(connection: Connection, rollout: int, cursor: Cursor, until_label: int) -> Rows:
    """Decisions that were old enough at the last look, and whose label came since."""
    place = cursor.matured
    query = (
        select(*_LABELLED)
        .join_from(_told, _made, _told.c.decision == _made.c.id)
        .where(_told.c.id > cursor.label, _told.c.id <= until_label)
        .where(_made.c.rollout == rollout, ~_behind(place))
    )
    return connection.execute(query.order_by(_told.c.id)).all()


def _behind(place: Position, table: FromClause = _made) -> ColumnElement[bool]:
    # The first half alone is what an index is searched by.
    later = or_(table.c.at > place.at, table.c.id > place.id)
    return and_(table.c.at >= place.at, later)


def last_place(rows: Rows, before: Position) -> Position:
    """The place of the last row; ``before`` where there is none."""
    return Position(rows[-1].at, rows[-1].id) if rows else before


def new_people(connection: Connection, rollout: int, after: Position, until: Position) -> int:
    """How many whom the candidate answered between two places it had never answered before in this rollout."""
    earlier = _made.alias("earlier")
    known = exists().where(
        earlier.c.routing_key == _made.c.routing_key,
        earlier.c.rollout == rollout,
        earlier.c.by_candidate,
        ~_behind(after, earlier),
    )
    query = select(func.count(distinct(_made.c.routing_key))).where(
        _made.c.rollout == rollout, _made.c.by_candidate, _made.c.routing_key != "", _behind(after), ~_behind(until)
    )
    return int(connection.execute(query.where(~known)).scalar_one())


def failures(connection: Connection, rollout: int, since: datetime) -> BreakerReading:
    """What the candidate answered since a moment, and how often it failed."""
    query = select(func.count(), func.count().filter(_made.c.failed)).where(
        _made.c.rollout == rollout, _made.c.at > since, _made.c.by_candidate
    )
    requests, errors = connection.execute(query).one()
    return BreakerReading(requests=requests, errors=errors)
