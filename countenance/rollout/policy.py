"""The policy of a rollout: how far, how fast, and on how much evidence."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from countenance.configuration import Configuration
from countenance.rollout.ledger import canonical_json


def _not_negative(value: timedelta) -> timedelta:
    if value < timedelta(0):
        raise ValueError("a duration cannot be negative")
    return value


def _positive(value: timedelta) -> timedelta:
    if value <= timedelta(0):
        raise ValueError("a duration must be longer than zero")
    return value


def _growing_shares(values: tuple[float, ...]) -> tuple[float, ...]:
    if not all(0 < value <= 1 for value in values):
        raise ValueError("every canary share must be above 0 and at most 1")
    if any(later <= earlier for earlier, later in pairwise(values)):
        raise ValueError("canary shares must grow from step to step")
    return values


def _named_once(values: tuple[str, ...]) -> tuple[str, ...]:
    if any(not value for value in values) or len(set(values)) != len(values):
        raise ValueError("every group must be named, and named once")
    return values


Duration = Annotated[timedelta, AfterValidator(_not_negative)]
"""Seconds as a number, or ISO 8601 text such as ``PT6H``."""


class StageMinimum(Configuration):
    """What a stage must have seen before it can be left for the next one.

    ``labelled``: requests that arrived in the stage and whose label has matured.
    ``dwell``: the least time spent in the stage.
    """

    labelled: int = Field(default=500, ge=1)
    dwell: Duration = timedelta(0)


class RolloutPolicy(Configuration):
    """The rules of one rollout; they cannot change while it runs.

    Args:
        steps: the canary's share of the traffic, step by step, growing. BAKING stays at the last one.
        alpha: the chance of stopping a candidate that harms nobody, and, separately, the chance of
            promoting one whose error rate is worse by the margin or more. See ``verdict.AlphaSplit``.
        non_inferiority_margin: delta, the difference of error rates that is no longer acceptable.
        shadow, step, bake: the least that each stage must have seen.
        label_delay: a request counts as evidence only when it is at least this old (D), whenever its
            label came, so that early labels do not speak for all.
        deadline: from the start of the rollout; then the verdict is INCONCLUSIVE.
        maximum_disagreement: the largest share of requests on which the two models may decide differently.
        maximum_unlabelled_share: the largest share of requests older than ``label_delay`` without a label.
        on_inconclusive: ``hold`` keeps the present share and the guards; ``roll_back`` ends the rollout.
        canary_needs_approval, promotion_needs_approval: whether a signed approval must come first.
        false_match_tolerance: how far a guarded group's false match rate may exceed the champion's. It is watched
            apart from all errors together, since fewer people turned away would hide strangers let in.
        guarded_groups: the groups that are watched for harm, declared before any evidence is seen.
        group_minimum: labelled requests of each guarded group without which nothing is promoted.
            Harm to a group is acted on at any number; only passing waits for this one.
        route_by: who stays with one model: a subject, or a whole site (where a gallery is shared).
    """

    steps: Annotated[tuple[float, ...], Field(min_length=1), AfterValidator(_growing_shares)] = (0.05, 0.25, 0.5)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    non_inferiority_margin: float = Field(default=0.01, gt=0, lt=1)
    shadow: StageMinimum = StageMinimum(labelled=1000)
    step: StageMinimum = StageMinimum(labelled=500)
    bake: StageMinimum = StageMinimum(labelled=500)
    label_delay: Duration = timedelta(hours=1)
    deadline: Annotated[timedelta, AfterValidator(_positive)] = timedelta(days=14)
    maximum_disagreement: float = Field(default=0.1, ge=0, le=1)
    maximum_unlabelled_share: float = Field(default=0.3, ge=0, lt=1)
    on_inconclusive: Literal["hold", "roll_back"] = "hold"
    canary_needs_approval: bool = False
    promotion_needs_approval: bool = True
    false_match_tolerance: float = Field(default=0.01, ge=0, lt=1)
    guarded_groups: Annotated[tuple[str, ...], AfterValidator(_named_once)] = ()
    group_minimum: int = Field(default=100, ge=1)
    route_by: Literal["subject", "site"] = "subject"

    def policy_hash(self) -> str:
        """The sha256 (hex) of every key and value: the same policy has the same hash on every machine."""
        return hashlib.sha256(canonical_json(self.model_dump(mode="json")).encode()).hexdigest()
