"""The guards run wherever people are exposed, in one order, and stop what they must stop."""

from dataclasses import replace
from datetime import timedelta

import pytest

from countenance.errors import RolloutError
from countenance.rollout.actions import Notify, RollBack, SetShare
from countenance.rollout.advance import aborted, advance, paused, resumed, superseded, waits_for
from countenance.rollout.policy_guards import ErrorBreaker
from countenance.rollout.state import BreakerReading, ClockReading, Evidence, RolloutState, Stage

from .machine_scenes import BUDGET, ENDED, EXPOSED, FRESH, HARM, UNEXPOSED, at, evidence
from .scenes import LATER, NOON, policy

GUARDED = policy(budget=BUDGET, heartbeat="PT2M", errors={"window": "PT1M", "maximum": 20, "share": 0.05})
ALIVE = LATER - timedelta(seconds=30)
CALM = BreakerReading(requests=1000, errors=19)
TRIPS: dict[str, Evidence] = {
    "Harm was shown": evidence(HARM, heartbeat_at=ALIVE),
    "The budget is gone": evidence(spent=1000.01, heartbeat_at=ALIVE),
    "The error breaker tripped": evidence(breaker=BreakerReading(requests=400, errors=20), heartbeat_at=ALIVE),
    "gave no sign of life": evidence(heartbeat_at=LATER - timedelta(seconds=121)),
    "never gave a sign of life": evidence(),
}


@pytest.mark.parametrize("why", TRIPS)
@pytest.mark.parametrize("state", EXPOSED, ids=lambda state: state.stage)
def test_every_guard_rolls_back_from_every_exposed_state(state: RolloutState, why: str) -> None:
    after, actions = advance(state, TRIPS[why], GUARDED, LATER)
    assert (after.stage, after.share, after.entered_at) == (Stage.ROLLED_BACK, 0.0, LATER)
    assert why in after.reason
    assert actions == (SetShare("v2", 0.0), RollBack("v2", "v1"), Notify("v2", after.reason))


@pytest.mark.parametrize("state", EXPOSED, ids=lambda state: state.stage)
def test_no_guard_stops_a_candidate_that_is_well(state: RolloutState) -> None:
    well = evidence(spent=400.0, breaker=CALM, heartbeat_at=ALIVE)
    assert advance(state, well, GUARDED, LATER)[0].stage is not Stage.ROLLED_BACK


@pytest.mark.parametrize("why", [why for why in TRIPS if why != "Harm was shown"])
@pytest.mark.parametrize("state", UNEXPOSED, ids=lambda state: state.stage)
def test_where_nobody_is_exposed_these_guards_stop_nothing_and_let_nothing_start(state: RolloutState, why: str) -> None:
    assert advance(state, TRIPS[why], GUARDED, LATER) == (state, ())
    assert waits_for(state, TRIPS[why], GUARDED, LATER)


@pytest.mark.parametrize("why", TRIPS)
@pytest.mark.parametrize("state", ENDED, ids=lambda state: state.stage)
def test_no_guard_moves_what_has_ended(state: RolloutState, why: str) -> None:
    assert advance(state, TRIPS[why], GUARDED, LATER) == (state, ())


def test_the_guards_come_in_their_order_and_all_of_them_before_the_deadline() -> None:
    order, late = list(TRIPS)[:4], NOON + timedelta(days=30)
    everything = replace(
        evidence(HARM), spent=2000.0, breaker=BreakerReading(requests=20, errors=20), heartbeat_at=NOON
    )
    without_harm = replace(everything, measured=evidence().measured)
    without_cost = replace(without_harm, spent=0.0)
    without_errors = replace(without_cost, breaker=None)
    for why, shown in zip(order, (everything, without_harm, without_cost, without_errors), strict=True):
        after, _ = advance(EXPOSED[0], shown, GUARDED, late)
        assert after.stage is Stage.ROLLED_BACK and why in after.reason
    beating = replace(without_errors, heartbeat_at=late)
    assert advance(EXPOSED[0], beating, GUARDED, late)[0].stage is Stage.INCONCLUSIVE


