"""Planes beside a real store: what they are told, how soon, and what they do when news stop."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from countenance.errors import RolloutError
from countenance.rollout.approvals import Act
from countenance.rollout.planes.embedded import EmbeddedPlane
from countenance.rollout.planes.file import FileSource, SnapshotFile
from countenance.rollout.planes.source import Follower, Pulse, StoreSource, snapshot_of
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.reader import RolloutReader
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore

from ..scenes import LATER, NOON, OFFLINE, REGISTRATION, SALT, bootstrapped, led_to, policy, promoted, signed, step
from .places import Clock

THRESHOLDS = {"v1": 0.4, "v2": 0.55, "v3": 0.6}


def threshold(release: str) -> float:
    return THRESHOLDS[release]


@pytest.fixture
def plane() -> EmbeddedPlane:
    return EmbeddedPlane("countenance", SALT)


@pytest.fixture
def follower(store: RolloutStore, plane: EmbeddedPlane) -> Iterator[Follower]:
    following = Follower(StoreSource(store, threshold), [plane])
    yield following
    following.stop()


def eventually(happens: Callable[[], bool], seconds: float = 5.0) -> float:
    began = time.monotonic()
    while not happens():
        assert time.monotonic() - began < seconds, "it never happened"
        time.sleep(0.001)
    return time.monotonic() - began


def test_the_store_before_its_first_champion_routes_nothing(store: RolloutStore) -> None:
    with pytest.raises(RolloutError, match="no champion to route to"):
        snapshot_of(store.standing(), threshold)


def test_what_planes_are_told_at_every_stage(store: RolloutStore) -> None:
    bootstrapped(store)
    told = snapshot_of(store.standing(), threshold)
    assert (told.champion, told.candidate, dict(told.thresholds)) == ("v1", None, {"v1": 0.4})
    led_to(store, Stage.SHADOW)
    told = snapshot_of(store.standing(), threshold)
    assert (told.candidate, told.share, told.shadow, told.stage_key) == ("v2", 0.0, True, "shadow")
    assert dict(told.thresholds) == {"v1": 0.4, "v2": 0.55}
    assert told.head == store.events()[-1].hash
    assert told.epoch == store.events()[-1].sequence


def test_a_candidate_that_is_still_validated_is_not_on_the_plane(store: RolloutStore) -> None:
    bootstrapped(store)
    led_to(store, Stage.VALIDATING)
    assert snapshot_of(store.standing(), threshold).candidate is None


def test_a_paused_canary_keeps_its_share(store: RolloutStore) -> None:
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    store.command(signed(Act.PAUSE, "v2", LATER), now=LATER)
    told = snapshot_of(store.standing(), threshold)
    assert (told.candidate, told.share, told.stage_key) == ("v2", 0.05, "canary:1")


def test_where_arms_are_compared_nothing_is_scored_beside_once_the_canary_runs(store: RolloutStore) -> None:
    bootstrapped(store)
    led_to(store, Stage.CANARY, canary_comparison="arms")
    assert not snapshot_of(store.standing(), threshold).shadow


def test_the_policy_says_who_stays_with_one_release(store: RolloutStore) -> None:
    bootstrapped(store)
    led_to(store, Stage.SHADOW, route_by="site")
    assert snapshot_of(store.standing(), threshold).route_by == "site"


def test_epochs_grow_with_every_move_also_when_a_rollout_ends(store: RolloutStore) -> None:
    bootstrapped(store)
    epochs = [snapshot_of(store.standing(), threshold).epoch]
    led_to(store, Stage.CANARY)
    epochs.append(snapshot_of(store.standing(), threshold).epoch)
    store.command(signed(Act.ABORT, "v2", LATER), now=LATER)
    epochs.append(snapshot_of(store.standing(), threshold).epoch)
    promoted(store, "v3")
    epochs.append(snapshot_of(store.standing(), threshold).epoch)
    assert epochs == sorted(set(epochs))


def test_a_missing_threshold_is_no_route(store: RolloutStore) -> None:
    bootstrapped(store, "w1")
    with pytest.raises(KeyError):
        snapshot_of(store.standing(), threshold)


def test_a_threshold_travels_with_the_version(store: RolloutStore) -> None:
    store.bootstrap(
        "v1",
        registration=REGISTRATION,
        offline=OFFLINE,
        approval=signed(Act.BOOTSTRAP, "v1"),
        preconditions=Preconditions(threshold=0.41),
        now=NOON,
    )
    known = Preconditions(embedding_space="s", threshold=0.57, re_enrolled=True)
    record = store.start("v2", policy(), evidence_key="key", now=NOON, preconditions=known)
    while record.state.stage is not Stage.SHADOW:
        record = step(store, record)
    snapshot, age = StoreSource(store).read()
    assert dict(snapshot.thresholds) == {"v1": 0.41, "v2": 0.57} and age == timedelta(0)


def test_a_release_whose_threshold_nobody_recorded_is_not_routed_to(store: RolloutStore) -> None:
    bootstrapped(store)
    with pytest.raises(RolloutError, match="threshold of 'v1' is not recorded"):
        StoreSource(store).read()


def test_an_abort_reaches_the_plane_at_once(store: RolloutStore, plane: EmbeddedPlane, follower: Follower) -> None:
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    follower.look()
    assert plane.current().share == 0.05
    store.listen(follower.poke)
    follower.start()
    store.command(signed(Act.ABORT, "v2", LATER), now=LATER)
    assert eventually(lambda: plane.current().candidate is None) < 1.0


def test_a_plane_of_another_connection_hears_by_itself(
    any_store: RolloutStore, any_url: str, plane: EmbeddedPlane
) -> None:
    store = any_store
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    with RolloutReader.open(any_url) as reader, Follower(StoreSource(reader, threshold), [plane]):
        eventually(lambda: plane.heartbeat() is not None and plane.current().share == 0.05)
        store.command(signed(Act.ABORT, "v2", LATER), now=LATER)
        assert eventually(lambda: plane.current().candidate is None) < 1.0


def test_a_rollback_of_the_champion_reaches_the_plane(
    store: RolloutStore, plane: EmbeddedPlane, follower: Follower
) -> None:
    bootstrapped(store)
    promoted(store, "v2")
    follower.look()
    assert plane.current().champion == "v2"
    store.roll_back(LATER, signed(Act.ROLL_BACK, "v2", LATER))
    follower.look()
    assert plane.current().champion == "v1"


def test_nothing_is_read_again_while_nothing_moves(store: RolloutStore, plane: EmbeddedPlane) -> None:
    bootstrapped(store)
    source = StoreSource(store, threshold)
    following = Follower(source, [plane], refresh=3600)
    following.look()
    before = plane.current()
    following.look()
    assert plane.current() is before
    led_to(store, Stage.SHADOW)
    following.look()
    assert plane.current().candidate == "v2"


def test_a_snapshot_is_renewed_before_it_runs_out_though_nothing_moves(store: RolloutStore) -> None:
    clock = Clock()
    plane = EmbeddedPlane("countenance", SALT, clock=clock)
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    following = Follower(StoreSource(store, threshold, ttl=timedelta(seconds=60)), [plane], refresh=0.0)
    for _ in range(5):
        following.look()
        clock.wait(50)
        assert not plane.expired()
    clock.wait(10)
    assert plane.expired()


def test_a_plane_that_refuses_a_snapshot_keeps_no_other_from_it(store: RolloutStore, plane: EmbeddedPlane) -> None:
    bootstrapped(store)
    ahead = EmbeddedPlane("countenance", SALT)
    told, _ = StoreSource(store, threshold).read()
    ahead.apply(replace(told, epoch=told.epoch + 10))
    with pytest.raises(RolloutError, match="is older than the plane's"):
        Follower(StoreSource(store, threshold), [ahead, plane]).look()
    assert plane.current().epoch == told.epoch


def test_a_pulse_ends_at_once_though_it_beats_seldom(plane: EmbeddedPlane) -> None:
    for _ in range(20):
        pulse = Pulse(plane, lambda _: None, every=30.0)
        pulse.start()
        began = time.monotonic()
        pulse.stop()
        assert time.monotonic() - began < 5.0


def test_a_follower_ends_cleanly_and_can_begin_again(store: RolloutStore, follower: Follower) -> None:
    bootstrapped(store)
    before = threading.active_count()
    for _ in range(3):
        follower.start()
        follower.start()
        assert follower.alive() and threading.active_count() == before + 1
        follower.stop()
        assert not follower.alive() and threading.active_count() == before
    follower.stop()


def test_a_store_that_is_away_is_told_and_asked_again(tmp_path: Path, plane: EmbeddedPlane) -> None:
    path = tmp_path / "gate.json"
    with Follower(FileSource(path), [plane], refresh=0.01) as following:
        eventually(lambda: following.problem() is not None)
        assert "cannot be read" in str(following.problem())
        assert plane.heartbeat() is None and following.alive()
        from .places import snapshot

        SnapshotFile(path).write(snapshot(model="countenance"))
        following.poke()
        eventually(lambda: plane.heartbeat() == 7)
        eventually(lambda: following.problem() is None)


def test_a_fault_ends_the_thread_and_is_told() -> None:
    class Faulty:
        def mark(self) -> int:
            raise ZeroDivisionError

        def read(self) -> None:
            raise NotImplementedError

    following = Follower(Faulty(), [])  # type: ignore[arg-type]
    hook, threading.excepthook = threading.excepthook, lambda _: None
    try:
        following.start()
        eventually(lambda: not following.alive())
    finally:
        threading.excepthook = hook
        following.stop()
    assert "ZeroDivisionError" in str(following.problem())


@pytest.mark.parametrize("every", [0.0, -1.0, 0.051, float("nan")])
def test_a_follower_that_would_look_too_seldom_is_refused(every: float) -> None:
    with pytest.raises(RolloutError, match=r"at most 0\.05"):
        Follower(StoreSource.__new__(StoreSource), [], every=every)


def test_a_plane_gives_signs_of_life_with_the_epoch_it_routes_by(
    store: RolloutStore, plane: EmbeddedPlane, follower: Follower
) -> None:
    bootstrapped(store)
    pulse = Pulse(plane, lambda epoch: store.beat(epoch=epoch), every=0.01)
    pulse.tell()
    assert store.heartbeat() is None
    follower.look()
    with pulse:
        eventually(lambda: store.heartbeat() is not None)
    beat = store.heartbeat()
    assert beat is not None and beat.epoch == plane.heartbeat()


CONTROLLER = """
import sys, time
from datetime import timedelta
from countenance.rollout.store import RolloutStore
store = RolloutStore.open(sys.argv[1])
while True:
    store.lease("controller", timedelta(seconds=0.5))
    print("alive", flush=True)
    time.sleep(0.05)
