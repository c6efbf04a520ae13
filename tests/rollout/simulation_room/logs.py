"""Logs of known truth for the tests of the simulation."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from countenance.rollout.simulation.columns import log_schema
from countenance.rollout.simulation.example import MadeUp, made_up
from countenance.rollout.simulation.log import DecisionLog, of_table

ROWS = {
    "at": ["2026-01-05T06:00:00Z", "2026-01-05T06:01:00Z", "2026-01-05T06:02:00Z", "2026-01-05T06:03:00Z"],
    "decision_id": ["a", "b", "c", "d"],
    "routing_key": ["k1", "k2", "k1", "k3"],
    "site": ["gate", "gate", "door", "door"],
    "group": ["north", None, "north", "south"],
    "mated": [True, False, None, True],
    "label_at": ["2026-01-05T06:30:00Z", "2026-01-05T06:30:00Z", None, "2026-01-05T06:30:00Z"],
    "candidate_match": [True, True, True, False],
    "champion_match": [True, False, True, True],
}
"""Four requests of three people: the candidate is right, wrong, unknown, wrong; the champion right."""


def table(**changed: Sequence[object]) -> pa.Table:
    columns: dict[str, Sequence[object]] = {**ROWS, **changed}
    schema = log_schema("new", "old")
    arrays = {}
    for name, values in columns.items():
        kind = schema.field(name).type
        if pa.types.is_timestamp(kind):
            values = [None if value is None else datetime.fromisoformat(str(value)) for value in values]
        arrays[name] = pa.array(values, kind)
    return pa.table(arrays, metadata=schema.metadata)


def written(folder: Path, made: pa.Table | None = None, **changed: Sequence[object]) -> Path:
    path = folder / "decisions.parquet"
    pq.write_table(table(**changed) if made is None else made, path)
    return path


def known_log(*, seed: int = 7, **like: float) -> DecisionLog:
    """A log of 8,000 requests within 4 hours, unless told otherwise."""
    shape = MadeUp(**{"requests": 8_000, "people": 1_500, "hours": 4.0} | like)  # type: ignore[arg-type]
    return of_table(made_up(shape, np.random.default_rng(seed)), candidate="new", champion="old", where="the log")
