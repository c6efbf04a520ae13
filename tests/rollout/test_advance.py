from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.errors import RolloutError
from countenance.rollout.actions import Abort, Promote, Reject, RequestApproval, RollBack, SetShare, StartShadow
from countenance.rollout.advance import aborted, advance, paused, resumed, superseded, waits_for
from countenance.rollout.approvals import Act
from countenance.rollout.evidence import EvidenceState, Tally, evidence_key
from countenance.rollout.state import Evidence, Gate, RolloutState, Stage

from .machine_scenes import ENDED, EXPOSED, FRESH, HARM, UNEXPOSED, at, evidence
from .scenes import LATER, NOON, REGISTRATION, good_evidence, measured, policy, signed


def test_the_whole_way_from_registration_to_promotion() -> None:
    state, way, asked = FRESH, [], []
    while not state.stage.ended:
        state, actions = advance(state, evidence(good_evidence(), Act.PROMOTE), policy(), LATER)
        way.append((str(state.stage), state.share))
        asked += list(actions)
    assert way == [
        ("VALIDATING", 0.0),
        ("SHADOW", 0.0),
        ("CANARY", 0.05),
        ("CANARY", 0.25),
        ("BAKING", 0.25),
        ("AWAITING_APPROVAL", 0.25),
        ("PROMOTED", 1.0),
    ]
    assert StartShadow("v2") in asked and RequestApproval("v2", Act.PROMOTE) in asked and Promote("v2", "v1") in asked
    assert [action.share for action in asked if isinstance(action, SetShare)] == [0.05, 0.25, 0.25]


@pytest.mark.parametrize("state", EXPOSED, ids=lambda state: state.stage)
def test_harm_in_any_exposed_state_rolls_back(state: RolloutState) -> None:
    after, actions = advance(state, evidence(HARM), policy(), LATER)
    assert (after.stage, after.share) == (Stage.ROLLED_BACK, 0.0)
    assert SetShare("v2", 0.0) in actions and RollBack("v2", "v1") in actions
    assert "Harm was shown" in after.reason


@pytest.mark.parametrize("state", UNEXPOSED, ids=lambda state: state.stage)
def test_harm_that_nobody_was_exposed_to_aborts(state: RolloutState) -> None:
    after, actions = advance(state, evidence(HARM), policy(), LATER)
    assert after.stage is Stage.ABORTED
    assert Abort("v2") in actions and not any(isinstance(action, RollBack) for action in actions)


@pytest.mark.parametrize("state", ENDED, ids=lambda state: state.stage)
def test_an_ended_rollout_stays_as_it_is(state: RolloutState) -> None:
    assert advance(state, evidence(HARM), policy(), LATER) == (state, ())
    assert aborted(state, LATER, by="anna", reason="Now.") == (state, ())
    assert superseded(state, LATER, by="v3") == (state, ())


def test_harm_goes_before_the_deadline() -> None:
    late = NOON + timedelta(hours=49)
    assert advance(EXPOSED[0], evidence(HARM), policy(), late)[0].stage is Stage.ROLLED_BACK


@pytest.mark.parametrize("state", [FRESH, at(Stage.VALIDATING), UNEXPOSED[0], *EXPOSED[:4]], ids=lambda s: s.stage)
def test_the_deadline_makes_any_waiting_state_inconclusive_even_with_perfect_evidence(state: RolloutState) -> None:
    late = NOON + timedelta(hours=48)
    held, _ = advance(state, evidence(good_evidence(), Act.PROMOTE), policy(), late)
    assert (held.stage, held.share, held.base) == (Stage.INCONCLUSIVE, state.share, state.base)
    assert advance(held, evidence(good_evidence(), Act.PROMOTE), policy(), late) == (held, ())


def test_a_policy_may_end_what_is_inconclusive() -> None:
    ending = policy(on_inconclusive="roll_back")
    assert advance(EXPOSED[4], evidence(), ending, LATER)[0].stage is Stage.ROLLED_BACK
    assert advance(UNEXPOSED[3], evidence(), ending, LATER)[0].stage is Stage.ABORTED


def test_a_failed_gate_rejects_and_a_missing_one_never_passes() -> None:
    failed = (Gate(name="licence", passed=False, detail="it forbids this use"),)
    unmeasured = (Gate(name="licence", passed=None, detail="nobody looked"),)
    rejected, actions = advance(FRESH, evidence(registration=failed), policy(), LATER)
    assert rejected.stage is Stage.REJECTED and actions == (Reject("v2"),) and "licence" in rejected.reason
    for gates in ((), unmeasured):
        assert advance(FRESH, evidence(registration=gates), policy(), LATER) == (FRESH, ())
        validating = at(Stage.VALIDATING)
        assert advance(validating, evidence(offline=gates), policy(), LATER) == (validating, ())
    assert advance(at(Stage.VALIDATING), evidence(offline=failed), policy(), LATER)[0].stage is Stage.REJECTED


