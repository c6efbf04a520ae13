"""Random histories over the real store: kills between any two writes, two controllers, wrong clocks, no registry."""

from __future__ import annotations

import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule

from countenance.rollout.approvals import Act
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore

from .machine_model import BEN, MEASURED, WELL
from .scenes import ANNA
from .store_model import FORGER, POLICIES, World

IF_ACTIVE = ("refuse", "queue", "supersede")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    yield made(tmp_path_factory.mktemp("template") / "rollouts.db")


def made(path: Path) -> Path:
    """An empty store; every history begins with a copy of it."""
    RolloutStore.open(f"sqlite:///{path}").close()
    return path


class AnyHistory(RuleBasedStateMachine):
    """Hypothesis picks the events and shrinks what breaks an invariant."""

    folder = Path(tempfile.gettempdir())

    def __init__(self) -> None:
        super().__init__()
        self.place = tempfile.TemporaryDirectory()
        self.world = World(Path(self.place.name), AnyHistory.template)

    def teardown(self) -> None:
        self.world.close()
        self.place.cleanup()

    @rule(policy=st.integers(0, len(POLICIES) - 1), if_active=st.sampled_from(IF_ACTIVE))
    def start(self, policy: int, if_active: str) -> None:
        self.world.happen(lambda: self.world.start(POLICIES[policy], if_active), whole=True)  # type: ignore[arg-type]

    @rule()
    def start_next(self) -> None:
        self.world.happen(self.world.start_next, whole=True)

    @rule(which=st.integers(0, 1), found=st.integers(0, len(MEASURED) - 1), errors=st.sampled_from([0, 0, 0, 100]))
    def work(self, which: int, found: int, errors: int) -> None:
        self.world.happen(lambda: self.world.work(which, MEASURED[found], errors=errors))

    @rule(which=st.integers(0, 1), calls=st.integers(1, 4))
    def work_a_little(self, which: int, calls: int) -> None:
        self.world.happen(lambda: self.world.work(which, WELL, calls=calls))

    @rule(which=st.integers(0, 1), calls=st.integers(2, 6), act=st.sampled_from([Act.PAUSE, Act.RESUME, Act.ABORT]))
    def race(self, which: int, calls: int, act: Act) -> None:
        race(self.world, which, calls, act)

    @rule()
    def send_again(self) -> None:
        self.world.happen(self.world.send_again, whole=True)

    @rule(which=st.integers(0, 1))
    def work_on_what_it_knew(self, which: int) -> None:
        self.world.happen(lambda: self.world.work_on_what_it_knew(which, WELL))

    @rule()
    def work_and_sign(self) -> None:
        """The good way, so that histories get far."""
        good_turn(self.world, 0)

    @rule(key=st.sampled_from([ANNA, BEN, FORGER]), seconds=st.sampled_from([0, 0, -9000, 9000]))
    def sign(self, key: object, seconds: float) -> None:
        self.world.happen(lambda: self.world.sign(key, seconds=seconds), whole=True)  # type: ignore[arg-type]

    @rule(act=st.sampled_from([Act.PAUSE, Act.RESUME, Act.PROMOTE]), key=st.sampled_from([ANNA, FORGER]))
    def command(self, act: Act, key: object) -> None:
        self.world.happen(lambda: self.world.command(act, key), whole=True)  # type: ignore[arg-type]

    @rule()
    def abort(self) -> None:
        self.world.happen(self.world.abort)

    @rule()
    def roll_back(self) -> None:
        self.world.happen(self.world.roll_back, whole=True)

    @rule()
    def replace_champion(self) -> None:
        self.world.happen(self.world.replace_champion, whole=True)

    @rule(seconds=st.sampled_from([1, 400, 4000, 200_000, -10, -4000]))
    def shift_the_clock(self, seconds: int) -> None:
        self.world.clock.shift(seconds)

    @rule(after=st.integers(0, 40))
    def kill(self, after: int) -> None:
        self.world.kill.after = after

    @rule(away=st.booleans())
    def registry_away(self, away: bool) -> None:
        self.world.registry.away = away

    @rule(alias=st.sampled_from(["champion", "canary", "previous"]))
    def edit_by_hand(self, alias: str) -> None:
        self.world.edit_by_hand(alias)

    @rule()
    def reconcile(self) -> None:
        self.world.happen(self.world.reconcile)


def test_any_history_keeps_the_store_whole(template: Path) -> None:
    from hypothesis.stateful import run_state_machine_as_test

    AnyHistory.template = template
    run_state_machine_as_test(AnyHistory, settings=settings(max_examples=15, stateful_step_count=12, deadline=None))


def good_turn(world: World, which: int) -> None:
    world.clock.shift(400)  # beyond any lease
    world.happen(lambda: world.work(which, WELL))
    for key in (FORGER, ANNA, BEN):
        world.happen(lambda key=key: world.sign(key), whole=True)
        world.happen(world.send_again, whole=True)
    world.clock.shift(400)
    world.happen(lambda: world.work(which, WELL))


