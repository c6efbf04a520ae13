from dataclasses import replace
from datetime import timedelta
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.errors import RolloutError
from countenance.rollout.approvals import Act, OperatorKey
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore

from .scenes import (
    ANNA,
    LATER,
    NOON,
    OFFLINE,
    REGISTRATION,
    bootstrapped,
    hours,
    led_to,
    policy,
    projected,
    promoted,
    signed,
    started,
    step,
)


@pytest.fixture
def store(any_store: RolloutStore) -> RolloutStore:
    return any_store


def test_a_new_store_has_no_champion_and_an_empty_history(store: RolloutStore) -> None:
    assert (store.champion(), store.previous(), store.active(), store.events()) == (None, None, None, ())
    assert store.verify_chain() == 0


def test_the_first_champion_needs_a_good_signature(store: RolloutStore) -> None:
    approval = replace(signed(Act.BOOTSTRAP, "v1"), signature="0" * 64)
    with pytest.raises(RolloutError, match="wrong signature"):
        store.bootstrap("v1", registration=REGISTRATION, offline=OFFLINE, approval=approval, now=NOON)
    assert store.champion() is None and store.events() == ()


def test_a_bootstrap_replaces_a_champion_only_when_it_names_it(store: RolloutStore) -> None:
    bootstrapped(store)
    parts = {"registration": REGISTRATION, "offline": OFFLINE, "approval": signed(Act.BOOTSTRAP, "v2"), "now": NOON}
    for wrong in (None, "v0"):
        with pytest.raises(RolloutError, match="the champion is 'v1'"):
            store.bootstrap("v2", **parts, replaces=wrong)  # type: ignore[arg-type]
    assert store.champion() == "v1"
    store.bootstrap("v2", **parts, replaces="v1")  # type: ignore[arg-type]
    assert (store.champion(), store.previous()) == ("v2", "v1")
    assert "on purpose" in store.events()[-1].payload["reason"]


def test_a_bootstrap_over_a_running_candidate_supersedes_it(store: RolloutStore) -> None:
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    bootstrapped(store, "v3", LATER)
    ended = store.rollout_of("v2")
    assert ended is not None and ended.state.stage is Stage.SUPERSEDED and ended.state.share == 0.0
    assert projected(store) == {"champion": "v3", "previous": "v1"}


def test_without_a_champion_no_rollout_starts(store: RolloutStore) -> None:
    with pytest.raises(RolloutError, match="bootstrap one first"):
        started(store)


def test_one_rollout_runs_at_a_time_unless_it_is_superseded_on_purpose(store: RolloutStore) -> None:
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    with pytest.raises(RolloutError, match="'v2' is still CANARY"):
        started(store, "v3")
    store.start("v3", policy(), evidence_key="key", now=LATER, supersede=True)
    active, ended = store.active(), store.rollout_of("v2")
    assert active is not None and active.state.release == "v3"
    assert ended is not None and ended.state.stage is Stage.SUPERSEDED


def test_a_release_has_one_try_unless_it_was_superseded(store: RolloutStore) -> None:
    bootstrapped(store)
    with pytest.raises(RolloutError, match="champion already"):
        started(store, "v1")
    started(store)
    store.command(signed(Act.ABORT, "v2"), now=LATER)
    with pytest.raises(RolloutError, match="it is ABORTED: register a new release"):
        started(store)
    started(store, "v3")
    store.start("v4", policy(), evidence_key="key", now=LATER, supersede=True)
    store.command(signed(Act.ABORT, "v4"), now=LATER)
    assert started(store, "v3").state.stage is Stage.REGISTERED


def test_a_promotion_makes_the_champion_the_previous_one(store: RolloutStore) -> None:
    bootstrapped(store)
    promoted(store, "v2")
    assert (store.champion(), store.previous(), store.active()) == ("v2", "v1", None)
    assert projected(store) == {"champion": "v2", "previous": "v1"}


def test_a_candidate_is_not_promoted_over_a_champion_it_was_not_compared_with(store: RolloutStore) -> None:
    bootstrapped(store)
    record = led_to(store, Stage.BAKING, promotion_needs_approval=False)
    elsewhere = replace(record, state=replace(record.state, champion="v0"))
    with pytest.raises(RolloutError, match="the champion is 'v1'"):
        step(store, elsewhere)
    assert store.champion() == "v1"
    assert store.active() == record


def test_an_ended_rollout_cannot_be_moved(store: RolloutStore) -> None:
    bootstrapped(store)
    record = promoted(store, "v2")
    with pytest.raises(RolloutError, match="ended as PROMOTED"):
        store.move(record, replace(record.state, stage=Stage.CANARY), (), now=LATER)


def test_only_a_signature_that_is_waited_for_is_kept(store: RolloutStore) -> None:
    bootstrapped(store)
    started(store)
    with pytest.raises(RolloutError, match="Nothing waits for an approval to promote 'v2'"):
        store.approve(signed(Act.PROMOTE, "v2"), now=LATER)
    store.command(signed(Act.ABORT, "v2"), now=LATER)
    record = led_to(store, Stage.AWAITING_APPROVAL, "v3")
    assert step(store, record) == record
    with pytest.raises(RolloutError, match="yet to come"):
        store.approve(signed(Act.PROMOTE, "v3", LATER + hours(1)), now=LATER)
    with pytest.raises(RolloutError, match="before it was asked for"):
        store.approve(signed(Act.PROMOTE, "v3", NOON), now=LATER)
    store.approve(signed(Act.PROMOTE, "v3", LATER), now=LATER)
    with pytest.raises(RolloutError, match="was given already"):
        store.approve(signed(Act.PROMOTE, "v3", LATER, "Again."), now=LATER)
    assert step(store, record).state.stage is Stage.PROMOTED
    assert store.champion() == "v3"


