"""A simulated rollout moves as the replay over a store does, and every guard of the machine acts in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from countenance.errors import RolloutError
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.replay import DutyOperator, replay
from countenance.rollout.simulation.arms import Arm, applied
from countenance.rollout.simulation.log import DecisionLog
from countenance.rollout.simulation.outcome import Conditions, Outcome
from countenance.rollout.simulation.playing import play
from countenance.rollout.store import RolloutStore
from countenance.rollout.story import ErrorCosts, OperatingLoad, RolloutStory
from countenance.rollout.traffic import TrafficLog, sticky_share

from ..scenes import ANNA, OFFLINE, REGISTRATION, SALT, bootstrapped, hours, policy
from ..simulation import everywhere, simulated_log
from .logs import known_log

RATES = {
    "v1": everywhere(0.03),
    "better": everywhere(0.015),
    "worse": everywhere(0.09),
    "slightly worse": everywhere(0.05),
    "equal": everywhere(0.03),
    "unfair": {"north": 0.015, "south": 0.14},
}
COSTS = ErrorCosts(false_match=40.0, false_non_match=0.5)
LOAD = OperatingLoad(minutes_per_approval=7, minutes_per_discordant_pair=0.25)


@pytest.fixture(scope="module")
def traffic() -> TrafficLog:
    return simulated_log(RATES)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RolloutStore]:
    with RolloutStore.open(f"sqlite:///{tmp_path / 'rollouts.db'}", keys=[ANNA]) as opened:
        bootstrapped(opened)
        yield opened


def simulated(
    traffic: TrafficLog, candidate: str, under: RolloutPolicy, *, look_every: int = 200, answers_after: float = 0.25
) -> Outcome:
    log = DecisionLog.of_traffic(traffic, candidate=candidate, champion="v1")
    names = log.keys if under.route_by == "subject" else log.sites
    return play(
        log,
        under,
        np.array([sticky_share(str(name), SALT) for name in names]),
        Conditions(look_every=look_every, answers_after=hours(answers_after), costs=COSTS, load=LOAD),
    )


def replayed(
    store: RolloutStore,
    traffic: TrafficLog,
    candidate: str,
    under: RolloutPolicy,
    *,
    look_every: int = 200,
    answers_after: float = 0.25,
) -> RolloutStory:
    return replay(
        store,
        traffic,
        candidate=candidate,
        policy=under,
        registration=REGISTRATION,
        offline=OFFLINE,
        salt=SALT,
        operator=DutyOperator(key=ANNA, answers_after=hours(answers_after)),
        costs=COSTS,
        load=LOAD,
        look_every=look_every,
    )


SCENES: dict[str, tuple[str, dict[str, object], dict[str, object]]] = {
    "promoted": ("better", {}, {}),
    "stopped in shadow": ("worse", {"shadow": {"labelled": 3000}}, {}),
    "rolled back from a canary": ("slightly worse", {"shadow": {"labelled": 100}, "steps": (0.5,)}, {}),
    "harm to a group": ("unfair", {}, {}),
    "inconclusive and held": ("equal", {"non_inferiority_margin": 0.002}, {}),
    "inconclusive and ended": (
        "equal",
        {"non_inferiority_margin": 0.002, "on_inconclusive": "roll_back"},
        {},
    ),
    "a deadline within the log": ("better", {"deadline": hours(2), "step": {"labelled": 2500}}, {}),
    "two signatures, odd looks": (
        "better",
        {"canary_needs_approval": True, "step": {"labelled": 300, "dwell": hours(1)}},
        {"look_every": 333, "answers_after": 0.5},
    ),
}


@pytest.mark.parametrize("scene", SCENES)
def test_the_simulation_moves_as_the_replay_over_a_store_does(
    store: RolloutStore, traffic: TrafficLog, scene: str
) -> None:
    candidate, changes, cadence = SCENES[scene]
    under = policy(**changes)
    story = replayed(store, traffic, candidate, under, **cadence)  # type: ignore[arg-type]
    outcome = simulated(traffic, candidate, under, **cadence)  # type: ignore[arg-type]
    started = story.moments[0].at
    assert [(move.stage, move.step, move.share) for move in outcome.moves] == [
        (str(moment.stage), moment.step, moment.share) for moment in story.moments
    ]
    assert [started + timedelta(hours=move.hours) for move in outcome.moves] == [
        pytest.approx(moment.at, abs=timedelta(microseconds=1)) for moment in story.moments
    ]
    assert outcome.stage == str(story.final_stage)
    assert (outcome.exposed_requests, outcome.exposed_people) == (story.requests_exposed, story.people_exposed)
    assert (outcome.wrong, outcome.champion_wrong) == (story.wrong_decisions, story.champion_wrong_decisions)
    assert (outcome.money, outcome.money_beyond) == (story.money_lost, story.money_lost_beyond_champion)
    assert (outcome.approvals, outcome.discordant) == (story.approvals, story.discordant_pairs)
    assert outcome.minutes == story.operator_minutes


def test_the_scenes_end_as_they_are_called(traffic: TrafficLog) -> None:
    ends = {}
    for scene, (candidate, changes, cadence) in SCENES.items():
        outcome = simulated(traffic, candidate, policy(**changes), **cadence)  # type: ignore[arg-type]
        ends[scene] = (outcome.ending, outcome.stage, outcome.by_harm)
    assert ends == {
        "promoted": ("promoted", "PROMOTED", False),
        "stopped in shadow": ("stopped", "ABORTED", True),
        "rolled back from a canary": ("stopped", "ROLLED_BACK", True),
        "harm to a group": ("stopped", ends["harm to a group"][1], True),
        "inconclusive and held": ("undecided", "INCONCLUSIVE", False),
        "inconclusive and ended": ("stopped", ends["inconclusive and ended"][1], False),
        "a deadline within the log": ("undecided", "INCONCLUSIVE", False),
        "two signatures, odd looks": ("promoted", "PROMOTED", False),
    }


def test_routing_by_site_moves_as_the_replay_does(store: RolloutStore) -> None:
    sites = [f"gate {number}" for number in range(12)]
    traffic = simulated_log(RATES, sites=sites)
    under = policy(route_by="site", steps=(0.3, 0.6))
    story, outcome = replayed(store, traffic, "better", under), simulated(traffic, "better", under)
    assert [move.stage for move in outcome.moves] == [str(moment.stage) for moment in story.moments]
    assert outcome.exposed_people == story.people_exposed <= 12
    assert outcome.exposed_requests == story.requests_exposed > 0


def everybody_at(place: float, log: DecisionLog) -> np.ndarray:
    return np.full(len(log.keys), place)


def spread(log: DecisionLog) -> np.ndarray:
    return np.random.default_rng(11).random(len(log.keys))


def test_people_beyond_the_share_are_never_exposed() -> None:
    log = known_log()
    outcome = play(log, policy(), everybody_at(0.9, log), Conditions())
    assert (outcome.exposed_requests, outcome.exposed_people, outcome.money) == (0, 0, 0.0)


def test_a_candidate_that_fails_to_answer_trips_the_breaker() -> None:
    log = known_log()
    failing = replace(log, candidate_failed=np.arange(len(log)) > 4000)
    limits = {"errors": {"window": "PT10M", "maximum": 20, "share": 0.05}}
    outcome = play(failing, policy(**limits), spread(log), Conditions())
    assert outcome.ending == "stopped" and outcome.stage == "ROLLED_BACK" and not outcome.by_harm


def test_a_slow_candidate_is_stopped() -> None:
    log = known_log()
    slow = {"latency": {"limit_ms": 100.0, "tolerated": 0.02}}
    quick = play(log, policy(**slow), spread(log), Conditions())
    assert quick.ending == "promoted"
    late = replace(log, candidate_ms=np.full(len(log), 250.0))
    outcome = play(late, policy(**slow), spread(log), Conditions())
    assert outcome.ending == "stopped" and outcome.by_harm


def test_a_budget_that_is_gone_ends_it() -> None:
    log = known_log()
    bad = applied(Arm(name="worse", worse=0.03), log, log, np.random.default_rng(1))
    money = {
        "amount": 5.0,
        "currency": "EUR",
        "cost_false_match": 10.0,
        "cost_false_non_match": 10.0,
        "worst_excess": 0.5,
        "requests_per_hour": 2000.0,
        "horizon": "PT1M",
    }
    rich = play(bad, policy(shadow={"labelled": 1}, alpha=1e-9), spread(log), Conditions())
    poor = play(bad, policy(shadow={"labelled": 1}, alpha=1e-9, budget=money), spread(log), Conditions())
    assert 0 < poor.exposed_requests < rich.exposed_requests
    assert poor.stage == "ROLLED_BACK" and not poor.by_harm


def test_without_labels_nothing_is_promoted() -> None:
    log = known_log()
    silent = replace(log, label_at=np.full(len(log), np.datetime64("NaT", "us")))
    outcome = play(silent, policy(), spread(log), Conditions())
    assert (outcome.ending, outcome.stage) == ("undecided", "INCONCLUSIVE")


def test_labels_that_nobody_asked_for_count_for_nothing() -> None:
    log = known_log()
    unasked = replace(log, audited=np.zeros(len(log), dtype=np.bool_))
    assert play(unasked, policy(), spread(log), Conditions()).ending == "undecided"


def test_between_arms_only_the_model_that_answers_is_judged_in_the_canary() -> None:
    log = known_log(requests=20_000)
    arms = policy(canary_comparison="arms", steps=(0.5,), non_inferiority_margin=0.03, alpha=0.1)
    outcome = play(log, arms, spread(log), Conditions())
    # In shadow both score every request; afterwards nobody is discordant with anybody.
    paired = play(log, policy(steps=(0.5,), non_inferiority_margin=0.03, alpha=0.1), spread(log), Conditions())
    assert 0 < outcome.discordant < paired.discordant


def test_four_eyes_sign_with_two_names() -> None:
    log = known_log()
    outcome = play(log, policy(approvers=2), spread(log), Conditions())
    assert (outcome.ending, outcome.approvals) == ("promoted", 2)


def test_a_policy_that_routes_by_site_needs_sites() -> None:
    log = known_log()
    nowhere = replace(log, site=np.full(len(log), -1))
    with pytest.raises(RolloutError, match="export them with 'site'"):
        play(nowhere, policy(route_by="site"), spread(log), Conditions())


def test_an_outcome_is_the_same_after_json() -> None:
    log = known_log()
    outcome = play(log, policy(), spread(log), Conditions())
    assert Outcome.from_dict(outcome.to_dict()) == outcome