def race(world: World, which: int, calls: int, act: Act) -> None:
    """An operator acts while a controller is between two calls; then it goes on as if nothing had happened."""
    world.clock.shift(400)
    world.happen(lambda: world.work(which, WELL, calls=calls))
    world.happen(lambda: world.command(act), whole=True)
    world.happen(lambda: world.work(which, WELL))


def history(seed: int, folder: Path, template: Path, events: int = 22) -> World:
    """A history of random events over a store of its own; one number gives it all."""
    draw = np.random.default_rng(seed)
    world = World(folder, template)
    policy = POLICIES[seed % len(POLICIES)]
    world.happen(lambda: world.start(policy, "refuse"), whole=True)
    happenings = {
        "good": lambda: good_turn(world, int(draw.integers(2))),
        "work": lambda: world.happen(
            lambda: world.work(
                int(draw.integers(2)), MEASURED[draw.integers(len(MEASURED))], errors=int(draw.choice([0, 0, 100]))
            )
        ),
        "a little": lambda: world.happen(
            lambda: world.work(int(draw.integers(2)), WELL, calls=int(draw.integers(1, 5)))
        ),
        "race": lambda: race(
            world, int(draw.integers(2)), int(draw.integers(2, 7)), (Act.PAUSE, Act.RESUME, Act.ABORT)[draw.integers(3)]
        ),
        "again": lambda: world.happen(world.send_again, whole=True),
        "old": lambda: world.happen(lambda: world.work_on_what_it_knew(int(draw.integers(2)), WELL)),
        "start": lambda: world.happen(lambda: world.start(policy, IF_ACTIVE[draw.integers(3)]), whole=True),  # type: ignore[arg-type]
        "next": lambda: world.happen(world.start_next, whole=True),
        "sign": lambda: world.happen(
            lambda: world.sign((ANNA, BEN, FORGER)[draw.integers(3)], seconds=float(draw.choice([0, 0, -9000, 9000]))),
            whole=True,
        ),
        "pause": lambda: world.happen(lambda: world.command(Act.PAUSE), whole=True),
        "resume": lambda: world.happen(lambda: world.command(Act.RESUME), whole=True),
        "abort": lambda: world.happen(world.abort),
        "roll back": lambda: world.happen(world.roll_back, whole=True),
        "replace": lambda: world.happen(world.replace_champion, whole=True),
        "clock": lambda: world.clock.shift(float(draw.choice([1, 400, 4000, 4000, 200_000, -10, -4000]))),
        "kill": lambda: setattr(world.kill, "after", int(draw.integers(0, 60))),
        "away": lambda: setattr(world.registry, "away", bool(draw.integers(2))),
        "edit": lambda: world.edit_by_hand(("champion", "canary", "previous")[draw.integers(3)]),
        "reconcile": lambda: world.happen(world.reconcile),
    }
    weights = {
        "good": 7,
        "work": 2,
        "a little": 2,
        "race": 3,
        "old": 2,
        "start": 2,
        "kill": 4,
        "reconcile": 2,
        "resume": 2,
    }
    names = list(happenings)
    chances = np.array([weights.get(name, 1.0) for name in names])
    for name in draw.choice(names, size=events, p=chances / chances.sum()):
        happenings[str(name)]()
    world.close()
    return world


def walked(seeds: range, folder: Path, template: Path) -> tuple[Counter[str], Counter[Stage]]:
    counted: Counter[str] = Counter()
    reached: Counter[Stage] = Counter()
    for seed in seeds:
        place = folder / str(seed)
        place.mkdir()
        world = history(seed, place, template)
        counted.update(
            events=world.shadow.read,
            kills=world.kills,
            refusals=world.refusals,
            promotions=world.shadow.promotions,
        )
        reached.update(world.shadow.reached)
        for file in place.iterdir():
            file.unlink()
    return counted, reached


def test_seeded_histories_keep_the_store_whole(tmp_path: Path, template: Path) -> None:
    counted, reached = walked(range(10), tmp_path, template)
    assert counted["kills"] and counted["refusals"] and counted["promotions"] and reached[Stage.ROLLED_BACK]


@pytest.mark.slow
def test_many_histories_keep_the_store_whole(tmp_path: Path, template: Path) -> None:
    count = int(os.environ.get("COUNTENANCE_HISTORIES", "300"))
    first = int(os.environ.get("COUNTENANCE_FIRST_HISTORY", "0"))
    counted, reached = walked(range(first, first + count), tmp_path, template)
    print(f"\n{count} histories of the store from {first}: {dict(counted)}; reached {dict(sorted(reached.items()))}")
    assert counted["kills"] >= count / 4 and counted["promotions"] >= count / 10
    assert min(reached[stage] for stage in (Stage.ROLLED_BACK, Stage.ABORTED, Stage.SUPERSEDED)) >= count / 10