@pytest.mark.parametrize(
    ("requests", "errors", "trips"),
    [(400, 20, True), (401, 20, False), (19, 19, False), (20, 20, True), (0, 0, False), (10_000, 499, False)],
)
def test_the_breaker_needs_both_a_number_and_a_share(requests: int, errors: int, trips: bool) -> None:
    shown = evidence(breaker=BreakerReading(requests=requests, errors=errors))
    after, _ = advance(at(Stage.CANARY, share=0.05), shown, policy(errors=ErrorBreaker()), LATER)
    assert (after.stage is Stage.ROLLED_BACK) == trips


def test_a_breaker_reading_that_cannot_be_is_refused() -> None:
    for requests, errors in ((5, 6), (-1, 0), (5, -1)):
        with pytest.raises(RolloutError, match="breaker's reading"):
            BreakerReading(requests=requests, errors=errors)


@pytest.mark.parametrize("seconds", [-121, 121])
def test_a_heartbeat_too_far_from_now_on_either_side_is_a_lost_one(seconds: int) -> None:
    shown = evidence(heartbeat_at=LATER - timedelta(seconds=seconds))
    assert advance(EXPOSED[1], shown, GUARDED, LATER)[0].stage is Stage.ROLLED_BACK


def test_a_first_heartbeat_is_waited_for_from_when_the_stage_began() -> None:
    young = replace(EXPOSED[0], entered_at=LATER - timedelta(seconds=119))
    assert advance(young, evidence(), GUARDED, LATER)[0].stage is not Stage.ROLLED_BACK


def test_a_canary_starts_only_where_the_plane_is_heard_and_the_shadow_answers() -> None:
    shadow = at(Stage.SHADOW)
    assert advance(shadow, evidence(heartbeat_at=ALIVE, breaker=CALM), GUARDED, LATER)[0].stage is Stage.CANARY
    assert "never gave a sign of life" in waits_for(shadow, evidence(), GUARDED, LATER)[0]


@pytest.mark.parametrize("state", EXPOSED, ids=lambda state: state.stage)
def test_a_clock_that_went_backwards_stops_no_guard_and_no_abort(state: RolloutState) -> None:
    before = NOON - timedelta(hours=3)
    after, _ = advance(state, evidence(HARM), policy(), before)
    assert (after.stage, after.entered_at) == (Stage.ROLLED_BACK, NOON)
    assert aborted(state, before, by="anna", reason="Now.")[0].stage is Stage.ROLLED_BACK
    assert superseded(state, before, by="v3")[0].entered_at == NOON


@pytest.mark.parametrize("state", [*EXPOSED, *UNEXPOSED, FRESH, at(Stage.VALIDATING)], ids=lambda state: state.stage)
def test_a_clock_that_went_backwards_moves_nothing_forward(state: RolloutState) -> None:
    with pytest.raises(RolloutError, match="does not go backwards"):
        advance(state, evidence(), policy(), NOON - timedelta(seconds=1))
    behind = ClockReading(database=LATER, last_event=LATER + timedelta(seconds=1))
    with pytest.raises(RolloutError, match="mend the database's clock"):
        advance(state, evidence(clock=behind), policy(), LATER)


def test_a_pause_and_a_resume_need_a_clock_too() -> None:
    with pytest.raises(RolloutError, match="does not go backwards"):
        paused(EXPOSED[0], NOON - timedelta(seconds=1), by="anna", reason="A pause.")
    with pytest.raises(RolloutError, match="does not go backwards"):
        resumed(EXPOSED[3], policy(), NOON - timedelta(seconds=1), by="anna", reason="Go on.")


def test_an_abort_wins_over_everything_and_a_second_one_does_nothing() -> None:
    for state in (FRESH, at(Stage.VALIDATING), *UNEXPOSED, *EXPOSED):
        ended, actions = aborted(state, LATER, by="anna", reason="Now.")
        assert ended.stage is (Stage.ROLLED_BACK if state.exposed else Stage.ABORTED) and actions
        assert aborted(ended, LATER, by="anna", reason="Again.") == (ended, ())
