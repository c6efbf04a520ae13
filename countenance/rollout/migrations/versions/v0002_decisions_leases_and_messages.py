"""Single decisions and labels, leases, a queue, evidence files and messages; looks are chained like events.

What was the table ``decision`` holds sums and is called ``answered`` from here on.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from countenance.rollout.ledger import GENESIS
from countenance.rollout.looks import SUMS, look_hash
from countenance.rollout.migrations.triggers import drop_refusals, refuse_changes, refuse_changes_but
from countenance.rollout.schema import Moment

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_Moment = sa.DateTime(timezone=True)
_Number = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_DECISION = (
    "id", "model", "decision_id", "rollout", "at", "stage_key", "by_candidate", "candidate_match", "champion_match",
    "candidate_score", "group_name", "site", "candidate_ms", "champion_ms", "failed", "shadow_dropped",
    "audit_probability", "audited",
)  # fmt: skip


def upgrade() -> None:
    """Make the new tables, and chain the looks of a store that has some."""
    drop_refusals(("decision", "evidence"))
    _rename_sums()
    _extend()
    _chain_looks()
    _decisions()
    _around_a_rollout()
    _jobs()
    refuse_changes(("answered", "evidence", "label", "attachment", "notification"))
    refuse_changes_but("decision", "routing_key", _DECISION)


def _rename_sums() -> None:
    op.rename_table("decision", "answered")
    if op.get_bind().dialect.name == "postgresql":
        op.execute("ALTER INDEX decision_pkey RENAME TO answered_pkey")
        op.execute("ALTER SEQUENCE decision_id_seq RENAME TO answered_id_seq")


def _extend() -> None:
    op.add_column("rollout", sa.Column("evidence_head", sa.String))
    op.add_column("evidence", sa.Column("cursor", sa.Text))
    op.add_column("evidence", sa.Column("hash", sa.String, nullable=False, server_default=""))
    op.create_index("events_of_a_rollout", "event", ["rollout", "sequence"])


def _chain_looks() -> None:
    connection, tables = op.get_bind(), sa.MetaData()
    if connection.execute(sa.text("SELECT 1 FROM evidence LIMIT 1")).first() is None:
        return
    evidence = sa.Table("evidence", tables, sa.Column("at", Moment), autoload_with=connection, resolve_fks=False)
    rollout = sa.Table("rollout", tables, autoload_with=connection)
    sums = [sa.Column(name, Moment) for name in ("first_at", "last_at")]
    answered = sa.Table("answered", tables, *sums, autoload_with=connection, resolve_fks=False)
    head: dict[int, str] = {}
    for look in connection.execute(sa.select(evidence).order_by(evidence.c.rollout, evidence.c.look)).all():
        mine = (answered.c.rollout == look.rollout, answered.c.look == look.look)
        columns = [answered.c[name] for name in SUMS]
        batches = connection.execute(sa.select(*columns).where(*mine).order_by(answered.c.release)).mappings()
        head[look.rollout] = look_hash(head.get(look.rollout, GENESIS), look._asdict(), [dict(row) for row in batches])
        connection.execute(sa.update(evidence).where(evidence.c.id == look.id).values(hash=head[look.rollout]))
    for number, newest in head.items():
        connection.execute(sa.update(rollout).where(rollout.c.id == number).values(evidence_head=newest))


def _decisions() -> None:
    op.create_table(
        "decision",
        sa.Column("id", _Number, primary_key=True),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("decision_id", sa.String, nullable=False),
        sa.Column("rollout", sa.Integer, sa.ForeignKey("rollout.id")),
        sa.Column("at", _Moment, nullable=False),
        sa.Column("stage_key", sa.String, nullable=False),
        sa.Column("by_candidate", sa.Boolean, nullable=False),
        sa.Column("candidate_match", sa.Boolean),
        sa.Column("champion_match", sa.Boolean),
        sa.Column("candidate_score", sa.Float),
        sa.Column("group_name", sa.String),
        sa.Column("routing_key", sa.String, nullable=False),
        sa.Column("site", sa.String),
        sa.Column("candidate_ms", sa.Float),
        sa.Column("champion_ms", sa.Float),
        sa.Column("failed", sa.Boolean, nullable=False),
        sa.Column("shadow_dropped", sa.Boolean, nullable=False),
        sa.Column("audit_probability", sa.Float, nullable=False),
        sa.Column("audited", sa.Boolean, nullable=False),
        sa.UniqueConstraint("model", "decision_id"),
        sqlite_autoincrement=True,
    )
    op.create_index("decisions_of_a_rollout", "decision", ["rollout", "at", "id"])
    op.create_index("decisions_of_a_routing_key", "decision", ["routing_key"])
    op.create_table(
        "label",
        sa.Column("id", _Number, primary_key=True),
        sa.Column("decision", _Number, sa.ForeignKey("decision.id"), nullable=False, unique=True),
        sa.Column("mated", sa.Boolean, nullable=False),
        sa.Column("received_at", _Moment, nullable=False),
        sa.Column("source", sa.String, nullable=False),
        sqlite_autoincrement=True,
    )


def _around_a_rollout() -> None:
    op.create_table(
        "attachment",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("rollout", sa.Integer, sa.ForeignKey("rollout.id"), nullable=False),
        sa.Column("name", sa.String, nullable=False),
        sa.Column("sha256", sa.String, nullable=False),
        sa.Column("size", _Number, nullable=False),
        sa.Column("at", _Moment, nullable=False),
        sa.UniqueConstraint("rollout", "name"),
    )
    op.create_table(
        "lease",
        sa.Column("model", sa.String, primary_key=True),
        sa.Column("holder", sa.String, nullable=False),
        sa.Column("token", sa.Integer, nullable=False),
        sa.Column("expires_at", _Moment, nullable=False),
    )
    op.create_table(
        "heartbeat",
        sa.Column("model", sa.String, primary_key=True),
        sa.Column("at", _Moment, nullable=False),
        sa.Column("epoch", sa.Integer, nullable=False),
    )
    op.create_table(
        "queue",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("model", sa.String, nullable=False),
        sa.Column("release", sa.String, nullable=False),
        sa.Column("champion", sa.String, nullable=False),
        sa.Column("policy", sa.Text, nullable=False),
        sa.Column("evidence_key", sa.String, nullable=False),
        sa.Column("papers", sa.Text, nullable=False),
        sa.Column("queued_at", _Moment, nullable=False),
        sa.Column("started_rollout", sa.Integer, sa.ForeignKey("rollout.id")),
        sa.Column("dropped", sa.Text),
    )


def _jobs() -> None:
    with op.batch_alter_table("outbox") as batch:
        batch.alter_column("alias", existing_type=sa.String, nullable=True)
        batch.alter_column("projected_at", existing_type=_Moment, new_column_name="done_at")
        batch.add_column(sa.Column("kind", sa.String, nullable=False, server_default="alias"))
        batch.add_column(sa.Column("payload", sa.Text))
        batch.add_column(sa.Column("attempts", sa.Integer, nullable=False, server_default="0"))
        batch.add_column(sa.Column("next_attempt_at", _Moment))
        batch.add_column(sa.Column("error", sa.Text))
    waiting = sa.text("done_at IS NULL")
    op.create_index("jobs_to_do", "outbox", ["model", "id"], sqlite_where=waiting, postgresql_where=waiting)
    op.create_table(
        "notification",
        sa.Column("id", sa.Integer, primary_key=True),
        sa.Column("job", sa.Integer, sa.ForeignKey("outbox.id"), nullable=False),
        sa.Column("channel", sa.String, nullable=False),
        sa.Column("at", _Moment, nullable=False),
        sa.UniqueConstraint("job", "channel"),
    )
    op.create_table(
        "projection",
        sa.Column("model", sa.String, primary_key=True),
        sa.Column("revision", sa.Integer, nullable=False),
        sa.Column("shown", sa.Text, nullable=False),
        sa.Column("meant", sa.Text, nullable=False),
        sa.Column("at", _Moment, nullable=False),
    )