FEW = Tally(1, 200, 1)
HALF_UNKNOWN = replace(good_evidence(), due=20_000)
ONE_GROUP_ONLY = replace(good_evidence(), groups={"north": Tally(15, 4000, 5)})


@pytest.mark.parametrize(
    ("state", "seen", "missing"),
    [
        (at(Stage.SHADOW), measured(by_stage=0), "0 of 400|No request is old enough"),
        (at(Stage.SHADOW), replace(good_evidence(), labelled_by_stage={"canary:1": 9000}), "0 of 400 labelled"),
        (at(Stage.SHADOW), HALF_UNKNOWN, "60% of the requests"),
        (at(Stage.SHADOW), replace(good_evidence(), disagreed=2000), "disagree on 24.9%"),
        (at(Stage.CANARY, share=0.05), measured(overall=FEW), "Non-inferiority by 0.01 is not shown"),
        (at(Stage.BAKING, share=0.25), ONE_GROUP_ONLY, "Group 'south' has fewer than 100"),
        (at(Stage.AWAITING_APPROVAL, share=0.25, came_from=Stage.BAKING), ONE_GROUP_ONLY, "Group 'south'"),
    ],
)
def test_missing_evidence_is_named_and_never_passes(state: RolloutState, seen: EvidenceState, missing: str) -> None:
    offered = evidence(seen, Act.PROMOTE, Act.START_CANARY)
    wanted = waits_for(state, offered, policy(), LATER)
    assert all(part in " ".join(wanted) for part in missing.split("|"))
    assert advance(state, offered, policy(), LATER) == (state, ())


def test_a_group_that_has_not_come_yet_does_not_keep_the_canary_from_starting() -> None:
    assert advance(at(Stage.SHADOW), evidence(ONE_GROUP_ONLY), policy(), LATER)[0].stage is Stage.CANARY


def test_a_stage_lasts_at_least_its_dwell() -> None:
    slow = policy(shadow={"labelled": 400, "dwell": "PT2H"})
    state = at(Stage.SHADOW)
    assert waits_for(state, evidence(), slow, LATER) == ("The stage must last 3600 seconds longer.",)
    assert advance(state, evidence(), slow, LATER) == (state, ())
    assert advance(state, evidence(), slow, NOON + timedelta(hours=2))[0].stage is Stage.CANARY


def test_a_canary_may_need_a_signature_too() -> None:
    asking = policy(canary_needs_approval=True)
    waiting, actions = advance(at(Stage.SHADOW), evidence(), asking, LATER)
    assert (waiting.stage, waiting.share, waiting.awaited) == (Stage.AWAITING_APPROVAL, 0.0, Act.START_CANARY)
    assert actions == (RequestApproval("v2", Act.START_CANARY),)
    assert advance(waiting, evidence(good_evidence(), Act.PROMOTE), asking, LATER) == (waiting, ())
    assert advance(waiting, evidence(good_evidence(), Act.START_CANARY), asking, LATER)[0].stage is Stage.CANARY


def test_only_a_signature_for_this_release_given_since_it_was_asked_for_counts() -> None:
    waiting = replace(EXPOSED[2], entered_at=LATER)
    for approval in (
        signed(Act.PROMOTE, "v3", LATER),
        signed(Act.ROLL_BACK, "v2", LATER),
        signed(Act.PROMOTE, "v2", NOON),
        signed(Act.PROMOTE, "v2", LATER + timedelta(seconds=1)),
    ):
        offered = replace(evidence(), approvals=(approval,))
        assert advance(waiting, offered, policy(), LATER) == (waiting, ())
    assert advance(waiting, evidence(good_evidence(), Act.PROMOTE), policy(), LATER)[0].stage is Stage.PROMOTED


def test_a_policy_without_a_signature_promotes_out_of_the_bake() -> None:
    trusting = policy(promotion_needs_approval=False)
    assert advance(EXPOSED[1], evidence(), trusting, LATER)[0].stage is Stage.PROMOTED


def test_evidence_about_something_else_is_refused() -> None:
    with pytest.raises(RolloutError, match="not about the rollout of 'v2'"):
        advance(FRESH, evidence(good_evidence("another key")), policy(), LATER)


