"""Traffic to replay: requests in the order they came, every model's score, and when the truth was known."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field

from countenance.configuration import Configuration
from countenance.errors import DataError
from countenance.rollout.policy_guards import Duration

SHARES = 10_000
"""Into how many equal parts the traffic can be divided."""

_COLUMNS = ("at", "request_id", "site", "routing_key", "group", "mated", "label_at")


def score_column(release: str) -> str:
    """The column that holds the scores of ``release``."""
    return f"score:{release}"


def routing_key(subject: str, secret: bytes) -> str:
    """A subject's key for routing (hex): HMAC-SHA256, so that no log holds the subject itself."""
    return hmac.new(secret, subject.encode(), hashlib.sha256).hexdigest()


def sticky_share(key: str, salt: bytes) -> float:
    """Where ``key`` stands in [0, 1), in steps of 1/10,000: the canary answers it when this is below its share.

    It depends on the key and the model's salt alone, so a growing share only adds people, and a restart moves nobody.
    """
    return int.from_bytes(hmac.new(salt, key.encode(), hashlib.sha256).digest()[:8], "big") % SHARES / SHARES


@dataclass(frozen=True)
class TrafficLog:
    """Requests in order of arrival, and the threshold at which each release accepts (score > threshold).

    ``frame`` has, a row a request: ``at`` (UTC), ``request_id`` str, ``site`` str, ``routing_key`` str (an HMAC),
    ``group`` str or null, ``mated`` bool (ground truth), ``label_at`` (UTC, when the truth is known; null: never),
    and ``score:<release>`` float for every release in ``thresholds``.
    """

    frame: pd.DataFrame
    thresholds: Mapping[str, float]

    def __post_init__(self) -> None:
        wanted = [*_COLUMNS, *(score_column(release) for release in self.thresholds)]
        missing = [name for name in wanted if name not in self.frame.columns]
        if missing:
            raise DataError(f"The traffic log lacks the column '{missing[0]}': add it, one value a request.")
        if self.frame.empty:
            raise DataError("The traffic log holds no request: record or schedule some traffic first.")
        for name in ("at", "label_at"):
            if not isinstance(self.frame[name].dtype, pd.DatetimeTZDtype):
                raise DataError(f"Column '{name}' of the traffic log has no time zone: give moments in UTC.")
        if self.frame["at"].isna().any() or not self.frame["at"].is_monotonic_increasing:
            raise DataError("The traffic log is not in order of arrival: sort it by 'at', with no gaps.")
        if not self.frame["request_id"].is_unique:
            raise DataError("The traffic log holds a request twice: keep every 'request_id' once.")
        scores = self.frame[[score_column(release) for release in self.thresholds]]
        if not np.isfinite(scores.to_numpy(dtype=np.float64)).all():
            raise DataError("The traffic log holds a score that is not a number: score every request by every release.")

    def decisions(self, release: str) -> NDArray[np.bool_]:
        """Whether ``release`` says *match*, shape [N].

        Raises:
            DataError: when the log holds no scores of it.
        """
        if release not in self.thresholds:
            raise DataError(
                f"The traffic log has no scores of '{release}': it knows {', '.join(sorted(self.thresholds))}."
            )
        scores = self.frame[score_column(release)].to_numpy(dtype=np.float64)
        return np.asarray(scores > self.thresholds[release])

    def mated(self) -> NDArray[np.bool_]:
        """The ground truth, shape [N]."""
        return self.frame["mated"].to_numpy(dtype=np.bool_)


class GroupAbsence(Configuration):
    """One group hardly comes at first: until a moment all traffic is at one site, where it is rare.

    ``until`` counts from the start of the log. ``remaining`` is the part of the group's usual share of the
    traffic that comes all the same, 0 to 1.
    """

    group: str
    until: Duration
    site: str
    remaining: float = Field(default=0.0, ge=0, le=1)


class Schedule(Configuration):
    """How traffic arrives and how late its labels come.

    ``requests_per_hour``: rate of a Poisson process. Label delays are log-normal: ``label_delay_median`` and
    ``label_delay_spread`` (standard deviation of the delay's natural logarithm). ``never_labelled``: share of
    requests whose truth nobody learns. ``mated_share``: share of mated requests; None keeps that of the pairs.
    """

    requests: int = Field(default=20_000, ge=1)
    requests_per_hour: float = Field(default=2_000, gt=0)
    label_delay_median: Duration = timedelta(minutes=30)
    label_delay_spread: float = Field(default=0.5, ge=0)
    never_labelled: float = Field(default=0.0, ge=0, le=1)
    sites: Annotated[tuple[str, ...], Field(min_length=1)] = ("main gate",)
    mated_share: float | None = Field(default=None, ge=0, le=1)
    absence: GroupAbsence | None = None