"""


def test_a_controller_that_is_killed_leaves_the_champion_to_answer_after_the_lifetime(
    store: RolloutStore, url: str
) -> None:
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    plane = EmbeddedPlane("countenance", SALT)
    process = subprocess.Popen(
        [sys.executable, "-c", CONTROLLER, url],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path.cwd())},
    )
    try:
        assert process.stdout is not None and process.stdout.readline() == b"alive\n"
        source = StoreSource(store, threshold, ttl=timedelta(seconds=1.5))
        with Follower(source, [plane], refresh=0.05):
            eventually(lambda: plane.heartbeat() is not None)
            time.sleep(0.5)
            assert plane.current().candidate == "v2"  # it lives: its candidate is answered by
            process.send_signal(signal.SIGKILL)
            process.wait()
            time.sleep(0.5)
            assert plane.current().candidate == "v2"  # the last snapshot holds on
            waited = eventually(lambda: plane.current().candidate is None)
            assert 0.4 < waited < 3.0
            assert plane.expired() and plane.route(subject="anybody").release == "v1"
    finally:
        process.kill()
        process.wait()


def test_a_plane_whose_store_is_gone_keeps_its_snapshot_until_the_lifetime_is_over(
    store: RolloutStore, plane: EmbeddedPlane, follower: Follower
) -> None:
    clock = Clock()
    alone = EmbeddedPlane("countenance", SALT, clock=clock)
    bootstrapped(store)
    led_to(store, Stage.CANARY)
    Follower(StoreSource(store, threshold, ttl=timedelta(seconds=60)), [alone]).look()
    clock.wait(59)
    assert alone.current().candidate == "v2"
    clock.wait(1)
    assert alone.current().candidate is None
