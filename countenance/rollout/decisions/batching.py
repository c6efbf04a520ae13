"""From rows to the batch of evidence that a look brings."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from countenance.rollout.batch import CANDIDATE, CHAMPION, EvidenceBatch, LabelledBatch, Served
from countenance.rollout.decisions.rows import Arrival, Ripe
from countenance.rollout.policy import RolloutPolicy


def counted(arrivals: Sequence[Arrival], due: Sequence[Ripe], policy: RolloutPolicy) -> EvidenceBatch:
    """What needs no label: of requests that arrived, and of drawn ones that became old enough."""
    both = [row for row in arrivals if _discordant(row) is not None]
    weights = [1 / row.audit_probability for row in due if _discordant(row) or _unanswered(row)]
    return EvidenceBatch(
        scored=len(both),
        disagreed=sum(bool(_discordant(row)) for row in both),
        shadow_dropped=sum(row.shadow_dropped for row in arrivals),
        due=len(due),
        due_by_candidate=sum(row.by_candidate for row in due),
        due_paired=sum(not row.by_candidate and _discordant(row) is not None for row in due),
        due_disagreed=float(sum(weights)),
        served={
            CANDIDATE: _served([row for row in arrivals if row.by_candidate], "candidate_ms", policy),
            CHAMPION: _served([row for row in arrivals if not row.by_candidate], "champion_ms", policy),
        },
    )


def _discordant(row: Arrival | Ripe) -> bool | None:
    """Whether the models decided differently; None where not both scored the request."""
    if row.candidate_match is None or row.champion_match is None:
        return None
    return bool(row.candidate_match != row.champion_match)


def _unanswered(row: Ripe) -> bool:
    """Whether the candidate failed where it was to answer: as good as wrong, so at worst the models differ here."""
    return row.by_candidate and row.candidate_match is None


def _served(rows: Sequence[Arrival], column: str, policy: RolloutPolicy) -> Served:
    """What one model answered.

    Where latency is guarded, a request without a time is no measurement; one that failed counts as slow.
    """
    failed = [row.failed for row in rows]
    if policy.latency is None:
        return Served(requests=len(rows), errors=sum(failed))
    times = [getattr(row, column) for row in rows]
    timed = sum(time is not None or wrong for time, wrong in zip(times, failed, strict=True))
    slow = sum(
        wrong if time is None else time > policy.latency.limit_ms for time, wrong in zip(times, failed, strict=True)
    )
    return Served(requests=timed, errors=sum(failed), slow=slow)


def labelled_batch(rows: Sequence[Ripe], policy: RolloutPolicy) -> LabelledBatch:
    """Labelled requests as columns; a group that the policy does not guard counts for no group."""
    guarded = set(policy.guarded_groups)
    mated = np.array([row.mated for row in rows], dtype=np.bool_)
    groups = [row.group_name if row.group_name in guarded else None for row in rows]
    return LabelledBatch(
        candidate_wrong=_wrong([row.candidate_match for row in rows], mated),
        champion_wrong=_wrong([row.champion_match for row in rows], mated),
        by_candidate=np.array([row.by_candidate for row in rows], dtype=np.bool_),
        group=_objects(groups),
        stage=_objects([row.stage_key for row in rows]),
        mated=mated,
        weight=np.array([1 / row.audit_probability for row in rows], dtype=np.float64),
    )


def _wrong(said: Iterable[bool | None], mated: NDArray[np.bool_]) -> NDArray[np.int8]:
    pairs = zip(said, mated.tolist(), strict=True)
    return np.array([-1 if match is None else match != truth for match, truth in pairs], dtype=np.int8)


def _objects(values: Sequence[str | None]) -> NDArray[np.object_]:
    made = np.empty(len(values), dtype=object)
    made[:] = values
    return made


def by_weight(whole: EvidenceBatch, batch: LabelledBatch, policy: RolloutPolicy) -> tuple[EvidenceBatch, ...]:
    """One batch, or, between arms, one for each weight: those are compared by plain means, weight by weight."""
    weights = np.unique(batch.weight[batch.single])
    if policy.canary_comparison == "paired" or len(weights) < 2:
        return (replace(whole, labelled=batch),)
    first = ~batch.single | (batch.weight == weights[0])
    rest = [batch.single & (batch.weight == weight) for weight in weights[1:]]
    return (
        replace(whole, labelled=_part(batch, first)),
        *(EvidenceBatch(labelled=_part(batch, rows), due_disagreed=0.0) for rows in rest),
    )


def _part(batch: LabelledBatch, rows: NDArray[np.bool_]) -> LabelledBatch:
    return LabelledBatch(**{name: getattr(batch, name)[rows] for name in LabelledBatch.__dataclass_fields__})


def tail(rows: Sequence[Ripe], policy: RolloutPolicy, thinnest: float) -> tuple[int, int]:
    """Candidate scores of impostors, as a random sample of them: how many, and how many above the tail's score.

    Discordant pairs are all labelled and lie near the threshold: where the others are drawn with a smaller probability,
    as many of them are left out.
    """
    if policy.drift is None:
        return 0, 0
    scores = [
        row.candidate_score
        for row in rows
        if not row.mated and row.candidate_score is not None and _in_sample(row, thinnest)
    ]
    return len(scores), sum(score > policy.drift.tail_score for score in scores)


def _in_sample(row: Ripe, thinnest: float) -> bool:
    if row.audit_probability < 1 or thinnest == 1:
        return True
    digest = hashlib.sha256(f"countenance.rollout.tail.v1:{row.id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64 < thinnest
