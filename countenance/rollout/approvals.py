"""Signed approvals: who said so, about which release, when and why (HMAC-SHA256, FIPS 198-1)."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

from countenance.errors import RolloutError
from countenance.rollout.ledger import canonical_json

_SHORTEST_SECRET = 16
_PURPOSE = "countenance.rollout.approval.v1"


class Act(StrEnum):
    """What an operator can sign for."""

    BOOTSTRAP = "bootstrap"
    START_CANARY = "start_canary"
    PROMOTE = "promote"
    ROLL_BACK = "roll_back"
    ABORT = "abort"
    PAUSE = "pause"
    RESUME = "resume"


@dataclass(frozen=True, kw_only=True)
class Approval:
    """A signed statement of one operator about one release.

    ``actor`` is the name of the key that signed, ``subject`` the release, ``at`` in UTC, ``signature`` hex.
    """

    actor: str
    act: Act
    subject: str
    at: datetime
    reason: str
    signature: str


@dataclass(frozen=True)
class OperatorKey:
    """A named operator's signing key; its secret (16 bytes or more) is never shown."""

    name: str
    secret: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not self.name:
            raise RolloutError("An operator key has no name: name the person or post that signs with it.")
        if len(self.secret) < _SHORTEST_SECRET:
            raise RolloutError(
                f"The secret of operator key '{self.name}' has {len(self.secret)} bytes: "
                f"use at least {_SHORTEST_SECRET} random ones."
            )

    def sign(self, act: Act, *, subject: str, at: datetime, reason: str) -> Approval:
        """Sign for ``act`` on release ``subject``.

        Raises:
            RolloutError: when ``at`` has no time zone or no reason is given.
        """
        if at.tzinfo is None:
            raise RolloutError("An approval needs a moment with a time zone: give `at` in UTC.")
        if not reason.strip():
            raise RolloutError(f"The approval to {act} '{subject}' gives no reason: say why in a sentence.")
        moment = at.astimezone(UTC)
        signature = _signature(self.secret, self.name, act, subject, moment, reason)
        return Approval(actor=self.name, act=act, subject=subject, at=moment, reason=reason, signature=signature)


def keyring(keys: Iterable[OperatorKey]) -> dict[str, OperatorKey]:
    """Keys by name.

    Raises:
        RolloutError: when two keys carry one name, or one secret: whoever has it could sign for two people.
    """
    ring: dict[str, OperatorKey] = {}
    owners: dict[bytes, str] = {}
    for key in keys:
        if key.name in ring:
            raise RolloutError(f"Two operator keys are named '{key.name}': give every key its own name.")
        if key.secret in owners:
            raise RolloutError(
                f"Operator keys '{owners[key.secret]}' and '{key.name}' have one secret, so that one person could sign "
                "as two: give every key its own."
            )
        owners[key.secret] = key.name
        ring[key.name] = key
    return ring


def verify(approval: Approval, keys: Mapping[str, OperatorKey]) -> None:
    """Refuse an approval that its operator did not sign; compared in constant time.

    Raises:
        RolloutError: when the signature is missing or wrong, or the operator is unknown.
    """
    what = f"The approval to {approval.act} '{approval.subject}' by '{approval.actor}'"
    if not approval.signature:
        raise RolloutError(f"{what} is not signed: sign it with the operator's key.")
    if approval.actor not in keys:
        raise RolloutError(f"{what} is by an unknown operator: add that operator's key or sign with a known one.")
    secret = keys[approval.actor].secret
    expected = _signature(secret, approval.actor, approval.act, approval.subject, approval.at, approval.reason)
    if not hmac.compare_digest(expected.encode(), approval.signature.encode()):
        raise RolloutError(f"{what} carries a wrong signature: sign exactly what is asked for, with the right key.")


def _signature(secret: bytes, actor: str, act: Act, subject: str, at: datetime, reason: str) -> str:
    statement = canonical_json(
        {
            "purpose": _PURPOSE,
            "actor": actor,
            "act": str(act),
            "subject": subject,
            "at": at.astimezone(UTC).isoformat(),
            "reason": reason,
        }
    )
    return hmac.new(secret, statement.encode(), hashlib.sha256).hexdigest()
