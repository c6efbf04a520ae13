"""The limits of a rollout's guards: how alpha is shared out, latency, errors, drift and money."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from countenance.configuration import Configuration

_LONGEST = timedelta(days=36_525)
"""A hundred years: added to any moment, it is still one that a calendar has."""


def _not_negative(value: timedelta) -> timedelta:
    if value < timedelta(0):
        raise ValueError("a duration cannot be negative")
    if value > _LONGEST:
        raise ValueError("a duration cannot be longer than a hundred years")
    return value


def _positive(value: timedelta) -> timedelta:
    if value == timedelta(0):
        raise ValueError("a duration must be longer than zero")
    return _not_negative(value)


Duration = Annotated[timedelta, AfterValidator(_not_negative)]
"""Seconds as a number, or ISO 8601 text such as ``PT6H``."""

PositiveDuration = Annotated[timedelta, AfterValidator(_positive)]
"""A duration that is longer than zero."""


class AlphaShares(Configuration):
    """Which part of alpha each guardrail of harm may spend; together 1, so their union spends alpha (union bound).

    ``overall``: all errors together; ``groups``: harm to any guarded group; ``latency``: requests over the limit;
    ``drift``: the tail of non-mated scores.
    """

    overall: float = Field(default=0.4, gt=0, le=1)
    groups: float = Field(default=0.3, ge=0, le=1)
    latency: float = Field(default=0.15, ge=0, le=1)
    drift: float = Field(default=0.15, ge=0, le=1)

    @model_validator(mode="after")
    def _together_one(self) -> AlphaShares:
        together = self.overall + self.groups + self.latency + self.drift
        if not math.isclose(together, 1.0, abs_tol=1e-9):
            raise ValueError(f"the shares of alpha must sum to 1, not {together:g}")
        return self


class LatencyGuard(Configuration):
    """A request is slow above ``limit_ms`` (milliseconds); ``tolerated`` is the share that may be slow."""

    limit_ms: float = Field(gt=0, allow_inf_nan=False)
    tolerated: float = Field(gt=0, lt=1)


class ErrorBreaker(Configuration):
    """Stops an exposed candidate at once, without any statistics, when it fails to answer.

    It trips when, of the requests the candidate was to answer within the last ``window``, at least ``maximum`` failed
    and they were at least ``share`` of them: both, so that neither one failure of three nor twenty of a million trips.
    """

    window: PositiveDuration = timedelta(minutes=1)
    maximum: int = Field(default=20, ge=1)
    share: float = Field(default=0.05, gt=0, le=1)


class DriftGuard(Configuration):
    """Watches the tail of the candidate's non-mated scores, since a false match rate of 1e-4 cannot be counted online.

    ``tolerated`` is the share of non-mated scores above ``tail_score`` that was measured offline.
    """

    tail_score: float = Field(allow_inf_nan=False)
    tolerated: float = Field(gt=0, lt=1)


class Budget(Configuration):
    """The most that a rollout may cost in errors which the champion would not have made.

    Args:
        amount: B, in ``currency``.
        currency: how people name the money, such as ``EUR``.
        cost_false_match, cost_false_non_match: what one such error costs.
        worst_excess: largest excess of the candidate's error rate over the champion's that the budget reckons with
            before there is evidence (Delta_max, 0 to 1).
        requests_per_hour: how many requests arrive in all.
        horizon: how long a new share is on before evidence about it can stop it: the next look and its labels.
    """

    amount: float = Field(gt=0, allow_inf_nan=False)
    currency: Annotated[str, Field(min_length=1)]
    cost_false_match: float = Field(ge=0, allow_inf_nan=False)
    cost_false_non_match: float = Field(ge=0, allow_inf_nan=False)
    worst_excess: float = Field(gt=0, le=1)
    requests_per_hour: float = Field(gt=0, allow_inf_nan=False)
    horizon: PositiveDuration

    @model_validator(mode="after")
    def _costs_something(self) -> Budget:
        if self.cost_of_an_error == 0:
            raise ValueError("a budget needs an error that costs something: give one of the two costs above 0")
        return self

    @property
    def cost_of_an_error(self) -> float:
        """c: the dearer of the two errors, since nobody knows beforehand which kind a bad candidate makes."""
        return max(self.cost_false_match, self.cost_false_non_match)