def test_evidence_goes_on_with_another_share_and_ends_with_another_model_threshold_or_policy() -> None:
    thresholds = {"v1": 0.4, "v2": 0.5}
    key = evidence_key("v2", "v1", thresholds, policy().policy_hash())
    seen = evidence(good_evidence(key))
    state = replace(at(Stage.SHADOW), evidence_key=key)
    shares = []
    while not state.stage.ended and state.stage is not Stage.AWAITING_APPROVAL:
        state, _ = advance(state, seen, policy(), LATER)
        shares.append(state.share)
    assert shares == [0.05, 0.25, 0.25, 0.25], "one body of evidence serves every share"
    for other in (
        evidence_key("v3", "v1", {"v1": 0.4, "v3": 0.5}, policy().policy_hash()),
        evidence_key("v2", "v0", {"v0": 0.4, "v2": 0.5}, policy().policy_hash()),
        evidence_key("v2", "v1", thresholds | {"v2": 0.51}, policy().policy_hash()),
        evidence_key("v2", "v1", thresholds, policy(alpha=0.04).policy_hash()),
    ):
        with pytest.raises(RolloutError, match="start a new rollout when any of them changes"):
            advance(state, evidence(good_evidence(other)), policy(), LATER)


def test_a_clock_that_goes_backwards_is_refused() -> None:
    with pytest.raises(RolloutError, match="does not go backwards"):
        advance(FRESH, evidence(), policy(), NOON - timedelta(seconds=1))


def test_a_pause_keeps_the_share_and_a_resume_restarts_the_dwell() -> None:
    running = at(Stage.CANARY, share=0.25, step=1)
    held, _ = paused(running, LATER, by="anna", reason="A holiday.")
    assert (held.stage, held.share, held.base, held.stage_key) == (Stage.PAUSED, 0.25, Stage.CANARY, "canary:2")
    assert advance(held, evidence(), policy(), LATER) == (held, ())
    again, _ = resumed(held, policy(), LATER, by="anna", reason="It is over.")
    assert (again.stage, again.entered_at, again.deadline_at) == (Stage.CANARY, LATER, running.deadline_at)
    with pytest.raises(RolloutError, match="cannot be resumed"):
        resumed(running, policy(), LATER, by="anna", reason="Why not.")
    with pytest.raises(RolloutError, match="cannot be paused"):
        paused(held, LATER, by="anna", reason="Again.")


def test_an_inconclusive_rollout_resumes_with_a_new_deadline() -> None:
    again, _ = resumed(EXPOSED[4], policy(), LATER, by="anna", reason="Labels are back.")
    assert again.deadline_at == LATER + timedelta(hours=48)


def test_a_state_survives_its_own_record() -> None:
    for state in (*EXPOSED, *UNEXPOSED, *ENDED):
        assert RolloutState.from_dict(state.to_dict()) == state


tallies = st.builds(Tally, st.integers(0, 300), st.integers(0, 9000), st.integers(0, 60))
states_of_evidence = st.builds(
    lambda overall, south, seen: measured(overall=overall, groups={"north": overall, "south": south}, by_stage=seen),
    tallies,
    tallies,
    st.integers(0, 1000),
)
gates = st.sampled_from([(), REGISTRATION])
steps = st.lists(
    st.tuples(
        states_of_evidence,
        gates,
        st.booleans(),
        st.integers(0, 8 * 3600),
        st.sampled_from(["look"] * 6 + ["pause", "resume"]),
    ),
    min_size=1,
    max_size=25,
)


def walk(taken: list[tuple[EvidenceState, tuple[Gate, ...], bool, int, str]]) -> list[RolloutState]:
    """Every state that some sequence of looks and commands leads through."""
    state, now, seen = FRESH, NOON, [FRESH]
    for found, offered, signs, seconds, what in taken:
        now += timedelta(seconds=seconds)
        if what == "pause" and not state.stage.ended and not state.stage.aside:
            state, _ = paused(state, now, by="anna", reason="A pause.")
        elif what == "resume" and state.stage in (Stage.PAUSED, Stage.INCONCLUSIVE):
            state, _ = resumed(state, policy(), now, by="anna", reason="Go on.")
        else:
            approvals = (signed(Act.PROMOTE, "v2", now),) if signs else ()
            offer = Evidence(measured=found, registration=offered, offline=offered, approvals=approvals)
            state, _ = advance(state, offer, policy(), now)
        seen.append(state)
    return seen


@settings(max_examples=60)
@given(steps)
def test_the_share_is_never_above_the_policys_until_promotion(
    taken: list[tuple[EvidenceState, tuple[Gate, ...], bool, int, str]],
) -> None:
    for state in walk(taken):
        allowed = policy().steps[state.step] if state.base in (Stage.CANARY, Stage.BAKING) else 0.0
        assert state.share <= (1.0 if state.stage is Stage.PROMOTED else allowed)


@settings(max_examples=60)
@given(steps)
def test_an_abort_is_honoured_in_every_state_that_runs(
    taken: list[tuple[EvidenceState, tuple[Gate, ...], bool, int, str]],
) -> None:
    for state in walk(taken):
        after, actions = aborted(state, NOON + timedelta(days=30), by="anna", reason="Now.")
        if state.stage.ended:
            assert (after, actions) == (state, ())
        else:
            assert after.stage is (Stage.ROLLED_BACK if state.exposed else Stage.ABORTED)
            assert after.share == 0.0
