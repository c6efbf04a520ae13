from dataclasses import replace
from datetime import timedelta

import pytest

from countenance.rollout.actions import Promote, RequestApproval
from countenance.rollout.advance import advance
from countenance.rollout.approvals import Act, Approval, OperatorKey
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.state import BreakerReading, Evidence, RolloutState, Stage
from countenance.rollout.waiting import signers, waits_for

from .machine_scenes import BUDGET, at, evidence
from .scenes import ANNA, LATER, NOON, good_evidence, measured, policy

BEN = OperatorKey("ben", b"a secret of ben's, of 32 bytes too")
FOUR_EYES = policy(approvers=2)
ASKED = replace(at(Stage.AWAITING_APPROVAL, share=0.25, step=1, came_from=Stage.BAKING), entered_at=LATER)
NOW = LATER + timedelta(minutes=10)


def by(key: OperatorKey, minutes: float = 1, act: Act = Act.PROMOTE, subject: str = "v2") -> Approval:
    return key.sign(act, subject=subject, at=LATER + timedelta(minutes=minutes), reason="It was looked at.")


def with_signatures(*approvals: Approval) -> Evidence:
    return replace(evidence(), approvals=approvals)


def test_two_different_names_promote_where_four_eyes_are_asked_for() -> None:
    after, actions = advance(ASKED, with_signatures(by(ANNA), by(BEN, 2)), FOUR_EYES, NOW)
    assert after.stage is Stage.PROMOTED and Promote("v2", "v1") in actions
    assert "signed by anna, ben" in after.reason


@pytest.mark.parametrize(
    "offered",
    [
        (),
        (by(ANNA),),
        (by(ANNA), by(ANNA, 2)),
        (by(ANNA), by(BEN, -1)),  # older than the request
        (by(ANNA), by(BEN, 11)),  # yet to come
        (by(ANNA), by(BEN, act=Act.START_CANARY)),
        (by(ANNA), by(BEN, subject="v3")),
    ],
)
def test_one_name_twice_or_one_too_early_is_one_signature(offered: tuple[Approval, ...]) -> None:
    shown = with_signatures(*offered)
    assert advance(ASKED, shown, FOUR_EYES, NOW) == (ASKED, ())
    assert "2 different operators must sign to promote 'v2', so far" in waits_for(ASKED, shown, FOUR_EYES, NOW)[0]


def test_who_signed_already_is_named() -> None:
    shown = with_signatures(by(ANNA))
    assert signers(ASKED, shown, NOW) == ("anna",)
    assert waits_for(ASKED, shown, FOUR_EYES, NOW) == (
        "2 different operators must sign to promote 'v2', so far anna did.",
    )


def test_four_eyes_count_for_the_start_of_a_canary_too() -> None:
    asking = policy(approvers=2, canary_needs_approval=True)
    waiting, actions = advance(at(Stage.SHADOW), evidence(), asking, LATER)
    assert actions == (RequestApproval("v2", Act.START_CANARY),)
    one = with_signatures(by(ANNA, act=Act.START_CANARY))
    assert advance(waiting, one, asking, NOW) == (waiting, ())
    two = with_signatures(by(ANNA, act=Act.START_CANARY), by(BEN, act=Act.START_CANARY))
    assert advance(waiting, two, asking, NOW)[0].stage is Stage.CANARY


def test_signatures_do_not_stand_in_for_evidence() -> None:
    empty = replace(with_signatures(by(ANNA), by(BEN)), measured=measured(by_stage=0))
    assert advance(ASKED, empty, FOUR_EYES, NOW) == (ASKED, ())


def test_everything_that_is_missing_is_said_at_once() -> None:
    strict = policy(
        approvers=2,
        budget=BUDGET,
        heartbeat="PT2M",
        preconditions="required",
        shadow={"labelled": 400, "dwell": "PT9H"},
        latency={"limit_ms": 100, "tolerated": 0.01},
    )
    poor = replace(measured(by_stage=3, due=20_000, scored=100), disagreed=40)
    shown = evidence(
        poor,
        spent=1000.0,
        breaker=BreakerReading(requests=30, errors=30),
        preconditions=Preconditions(embedding_space="a space", cross_model_tar=0.5, required_tar=0.9),
    )
    said = waits_for(at(Stage.SHADOW), shown, strict, LATER)
    for part in (
        "3 of 400 labelled",
        "100% of the requests",
        "The models disagree on 40.0%",
        "The error breaker tripped",
        "never gave a sign of life",
        "Nothing is left of the budget",
        "a TAR of 0.5000",
        "threshold is not recorded",
        "must last",
    ):
        assert any(part in sentence for sentence in said), part
    assert all(sentence.endswith(".") for sentence in said)


@pytest.mark.parametrize("state", [at(Stage.CANARY, share=0.05), at(Stage.BAKING, share=0.25, step=1)])
def test_a_metric_that_nobody_measured_blocks_from_the_canary_on(state: RolloutState) -> None:
    limited = policy(latency={"limit_ms": 100, "tolerated": 0.01}, promotion_needs_approval=False)
    assert advance(state, evidence(), limited, LATER) == (state, ())
    assert waits_for(state, evidence(), limited, LATER) == (
        "Too few requests' times, or none, were measured, and the policy requires it (latency).",
    )


def test_a_shadow_that_drops_too_much_starts_no_canary() -> None:
    shadow, dropping = at(Stage.SHADOW), replace(good_evidence(), shadow_dropped=1000)
    assert advance(shadow, evidence(dropping), policy(), LATER) == (shadow, ())
    assert "The shadow dropped 11.1% of the requests; at most 5.0% may be." in waits_for(
        shadow, evidence(dropping), policy(), LATER
    )
    assert advance(shadow, evidence(replace(dropping, shadow_dropped=400)), policy(), LATER)[0].stage is Stage.CANARY


def test_a_rollout_without_a_champion_goes_no_further_than_its_shadow() -> None:
    alone = replace(at(Stage.SHADOW), champion=None)
    assert advance(alone, evidence(), policy(), LATER) == (alone, ())
    assert "made champion by a signed bootstrap" in waits_for(alone, evidence(), policy(), LATER)[0]


def test_nothing_is_missing_from_what_has_ended() -> None:
    assert waits_for(at(Stage.ROLLED_BACK), evidence(measured()), policy(), NOON) == ()
