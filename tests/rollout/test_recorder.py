from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import insert, select, text
from sqlalchemy.exc import DatabaseError

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.approvals import Act
from countenance.rollout.connection import moving, reading
from countenance.rollout.lease import LeaseTaken
from countenance.rollout.records import AliasMove
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore

from .scenes import LATER, NOON, REGISTRATION, bootstrapped, hours, led_to, policy, promoted, signed, started, step
from .test_reader import a_look

MINUTE = timedelta(minutes=1)


@pytest.fixture
def store(any_store: RolloutStore) -> RolloutStore:
    return any_store


# the clock


def test_without_a_moment_the_databases_clock_counts(store: RolloutStore) -> None:
    before = store.now()
    store.bootstrap("v1", registration=REGISTRATION, offline=REGISTRATION, approval=signed(Act.BOOTSTRAP, "v1", before))
    record = store.start("v2", policy(), evidence_key="key")
    assert before <= record.state.started_at <= store.now()
    assert [event.at for event in store.events()] == sorted(event.at for event in store.events())


def test_a_clock_that_goes_backwards_moves_nothing_forward(store: RolloutStore) -> None:
    bootstrapped(store)
    record = led_to(store, Stage.CANARY)
    after = replace(record.state, step=1, share=0.25, entered_at=NOON)
    with pytest.raises(RolloutError, match="The clock goes backwards"):
        store.move(record, after, (), now=NOON)
    with pytest.raises(RolloutError, match="The clock goes backwards: it was decided at"):
        store.move(record, replace(after, entered_at=LATER + hours(1)), (), now=LATER)
    with pytest.raises(RolloutError, match="does not go backwards"):
        store.command(signed(Act.PAUSE, "v2", NOON), now=NOON)
    assert store.active() == record


def test_a_clock_that_goes_backwards_delays_no_stop(store: RolloutStore) -> None:
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    ended = store.command(signed(Act.ABORT, "v2", NOON), now=NOON)
    assert ended is not None and ended.state.stage is Stage.ROLLED_BACK
    assert store.events()[-1].at == LATER
    promoted(store, "v3")
    assert store.roll_back(NOON, signed(Act.ROLL_BACK, "v3", NOON)) == "v1"


# leases


def test_a_lease_has_one_holder_until_it_runs_out(store: RolloutStore) -> None:
    first = store.lease("a:1", MINUTE, now=NOON)
    assert (first.holder, first.token, first.expires_at) == ("a:1", 1, NOON + MINUTE)
    with pytest.raises(LeaseTaken, match="'a:1' holds the lease"):
        store.lease("b:2", MINUTE, now=NOON + MINUTE / 2)
    renewed = store.lease("a:1", MINUTE, now=NOON + MINUTE / 2)
    assert (renewed.token, renewed.expires_at) == (1, NOON + 1.5 * MINUTE)
    taken = store.lease("b:2", MINUTE, now=NOON + 2 * MINUTE)
    assert (taken.holder, taken.token) == ("b:2", 2)


def test_a_lease_that_was_let_go_is_free_at_once(store: RolloutStore) -> None:
    lease = store.lease("a:1", MINUTE)
    store.release_lease(lease)
    assert store.lease("b:2", MINUTE).token == 2
    store.release_lease(lease)
    with pytest.raises(LeaseTaken):
        store.lease("a:1", MINUTE)


def test_a_lease_needs_a_name_and_time(store: RolloutStore) -> None:
    for holder, ttl in (("", MINUTE), ("a:1", timedelta(0))):
        with pytest.raises(RolloutError, match="a holder's name and a time"):
            store.lease(holder, ttl)


def test_a_controller_that_slept_past_its_lease_is_refused(store: RolloutStore) -> None:
    bootstrapped(store)
    record = led_to(store, Stage.CANARY)
    sleeper = store.lease("a:1", MINUTE, now=LATER)
    other = store.lease("b:2", MINUTE, now=LATER + 2 * MINUTE)
    after = replace(record.state, step=1, share=0.25, entered_at=LATER)
    with pytest.raises(RolloutError, match="no longer the newest"):
        store.move(record, after, (), now=LATER, token=sleeper.token)
    with pytest.raises(RolloutError, match="no longer the newest"):
        store.observe(record, a_look(1), token=sleeper.token)
    assert (store.active(), store.looks(record.id)) == (record, ())
    store.observe(record, a_look(1), token=other.token)
    assert store.move(record, after, (), now=LATER, token=other.token).epoch == record.epoch + 1


def test_a_lease_that_ran_out_and_that_nobody_took_still_counts(store: RolloutStore) -> None:
    bootstrapped(store)
    record = led_to(store, Stage.CANARY)
    lease = store.lease("a:1", MINUTE, now=NOON)
    after = replace(record.state, step=1, share=0.25, entered_at=LATER)
    assert store.move(record, after, (), now=LATER, token=lease.token).epoch == record.epoch + 1


