import sqlite3

import pytest

from countenance.errors import RolloutError
from countenance.rollout.records import Look
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore

from .scenes import (
    ANNA,
    LATER,
    bootstrapped,
    good_evidence,
    led_to,
    projected,
    promoted,
    step,
)


def test_aliases_follow_the_rollout_through_its_stages(store: RolloutStore) -> None:
    bootstrapped(store)
    record = led_to(store, Stage.SHADOW, promotion_needs_approval=False)
    assert projected(store) == {"champion": "v1", "shadow": "v2"}
    record = step(store, record)
    assert projected(store) == {"champion": "v1", "canary": "v2"}
    while not record.state.stage.ended:
        record = step(store, record)
    assert projected(store) == {"champion": "v2", "previous": "v1"}


def test_a_projected_job_is_no_longer_pending(store: RolloutStore) -> None:
    bootstrapped(store)
    job = store.pending_outbox()[0]
    assert (job.alias, job.release) == ("champion", "v1")
    store.mark_projected(job.id, now=LATER)
    store.mark_projected(job.id, now=LATER)
    assert store.pending_outbox() == ()
    with pytest.raises(RolloutError, match="no projection job 99"):
        store.mark_projected(99, now=LATER)


def test_two_models_share_a_store_and_a_history_but_no_champion(store: RolloutStore, url: str) -> None:
    bootstrapped(store)
    with RolloutStore.open(url, model="another", keys=[ANNA]) as other:
        assert other.champion() is None and other.pending_outbox() == ()
        bootstrapped(other, "w1")
        assert (other.champion(), store.champion()) == ("w1", "v1")
        assert other.verify_chain() == store.verify_chain() == 4


def a_look(number: int) -> Look:
    return Look(
        number=number,
        at=LATER,
        stage=Stage.SHADOW,
        stage_key="shadow",
        share=0.0,
        measured=good_evidence(),
        verdict={"labelled": 3},
    )


def test_looks_come_back_as_they_were_kept_and_each_number_once(store: RolloutStore) -> None:
    bootstrapped(store)
    record = led_to(store, Stage.SHADOW)
    store.observe(record, a_look(1))
    store.observe(record, a_look(2))
    assert store.looks(record.id) == (a_look(1), a_look(2))
    for wrong in (2, 4):
        with pytest.raises(RolloutError, match=f"Look {wrong} cannot be kept after look 2"):
            store.observe(record, a_look(wrong))
    assert store.latest_look(record.id) == a_look(2)


def test_a_controller_that_lost_its_epoch_cannot_add_evidence(store: RolloutStore) -> None:
    bootstrapped(store)
    record = led_to(store, Stage.SHADOW)
    step(store, record)
    with pytest.raises(RolloutError, match="read it again"):
        store.observe(record, a_look(1))
    assert store.looks(record.id) == ()


def test_the_history_tells_every_move_with_the_verdict_it_rests_on(store: RolloutStore) -> None:
    bootstrapped(store)
    record = promoted(store, "v2")
    events = store.events(record.id)
    assert [event.kind for event in events] == ["started"] + ["moved"] * 6
    assert [event.payload["stage"] for event in events][-2:] == ["BAKING", "PROMOTED"]
    assert events[-1].payload["verdict"]["labelled"] == 8040
    assert events[-1].payload["actions"][0] == {"do": "Promote", "release": "v2", "over": "v1"}


def edited(url: str, *statements: str) -> None:
    connection = sqlite3.connect(url.removeprefix("sqlite:///"))
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


@pytest.mark.parametrize("table", ["event", "approval", "evidence"])
@pytest.mark.parametrize("statement", ["UPDATE {} SET at = '2020-01-01 00:00:00.000000'", "DELETE FROM {}"])
def test_history_can_only_be_added_to(store: RolloutStore, url: str, table: str, statement: str) -> None:
    bootstrapped(store)
    store.observe(led_to(store, Stage.SHADOW), a_look(1))
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        edited(url, statement.format(table))


def test_a_history_edited_by_force_is_broken_at_the_first_edited_event(store: RolloutStore, url: str) -> None:
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    head = store.events()[-1].hash
    assert store.verify_chain(expected_head=head) == 6
    edited(
        url,
        "DROP TRIGGER event_refuses_update",
        "UPDATE event SET payload = replace(payload, '0.05', '0.50') WHERE sequence = 6",
        "UPDATE event SET kind = 'seen' WHERE sequence = 5",
    )
    with pytest.raises(RolloutError, match="broken at event 5"):
        store.verify_chain()


def test_an_approval_put_in_by_force_is_not_believed(store: RolloutStore, url: str) -> None:
    bootstrapped(store)
    record = led_to(store, Stage.AWAITING_APPROVAL)
    columns = "rollout, actor, act, subject, at, reason, signature"
    values = f"{record.id}, 'anna', 'promote', 'v2', '2025-03-01 13:00:00.000000', 'Mine.', 'f00d'"
    edited(url, f"INSERT INTO approval ({columns}) VALUES ({values})")
    with pytest.raises(RolloutError, match="wrong signature"):
        store.approvals(record.id)
