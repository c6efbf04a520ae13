import json
from pathlib import Path

import pytest

from countenance.errors import RolloutError
from countenance.rollout.evidence import EvidenceState, Tally
from countenance.rollout.records import DecisionBatch, Look
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore
from countenance.rollout.story import ErrorCosts, OperatingLoad, recorded_story

from .scenes import ANNA, NOON, bootstrapped, measured, policy


def batch(release: str, **counts: int) -> DecisionBatch:
    nothing = dict.fromkeys(
        ("new_people", "false_matches", "false_non_matches", "champion_false_matches", "champion_false_non_matches"), 0
    )
    return DecisionBatch(release=release, first_at=NOON, last_at=NOON, requests=10, **nothing | counts)


def look(number: int, seen: EvidenceState, *batches: DecisionBatch) -> Look:
    return Look(
        number=number,
        at=NOON,
        stage=Stage.CANARY,
        stage_key="canary:1",
        share=0.05,
        measured=seen,
        verdict={},
        batches=batches,
    )


@pytest.fixture
def store(tmp_path: Path) -> RolloutStore:
    store = RolloutStore.open(f"sqlite:///{tmp_path / 'rollouts.db'}", keys=[ANNA])
    bootstrapped(store)
    record = store.start("v2", policy(), evidence_key="key", now=NOON)
    store.observe(record, look(1, measured(), batch("v1", false_matches=50)))
    first = batch("v2", new_people=4, false_matches=1, false_non_matches=5, champion_false_non_matches=2)
    store.observe(record, look(2, measured(overall=Tally(3, 90, 5)), first, batch("v2x")))
    return store


def test_only_what_the_candidate_answered_counts_and_money_is_its_errors_at_their_price(store: RolloutStore) -> None:
    story = recorded_story(store, "v2", costs=ErrorCosts(false_match=100, false_non_match=2))
    assert (story.requests_exposed, story.people_exposed) == (10, 4)
    assert (story.wrong_decisions, story.champion_wrong_decisions) == (6, 2)
    assert story.money_lost == 100 + 5 * 2
    assert story.money_lost_beyond_champion == 110 - 2 * 2


def test_without_costs_no_money_is_told(store: RolloutStore) -> None:
    story = recorded_story(store, "v2")
    assert story.money_lost is None and story.money_lost_beyond_champion is None


def test_minutes_are_those_of_the_pairs_seen_by_the_last_look(store: RolloutStore) -> None:
    load = OperatingLoad(minutes_per_approval=5, minutes_per_discordant_pair=3)
    assert recorded_story(store, "v2", load=load).operator_minutes == 8 * 3


def test_a_bootstrap_has_a_story_too(store: RolloutStore) -> None:
    story = recorded_story(store, "v1")
    assert (story.final_stage, story.champion, story.approvals) == (Stage.PROMOTED, None, 1)
    assert [moment.stage for moment in story.moments] == [Stage.PROMOTED]


def test_a_story_can_be_written_as_json(store: RolloutStore) -> None:
    values = json.loads(json.dumps(recorded_story(store, "v2").to_dict()))
    assert values["final_stage"] == "REGISTERED"
    assert values["started_at"] == NOON.isoformat()
    assert values["looks"][1]["batches"][0]["release"] == "v2"


def test_a_release_without_a_rollout_has_no_story(store: RolloutStore) -> None:
    with pytest.raises(RolloutError, match="No rollout of 'v9'"):
        recorded_story(store, "v9")
