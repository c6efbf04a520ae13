"""The policy of a rollout: how far, how fast, and on how much evidence."""

from __future__ import annotations

import hashlib
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from countenance.configuration import Configuration, narrow
from countenance.errors import ConfigurationError
from countenance.rollout.ledger import canonical_json
from countenance.rollout.policy_guards import (
    AlphaShares,
    Budget,
    DriftGuard,
    Duration,
    ErrorBreaker,
    LatencyGuard,
    PositiveDuration,
)

Metric = Literal["labels", "latency", "errors", "drift"]


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


def _asked_once(values: tuple[Metric, ...]) -> tuple[Metric, ...]:
    if len(set(values)) != len(values):
        raise ValueError("every metric must be named once")
    return values


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
        canary_comparison: ``paired`` where both models score every request, also in the canary; ``arms`` where only
            one of them answers, so that evidence of the canary lies between two arms.
        alpha_split: what part of alpha each guardrail of harm may spend.
        latency, errors, drift, budget: the limits of these guards; None switches that guard off.
        shadow_drop: largest share of requests that the shadow may have dropped.
        approvers: how many different names must sign where a signature is asked for; 2 means four eyes.
        heartbeat: exposed, and no sign of life from the traffic plane for longer than this, ends in ROLLED_BACK.
        required_metrics: without a measurement of each of these nothing goes beyond its canary step; the guards that
            are configured are required too. See :meth:`metrics_needed`.
        preconditions: ``required``: a canary starts only when the gallery's compatibility and the threshold are on
            record (``preconditions.py``); ``offered``: they are checked where they are given.
        on_active: what becomes of a new candidate while another one's rollout is active.
    """

    steps: Annotated[tuple[float, ...], Field(min_length=1), AfterValidator(_growing_shares)] = (0.05, 0.25, 0.5)
    alpha: float = Field(default=0.05, gt=0, lt=0.5)
    non_inferiority_margin: float = Field(default=0.01, gt=0, lt=1)
    shadow: StageMinimum = StageMinimum(labelled=1000)
    step: StageMinimum = StageMinimum(labelled=500)
    bake: StageMinimum = StageMinimum(labelled=500)
    label_delay: Duration = timedelta(hours=1)
    deadline: PositiveDuration = timedelta(days=14)
    maximum_disagreement: float = Field(default=0.1, ge=0, le=1)
    maximum_unlabelled_share: float = Field(default=0.3, ge=0, lt=1)
    on_inconclusive: Literal["hold", "roll_back"] = "hold"
    canary_needs_approval: bool = False
    promotion_needs_approval: bool = True
    false_match_tolerance: float = Field(default=0.01, ge=0, lt=1)
    guarded_groups: Annotated[tuple[str, ...], AfterValidator(_named_once)] = ()
    group_minimum: int = Field(default=100, ge=1)
    route_by: Literal["subject", "site"] = "subject"
    canary_comparison: Literal["paired", "arms"] = "paired"
    alpha_split: AlphaShares = AlphaShares()
    latency: LatencyGuard | None = None
    errors: ErrorBreaker = ErrorBreaker()
    drift: DriftGuard | None = None
    shadow_drop: float = Field(default=0.05, ge=0, le=1)
    budget: Budget | None = None
    approvers: int = Field(default=1, ge=1)
    heartbeat: PositiveDuration | None = None
    required_metrics: Annotated[tuple[Metric, ...], AfterValidator(_asked_once)] = ()
    preconditions: Literal["offered", "required"] = "offered"
    on_active: Literal["refuse", "queue", "supersede"] = "refuse"

    @model_validator(mode="after")
    def _measurable(self) -> RolloutPolicy:
        for name, guard in (("latency", self.latency), ("drift", self.drift)):
            if name in self.required_metrics and guard is None:
                raise ValueError(f"required_metrics asks for {name}, which has no limits: give '{name}' its limits")
            if guard is not None and getattr(self.alpha_split, name) == 0:
                raise ValueError(f"'{name}' has no share of alpha: give it one in alpha_split, or leave it out")
        if self.canary_comparison == "arms" and self.steps[-1] == 1:
            raise ValueError(
                "a step of all traffic leaves the champion no arm to compare with: end steps below 1, or compare pairs"
            )
        if self.guarded_groups and self.alpha_split.groups == 0:
            raise ValueError("groups are guarded without a share of alpha: give them one in alpha_split")
        return self

    def metrics_needed(self) -> tuple[Metric, ...]:
        """Names of the metrics that must have been measured: those asked for, and those of configured guards."""
        guarded: tuple[tuple[Metric, object], ...] = (("latency", self.latency), ("drift", self.drift))
        also = tuple(name for name, guard in guarded if guard is not None and name not in self.required_metrics)
        return self.required_metrics + also

    def policy_hash(self) -> str:
        """The sha256 (hex) of every key and value: the same policy has the same hash on every machine."""
        return hashlib.sha256(canonical_json(self.model_dump(mode="json")).encode()).hexdigest()

    def described(self) -> tuple[str, ...]:
        """Sentences on the limits this policy sets, for pages and reports."""
        said = [
            f"The canary answers {', then '.join(f'{share:.4g}' for share in self.steps)} of the traffic.",
            f"A harmless candidate is stopped with a chance of at most {self.alpha:g} in all, however often one looks: "
            + ", ".join(f"{name} {self.alpha * share:.4g}" for name, share in self.alpha_split.model_dump().items())
            + ".",
            f"A candidate that is worse by {self.non_inferiority_margin:g} or more is promoted with a chance of at "
            f"most {self.alpha:g}.",
        ]
        if self.budget is not None:
            budget = self.budget
            said.append(
                f"It may cost {budget.amount:,.2f} {budget.currency} more than the champion, at "
                f"{budget.cost_of_an_error:,.2f} an error; the next share reckons with {budget.worst_excess:.2%} more "
                f"errors in {budget.requests_per_hour:,.0f} requests an hour for {budget.horizon}."
            )
        if self.heartbeat is not None:
            said.append(f"It ends when the traffic plane is silent for longer than {self.heartbeat}.")
        if self.metrics_needed():
            said.append(f"Nothing goes beyond a canary step without {', '.join(self.metrics_needed())}.")
        if self.promotion_needs_approval or self.canary_needs_approval:
            said.append(f"Where a signature is asked for, {self.approvers} must be given, each by another name.")
        return tuple(said)


def read_policy(path: Path) -> RolloutPolicy:
    """Read a policy from a YAML file of ``key: value`` lines, as ``docs/rollout_policy.yml`` shows them.

    Raises:
        ConfigurationError: when the file is missing or no such YAML, or a key is unknown, given twice or out of range.
    """
    import yaml

    class OnceOnly(yaml.SafeLoader):
        """Refuses a key that is given twice; YAML would silently keep the last."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
            twice = sorted({str(key) for key in keys if keys.count(key) > 1})
            if twice:
                raise ConfigurationError(f"Configuration key '{twice[0]}' stands twice in {path}: keep one of them.")
            return super().construct_mapping(node, deep)

    try:
        values = yaml.load(path.read_text(encoding="utf-8"), Loader=OnceOnly)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigurationError(f"{path} cannot be read as YAML: write the policy as 'key: value' lines.") from error
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise ConfigurationError(f"{path} holds no policy: write it as 'key: value' lines.")
    return narrow(RolloutPolicy, values, where=str(path))
