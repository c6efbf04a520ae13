"""The file of logged decisions: its columns, their types, and the names of the two models in its metadata."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

CANDIDATE_KEY: Final = b"countenance.candidate"
CHAMPION_KEY: Final = b"countenance.champion"

MOMENT: Final = pa.timestamp("us", tz="UTC")

REQUIRED: Final[dict[str, pa.DataType]] = {
    "at": MOMENT,
    "decision_id": pa.string(),
    "routing_key": pa.string(),
    "mated": pa.bool_(),
    "label_at": MOMENT,
    "candidate_match": pa.bool_(),
    "champion_match": pa.bool_(),
}
"""``mated`` (the truth) and ``label_at`` (when it was known) are null where nobody learnt it; a decision is null where
that model made none."""

OPTIONAL: Final[dict[str, pa.DataType]] = {
    "site": pa.string(),
    "group": pa.string(),
    "candidate_ms": pa.float64(),
    "champion_ms": pa.float64(),
    "candidate_score": pa.float64(),
    "by_candidate": pa.bool_(),
    "failed": pa.bool_(),
    "shadow_dropped": pa.bool_(),
    "audit_probability": pa.float64(),
    "audited": pa.bool_(),
}
"""What guards of latency, errors, drift and audits need; without a column its guard has nothing to measure."""


def log_schema(candidate: str, champion: str) -> pa.Schema:
    """The schema of a whole log of ``candidate`` beside ``champion``."""
    fields = [pa.field(name, kind) for name, kind in (REQUIRED | OPTIONAL).items()]
    return pa.schema(fields, metadata={CANDIDATE_KEY: candidate.encode(), CHAMPION_KEY: champion.encode()})
