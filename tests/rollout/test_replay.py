import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from countenance.errors import DataError, RolloutError
from countenance.rollout.approvals import Act
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.records import Look, RolloutRecord
from countenance.rollout.replay import DutyOperator, replay
from countenance.rollout.state import Gate, Stage
from countenance.rollout.store import RolloutStore
from countenance.rollout.story import ErrorCosts, OperatingLoad, RolloutStory
from countenance.rollout.traffic import TrafficLog, sticky_share

from .scenes import ANNA, NOON, OFFLINE, REGISTRATION, SALT, bootstrapped, hours, policy, signed
from .simulation import everywhere, simulated_log

RATES = {
    "v1": everywhere(0.03),
    "better": everywhere(0.015),
    "worse": everywhere(0.09),
    "unfair": {"north": 0.015, "south": 0.14},
}
ON_DUTY = DutyOperator(key=ANNA, answers_after=hours(0.25))


@pytest.fixture(scope="module")
def log() -> TrafficLog:
    return simulated_log(RATES)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RolloutStore]:
    with RolloutStore.open(f"sqlite:///{tmp_path / 'rollouts.db'}", keys=[ANNA]) as opened:
        bootstrapped(opened)
        yield opened


def played(
    store: RolloutStore,
    log: TrafficLog,
    candidate: str,
    *,
    under: RolloutPolicy | None = None,
    offline: tuple[Gate, ...] = OFFLINE,
    operator: DutyOperator | None = ON_DUTY,
    costs: ErrorCosts | None = None,
    supersede: bool = False,
) -> RolloutStory:
    return replay(
        store,
        log,
        candidate=candidate,
        policy=under or policy(),
        registration=REGISTRATION,
        offline=offline,
        salt=SALT,
        operator=operator,
        costs=costs,
        supersede=supersede,
    )


def stages(story: RolloutStory) -> list[tuple[str, float]]:
    return [(str(moment.stage), moment.share) for moment in story.moments]


def test_a_better_candidate_goes_all_the_way(store: RolloutStore, log: TrafficLog) -> None:
    story = played(store, log, "better")
    assert stages(story) == [
        ("REGISTERED", 0.0),
        ("VALIDATING", 0.0),
        ("SHADOW", 0.0),
        ("CANARY", 0.05),
        ("CANARY", 0.25),
        ("BAKING", 0.25),
        ("AWAITING_APPROVAL", 0.25),
        ("PROMOTED", 1.0),
    ]
    assert (store.champion(), store.previous()) == ("better", "v1")
    assert [approval.act for approval in store.approvals(1)] == [Act.BOOTSTRAP]
    assert story.approvals == 1
    asked, answered = story.moments[-2:]
    assert answered.at - asked.at >= hours(0.25)
    assert store.verify_chain() == len(store.events())


def test_a_promoted_candidate_can_be_taken_back(store: RolloutStore, log: TrafficLog) -> None:
    end = played(store, log, "better").moved_at
    store.roll_back(end, signed(Act.ROLL_BACK, "better", end))
    assert (store.champion(), store.previous()) == ("v1", None)
    story = played(store, log, "better")
    assert story.final_stage is Stage.ROLLED_BACK and "anna rolled back to 'v1'" in story.reason


def test_a_worse_candidate_ends_in_shadow_before_anybody_is_exposed(store: RolloutStore, log: TrafficLog) -> None:
    story = played(store, log, "worse", under=policy(shadow={"labelled": 3000}))
    assert story.final_stage is Stage.ABORTED
    assert (story.people_exposed, story.requests_exposed, story.wrong_decisions) == (0, 0, 0)
    assert "worse than the champion" in story.reason
    assert store.champion() == "v1"


def test_harm_to_a_group_that_shadow_never_saw_is_found_in_the_canary(store: RolloutStore) -> None:
    absent = {"group": "south", "until": "PT50M", "site": "the gate where nobody from the south comes"}
    story = played(store, simulated_log(RATES, absence=absent), "unfair")
    reached = [stage for stage, _ in stages(story)]
    assert "CANARY" in reached and story.final_stage is Stage.ROLLED_BACK
    begun = next(moment for moment in story.moments if moment.stage is Stage.CANARY)
    assert begun.verdict is not None
    assert [group["tally"] for group in begun.verdict["groups"] if group["name"] == "south"] == [
        {"better": 0, "same": 0, "worse": 0}
    ]
    assert "group 'south'" in story.reason and "'north'" not in story.reason
    assert story.people_exposed > 0
    assert (store.champion(), store.previous()) == ("v1", None)
    assert store.verify_chain() == len(store.events())


