"""A fingerprint of all rows that were folded into evidence: a label that was flipped afterwards no longer adds up.

The sha256 of each row, added up modulo 2^256, so that neither the order nor the size of looks matters and a look costs
what is new (an incremental multiset hash: Bellare & Micciancio, "A new paradigm for collision-free hashing", 1997). It
guards against edits of single rows; whoever could write could also look for many rows at once whose sum is right, which
a sum of 256 bits makes hard and not impossible. What stands for a person, the routing key, is in no row of it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Final

from sqlalchemy import Connection

from countenance.rollout.decisions.cursor import Cursor
from countenance.rollout.decisions.rows import Arrival, Ripe, folded_arrivals, folded_labels

_MODULUS: Final = 2**256


def with_arrivals(digest: str, rows: Iterable[Arrival]) -> str:
    """The digest (64 hexadecimal digits) of what ``digest`` covers and ``rows``, but for their routing keys."""
    return _added(digest, (row._replace(routing_key="") for row in rows))


def with_labels(digest: str, rows: Iterable[Ripe]) -> str:
    """The digest (64 hexadecimal digits) of what ``digest`` covers and those of ``rows`` that have a label."""
    return _added(digest, (row for row in rows if row.mated is not None))


def recounted(connection: Connection, rollout: int, cursor: Cursor) -> tuple[str, str]:
    """The digests of arrivals and of labels up to ``cursor``, from the rows that lie in the store; reads them all."""
    nothing = Cursor()
    arrivals = with_arrivals(nothing.arrivals_digest, folded_arrivals(connection, rollout, cursor))
    return arrivals, with_labels(nothing.labels_digest, folded_labels(connection, rollout, cursor))


def _added(digest: str, rows: Iterable[Arrival | Ripe]) -> str:
    total = int(digest, 16)
    for row in rows:
        values = [value.isoformat() if isinstance(value, datetime) else value for value in row]
        total += int.from_bytes(hashlib.sha256(repr(values).encode()).digest(), "big")
    return f"{total % _MODULUS:064x}"