def build_schedule(
    pairs: pd.DataFrame,
    thresholds: Mapping[str, float],
    schedule: Schedule,
    *,
    start: datetime,
    routing_secret: bytes,
    generator: np.random.Generator,
) -> TrafficLog:
    """Make traffic out of compared pairs, drawn with replacement.

    Args:
        pairs: a row a probe/reference pair: ``subject`` (who asks; a pseudonym), ``mated`` bool, ``group`` str or
            null, and ``score:<release>`` for every release in ``thresholds``.
        thresholds: by release; a pair is accepted when its score is above.
        schedule: how much, how fast, where, and how late the labels.
        start: the moment the log begins, with a time zone.
        routing_secret: keys the routing keys.
        generator: all randomness; the same generator state gives the same log.

    Raises:
        DataError: when a column is missing, or no pair is left to draw from.
    """
    wanted = ["subject", "mated", "group", *(score_column(release) for release in thresholds)]
    missing = [name for name in wanted if name not in pairs.columns]
    if missing:
        raise DataError(f"The pairs lack the column '{missing[0]}': add it, one value a pair.")
    elapsed = np.cumsum(generator.exponential(3600 / schedule.requests_per_hour, schedule.requests))
    at = pd.Timestamp(start).tz_convert("UTC").as_unit("us") + _seconds(elapsed)
    rows = _draw(pairs, schedule, elapsed, generator)
    delays = schedule.label_delay_median.total_seconds() * np.exp(
        schedule.label_delay_spread * generator.standard_normal(schedule.requests)
    )
    never = generator.random(schedule.requests) < schedule.never_labelled
    label_at = pd.Series(at + _seconds(delays)).mask(never)
    drawn = pairs.iloc[rows].reset_index(drop=True)
    keys = {subject: routing_key(str(subject), routing_secret) for subject in drawn["subject"].unique()}
    frame = pd.DataFrame(
        {
            "at": at,
            "request_id": [f"request-{number:07d}" for number in range(schedule.requests)],
            "site": _sites(schedule, elapsed, generator),
            "routing_key": drawn["subject"].map(keys),
            "group": drawn["group"],
            "mated": drawn["mated"].astype(bool),
            "label_at": label_at,
            **{score_column(release): drawn[score_column(release)] for release in thresholds},
        }
    )
    return TrafficLog(frame, dict(thresholds))


def _seconds(values: NDArray[np.float64]) -> pd.TimedeltaIndex:
    return pd.TimedeltaIndex(np.round(values * 1e6).astype("timedelta64[us]"))


def _draw(
    pairs: pd.DataFrame, schedule: Schedule, elapsed: NDArray[np.float64], generator: np.random.Generator
) -> NDArray[np.int64]:
    mated = pairs["mated"].to_numpy(dtype=np.bool_)
    weights = np.ones(len(pairs))
    if schedule.mated_share is not None:
        weights[mated] = schedule.mated_share / max(int(mated.sum()), 1)
        weights[~mated] = (1 - schedule.mated_share) / max(int((~mated).sum()), 1)
    rows = np.empty(len(elapsed), dtype=np.int64)
    early = _early(schedule, elapsed)
    rows[~early] = _weighted(weights, int((~early).sum()), generator)
    if schedule.absence is not None:
        rare = (pairs["group"] == schedule.absence.group).to_numpy(dtype=np.bool_, na_value=False)
        weights = np.where(rare, weights * schedule.absence.remaining, weights)
        rows[early] = _weighted(weights, int(early.sum()), generator)
    return rows


def _weighted(weights: NDArray[np.float64], count: int, generator: np.random.Generator) -> NDArray[np.int64]:
    if not weights.sum() > 0:
        raise DataError("No pair is left to draw traffic from: give pairs of other groups, mated and non-mated.")
    return generator.choice(len(weights), size=count, p=weights / weights.sum())


def _early(schedule: Schedule, elapsed: NDArray[np.float64]) -> NDArray[np.bool_]:
    if schedule.absence is None:
        return np.zeros(len(elapsed), dtype=np.bool_)
    return np.asarray(elapsed < schedule.absence.until.total_seconds())


def _sites(schedule: Schedule, elapsed: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.object_]:
    sites = np.array(schedule.sites, dtype=object)[generator.integers(len(schedule.sites), size=len(elapsed))]
    if schedule.absence is not None:
        sites[_early(schedule, elapsed)] = schedule.absence.site
    return sites
