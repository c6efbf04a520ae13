"""One message as it leaves: the same bytes and key however often it is sent, and a signature for each sending."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from countenance.errors import RolloutError
from countenance.rollout.ledger import canonical_json
from countenance.rollout.records import OutboxJob

KEY_HEADER: Final = "Idempotency-Key"
TIMESTAMP_HEADER: Final = "X-Countenance-Timestamp"
SIGNATURE_HEADER: Final = "X-Countenance-Signature"
_VERSION: Final = "v1="

_FIELDS: Final = ("kind", "release", "message", "stage", "share", "act", "rollout", "event")
"""What of a job's payload leaves this machine: releases, stages and sentences of ours; nothing about a person."""


class NotDeliveredError(RolloutError):
    """A channel did not take a message; it is tried again later."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """A job of the outbox as it is delivered.

    ``key`` is the same for every try of one job, and no other job of any store has it. ``body`` is UTF-8 JSON.
    """

    key: str
    body: bytes


def message_of(job: OutboxJob, model: str) -> Message:
    """The message of a 'notify' job."""
    told: dict[str, Any] = {name: job.payload[name] for name in _FIELDS if job.payload.get(name) is not None}
    told |= {"model": model, "job": job.id, "event": job.event, "at": job.created_at.astimezone(UTC).isoformat()}
    key = hashlib.sha256(canonical_json(told).encode()).hexdigest()[:32]
    return Message(key=key, body=canonical_json(told | {"id": key}).encode())


def signature(secret: bytes, timestamp: str, body: bytes) -> str:
    """``v1=`` and HMAC-SHA256 (hex) over the timestamp (seconds since 1970), a full stop, and the body."""
    return _VERSION + hmac.new(secret, timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()


def verify_signature(
    secret: bytes,
    timestamp: str,
    given: str,
    body: bytes,
    *,
    now: datetime,
    tolerance: timedelta = timedelta(minutes=5),
) -> None:
    """What a receiver does with a message before it believes it; compared in constant time.

    Args:
        secret: the one of the webhook.
        timestamp, given: the two headers.
        body: as it came, byte for byte.
        now: the receiver's clock.
        tolerance: how far the timestamp may be off, so that an old message can't be played again.

    Raises:
        RolloutError: the message was changed, is not from here, or is too old.
    """
    if not hmac.compare_digest(signature(secret, timestamp, body).encode(), given.encode()):
        raise RolloutError("The message carries a wrong signature: check the webhook's secret, and drop it.")
    sent = datetime.fromtimestamp(int(timestamp), UTC)
    if abs(now - sent) > tolerance:
        raise RolloutError(f"The message was sent at {sent.isoformat()}, too far from now: drop it.")
