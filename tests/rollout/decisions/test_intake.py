from dataclasses import replace
from datetime import timedelta
from threading import Event, Thread

import pytest
from sqlalchemy import insert, select

from countenance.errors import RolloutError
from countenance.rollout import schema
from countenance.rollout.connection import reading, taking_in
from countenance.rollout.decisions import intake
from countenance.rollout.decisions.labels import sign_label
from countenance.rollout.store import RolloutStore

from ..scenes import NOON, hours
from .requests import SECRET, asked, begun, told


def rows(store: RolloutStore, table: str = "decision") -> list[dict]:  # type: ignore[type-arg]
    with reading(store._engine) as connection:
        kept = schema.metadata.tables[table]
        return [dict(row._mapping) for row in connection.execute(select(kept).order_by(kept.c.id))]


def test_a_decision_is_kept_once_however_often_it_is_handed_in(any_service: RolloutStore) -> None:
    begun(any_service)
    first, second = asked(), asked()
    assert intake.record(any_service, [first, second, first]) == 2
    assert intake.record(any_service, [second, asked()]) == 1
    assert len(rows(any_service)) == 3


def test_a_replayed_decision_may_be_handed_in_again_though_later_ones_came(service: RolloutStore) -> None:
    begun(service)
    old, new = asked(at=NOON + hours(1)), asked(at=NOON + hours(2))
    assert intake.record(service, [old, new], now=NOON + hours(3)) == 2
    assert intake.record(service, [old, new], now=NOON + hours(3)) == 0


def test_the_moment_is_the_databases_and_never_goes_back_within_a_rollout(any_service: RolloutStore) -> None:
    record = begun(any_service)
    ahead = any_service.now() + hours(2)
    intake.record(any_service, [asked()], now=ahead)  # a clock that ran two hours ahead, and was put right
    intake.record(any_service, [asked(), asked()])
    kept = rows(any_service)
    assert [row["at"] for row in kept] == [ahead] * 3
    assert [row["rollout"] for row in kept] == [record.id] * 3


def test_a_decision_of_its_own_moment_must_come_in_order_and_not_from_the_future(service: RolloutStore) -> None:
    begun(service)
    intake.record(service, [asked(at=NOON + hours(2))], now=NOON + hours(2))
    with pytest.raises(RolloutError, match="before the newest one of its rollout"):
        intake.record(service, [asked(at=NOON + hours(1))], now=NOON + hours(3))
    with pytest.raises(RolloutError, match="is yet to come"):
        intake.record(service, [asked(at=NOON + hours(4))], now=NOON + hours(3))
    assert len(rows(service)) == 1


def test_what_was_compared_with_another_champion_is_history_and_no_evidence(service: RolloutStore) -> None:
    record = begun(service)
    intake.record(
        service, [asked(), asked(champion="v0"), asked(candidate="v9"), asked(candidate=None, candidate_match=None)]
    )
    assert [row["rollout"] for row in rows(service)] == [record.id, None, None, None]


def test_the_stage_is_the_snapshots_or_else_the_present_one(service: RolloutStore) -> None:
    begun(service)
    intake.record(service, [asked(), asked(stage_key="canary:2")])
    assert [row["stage_key"] for row in rows(service)] == ["registered", "canary:2"]


def test_more_decisions_than_one_transaction_takes_are_all_kept(service: RolloutStore) -> None:
    begun(service)
    assert intake.record(service, (asked() for _ in range(2345))) == 2345
    assert len({row["decision_id"] for row in rows(service)}) == 2345


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"decision_id": ""}, "has no id"),
        ({"candidate": None}, "speaks of a candidate and names none"),
        ({"by_candidate": True, "candidate_match": None}, "has no answer of the model that answered"),
        ({"champion_match": None}, "has no answer of the model that answered"),
        ({"audit_probability": 0.0005}, "audit with 0.001 to 1"),
        ({"audit_probability": float("nan")}, "audit with 0.001 to 1"),
        ({"audited": False}, "was to be labelled for sure and was not drawn"),
        ({"candidate_ms": float("inf")}, "holds a number that is not finite"),
        ({"stage_key": "canary"}, "names the stage 'canary'"),
    ],
)
def test_a_decision_that_contradicts_itself_is_refused(changes: dict[str, object], wrong: str) -> None:
    with pytest.raises(RolloutError, match=wrong):
        asked(**changes)


def test_a_failed_answer_needs_no_decision() -> None:
    assert asked(by_candidate=True, candidate_match=None, failed=True).failed


def test_a_label_is_kept_once_and_a_second_different_one_is_refused(any_service: RolloutStore) -> None:
    begun(any_service)
    decision = asked()
    intake.record(any_service, [decision])
    assert intake.label(any_service, told(decision), SECRET)
    assert not intake.label(any_service, told(decision), SECRET)
    with pytest.raises(RolloutError, match="has another label already"):
        intake.label(any_service, told(decision, False), SECRET)
    assert [(row["mated"], row["source"]) for row in rows(any_service, "label")] == [(True, "gate")]


def test_a_label_of_an_unknown_decision_is_refused_and_so_is_all_that_came_with_it(service: RolloutStore) -> None:
    begun(service)
    known = asked()
    intake.record(service, [known])
    with pytest.raises(RolloutError, match=r"No decision 'request-\d+' is recorded"):
        intake.label_all(service, [told(known), told(asked())], SECRET)
    assert rows(service, "label") == []


def test_a_label_that_was_not_signed_with_the_secret_is_refused(service: RolloutStore) -> None:
    begun(service)
    decision = asked()
    intake.record(service, [decision])
    honest = told(decision, True)
    for forged in (
        replace(honest, mated=False),
        replace(honest, source="another post"),
        replace(honest, signature=""),
        told(decision, secret=b"not the secret of the labels"),
    ):
        with pytest.raises(RolloutError, match="carries a wrong signature"):
            intake.label(service, forged, SECRET)
    other = sign_label(decision.decision_id, mated=True, source="gate", secret=SECRET, model="another")
    with pytest.raises(RolloutError, match="is for model 'another'"):
        intake.label(service, other, SECRET)
    assert rows(service, "label") == []


def test_two_writers_become_visible_in_the_order_of_their_numbers(any_service: RolloutStore) -> None:
    """The second waits for the first, which holds a smaller number and has not committed."""
    record = begun(any_service)
    first_wrote, may_commit, done = Event(), Event(), Event()

    def slow() -> None:
        with taking_in(any_service._engine) as connection:
            row = intake._row("countenance", asked(decision_id="slow"), record, any_service.now())
            connection.execute(insert(schema.decision), [row])
            first_wrote.set()
            may_commit.wait(10)

    def quick() -> None:
        first_wrote.wait(10)
        intake.record(any_service, [asked(decision_id="quick")])
        done.set()

    threads = [Thread(target=slow), Thread(target=quick)]
    for thread in threads:
        thread.start()
    first_wrote.wait(10)
    assert not done.wait(0.3)
    assert rows(any_service) == []  # nothing with a higher number is to be seen before the lower one
    may_commit.set()
    for thread in threads:
        thread.join(20)
    kept = rows(any_service)
    assert [row["decision_id"] for row in kept] == ["slow", "quick"]
    assert kept[0]["at"] <= kept[1]["at"]
    assert timedelta(0) <= any_service.now() - kept[1]["at"] < timedelta(seconds=20)
