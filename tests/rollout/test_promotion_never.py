"""What must never be promoted, each beside a control: the same scene with the missing thing present is promoted.

In every scene an operator signs at every look, and looks go on until well after the deadline.
"""

from datetime import datetime, timedelta

import numpy as np
import pytest

from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.state import Stage

from .looking import Answers, Traffic, hourly, nobody, watch
from .scenes import NOON, policy

POLICY = policy(maximum_unlabelled_share=0.1)


def easy(answers: Answers) -> np.ndarray:
    """Labels come only where the case was easy: nobody says anything of the hard ones, on which models err."""
    return ~answers["hard"]


def test_the_control_is_promoted() -> None:
    outcome = watch(Traffic(), POLICY)
    assert outcome.promoted and outcome.state.deadline_at > outcome.state.entered_at


def test_a_rollout_never_promotes_without_labels() -> None:
    outcome = watch(Traffic(labelled=nobody), POLICY)
    assert not outcome.promoted
    assert (outcome.state.stage, outcome.state.share) == (Stage.INCONCLUSIVE, 0.0)
    assert "100% of the requests that are old enough have no label" in outcome.state.reason


def test_a_rollout_never_promotes_with_labels_only_for_the_good_cases() -> None:
    outcome = watch(Traffic(labelled=easy), POLICY)
    assert not outcome.promoted
    assert outcome.state.stage is Stage.INCONCLUSIVE
    assert "Were every missing label an error of the candidate" in outcome.state.reason
    worse = watch(Traffic(labelled=easy, candidate=0.9), POLICY)
    assert not worse.promoted, "and this is why: here the labels hide a candidate that errs three times as often"
    assert watch(Traffic(candidate=0.9), POLICY).state.stage in (Stage.ABORTED, Stage.ROLLED_BACK)


def test_between_arms_neither_missing_labels_nor_good_ones_alone_promote() -> None:
    rules = policy(canary_comparison="arms", non_inferiority_margin=0.03, maximum_unlabelled_share=0.1)
    assert watch(Traffic(arms=True), rules, requests=1000).promoted
    assert not watch(Traffic(arms=True, labelled=nobody), rules, requests=1000).promoted
    selected = watch(Traffic(arms=True, labelled=easy), rules, requests=1000)
    assert not selected.promoted
    assert "Were every missing label an error of the candidate" in selected.state.reason


def test_a_rollout_never_promotes_with_a_starved_group() -> None:
    starved = watch(Traffic(groups=("north",)), POLICY)
    assert not starved.promoted
    assert (starved.state.stage, starved.state.base) == (Stage.INCONCLUSIVE, Stage.BAKING)
    assert "Group 'south' has fewer than 100 labelled requests" in starved.state.reason
    rare = ("north",) * 399 + ("south",)
    assert not watch(Traffic(groups=rare), POLICY).promoted, "one request a look is not enough either"
    assert watch(Traffic(groups=rare), replace_minimum(POLICY, 10)).promoted


LATENCY = {"latency": {"limit_ms": 200, "tolerated": 0.02}}
DRIFT = {"drift": {"tail_score": 0.6, "tolerated": 0.01}}


@pytest.mark.parametrize(
    ("missing", "rules"),
    [
        ("latency", policy(**LATENCY)),
        ("latency", policy(**LATENCY, required_metrics=["latency"])),
        ("errors", policy(required_metrics=["errors"])),
        ("drift", policy(**DRIFT)),
    ],
)
def test_a_rollout_never_promotes_with_a_missing_metric(missing: str, rules: RolloutPolicy) -> None:
    outcome = watch(Traffic(watched=frozenset()), rules)
    assert not outcome.promoted
    assert outcome.state.stage is Stage.INCONCLUSIVE
    assert f"the policy requires it ({missing})" in outcome.state.reason
    assert watch(Traffic(), rules).promoted


def backwards(rules: RolloutPolicy) -> list[datetime]:
    return [NOON - timedelta(minutes=count) for count in range(1, len(hourly(rules)))]


def standing_still(rules: RolloutPolicy) -> list[datetime]:
    return [NOON + timedelta(minutes=5)] * len(hourly(rules))


def beyond_the_deadline(rules: RolloutPolicy) -> list[datetime]:
    return [NOON, *(moment + timedelta(days=3650) for moment in hourly(rules))]


def wandering(rules: RolloutPolicy) -> list[datetime]:
    """Two hours on, three hours back: it never gets anywhere."""
    return [NOON + timedelta(hours=2 * (count % 2) - 3 * ((count + 1) % 2)) for count in range(len(hourly(rules)))]


@pytest.mark.parametrize("clock", [backwards, standing_still, beyond_the_deadline, wandering])
def test_a_rollout_never_promotes_with_a_broken_clock(clock: object) -> None:
    patient = {"labelled": 300, "dwell": "PT3H"}
    rules = policy(shadow=patient, step=patient, bake=patient)
    outcome = watch(Traffic(), rules, clock(rules))  # type: ignore[operator]
    assert not outcome.promoted
    assert outcome.refused or "must last" in outcome.waiting or outcome.state.stage is Stage.INCONCLUSIVE
    assert watch(Traffic(), rules).promoted


def test_a_rollout_never_promotes_past_the_deadline() -> None:
    late = NOON + POLICY.deadline
    outcome = watch(Traffic(), POLICY, quiet_until=late)
    assert not outcome.promoted
    assert outcome.state.stage is Stage.INCONCLUSIVE
    assert watch(Traffic(), POLICY, quiet_until=late - timedelta(hours=24)).promoted
    ends = watch(Traffic(), policy(on_inconclusive="roll_back"), quiet_until=late)
    assert ends.state.stage is Stage.ABORTED


def test_even_perfect_evidence_and_a_signature_are_too_late_at_the_deadline_itself() -> None:
    rules = policy(promotion_needs_approval=False)
    moments = [moment for moment in hourly(rules) if moment >= NOON + rules.deadline]
    assert not watch(Traffic(), rules, moments, requests=20_000).promoted
    just_before = [NOON + rules.deadline - timedelta(seconds=count) for count in range(30, 0, -1)]
    assert watch(Traffic(), rules, just_before, requests=20_000).promoted


def replace_minimum(rules: RolloutPolicy, labelled: int) -> RolloutPolicy:
    return RolloutPolicy.model_validate(rules.model_dump() | {"group_minimum": labelled})
