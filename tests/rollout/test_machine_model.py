"""The machine under any order of events: as a Hypothesis state machine, and ten thousand seeded histories of it."""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from countenance.rollout.approvals import Act
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.state import Stage

from .machine_model import FITS, GATES, MEASURED, POLICIES, Rollout


class AnyHistory(RuleBasedStateMachine):
    """Hypothesis picks the events and shrinks what breaks an invariant."""

    @initialize(policy=st.sampled_from(POLICIES))
    def start(self, policy: object) -> None:
        self.rollout = Rollout(policy=policy)  # type: ignore[arg-type]

    @rule(
        found=st.sampled_from(MEASURED),
        gates=st.sampled_from(GATES),
        failed=st.sampled_from([0, 4, 100]),
        silent_for=st.sampled_from([0, 60, 10_000, None]),
        exposed_requests=st.sampled_from([0, 100, 5000]),
        preconditions=st.sampled_from([FITS, None, Preconditions()]),
    )
    def a_look(self, **shown: object) -> None:
        self.rollout.look(**shown)  # type: ignore[arg-type]

    @rule(times=st.integers(1, 8))
    def good_looks(self, times: int) -> None:
        """Hours of good evidence with an operator who signs: without it few histories would get far."""
        for _ in range(times):
            self.rollout.wait(4000)
            self.sign_all()
            self.rollout.look(MEASURED[0])

    @rule(found=st.sampled_from(MEASURED), hours=st.integers(1, 100))
    def a_look_of_a_clock_that_is_behind(self, found: object, hours: int) -> None:
        self.rollout.look(found, now=self.rollout.now - timedelta(hours=hours))  # type: ignore[arg-type]

    @rule()
    def sign_all(self) -> None:
        for who in (0, 1):
            for act in (Act.START_CANARY, Act.PROMOTE):
                self.rollout.sign(who, act)

    @rule(who=st.integers(0, 1), act=st.sampled_from(list(Act)), seconds=st.sampled_from([0, 9000, -9000]))
    def sign(self, who: int, act: Act, seconds: int) -> None:
        self.rollout.sign(who, act, seconds)

    @rule(seconds=st.sampled_from([0, 60, 3600, 40_000, 200_000]))
    def wait(self, seconds: int) -> None:
        self.rollout.wait(seconds)

    @rule()
    def pause(self) -> None:
        self.rollout.pause()

    @rule()
    def resume(self) -> None:
        self.rollout.resume()

    @rule(behind=st.booleans())
    def abort(self, behind: bool) -> None:
        self.rollout.abort(self.rollout.now - timedelta(days=1) if behind else None)
        self.rollout.abort()

    @rule()
    def supersede(self) -> None:
        self.rollout.supersede()


TestAnyHistory = AnyHistory.TestCase
TestAnyHistory.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)


def history(seed: int, events: int = 24) -> Rollout:
    """A history of random events; one number gives it all."""
    draw = np.random.default_rng(seed)
    rollout = Rollout(policy=POLICIES[seed % len(POLICIES)])
    signs = draw.random() < 0.8
    for _ in range(events):
        if rollout.state.stage.ended and draw.random() < 0.7:
            break
        what = draw.random()
        rollout.wait(int(draw.choice([0, 60, 3700, 3700, 3700, 30_000])) if what > 0.02 else 180_000)
        for who in (0, 1):
            # Where nobody signs in time, somebody signed too early or for a moment that is yet to come.
            seconds = 0 if signs else int(draw.choice([-90_000, 90_000]))
            rollout.sign(who, Act.PROMOTE, seconds)
            rollout.sign(who, Act.START_CANARY, seconds)
        # Where a promotion is near, what is nearly good enough is shown more often.
        if what < (0.3 if rollout.state.base is Stage.BAKING else 0.7):
            rollout.look(MEASURED[0])
        elif what < 0.88:
            rollout.look(
                MEASURED[draw.integers(len(MEASURED))],
                GATES[draw.integers(len(GATES))],
                failed=int(draw.choice([0, 0, 0, 4, 100])),
                silent_for=(0, 0, 60, 10_000, None)[draw.integers(5)],
                exposed_requests=int(draw.choice([0, 0, 100, 5000])),
                preconditions=(FITS, FITS, None, Preconditions())[draw.integers(4)],
                now=rollout.now - timedelta(hours=int(draw.choice([0, 0, 0, 0, 30]))),
            )
        elif what < 0.92:
            rollout.pause()
        elif what < 0.96:
            rollout.resume()
        elif what < 0.98:
            rollout.sign(int(draw.integers(2)), Act.PROMOTE, int(draw.choice([-9000, 9000])), "v3")
        elif what < 0.99:
            rollout.supersede()
        else:
            rollout.abort()
    return rollout


def walked(histories: int) -> Counter[Stage]:
    reached: Counter[Stage] = Counter()
    for seed in range(histories):
        reached.update(set(history(seed).seen))
    return reached


def test_random_histories_keep_every_invariant_and_reach_every_stage() -> None:
    assert set(walked(100)) == set(Stage), "else nothing is said about the others"


@pytest.mark.slow
def test_ten_thousand_histories_keep_every_invariant() -> None:
    count = int(os.environ.get("COUNTENANCE_HISTORIES", "10000"))
    reached = walked(count)
    print(f"\n{count} histories of the machine: {dict(sorted(reached.items()))}")
    assert reached[Stage.PROMOTED] > count / 50 and reached[Stage.ROLLED_BACK] > count / 50
