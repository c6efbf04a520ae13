"""The simulation takes the moves that the controller takes over a store, when the same decisions and labels come in."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from countenance.rollout.decisions import intake
from countenance.rollout.decisions.controller import step
from countenance.rollout.decisions.decision import Decision
from countenance.rollout.decisions.labels import sign_label
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.records import RolloutRecord
from countenance.rollout.simulation.arms import Arm, applied
from countenance.rollout.simulation.log import DecisionLog
from countenance.rollout.simulation.outcome import Conditions, Outcome
from countenance.rollout.simulation.playing import play
from countenance.rollout.store import RolloutStore
from countenance.rollout.story import recorded_story
from countenance.rollout.tape import as_datetime, between

from ..scenes import ANNA, OFFLINE, REGISTRATION, bootstrapped, hours, policy
from .logs import known_log

SECRET = b"the secret of those who label"
EVERY = 300
AFTER = hours(0.2)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[RolloutStore]:
    with RolloutStore.open(f"sqlite:///{tmp_path / 'rollouts.db'}", keys=[ANNA]) as opened:
        bootstrapped(opened, "old", at=datetime.fromisoformat("2026-01-01T00:00:00Z"))
        yield opened


def bit(value: np.int8) -> bool | None:
    return None if value < 0 else bool(value)


class Service:
    """Hands a log's decisions and labels to the store as they come, and asks the controller at every look."""

    def __init__(self, store: RolloutStore, log: DecisionLog, positions: np.ndarray, under: RolloutPolicy) -> None:
        self.store, self.log, self.under = store, log, under
        self.position = positions[log.person]
        self.labels = np.argsort(log.label_at, kind="stable")[: int((~np.isnat(log.label_at)).sum())]

    @property
    def record(self) -> RolloutRecord:
        record = self.store.rollout_of("new")
        assert record is not None
        return record

    def run(self) -> None:
        start = as_datetime(self.log.at[0])
        self.store.start("new", self.under, evidence_key="key", now=start, registration=REGISTRATION, offline=OFFLINE)
        step(self.store, now=start)
        before = np.datetime64(0, "us")
        for moment in [*self.log.at[EVERY - 1 :: EVERY], self.log.at[-1]]:
            if self.record.state.stage.ended:
                return
            self.arrive(before, moment)
            self.sign(as_datetime(moment))
            while step(self.store, now=as_datetime(moment)).behind:
                pass
            before = moment

    def arrive(self, before: np.datetime64, moment: np.datetime64) -> None:
        state, log = self.record.state, self.log
        rows = range(*between(log.at, before, moment).indices(len(log)))
        intake.record(self.store, [self.decision(row, state.share, state.stage_key) for row in rows],
                      now=as_datetime(moment))  # fmt: skip
        told = self.labels[between(log.label_at[self.labels], before, moment)]
        messages = [
            sign_label(f"d{row}", mated=bool(log.mated[row]), source="desk", secret=SECRET, model="countenance")
            for row in told
        ]
        intake.label_all(self.store, messages, SECRET, now=as_datetime(moment))

    def decision(self, row: int, share: float, stage_key: str) -> Decision:
        log, by_candidate = self.log, bool(self.position[row] < share)
        split = self.under.canary_comparison == "arms" and share > 0
        return Decision(
            decision_id=f"d{row}",
            champion="old",
            candidate="new",
            by_candidate=by_candidate,
            candidate_match=None if split and not by_candidate else bit(log.candidate_match[row]),
            champion_match=None if split and by_candidate else bit(log.champion_match[row]),
            group=log.groups[log.group[row]],
            routing_key=str(log.person[row]),
            site=log.sites[log.site[row]],
            candidate_ms=float(log.candidate_ms[row]),
            champion_ms=float(log.champion_ms[row]),
            failed=bool(log.candidate_failed[row] if by_candidate else log.champion_failed[row]),
            stage_key=stage_key,
            at=as_datetime(log.at[row]),
        )

    def sign(self, now: datetime) -> None:
        state = self.record.state
        if state.awaited is not None and now >= state.entered_at + AFTER:
            self.store.approve(ANNA.sign(state.awaited, subject="new", at=now, reason="It was looked at."), now=now)


def both(store: RolloutStore, log: DecisionLog, under: RolloutPolicy) -> Outcome:
    positions = np.random.default_rng(2).integers(10_000, size=len(log.keys)) / 10_000
    Service(store, log, positions, under).run()
    # Service ends with the log, so moves of the looks after it are left out.
    outcome = play(log, under, positions, Conditions(look_every=EVERY, answers_after=AFTER))
    story, ended = recorded_story(store, "new"), log.hours
    moves = [move for move in outcome.moves if move.hours <= ended]
    assert [(move.stage, move.step, move.share) for move in moves] == [
        (str(moment.stage), moment.step, moment.share) for moment in story.moments
    ]
    started = story.moments[0].at
    for move, moment in zip(moves, story.moments, strict=True):
        assert abs((moment.at - started) / hours(1) - move.hours) < 1e-9
    assert outcome.exposed_requests == story.requests_exposed
    assert outcome.exposed_people == story.people_exposed
    return outcome


SCENES: dict[str, tuple[float, dict[str, object], str]] = {
    "promoted": (0.0, {"non_inferiority_margin": 0.03}, "promoted"),
    "stopped": (0.03, {"shadow": {"labelled": 300}}, "stopped"),
    "a budget": (
        0.02,
        {
            "shadow": {"labelled": 300},
            "alpha": 0.001,
            "budget": {
                "amount": 20.0,
                "currency": "EUR",
                "cost_false_match": 10.0,
                "cost_false_non_match": 4.0,
                "worst_excess": 0.2,
                "requests_per_hour": 2000.0,
                "horizon": "PT5M",
            },
        },
        "stopped",
    ),
    "between arms": (
        0.0,
        {"canary_comparison": "arms", "steps": (0.4,), "non_inferiority_margin": 0.09, "alpha": 0.2},
        "promoted",
    ),
    "slow": (0.0, {"latency": {"limit_ms": 50.0, "tolerated": 0.02}}, "stopped"),
}


@pytest.mark.parametrize("scene", SCENES)
def test_the_simulation_moves_as_the_controller_over_a_store_does(store: RolloutStore, scene: str) -> None:
    worse, changes, ending = SCENES[scene]
    log = known_log(requests=4_500, people=1_000, hours=3.0, common=0.02)
    arm = Arm(name="worse" if worse else "null", worse=worse)
    outcome = both(store, applied(arm, log, log, np.random.default_rng(4)), policy(**changes))
    assert outcome.ending == ending


def test_failures_to_answer_are_seen_alike(store: RolloutStore) -> None:
    log = known_log(requests=3_000, people=800, hours=2.0)
    failing = replace(log, candidate_failed=np.arange(len(log)) % 4 == 0)
    outcome = both(store, failing, policy(errors={"window": "PT5M", "maximum": 5, "share": 0.1}))
    assert outcome.stage == "ROLLED_BACK" and not outcome.by_harm
