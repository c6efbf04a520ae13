"""Labels: authenticated messages on what was true of a request, and which requests need one most."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, Select, and_, or_, select

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.connection import database_time, reading
from countenance.rollout.ledger import canonical_json
from countenance.rollout.reader import RolloutReader

_PURPOSE: Final = "countenance.rollout.label.v1"
_SHORTEST_SECRET: Final = 16


@dataclass(frozen=True, kw_only=True)
class LabelMessage:
    """What was true of one request: ``mated`` means that the person was who they claimed to be.

    ``source`` says who found out, such as an operator's post or a system; never a person's name.
    """

    model: str
    decision_id: str
    mated: bool
    source: str
    signature: str

    def to_dict(self) -> dict[str, object]:
        """The message as JSON values; ``LabelMessage(**values)`` gives it back."""
        return {
            "model": self.model,
            "decision_id": self.decision_id,
            "mated": self.mated,
            "source": self.source,
            "signature": self.signature,
        }


def sign_label(decision_id: str, *, mated: bool, source: str, secret: bytes, model: str) -> LabelMessage:
    """A label with its HMAC-SHA256 (hex) over model, request, truth and source.

    Raises:
        RolloutError: when the secret is shorter than 16 bytes, or no source is named.
    """
    if len(secret) < _SHORTEST_SECRET:
        raise RolloutError(f"The label secret has {len(secret)} bytes: use at least {_SHORTEST_SECRET} random ones.")
    if not source:
        raise RolloutError("A label names no source: say which post or system found out.")
    signature = _signature(model, decision_id, mated, source, secret)
    return LabelMessage(model=model, decision_id=decision_id, mated=mated, source=source, signature=signature)


def authenticate(message: LabelMessage, secret: bytes) -> None:
    """Refuse a label that was not signed with ``secret``; compared in constant time.

    Raises:
        RolloutError: when the signature is missing or wrong.
    """
    if len(secret) < _SHORTEST_SECRET:
        raise RolloutError(f"The label secret has {len(secret)} bytes: use at least {_SHORTEST_SECRET} random ones.")
    expected = _signature(message.model, message.decision_id, message.mated, message.source, secret)
    if not hmac.compare_digest(expected.encode(), message.signature.encode()):
        raise RolloutError(
            f"The label of decision '{message.decision_id}' carries a wrong signature: sign it with the label secret."
        )


@dataclass(frozen=True, kw_only=True)
class WantedLabel:
    """A request that needs a label; of the people in it, nothing is told."""

    decision_id: str
    at: datetime
    discordant: bool


def wanted(
    reader: RolloutReader, limit: int, *, within: timedelta = timedelta(days=7), now: datetime | None = None
) -> tuple[WantedLabel, ...]:
    """The requests of the active rollout that most need a label: discordant ones first, then the oldest drawn ones.

    Args:
        reader: the store.
        limit: at most so many.
        within: how far back to look.
        now: the moment; None: the database's.

    Returns:
        Requests that were to be labelled and have no label; empty where no rollout is active.
    """
    active = reader.active()
    if active is None or limit < 1:
        return ()
    made = schema.decision
    discordant = and_(made.c.candidate_match.is_not(None), made.c.candidate_match != made.c.champion_match)
    alike = or_(made.c.candidate_match.is_(None), made.c.champion_match.is_(None), ~discordant)
    with reading(reader._engine) as connection:
        since = (now or database_time(connection)) - within
        found: list[WantedLabel] = []
        for condition, flag in ((discordant, True), (alike, False)):
            query = _unlabelled(active.id, since, condition).limit(limit - len(found))
            rows = connection.execute(query).all() if len(found) < limit else []
            found += [WantedLabel(decision_id=row.decision_id, at=row.at, discordant=flag) for row in rows]
    return tuple(found)


def _unlabelled(rollout: int, since: datetime, condition: ColumnElement[bool]) -> Select[tuple[str, datetime]]:
    made, told = schema.decision, schema.label
    return (
        select(made.c.decision_id, made.c.at)
        .outerjoin(told, told.c.decision == made.c.id)
        .where(made.c.rollout == rollout, made.c.at >= since, made.c.audited, condition, told.c.id.is_(None))
        .order_by(made.c.at, made.c.id)
    )


def _signature(model: str, decision_id: str, mated: bool, source: str, secret: bytes) -> str:
    statement = canonical_json(
        {"purpose": _PURPOSE, "model": model, "decision": decision_id, "mated": mated, "source": source}
    )
    return hmac.new(secret, statement.encode(), hashlib.sha256).hexdigest()
