"""The hash chain under the rollout's history: every event's hash covers the one before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from countenance.errors import RolloutError

GENESIS = "0" * 64
"""What the first event's hash covers in the place of a predecessor."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of the history, as it lies in the store.

    ``rollout`` is the number of the rollout it belongs to. ``payload`` holds JSON values only.
    """

    sequence: int
    model: str
    rollout: int
    at: datetime
    kind: str
    payload: dict[str, Any]
    previous_hash: str
    hash: str


def canonical_json(value: Any) -> str:
    """One text for one value: sorted keys, no spaces, no NaN; what is hashed and signed."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def text_hash(text: str) -> str:
    """The sha256 (hex) of a text."""
    return hashlib.sha256(text.encode()).hexdigest()


def link_hash(event: Event) -> str:
    """The sha256 (hex) that ``event`` must carry: over its predecessor's hash and all its other fields."""
    body = canonical_json(
        {
            "sequence": event.sequence,
            "model": event.model,
            "rollout": event.rollout,
            "at": event.at.isoformat(),
            "kind": event.kind,
            "payload": event.payload,
        }
    )
    return hashlib.sha256(f"{event.previous_hash}\n{body}".encode()).hexdigest()


def verify_links(events: Iterable[Event], *, expected_head: str | None = None) -> int:
    """Walk the chain and return how many events it holds; see ``verified_links``.

    Raises:
        RolloutError: naming the first event that was changed, removed or put in.
    """
    return sum(1 for _ in verified_links(events, expected_head=expected_head))


def verified_links(events: Iterable[Event], *, expected_head: str | None = None) -> Iterator[Event]:
    """Hand ``events`` on, each after its link was checked, so that others may look at them in the same walk.

    Args:
        events: all events in their order.
        expected_head: a hash noted earlier outside the store; it must be found in the chain. Without it
            a chain that lost its newest events still verifies.

    Raises:
        RolloutError: naming the first event that was changed, removed or put in.
    """
    before, count, met = GENESIS, 0, expected_head in (None, GENESIS)
    for count, event in enumerate(events, start=1):
        if event.sequence != count:
            raise RolloutError(
                f"The history is broken at event {count}: the store holds event {event.sequence} in its place; "
                "restore the store from a copy."
            )
        if event.previous_hash != before or event.hash != link_hash(event):
            raise RolloutError(
                f"The history is broken at event {event.sequence} ({event.kind}): its hash does not cover what "
                "the store holds; restore the store from a copy."
            )
        before = event.hash
        met = met or before == expected_head
        yield event
    if not met:
        raise RolloutError(
            f"The history is broken after event {count}: the hash noted earlier is not in it, so events were "
            "removed or rewritten; restore the store from a copy."
        )
