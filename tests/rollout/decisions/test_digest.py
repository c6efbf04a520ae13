"""A decision or label that was changed after it was folded no longer adds up; an erased person's routing key does."""

import pytest

from countenance.errors import RolloutError
from countenance.rollout.decisions import intake
from countenance.rollout.store import RolloutStore
from countenance.rollout.verification import verify_store

from ..scenes import NOON, hours
from ..test_verification import force
from .requests import asked, begun
from .service import Gate
from .test_controller import rules

EDITS = {
    "a flipped label": ("UPDATE label SET mated = NOT mated WHERE id = 17", "labels"),
    "a deleted label": ("DELETE FROM label WHERE id = 17", "labels"),
    "a changed decision": ("UPDATE decision SET candidate_match = NOT candidate_match WHERE id = 17", "decisions"),
    "a decision of another group": ("UPDATE decision SET group_name = 'east' WHERE id = 17", "labels"),
    "a deleted decision": ("DELETE FROM decision WHERE id = 17", "decisions"),
    "a decision put in": (
        "INSERT INTO decision SELECT 100000, model, 'x', rollout, at, stage_key, by_candidate, candidate_match, "
        "champion_match, candidate_score, group_name, routing_key, site, candidate_ms, champion_ms, failed, "
        "shadow_dropped, audit_probability, audited FROM decision WHERE id = 17",
        "decisions",
    ),
}


@pytest.fixture
def folded(any_service: RolloutStore) -> RolloutStore:
    """Some looks, among them at labels that came late."""
    begun(any_service, under=rules())
    list(Gate(any_service, a_minute=40, labelled=0.7).steps(7))
    return any_service


@pytest.mark.parametrize("edit", EDITS)
def test_what_was_folded_and_changed_since_is_found(folded: RolloutStore, any_url: str, edit: str) -> None:
    assert verify_store(folded).looks > 2
    statement, what = EDITS[edit]
    force(any_url, statement)
    with pytest.raises(RolloutError, match=f"The {what} of rollout 2 are not those that look"):
        verify_store(folded)


def test_decisions_that_no_look_rests_on_yet_may_come_and_people_may_be_forgotten(folded: RolloutStore) -> None:
    intake.record(folded, [asked(), asked(routing_key="another")], now=NOON + hours(1))
    before = verify_store(folded)
    with folded._engine.connect() as connection:
        keys = connection.exec_driver_sql("SELECT DISTINCT routing_key FROM decision").scalars().all()
    assert sum(folded.forget(key) for key in keys) == 282
    assert verify_store(folded) == before
