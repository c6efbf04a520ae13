from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from countenance.errors import RolloutError
from countenance.rollout.operators import Operator
from countenance.rollout.rehearsal import (
    Entry,
    RehearsalConfiguration,
    Rehearsed,
    Release,
    Rules,
    rehearse,
    traffic_pairs,
)
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore
from countenance.rollout.story import ErrorCosts

from .scenes import ANNA, GROUPS, NOON, OFFLINE, REGISTRATION, hours, policy

PHOTOS = 3
COSTS = ErrorCosts(false_match=100.0, false_non_match=2.0)
TRAFFIC = {"requests": 5000, "label_delay_median": "PT6M", "mated_share": 0.5}


def held_out(subjects: int = 30) -> pd.DataFrame:
    """Named faces of people of two groups, turn and turn about."""
    number = np.repeat(np.arange(subjects), PHOTOS)
    return pd.DataFrame(
        {
            "face_id": [f"face-{row}" for row in range(len(number))],
            "subject_id": [f"subject-{person:02d}" for person in number],
            "group": np.array(GROUPS, dtype=object)[number % 2],
        }
    )


PEOPLE = held_out()


def release(
    candidate: str, noise: float, *, people: pd.DataFrame = PEOPLE, data: str = "", **changes: object
) -> Release:
    """A release whose embeddings of one person differ by ``noise``; ``data`` makes it one of other data."""
    generator = np.random.default_rng(11)
    person, _ = pd.factorize(people["subject_id"])
    samples = generator.normal(size=(person.max() + 1, 24))[person]
    samples = samples + noise * generator.normal(size=samples.shape)
    samples /= np.linalg.norm(samples, axis=1, keepdims=True)
    outputs = pd.DataFrame({"face_id": people["face_id"], "embedding": list(samples.astype(np.float32))})
    given = {
        "threshold": 0.45,
        "registered": True,
        "reason": "All 8 gates passed.",
        "outputs": outputs[::-1],
        "registration": REGISTRATION,
        "offline": OFFLINE,
        "embedding_space": f"{candidate}{data}-space",
    }
    return Release(candidate=candidate, release_id=f"{candidate}{data}-release", **(given | changes))  # type: ignore[arg-type]


FIRST, BETTER, WORSE = release("first", 0.6), release("better", 0.4), release("worse", 1.5)
RELEASES = {item.candidate: item for item in (FIRST, BETTER, WORSE)}


def rehearsal(*entries: tuple[str, str], **changes: object) -> RehearsalConfiguration:
    given = {
        "seed": 5,
        "start": NOON,
        "entries": [Entry(candidate=name, enters=how, traffic=TRAFFIC) for name, how in entries],  # type: ignore[arg-type]
        "look_every": 250,
        "non_mated_limit": 1000,
    }
    return RehearsalConfiguration.model_validate(given | changes)


RULES = Rules(
    policy=policy(maximum_disagreement=0.9, non_inferiority_margin=0.05, guarded_groups=GROUPS),
    operator=ANNA,
    routing_secret=b"a routing secret for tests",
)
BOTH = rehearsal(("first", "bootstrap"), ("better", "rollout"))


def played(store: RolloutStore, configuration: RehearsalConfiguration, **others: Release) -> list[Rehearsed]:
    return rehearse(store, PEOPLE, RELEASES | others, configuration, RULES, costs=COSTS)


def test_the_first_is_bootstrapped_and_the_next_goes_the_whole_way(store: RolloutStore) -> None:
    first, better = played(store, BOTH)
    assert first.story is not None and better.story is not None
    assert (first.story.final_stage, better.story.final_stage) == (Stage.PROMOTED, Stage.PROMOTED)
    assert "anna signed 'first-release' as the first champion" in first.story.reason
    assert first.traffic is None and better.traffic is not None
    assert better.story.champion == "first-release"
    assert better.story.people_exposed > 0 and better.story.approvals == 1
    assert (store.champion(), store.previous()) == ("better-release", "first-release")
    assert first.story.started_at == NOON
    assert better.story.started_at - NOON >= timedelta(days=20)
    assert set(better.traffic.thresholds) == {"first-release", "better-release"}


def test_a_candidate_that_errs_far_more_is_stopped_in_shadow_and_the_champion_stays(store: RolloutStore) -> None:
    *_, worse = played(store, rehearsal(("first", "bootstrap"), ("better", "rollout"), ("worse", "rollout")))
    assert worse.story is not None
    assert (worse.story.final_stage, worse.story.people_exposed) == (Stage.ABORTED, 0)
    assert worse.story.champion == "better-release"
    assert store.champion() == "better-release"


def test_a_second_rehearsal_replays_nothing_and_tells_the_same_stories(store: RolloutStore) -> None:
    first = played(store, BOTH)
    before = (store.events(), [store.looks(store.rollout_of(item.release_id).id) for item in first])  # type: ignore[union-attr]
    second = played(store, BOTH)
    assert [item.story for item in second] == [item.story for item in first]
    assert [item.skipped for item in second] == ["", ""]
    assert (store.events(), [store.looks(store.rollout_of(item.release_id).id) for item in second]) == before  # type: ignore[union-attr]
    one, other = first[1].traffic, second[1].traffic
    assert one is not None and other is not None
    pd.testing.assert_frame_equal(one.frame, other.frame)


def test_another_seed_is_other_traffic(store: RolloutStore) -> None:
    one = played(store, BOTH)[1].traffic
    other = played(store, BOTH.model_copy(update={"seed": 6}))[1].traffic
    assert one is not None and other is not None
    assert not one.frame["at"].equals(other.frame["at"])


