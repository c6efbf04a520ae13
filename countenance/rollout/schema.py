"""The tables of the rollout store. Everything here is append-only except where a comment says otherwise.

The tables are made by the migrations beside this file, triggers included; these are what the code reads and writes
them by, and a test compares the two.
"""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Boolean,
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
        """Give it back in UTC; SQLite keeps no zone, and PostgreSQL answers in the session's."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


# SQLite counts rows by itself only in a column of exactly this type.
Number = BigInteger().with_variant(Integer, "sqlite")


HEAD = "0002"
"""The migration that makes these tables."""

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

# One row a rollout, changed in place by compare-and-set on `epoch`; `evidence_head` is the hash of its newest look.
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
    Column("evidence_head", String),
)
Index(
    "one_active_rollout_a_model",
    rollout.c.model,
    unique=True,
    sqlite_where=text("ended_at IS NULL"),
    postgresql_where=text("ended_at IS NULL"),
)

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
Index("events_of_a_rollout", ledger.c.rollout, ledger.c.sequence)

# `cursor` says up to where decisions and labels were folded; `hash` covers the look and the one before it.
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
    Column("cursor", Text),
    Column("hash", String, nullable=False, server_default=""),
    UniqueConstraint("rollout", "look"),
)

# Aggregated: who answered how many between two looks, and how often wrongly.
answered = Table(
    "answered",
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

# One row a request. `routing_key` is an HMAC of who asked, the one thing here that stands for a person: an erasure
# empties it, and nothing else of a row can ever change. `audit_probability` is 1 where all are to be labelled.
decision = Table(
    "decision",
    metadata,
    Column("id", Number, primary_key=True),
    Column("model", String, nullable=False),
    Column("decision_id", String, nullable=False),
    Column("rollout", ForeignKey("rollout.id")),
    Column("at", Moment, nullable=False),
    Column("stage_key", String, nullable=False),
    Column("by_candidate", Boolean, nullable=False),
    Column("candidate_match", Boolean),
    Column("champion_match", Boolean),
    Column("candidate_score", Float),
    Column("group_name", String),
    Column("routing_key", String, nullable=False),
    Column("site", String),
    Column("candidate_ms", Float),
    Column("champion_ms", Float),
    Column("failed", Boolean, nullable=False),
    Column("shadow_dropped", Boolean, nullable=False),
    Column("audit_probability", Float, nullable=False),
    Column("audited", Boolean, nullable=False),
    UniqueConstraint("model", "decision_id"),
    sqlite_autoincrement=True,
)
Index("decisions_of_a_rollout", decision.c.rollout, decision.c.at, decision.c.id)
Index("decisions_of_a_routing_key", decision.c.routing_key)

# The truth about one request, when it became known.
label = Table(
    "label",
    metadata,
    Column("id", Number, primary_key=True),
    Column("decision", ForeignKey("decision.id"), nullable=False, unique=True),
    Column("mated", Boolean, nullable=False),
    Column("received_at", Moment, nullable=False),
    Column("source", String, nullable=False),
    sqlite_autoincrement=True,
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

# Evidence files, which lie elsewhere; an event repeats name and sha256.
attachment = Table(
    "attachment",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("rollout", ForeignKey("rollout.id"), nullable=False),
    Column("name", String, nullable=False),
    Column("sha256", String, nullable=False),
    Column("size", Number, nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("rollout", "name"),
)

# What the world must still be told: moves of aliases (`alias`, `release`) and messages (`payload`). `done_at` is
# filled in once it was; `attempts` and `next_attempt_at` change with every try that failed.
outbox = Table(
    "outbox",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model", String, nullable=False),
    Column("kind", String, nullable=False),
    Column("event", ForeignKey("event.sequence"), nullable=False),
    Column("alias", String),
    Column("release", String),
    Column("payload", Text),
    Column("created_at", Moment, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("next_attempt_at", Moment),
    Column("error", Text),
    Column("done_at", Moment),
)
Index(
    "jobs_to_do",
    outbox.c.model,
    outbox.c.id,
    sqlite_where=text("done_at IS NULL"),
    postgresql_where=text("done_at IS NULL"),
)

# Which job was delivered through which channel.
notification = Table(
    "notification",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("job", ForeignKey("outbox.id"), nullable=False),
    Column("channel", String, nullable=False),
    Column("at", Moment, nullable=False),
    UniqueConstraint("job", "channel"),
)

# What the registry was last told, changed in place.
projection = Table(
    "projection",
    metadata,
    Column("model", String, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("shown", Text, nullable=False),
    Column("meant", Text, nullable=False),
    Column("at", Moment, nullable=False),
)

# Who may move a model's rollout now, changed in place; `token` grows whenever the lease changes hands.
lease = Table(
    "lease",
    metadata,
    Column("model", String, primary_key=True),
    Column("holder", String, nullable=False),
    Column("token", Integer, nullable=False),
    Column("expires_at", Moment, nullable=False),
)

# The traffic plane's last sign of life, changed in place; `epoch` is the one of the snapshot that it routes by.
heartbeat = Table(
    "heartbeat",
    metadata,
    Column("model", String, primary_key=True),
    Column("at", Moment, nullable=False),
    Column("epoch", Integer, nullable=False),
)

# Candidates that wait for the active rollout to end; a row is changed once, when its turn came.
queue = Table(
    "queue",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("model", String, nullable=False),
    Column("release", String, nullable=False),
    Column("champion", String, nullable=False),
    Column("policy", Text, nullable=False),
    Column("evidence_key", String, nullable=False),
    Column("papers", Text, nullable=False),
    Column("queued_at", Moment, nullable=False),
    Column("started_rollout", ForeignKey("rollout.id")),
    Column("dropped", Text),
)