@pytest.mark.parametrize(("verdict", "end"), [("hold", Stage.INCONCLUSIVE), ("roll_back", Stage.ABORTED)])
def test_without_labels_nothing_is_ever_promoted(
    store: RolloutStore, log: TrafficLog, verdict: str, end: Stage
) -> None:
    unlabelled = TrafficLog(
        log.frame.assign(label_at=pd.Series(pd.NaT, log.frame.index).dt.tz_localize("UTC")), log.thresholds
    )
    story = played(store, unlabelled, "better", under=policy(on_inconclusive=verdict))
    reached = [moment.stage for moment in story.moments]
    assert Stage.INCONCLUSIVE in reached and Stage.CANARY not in reached
    assert story.final_stage is end
    assert "0 of 400 labelled requests" in story.reason and "100% of the requests" in story.reason
    assert story.people_exposed == 0 and store.champion() == "v1"


def test_labels_that_stop_in_the_canary_keep_it_from_growing(store: RolloutStore, log: TrafficLog) -> None:
    until = pd.Timestamp(NOON) + hours(0.6)
    frame = log.frame.assign(label_at=log.frame["label_at"].where(log.frame["at"] < until))
    story = played(store, TrafficLog(frame, log.thresholds), "better", under=policy(on_inconclusive="roll_back"))
    assert max(moment.share for moment in story.moments) < 1
    assert story.final_stage is Stage.ROLLED_BACK and "have no label" in story.reason
    assert store.champion() == "v1"


def test_nobody_on_duty_means_nobody_promotes(store: RolloutStore, log: TrafficLog) -> None:
    story = played(store, log, "better", operator=None)
    assert [moment.stage for moment in story.moments][-2:] == [Stage.AWAITING_APPROVAL, Stage.INCONCLUSIVE]
    assert "An operator must sign to promote" in story.reason and store.champion() == "v1"


def test_a_failed_gate_rejects_before_any_traffic_is_seen(store: RolloutStore, log: TrafficLog) -> None:
    story = played(store, log, "better", offline=(Gate(name="size", passed=False, detail="9 MB of 5 MB"),))
    assert story.final_stage is Stage.REJECTED and story.looks == ()


def test_a_finished_replay_is_told_again_and_not_run_again(store: RolloutStore, log: TrafficLog) -> None:
    first, events = played(store, log, "better"), store.events()
    assert played(store, log, "better") == first
    held = played(store, simulated_log(RATES | {"better": everywhere(0.0)}), "better")
    assert held == first and store.events() == events


def test_an_inconclusive_replay_is_told_again_too(store: RolloutStore, log: TrafficLog) -> None:
    first, events = played(store, log, "better", operator=None), store.events()
    assert played(store, log, "better", operator=None) == first
    assert store.events() == events
    with pytest.raises(RolloutError, match="is still INCONCLUSIVE"):
        played(store, log, "unfair")
    assert played(store, log, "worse", supersede=True).final_stage is Stage.ABORTED


class CutOff(RolloutStore):
    """A store whose process dies after some looks."""

    looks_left = 0

    def observe(self, record: RolloutRecord, look: Look) -> None:
        super().observe(record, look)
        self.looks_left -= 1
        if self.looks_left == 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("after", [1, 4, 9, 14])
def test_a_replay_that_was_cut_off_goes_on_to_the_same_end(tmp_path: Path, log: TrafficLog, after: int) -> None:
    costs = ErrorCosts(false_match=100, false_non_match=1)
    with RolloutStore.open(f"sqlite:///{tmp_path / 'whole.db'}", keys=[ANNA]) as whole:
        bootstrapped(whole)
        expected = played(whole, log, "better", costs=costs)
    with CutOff.open(f"sqlite:///{tmp_path / 'cut.db'}", keys=[ANNA]) as cut:
        bootstrapped(cut)
        cut.looks_left = after
        with pytest.raises(KeyboardInterrupt):
            played(cut, log, "better", costs=costs)
        assert played(cut, log, "better", costs=costs) == expected