# looks that moves rest on


def test_a_move_names_the_look_it_rests_on_and_is_refused_on_an_older_one(store: RolloutStore) -> None:
    bootstrapped(store)
    record = led_to(store, Stage.SHADOW)
    old = store.observe(record, a_look(1), cursor='{"label":3}')
    new = store.observe(record, a_look(2))
    first, latest = store.looks(record.id)[0], store.latest_look(record.id)
    assert (first.hash, first.cursor) == (old, '{"label":3}')
    assert latest is not None and (latest.number, latest.hash, latest.cursor) == (2, new, None)
    after = replace(record.state, stage=Stage.CANARY, share=0.05, entered_at=LATER)
    with pytest.raises(RolloutError, match="looked at again"):
        store.move(record, after, (), now=LATER, evidence_hash=old)
    store.move(record, after, (), now=LATER, evidence_hash=new, cursor="{}")
    assert (store.events()[-1].payload["evidence"], store.events()[-1].payload["cursor"]) == (new, "{}")


# evidence files, signs of life


def test_an_evidence_file_is_attached_once_and_told_of(store: RolloutStore) -> None:
    bootstrapped(store)
    record = started(store)
    store.attach(record, "report.json", "ab" * 32, 2**40, now=LATER)
    assert [(each.name, each.sha256, each.size) for each in store.attachments(record.id)] == [
        ("report.json", "ab" * 32, 2**40)
    ]
    event = store.events()[-1]
    assert (event.kind, event.payload) == ("attached", {"name": "report.json", "sha256": "ab" * 32, "size": 2**40})
    with pytest.raises(RolloutError, match="'report.json' already"):
        store.attach(record, "report.json", "cd" * 32, 1, now=LATER)
    with pytest.raises(RolloutError, match="no sha256"):
        store.attach(record, "other.json", "xyz", 1, now=LATER)


def test_the_newest_sign_of_life_is_kept(store: RolloutStore) -> None:
    assert store.heartbeat() is None
    store.beat(epoch=3, now=NOON)
    store.beat(epoch=4, now=LATER)
    beat = store.heartbeat()
    assert beat is not None and (beat.at, beat.epoch) == (LATER, 4)


def test_the_standing_is_of_one_moment_and_its_numbers_grow_with_every_move(store: RolloutStore) -> None:
    empty = store.standing()
    assert (empty.champion, empty.champion_epoch, empty.epoch, empty.controller_at) == (None, 0, 0, None)
    assert (store.epoch(), store.position()) == (0, (0, 0, 0))
    bootstrapped(store)
    record = led_to(store, Stage.CANARY)
    standing = store.standing()
    assert (standing.champion, standing.previous, standing.champion_epoch) == ("v1", None, 1)
    assert (standing.active, standing.epoch, standing.head) == (record, len(store.events()), store.head())
    assert store.position() == (1, record.id, record.epoch)
    store.command(signed(Act.ABORT, "v2"), now=LATER)
    assert store.position() == (1, 0, 0) and store.epoch() > standing.epoch
    lease = store.lease("a:1", MINUTE)
    seen = store.standing()
    assert seen.controller_at == seen.now
    store.release_lease(lease)
    assert (store.standing().controller_at or seen.now) < store.now()


def test_whoever_listens_is_told_after_every_committed_move_and_of_no_refused_one(store: RolloutStore) -> None:
    heard: list[int] = []
    store.listen(lambda: heard.append(store.epoch()))
    bootstrapped(store)
    record = started(store)
    assert heard == [2, 3]
    step(store, record)
    with pytest.raises(RolloutError):
        step(store, record)
    assert heard == [2, 3, 4]


# the queue


def test_a_candidate_waits_for_the_active_one_and_starts_when_it_ended(store: RolloutStore) -> None:
    bootstrapped(store)
    started(store, "v2")
    waiting = {"evidence_key": "key", "if_active": "queue", "registration": REGISTRATION}
    assert store.start("v3", policy(), now=NOON, **waiting) is None  # type: ignore[call-overload]
    assert store.start("v4", policy(), now=NOON, **waiting) is None  # type: ignore[call-overload]
    with pytest.raises(RolloutError, match="waits for its rollout already"):
        store.start("v3", policy(), now=NOON, **waiting)  # type: ignore[call-overload]
    assert [each.release for each in store.queued()] == ["v3", "v4"]
    assert store.start_next(LATER) is None
    store.command(signed(Act.ABORT, "v2"), now=LATER)
    record = store.start_next(LATER)
    assert record is not None and record.state.release == "v3" and record.state.started_at == LATER
    assert store.events()[-1].payload["registration"][0]["name"] == "sha256"
    assert [each.release for each in store.queued()] == ["v4"]


