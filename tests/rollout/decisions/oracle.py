"""What folding must add up to: everything read anew, row by row, without any cursor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from countenance.rollout import schema
from countenance.rollout.batch import EvidenceBatch
from countenance.rollout.connection import reading
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.records import RolloutRecord
from countenance.rollout.store import RolloutStore


@dataclass
class Sums:
    """All batches of a rollout added up; labelled requests one by one, as a multiset."""

    counts: Counter[str] = field(default_factory=Counter)
    labelled: Counter[tuple[Any, ...]] = field(default_factory=Counter)

    def add(self, batches: Iterable[EvidenceBatch]) -> None:
        for batch in batches:
            for name in (
                "scored",
                "disagreed",
                "shadow_dropped",
                "due",
                "due_by_candidate",
                "due_paired",
                "tail_watched",
                "tail_above",
            ):
                self.counts[name] += getattr(batch, name)
            assert batch.due_disagreed is not None
            self.counts["due_disagreed"] += round(batch.due_disagreed * 1000)
            for who, served in batch.served.items():
                self.counts[f"{who} requests"] += served.requests
                self.counts[f"{who} errors"] += served.errors
                self.counts[f"{who} slow"] += served.slow
            part = batch.labelled
            columns = ("candidate_wrong", "champion_wrong", "by_candidate", "group", "stage", "mated", "weight")
            for row in zip(*(getattr(part, name).tolist() for name in columns), strict=True):
                self.labelled[row] += 1

    def told(self) -> tuple[dict[str, int], dict[tuple[Any, ...], int]]:
        return {name: count for name, count in self.counts.items() if count}, dict(self.labelled)


def everything(store: RolloutStore, record: RolloutRecord, policy: RolloutPolicy, now: datetime) -> Sums:
    """The sums by one walk over all rows of the rollout."""
    made, label = schema.decision, schema.label
    sums = Sums()
    with reading(store._engine) as connection:
        query = select(made, label.c.mated).outerjoin(label, label.c.decision == made.c.id)
        for row in connection.execute(query.where(made.c.rollout == record.id)):
            _arrived(sums, row, policy)
            if row.at <= now - policy.label_delay and row.audited:
                _matured(sums, row, policy)
    return sums


def _arrived(sums: Sums, row: Any, policy: RolloutPolicy) -> None:
    who, time = ("candidate", row.candidate_ms) if row.by_candidate else ("champion", row.champion_ms)
    if row.candidate_match is not None and row.champion_match is not None:
        sums.counts["scored"] += 1
        sums.counts["disagreed"] += row.candidate_match != row.champion_match
    sums.counts["shadow_dropped"] += row.shadow_dropped
    sums.counts[f"{who} errors"] += row.failed
    if policy.latency is None or time is not None or row.failed:
        sums.counts[f"{who} requests"] += 1
    if policy.latency is not None:
        sums.counts[f"{who} slow"] += row.failed if time is None else time > policy.latency.limit_ms


def _matured(sums: Sums, row: Any, policy: RolloutPolicy) -> None:
    sums.counts["due"] += 1
    sums.counts["due_by_candidate"] += row.by_candidate
    pair = None not in (row.candidate_match, row.champion_match)
    sums.counts["due_paired"] += pair and not row.by_candidate
    discordant = None not in (row.candidate_match, row.champion_match) and row.candidate_match != row.champion_match
    failed = row.by_candidate and row.candidate_match is None
    sums.counts["due_disagreed"] += round(1000 / row.audit_probability) if discordant or failed else 0
    if row.mated is None:
        return
    wrong = [-1 if said is None else int(said != row.mated) for said in (row.candidate_match, row.champion_match)]
    group = row.group_name if row.group_name in policy.guarded_groups else None
    sums.labelled[(*wrong, row.by_candidate, group, row.stage_key, row.mated, 1 / row.audit_probability)] += 1
