"""The tables as they were first released, when the store was SQLite alone."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from countenance.rollout.migrations.triggers import prepare, refuse_changes

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_Moment = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Make the first tables."""
    _standing()
    _history()
    _evidence()
    prepare()
    refuse_changes(("event", "approval", "evidence", "decision"))


def _standing() -> None:
    op.create_table(
        "champion",
        sa.Column("model", sa.String, primary_key=True),
        sa.Column("release", sa.String, nullable=False),
        sa.Column("previous", sa.String),
        sa.Column("since", _Moment, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
    )
    op.create_table(
        "rollout",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("release", sa.String, nullable=False),
        sa.Column("champion", sa.String),
        sa.Column("policy", sa.Text),
        sa.Column("policy_hash", sa.String),
        sa.Column("stage", sa.String, nullable=False),
        sa.Column("state", sa.Text, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
        sa.Column("started_at", _Moment, nullable=False),
        sa.Column("promoted_at", _Moment),
        sa.Column("ended_at", _Moment),
    )
    active = sa.text("ended_at IS NULL")
    op.create_index(
        "one_active_rollout_a_model", "rollout", ["model"], unique=True, sqlite_where=active, postgresql_where=active
    )


def _history() -> None:
    op.create_table(
        "event",
        sa.Column("sequence", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("rollout", sa.Integer, sa.ForeignKey("rollout.id"), nullable=False),
        sa.Column("at", _Moment, nullable=False),
        sa.Column("kind", sa.String, nullable=False),
        sa.Column("payload", sa.Text, nullable=False),
        sa.Column("previous_hash", sa.String, nullable=False),
        sa.Column("hash", sa.String, nullable=False, unique=True),
    )
    op.create_table(
        "approval",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rollout", sa.Integer, sa.ForeignKey("rollout.id"), nullable=False),
        sa.Column("actor", sa.String, nullable=False),
        sa.Column("act", sa.String, nullable=False),
        sa.Column("subject", sa.String, nullable=False),
        sa.Column("at", _Moment, nullable=False),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("signature", sa.String, nullable=False, unique=True),
    )
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("event", sa.Integer, sa.ForeignKey("event.sequence"), nullable=False),
        sa.Column("alias", sa.String, nullable=False),
        sa.Column("release", sa.String),
        sa.Column("created_at", _Moment, nullable=False),
        sa.Column("projected_at", _Moment),
    )


def _evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rollout", sa.Integer, sa.ForeignKey("rollout.id"), nullable=False),
        sa.Column("look", sa.Integer, nullable=False),
        sa.Column("at", _Moment, nullable=False),
        sa.Column("stage", sa.String, nullable=False),
        sa.Column("stage_key", sa.String, nullable=False),
        sa.Column("share", sa.Float, nullable=False),
        sa.Column("measured", sa.Text, nullable=False),
        sa.Column("verdict", sa.Text, nullable=False),
        sa.UniqueConstraint("rollout", "look"),
    )
    op.create_table(
        "decision",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rollout", sa.Integer, sa.ForeignKey("rollout.id"), nullable=False),
        sa.Column("look", sa.Integer, nullable=False),
        sa.Column("release", sa.String, nullable=False),
        sa.Column("first_at", _Moment, nullable=False),
        sa.Column("last_at", _Moment, nullable=False),
        sa.Column("requests", sa.Integer, nullable=False),
        sa.Column("new_people", sa.Integer, nullable=False),
        sa.Column("false_matches", sa.Integer, nullable=False),
        sa.Column("false_non_matches", sa.Integer, nullable=False),
        sa.Column("champion_false_matches", sa.Integer, nullable=False),
        sa.Column("champion_false_non_matches", sa.Integer, nullable=False),
        sa.UniqueConstraint("rollout", "look", "release"),
    )