def test_a_candidate_that_had_its_try_meanwhile_loses_its_turn(store: RolloutStore) -> None:
    bootstrapped(store)
    started(store, "v2")
    for release in ("v3", "v4"):
        store.start(release, policy(), evidence_key="key", now=NOON, if_active="queue")
    bootstrapped(store, "v3", LATER)
    record = store.start_next(LATER, key_for=lambda queued, champion: f"{queued.release} against {champion}")
    assert record is not None and record.state.release == "v4"
    assert (record.state.champion, record.state.evidence_key) == ("v3", "v4 against v3")
    assert store.queued() == () and store.start_next(LATER) is None


def test_a_candidate_that_was_queued_against_another_champion_needs_a_new_key(store: RolloutStore) -> None:
    bootstrapped(store)
    started(store, "v2")
    store.start("v3", policy(), evidence_key="key", now=NOON, if_active="queue")
    bootstrapped(store, "v5", LATER)
    with pytest.raises(RolloutError, match="queued against 'v1', and the champion is 'v5'"):
        store.start_next(LATER)
    assert [each.release for each in store.queued()] == ["v3"]


# what the world must be told


def test_operators_are_told_of_what_the_actions_ask_for(store: RolloutStore) -> None:
    bootstrapped(store)
    record = led_to(store, Stage.AWAITING_APPROVAL)
    bootstrap, wanted = store.pending_outbox("notify")
    assert bootstrap.payload["release"] == "v1" and bootstrap.payload["kind"] == "moved"
    assert wanted.payload == {
        "kind": "approval_wanted", "release": "v2", "act": "promote", "message": record.state.reason,
        "stage": "AWAITING_APPROVAL", "share": 0.25, "rollout": record.id, "event": len(store.events()),
    }  # fmt: skip
    store.mark_done(bootstrap.id)
    assert store.pending_outbox("notify") == (wanted,)
    assert len(store.pending_outbox(None)) == len(store.pending_outbox()) + 1
    assert all(isinstance(job, AliasMove) for job in store.pending_outbox())


def test_a_failed_job_is_tried_again_later_and_later(store: RolloutStore) -> None:
    bootstrapped(store)
    job = store.pending_outbox("notify")[0]
    waits = []
    for _ in range(10):
        deferred = store.defer(job.id, error="The webhook answered 503.", now=NOON)
        assert deferred.next_attempt_at is not None
        waits.append((deferred.next_attempt_at - NOON).total_seconds())
    assert waits == [2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
    found = store.pending_outbox("notify")[0]
    assert (found.attempts, found.error) == (10, "The webhook answered 503.")
    assert store.defer(job.id, error="e" * 9000, now=NOON, wait=MINUTE).next_attempt_at == NOON + MINUTE
    with pytest.raises(RolloutError, match="no projection job 99"):
        store.defer(99, error="e")


# erasure


def a_decision(number: int, routing_key: str) -> dict[str, Any]:
    return {
        "model": "countenance", "decision_id": f"d{number}", "at": NOON, "stage_key": "shadow", "by_candidate": False,
        "candidate_match": True, "champion_match": False, "candidate_score": 0.5, "routing_key": routing_key,
        "failed": False, "shadow_dropped": False, "audit_probability": 1.0, "audited": True,
    }  # fmt: skip


def test_a_person_is_forgotten_and_what_was_counted_stays(store: RolloutStore) -> None:
    with moving(store._engine) as connection:
        rows = [a_decision(number, "ada" if number % 2 else "bob") for number in range(6)]
        connection.execute(insert(schema.decision), rows)
    assert store.forget("ada") == 3
    assert store.forget("ada") == 0
    with pytest.raises(RolloutError, match="stands for nobody"):
        store.forget("")
    with reading(store._engine) as connection:
        keys = connection.execute(select(schema.decision.c.routing_key).order_by(schema.decision.c.id)).scalars().all()
    assert keys == ["bob", "", "bob", "", "bob", ""]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE decision SET routing_key = 'eve'",
        "UPDATE decision SET routing_key = '', candidate_match = NOT candidate_match",
        "UPDATE decision SET routing_key = '', group_name = 'north'",
        "UPDATE decision SET routing_key = '', candidate_ms = 1.0",
        "DELETE FROM decision",
        "UPDATE label SET mated = NOT mated",
        "DELETE FROM label",
    ],
)
def test_nothing_of_a_decision_or_label_changes_but_the_key_to_nothing(store: RolloutStore, statement: str) -> None:
    with moving(store._engine) as connection:
        connection.execute(insert(schema.decision).values(**a_decision(1, "ada")))
        label = {"decision": 1, "mated": True, "received_at": NOON, "source": "desk"}
        connection.execute(insert(schema.label).values(**label))
    with pytest.raises(DatabaseError, match="append-only"), moving(store._engine) as connection:
        connection.execute(text(statement))
