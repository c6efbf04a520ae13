"""A traffic log cut to one candidate and one champion: plain arrays in order of arrival."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.traffic import TrafficLog, score_column, sticky_share

Moments = NDArray[np.datetime64]


@dataclass(frozen=True, kw_only=True)
class Tape:
    """The log as arrays in order of arrival, shape [N]; ``ready_order`` sorts by the moment labels count.

    ``score`` is the candidate's.
    """

    at: Moments
    due_at: Moments
    ready_at: Moments
    ready_order: NDArray[np.intp]
    difference: NDArray[np.int8]
    disagreed: NDArray[np.bool_]
    group: NDArray[np.object_]
    person: NDArray[np.int64]
    position: NDArray[np.float64]
    mated: NDArray[np.bool_]
    candidate_wrong: NDArray[np.bool_]
    champion_wrong: NDArray[np.bool_]
    score: NDArray[np.float64]


def record_tape(log: TrafficLog, *, candidate: str, champion: str, policy: RolloutPolicy, salt: bytes) -> Tape:
    """Decide every request by both models and place every person; errors are those of ``TrafficLog.decisions``."""
    by_candidate, by_champion, mated = log.decisions(candidate), log.decisions(champion), log.mated()
    at, label_at = _moments_of(log.frame["at"]), _moments_of(log.frame["label_at"])
    due_at = at + np.timedelta64(policy.label_delay)
    ready_at = np.maximum(due_at, label_at)
    person, keys = pd.factorize(log.frame["routing_key" if policy.route_by == "subject" else "site"])
    position = np.array([sticky_share(str(key), salt) for key in keys])[person]
    group = log.frame["group"]
    return Tape(
        at=at,
        due_at=due_at,
        ready_at=ready_at,
        ready_order=np.argsort(ready_at, kind="stable")[: int((~np.isnat(ready_at)).sum())],
        difference=(by_candidate != mated).astype(np.int8) - (by_champion != mated).astype(np.int8),
        disagreed=by_candidate != by_champion,
        group=group.astype(object).where(group.notna(), None).to_numpy(dtype=object),
        person=person.astype(np.int64),
        position=position,
        mated=mated,
        candidate_wrong=by_candidate != mated,
        champion_wrong=by_champion != mated,
        score=log.frame[score_column(candidate)].to_numpy(dtype=np.float64),
    )


def _moments_of(column: pd.Series[pd.Timestamp]) -> Moments:
    return column.dt.tz_convert("UTC").dt.tz_localize(None).to_numpy(dtype="datetime64[us]")


def between(sorted_moments: Moments, after: np.datetime64, until: np.datetime64) -> slice:
    """The rows whose moment lies in (after, until]."""
    first, last = np.searchsorted(sorted_moments, np.array([after, until]), side="right")
    return slice(int(first), int(last))


def as_moment(value: datetime) -> np.datetime64:
    """A datetime with a time zone as NumPy's, in UTC."""
    return np.datetime64(value.astimezone(UTC).replace(tzinfo=None), "us")


def as_datetime(value: np.datetime64) -> datetime:
    """NumPy's moment as a datetime in UTC."""
    return value.astype("datetime64[us]").item().replace(tzinfo=UTC)  # type: ignore[no-any-return]