def test_a_changed_threshold_or_policy_is_refused_in_the_middle(tmp_path: Path, log: TrafficLog) -> None:
    with CutOff.open(f"sqlite:///{tmp_path / 'cut.db'}", keys=[ANNA]) as cut:
        bootstrapped(cut)
        cut.looks_left = 2
        with pytest.raises(KeyboardInterrupt):
            played(cut, log, "better")
        with pytest.raises(RolloutError, match="changed while 'better' was rolled out"):
            played(cut, log, "better", under=policy(alpha=0.04))
        with pytest.raises(RolloutError, match="changed while 'better' was rolled out"):
            played(cut, TrafficLog(log.frame, dict(log.thresholds) | {"better": 0.4}), "better")


def test_exposure_errors_and_money_are_those_of_the_log(store: RolloutStore, log: TrafficLog) -> None:
    costs = ErrorCosts(false_match=100, false_non_match=3)
    story = played(store, log, "better", costs=costs)
    place = log.frame["routing_key"].map(lambda key: sticky_share(key, SALT))
    share = pd.Series(0.0, log.frame.index)
    for moment in story.moments[:-1]:
        share[log.frame["at"] > moment.at] = moment.share
    exposed = ((place < share) & (log.frame["at"] <= story.moved_at)).to_numpy()
    wrong = (log.decisions("better") != log.mated()) & exposed
    false_matches = int((wrong & ~log.mated()).sum())
    champion_wrong = (log.decisions("v1") != log.mated()) & exposed
    assert story.requests_exposed == exposed.sum()
    assert story.people_exposed == log.frame["routing_key"][exposed].nunique()
    assert story.wrong_decisions == wrong.sum()
    assert story.champion_wrong_decisions == champion_wrong.sum()
    assert story.money_lost == 100 * false_matches + 3 * (int(wrong.sum()) - false_matches)


def test_every_request_is_answered_by_exactly_one_release(store: RolloutStore, log: TrafficLog) -> None:
    story = played(store, log, "better")
    answered = sum(batch.requests for look in story.looks for batch in look.batches)
    assert answered == (log.frame["at"] <= story.looks[-1].at).sum() == story.looks[-1].measured.scored


def test_routing_by_site_exposes_whole_sites(store: RolloutStore) -> None:
    sites = tuple(f"gate {number}" for number in range(40))
    story = played(store, simulated_log(RATES, sites=sites), "better", under=policy(route_by="site"))
    places = {site: sticky_share(site, SALT) for site in sites}
    assert story.people_exposed == sum(place < 0.25 for place in places.values()) > 0


def test_operating_load_counts_signatures_and_discordant_pairs(store: RolloutStore, log: TrafficLog) -> None:
    load = OperatingLoad(minutes_per_approval=10, minutes_per_discordant_pair=2)
    story = replay(
        store,
        log,
        candidate="better",
        policy=policy(),
        registration=REGISTRATION,
        offline=OFFLINE,
        salt=SALT,
        operator=ON_DUTY,
        load=load,
    )
    assert story.operator_minutes == 10 + 2 * story.discordant_pairs > 100


def test_what_cannot_be_replayed_is_refused(store: RolloutStore, log: TrafficLog, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no scores of 'v7'"):
        played(store, log, "v7")
    with pytest.raises(RolloutError, match="group 'south', which the policy does not guard"):
        played(store, log, "better", under=policy(guarded_groups=("north",)))
    assert store.active() is None
    with (
        RolloutStore.open(f"sqlite:///{tmp_path / 'empty.db'}") as empty,
        pytest.raises(RolloutError, match="bootstrap"),
    ):
        played(empty, log, "better")


def test_thirty_thousand_requests_are_replayed_within_three_seconds(store: RolloutStore) -> None:
    log = simulated_log(RATES, requests=30_000)
    begun = time.process_time()
    story = played(store, log, "better", operator=None)
    assert len(story.looks) == 150 + 24
    assert time.process_time() - begun < 3


def test_an_approval_of_the_operator_is_given_once(log: TrafficLog, store: RolloutStore) -> None:
    played(store, log, "better", operator=None)
    record = store.rollout_of("better")
    assert record is not None
    waiting = replace(record.state, stage=Stage.AWAITING_APPROVAL, came_from=Stage.BAKING)
    first = ON_DUTY.answer(waiting, (), waiting.entered_at + hours(0.25))
    assert first is not None and first.act is Act.PROMOTE
    assert ON_DUTY.answer(waiting, (), waiting.entered_at + hours(0.2)) is None
    assert ON_DUTY.answer(waiting, (first,), waiting.entered_at + hours(0.5)) is None
