"""Tables that can only be added to: the database itself refuses to change or remove their rows."""

from __future__ import annotations

from collections.abc import Sequence

from alembic import op

_FUNCTION = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'the table % is append-only', TG_TABLE_NAME; END $$
"""


def refuse_changes(tables: Sequence[str]) -> None:
    """Refuse UPDATE and DELETE (and on PostgreSQL TRUNCATE) on ``tables``."""
    for table in tables:
        for verb in ("UPDATE", "DELETE"):
            _refuse(table, verb)


def refuse_changes_but(table: str, emptied: str, others: Sequence[str]) -> None:
    """Refuse DELETE on ``table``, and every UPDATE but one that empties the text ``emptied`` and keeps ``others``."""
    _refuse(table, "DELETE")
    new, old = (", ".join(f"{row}.{column}" for column in others) for row in ("NEW", "OLD"))
    differs = "IS NOT" if op.get_bind().dialect.name == "sqlite" else "IS DISTINCT FROM"
    _refuse(table, "UPDATE", f"WHEN (NEW.{emptied} <> '' OR ({new}) {differs} ({old})) ")


def drop_refusals(tables: Sequence[str]) -> None:
    """Let ``tables`` be changed again, until ``refuse_changes`` is called."""
    postgresql = op.get_bind().dialect.name == "postgresql"
    for table in tables:
        for verb in ("update", "delete", "truncate") if postgresql else ("update", "delete"):
            op.execute(f"DROP TRIGGER {table}_refuses_{verb}{f' ON {table}' if postgresql else ''}")


def prepare() -> None:
    """Make what the triggers call, before the first of them; SQLite's need nothing."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(_FUNCTION)


def _refuse(table: str, verb: str, when: str = "") -> None:
    name = f"{table}_refuses_{verb.lower()}"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {name} BEFORE {verb} ON {table} {when}"
            f"BEGIN SELECT RAISE(ABORT, 'the table {table} is append-only'); END"
        )
        return
    op.execute(f"CREATE TRIGGER {name} BEFORE {verb} ON {table} FOR EACH ROW {when}EXECUTE FUNCTION refuse_change()")
    if verb == "DELETE":
        op.execute(
            f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON {table} "
            "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        )
