"""Whether a key is the one that its operator signed with before, where no list of keys is at hand."""

from __future__ import annotations

from sqlalchemy import select

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.approvals import Act, Approval, OperatorKey, verify
from countenance.rollout.connection import reading
from countenance.rollout.reader import RolloutReader


def refuse_another_key(reader: RolloutReader, key: OperatorKey) -> None:
    """Refuse a key under which the operator's newest signature in the store isn't valid.

    The store can't know a first key, and whoever decides on signatures verifies them with a list of keys. But a
    signature once kept can't be taken out again, so a mistyped secret is better found before.

    Raises:
        RolloutError: the operator signed with another key before.
    """
    table = schema.approval
    with reading(reader._engine) as connection:
        newest = select(table).where(table.c.actor == key.name).order_by(table.c.id.desc()).limit(1)
        row = connection.execute(newest).one_or_none()
    if row is None:
        return
    kept = Approval(
        actor=row.actor, act=Act(row.act), subject=row.subject, at=row.at, reason=row.reason, signature=row.signature
    )
    try:
        verify(kept, {key.name: key})
    except RolloutError as error:
        raise RolloutError(
            f"'{key.name}' signed with another key before: give that operator's own key, or sign under another name."
        ) from error