def test_a_candidate_that_was_not_registered_is_skipped_with_its_reason(store: RolloutStore) -> None:
    refused = replace(BETTER, registered=False, reason="Failed: bias index.")
    first, skipped = played(store, BOTH, better=refused)
    assert first.skipped == ""
    assert skipped.skipped == "'better' was not registered: Failed: bias index."
    assert (skipped.story, skipped.traffic) == (None, None)
    assert store.champion() == "first-release"
    assert store.rollout_of("better-release") is None


def test_a_candidate_has_nobody_to_be_compared_with_when_the_first_was_not_registered(store: RolloutStore) -> None:
    refused = replace(FIRST, registered=False, reason="Failed: model size.")
    first, better = played(store, BOTH, first=refused)
    assert first.skipped == "'first' was not registered: Failed: model size."
    assert better.skipped == "'better' was not rolled out: the champion is none of the candidates."
    assert store.events() == ()


def test_an_entry_of_an_unknown_candidate_is_refused_before_anything_is_played(store: RolloutStore) -> None:
    with pytest.raises(RolloutError, match="Entry 2 names 'nobody': the candidates are first, better, worse"):
        played(store, rehearsal(("first", "bootstrap"), ("nobody", "rollout")))
    assert store.events() == ()


def test_releases_of_other_data_begin_a_new_campaign_later_in_time(store: RolloutStore) -> None:
    before = played(store, BOTH)
    others = {name: release(name, noise, data="-of-2027") for name, noise in (("first", 0.6), ("better", 0.4))}
    first, better = played(store, BOTH, **others)
    assert first.story is not None and better.story is not None
    assert first.story.started_at == NOON + timedelta(days=100)
    assert "in place of 'better-release'" in first.story.reason
    assert "a new campaign on other data begins" in first.story.reason
    assert better.story.champion == "first-of-2027-release"
    assert store.champion() == "better-of-2027-release"
    # Each campaign told again is told as it was, whichever came last.
    assert [item.story for item in played(store, BOTH)] == [item.story for item in before]
    assert [item.story for item in played(store, BOTH, **others)] == [first.story, better.story]
    assert store.champion() == "better-of-2027-release"


def test_other_data_do_not_meet_a_champion_that_never_saw_them(store: RolloutStore) -> None:
    played(store, BOTH)
    others = {name: release(name, 0.5, data="-of-2027") for name in ("first", "better")}
    (skipped,) = played(store, rehearsal(("better", "rollout")), **others)
    assert "the champion is none of the candidates" in skipped.skipped
    assert store.champion() == "better-release"


def test_a_start_without_a_time_zone_is_in_utc(store: RolloutStore) -> None:
    first, *_ = played(store, rehearsal(("first", "bootstrap"), start=NOON.replace(tzinfo=None)))
    assert first.story is not None
    assert first.story.started_at == NOON
    assert isinstance(first.story.started_at, datetime) and first.story.started_at.utcoffset() == hours(0)


def test_half_of_the_impostors_are_alike_in_group() -> None:
    pairs = traffic_pairs(PEOPLE, (FIRST, BETTER), 200, np.random.default_rng(1))
    mated, impostors = pairs[pairs["mated"]], pairs[~pairs["mated"]]
    assert len(mated) == 30 * PHOTOS * (PHOTOS - 1) / 2  # every mated pair
    assert len(impostors) == 200
    # The scores tell which faces met: of each impostor pair, find the second face's group.
    vectors = np.stack(FIRST.outputs.set_index("face_id")["embedding"].loc[PEOPLE["face_id"]].to_list())
    cosines = vectors @ vectors.T
    alike = 0
    for row in impostors.itertuples():
        asker = (PEOPLE["subject_id"] == row.subject).to_numpy()
        score = impostors.at[row.Index, "score:first-release"]
        _, second = np.argwhere(np.isclose(cosines * asker[:, None], score, atol=1e-6))[0]
        alike += PEOPLE["group"][second] == row.group
    assert alike == 100


def test_pairs_carry_the_asker_their_group_and_both_releases_cosines() -> None:
    people = held_out(2).iloc[[0, 1, 3]].reset_index(drop=True)  # two faces of one, one of another
    people.loc[2, "group"] = None
    angles = {"face-0": 0.0, "face-1": 60.0, "face-3": 90.0}
    vectors = [np.array([np.cos(np.deg2rad(a)), np.sin(np.deg2rad(a))], dtype=np.float32) for a in angles.values()]
    one = replace(FIRST, outputs=pd.DataFrame({"face_id": list(angles), "embedding": vectors}))
    other = replace(BETTER, outputs=pd.DataFrame({"face_id": list(angles), "embedding": [vectors[0]] * 3}))
    pairs = traffic_pairs(people, (one, other), 10, np.random.default_rng(1))
    assert pairs["mated"].tolist() == [True, False, False]
    assert pairs["subject"].tolist() == ["subject-00"] * 3
    assert pairs["group"].tolist() == ["north"] * 3
    assert pairs["score:first-release"].tolist() == pytest.approx([0.5, 0.0, np.cos(np.deg2rad(30))], abs=1e-6)
    assert pairs["score:better-release"].tolist() == pytest.approx([1.0, 1.0, 1.0])


def test_a_short_secret_of_an_operator_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 16 characters"):
        Operator(name="anna", secret="short")