def test_a_command_needs_a_signature_and_an_abort_of_nothing_does_nothing(store: RolloutStore) -> None:
    bootstrapped(store)
    assert store.command(signed(Act.ABORT, "v2"), now=LATER) is None
    with pytest.raises(RolloutError, match="nothing to pause"):
        store.command(signed(Act.PAUSE, "v2"), now=LATER)
    led_to(store, Stage.CANARY)
    stranger = OperatorKey("bert", b"the secret of a stranger")
    with pytest.raises(RolloutError, match="unknown operator"):
        store.command(stranger.sign(Act.ABORT, subject="v2", at=LATER, reason="Now."), now=LATER)
    with pytest.raises(RolloutError, match="no command"):
        store.command(signed(Act.PROMOTE, "v2"), now=LATER)
    held = store.command(signed(Act.PAUSE, "v2"), now=LATER)
    assert held is not None and held.state.stage is Stage.PAUSED
    running = store.command(signed(Act.RESUME, "v2"), now=LATER)
    assert running is not None and running.state.stage is Stage.CANARY
    with pytest.raises(RolloutError, match="used already"):
        store.command(signed(Act.PAUSE, "v2"), now=LATER)
    ended = store.command(signed(Act.ABORT, "v2"), now=LATER)
    assert ended is not None and ended.state.stage is Stage.ROLLED_BACK
    assert store.champion() == "v1" and store.active() is None


def test_a_rollback_returns_to_the_previous_champion(store: RolloutStore) -> None:
    bootstrapped(store)
    promoted(store, "v2")
    promoted(store, "v3")
    assert store.roll_back(LATER, signed(Act.ROLL_BACK, "v3")) == "v2"
    assert (store.champion(), store.previous()) == ("v2", "v1")
    gone = store.rollout_of("v3")
    assert (
        gone is not None and gone.state.stage is Stage.ROLLED_BACK and "anna rolled back to 'v2'" in gone.state.reason
    )
    assert store.roll_back(LATER, signed(Act.ROLL_BACK, "v2")) == "v1"
    assert projected(store) == {"champion": "v1"}
    with pytest.raises(RolloutError, match="no previous champion"):
        store.roll_back(LATER, signed(Act.ROLL_BACK, "v1"))


def test_a_rollback_needs_a_signature_for_this_champion(store: RolloutStore) -> None:
    bootstrapped(store)
    promoted(store, "v2")
    for approval in (signed(Act.ROLL_BACK, "v1"), signed(Act.ABORT, "v2")):
        with pytest.raises(RolloutError, match="sign to roll back 'v2'"):
            store.roll_back(LATER, approval)
    with pytest.raises(RolloutError, match="not signed"):
        store.roll_back(LATER, replace(signed(Act.ROLL_BACK, "v2"), signature=""))
    assert store.champion() == "v2"


def test_a_rollback_stops_the_candidate_that_was_compared_with_the_champion(store: RolloutStore) -> None:
    bootstrapped(store)
    promoted(store, "v2")
    led_to(store, Stage.CANARY, "v3")
    store.roll_back(LATER, signed(Act.ROLL_BACK, "v2"))
    stopped = store.rollout_of("v3")
    assert stopped is not None and stopped.state.stage is Stage.ROLLED_BACK
    assert "compared with was rolled back" in stopped.state.reason
    assert store.active() is None and store.champion() == "v1"


operations = st.lists(
    st.sampled_from(["start", "supersede", "step", "step", "step", "step", "approve", "abort", "roll_back", "replace"]),
    min_size=1,
    max_size=14,
)


@settings(max_examples=12)
@given(operations)
def test_whatever_happens_there_is_one_champion_one_truth_and_an_unbroken_history(taken: list[str]) -> None:
    with TemporaryDirectory() as folder, RolloutStore.open(f"sqlite:///{folder}/rollouts.db", keys=[ANNA]) as store:
        bootstrapped(store)
        for number, what in enumerate(taken):
            now = LATER + timedelta(seconds=number)
            active, champion = store.active(), store.champion()
            assert champion is not None
            if what == "supersede" or (what == "start" and active is None):
                store.start(f"c{number}", policy(), evidence_key="key", now=NOON, supersede=True)
            elif what == "step" and active is not None:
                step(store, active)
            elif what == "approve" and active is not None and active.state.awaited:
                store.approve(signed(active.state.awaited, active.state.release, LATER), now=LATER)
            elif what == "abort" and active is not None:
                store.command(signed(Act.ABORT, active.state.release, now), now=now)
            elif what == "roll_back" and store.previous() is not None:
                store.roll_back(now, signed(Act.ROLL_BACK, champion, now))
            elif what == "replace":
                bootstrapped(store, f"b{number}", now)
            held = projected(store)
            assert held["champion"] == store.champion()
            assert held.get("previous") == store.previous() != store.champion()
        assert store.verify_chain() == len(store.events())
