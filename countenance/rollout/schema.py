"""The tables of the rollout store. Everything here is append-only except where a comment says otherwise."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    DDL,
    Column,
    DateTime,
    Dialect,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    event,
    text,
)
from sqlalchemy.types import TypeDecorator

from countenance.errors import RolloutError


def in_utc(moment: datetime) -> datetime:
    """``moment`` in UTC.

    Raises:
        RolloutError: when it has no time zone.
    """
    if moment.tzinfo is None:
        raise RolloutError(f"The moment {moment.isoformat()} has no time zone: give it in UTC.")
    return moment.astimezone(UTC)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC, to the microsecond; a datetime without a time zone is refused."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Turn any time zone into UTC on the way in."""
        return None if value is None else in_utc(value)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Mark what comes out as UTC; SQLite keeps no zone."""
        return value.replace(tzinfo=UTC) if value is not None and value.tzinfo is None else value


metadata = MetaData()

# One row a model, changed in place by compare-and-set on `release`; `epoch` counts the changes.
champion = Table(
    "champion",
    metadata,
    Column("model", String, primary_key=True),
    Column("release", String, nullable=False),
    Column("previous", String),
    Column("since", Moment, nullable=False),
    Column("epoch", Integer, nullable=False),
)

# One row a rollout, changed in place by compare-and-set on `epoch`.
rollout = Table(
    "rollout",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model", String, nullable=False),
    Column("release", String, nullable=False),
    Column("champion", String),
    Column("policy", Text),
    Column("policy_hash", String),
    Column("stage", String, nullable=False),
    Column("state", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("started_at", Moment, nullable=False),
    Column("promoted_at", Moment),
    Column("ended_at", Moment),
)
Index("one_active_rollout_a_model", rollout.c.model, unique=True, sqlite_where=text("ended_at IS NULL"))

ledger = Table(
    "event",
    metadata,
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("model", String, nullable=False),
    Column("rollout", ForeignKey("rollout.id"), nullable=False),
    Column("at", Moment, nullable=False),
    Column("kind", String, nullable=False),
    Column("payload", Text, nullable=False),
    Column("previous_hash", String, nullable=False),
    Column("hash", String, nullable=False, unique=True),
)

evidence = Table(
    "evidence",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rollout", ForeignKey("rollout.id"), nullable=False),
    Column("look", Integer, nullable=False),
    Column("at", Moment, nullable=False),
    Column("stage", String, nullable=False),
    Column("stage_key", String, nullable=False),
    Column("share", Float, nullable=False),
    Column("measured", Text, nullable=False),
    Column("verdict", Text, nullable=False),
    UniqueConstraint("rollout", "look"),
)

# Aggregated: who answered how many between two looks, and how often wrongly.
decision = Table(
    "decision",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rollout", ForeignKey("rollout.id"), nullable=False),
    Column("look", Integer, nullable=False),
    Column("release", String, nullable=False),
    Column("first_at", Moment, nullable=False),
    Column("last_at", Moment, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("new_people", Integer, nullable=False),
    Column("false_matches", Integer, nullable=False),
    Column("false_non_matches", Integer, nullable=False),
    Column("champion_false_matches", Integer, nullable=False),
    Column("champion_false_non_matches", Integer, nullable=False),
    UniqueConstraint("rollout", "look", "release"),
)

# The signature is unique: an approval is used once.
approval = Table(
    "approval",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rollout", ForeignKey("rollout.id"), nullable=False),
    Column("actor", String, nullable=False),
    Column("act", String, nullable=False),
    Column("subject", String, nullable=False),
    Column("at", Moment, nullable=False),
    Column("reason", Text, nullable=False),
    Column("signature", String, nullable=False, unique=True),
)

# Alias moves that the registry must still be told; `projected_at` is filled in once it was.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model", String, nullable=False),
    Column("event", ForeignKey("event.sequence"), nullable=False),
    Column("alias", String, nullable=False),
    Column("release", String),
    Column("created_at", Moment, nullable=False),
    Column("projected_at", Moment),
)

for _table in (ledger, approval, evidence, decision):
    for _verb in ("UPDATE", "DELETE"):
        event.listen(
            _table,
            "after_create",
            DDL(  # type: ignore[no-untyped-call]
                f"CREATE TRIGGER {_table.name}_refuses_{_verb.lower()} BEFORE {_verb} ON {_table.name} "
                f"BEGIN SELECT RAISE(ABORT, 'the table {_table.name} is append-only'); END"
            ).execute_if(dialect="sqlite"),
        )
