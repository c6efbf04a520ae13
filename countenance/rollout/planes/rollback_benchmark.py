"""How long a rollback takes: from the decision, through the store's commit, to planes that expose nobody."""

from __future__ import annotations

import multiprocessing
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from multiprocessing.connection import Connection
from statistics import median
from typing import Any, Final

from countenance.errors import RolloutError
from countenance.rollout.actions import SetShare
from countenance.rollout.approvals import Act, OperatorKey
from countenance.rollout.planes.embedded import EmbeddedPlane
from countenance.rollout.planes.plane import TrafficPlane
from countenance.rollout.planes.snapshot import RoutingSnapshot
from countenance.rollout.planes.source import Follower, StoreSource
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.state import Gate, Stage
from countenance.rollout.store import RolloutStore

IN_PROCESS: Final = "in process"
OTHER_PROCESS: Final = "another process"
_PATIENCE_S: Final = 60.0
_SHARE: Final = 0.25
_GATES: Final = (Gate(name="made up", passed=True, detail="a benchmark asks for none"),)


@dataclass(frozen=True, kw_only=True)
class RollbackSpeed:
    """What was measured, a value a repetition, in seconds.

    ``seconds``: by plane, from the decision to the moment at which the plane answers everybody with the champion.
    ``commits``: how long the store's transaction took of that.
    """

    database: str
    seconds: dict[str, tuple[float, ...]]
    commits: tuple[float, ...]

    def to_dict(self) -> dict[str, Any]:
        """All values and their median and maximum, as JSON values in milliseconds."""
        told = {**self.seconds, "commit": self.commits}
        return {
            "database": self.database,
            "repetitions": len(self.commits),
            "milliseconds": {
                name: {
                    "median": 1e3 * median(values),
                    "most": 1e3 * max(values),
                    "all": [1e3 * each for each in values],
                }
                for name, values in told.items()
            },
        }


def _milliseconds(seconds: tuple[float, ...]) -> dict[str, Any]:
    values = [1000 * each for each in seconds]
    return {"median": median(values), "most": max(values), "all": values}


def measure_rollback(url: str, *, repetitions: int, progress: Callable[[], None] = lambda: None) -> RollbackSpeed:
    """Abort so many canaries and time when planes in this process and in another one have heard of it.

    Args:
        url: of a rollout store; the benchmark's rollouts stay in it, under a model of their own.
        repetitions: how often.
        progress: called after each.

    Raises:
        RolloutError: when a plane has not heard of a move after a minute.
    """
    model = f"bench-rollback-{secrets.token_hex(6)}"
    key = OperatorKey("benchmark", secrets.token_bytes(32))
    seconds: dict[str, list[float]] = {IN_PROCESS: [], OTHER_PROCESS: []}
    commits = []
    with ExitStack() as stack:
        store = stack.enter_context(RolloutStore.open(url, model=model, keys=[key]))
        approval = key.sign(Act.BOOTSTRAP, subject="champion", at=store.now(), reason="A benchmark.")
        store.bootstrap("champion", registration=_GATES, offline=_GATES, approval=approval)
        here = stack.enter_context(_here(store, model))
        there = stack.enter_context(_there(url, model))
        for number in range(repetitions):
            release = f"candidate {number}"
            _expose(store, release)
            for ear in (here, there):
                ear.heard(exposed=True)
            time.sleep(secrets.randbelow(20) / 1000)  # so that no poll keeps time with us
            abort = key.sign(Act.ABORT, subject=release, at=store.now(), reason="A benchmark.")
            decided = time.perf_counter()
            store.command(abort)
            commits.append(time.perf_counter() - decided)
            seconds[IN_PROCESS].append(here.heard(exposed=False) - decided)
            seconds[OTHER_PROCESS].append(there.heard(exposed=False) - decided)
            progress()
    database = url.partition(":")[0].partition("+")[0]
    return RollbackSpeed(
        database=database, seconds={name: tuple(each) for name, each in seconds.items()}, commits=tuple(commits)
    )


def _expose(store: RolloutStore, release: str) -> None:
    record = store.start(release, RolloutPolicy(steps=(_SHARE,)), evidence_key="none")
    after = replace(record.state, stage=Stage.CANARY, share=_SHARE, entered_at=store.now(), reason="A benchmark.")
    store.move(record, after, (SetShare(release, _SHARE),))


class _Telling:
    """A plane that tells after every snapshot whether its requests may be answered by a candidate."""

    def __init__(self, plane: EmbeddedPlane, tell: Callable[[bool], None]):
        self._plane = plane
        self._tell = tell

    def apply(self, snapshot: RoutingSnapshot, *, age: timedelta = timedelta(0)) -> None:
        self._plane.apply(snapshot, age=age)
        self._tell(self._plane.current().share > 0)

    def heartbeat(self) -> int | None:
        return self._plane.heartbeat()


class _Ear:
    """Hears what a plane tells, and notes when that changes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._changed = threading.Condition()
        self._exposed: bool | None = None
        self._at = 0.0

    def hear(self, exposed: bool) -> None:
        now = time.perf_counter()
        with self._changed:
            if exposed != self._exposed:
                self._exposed, self._at = exposed, now
                self._changed.notify_all()

    def heard(self, *, exposed: bool) -> float:
        """Wait until the plane is so, and say since when."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._exposed is exposed, _PATIENCE_S):
                raise RolloutError(
                    f"The plane {self._name} has not heard of a move after {_PATIENCE_S:g} s: see its follower's log."
                )
            return self._at


def _plane(model: str, tell: Callable[[bool], None]) -> TrafficPlane:
    return _Telling(EmbeddedPlane(model, b"a benchmark's salt"), tell)


def _threshold(_: str) -> float:
    return 0.5


@contextmanager
def _here(store: RolloutStore, model: str) -> Iterator[_Ear]:
    ear = _Ear(IN_PROCESS)
    follower = Follower(StoreSource(store, _threshold), [_plane(model, ear.hear)])
    store.listen(follower.poke)
    with follower:
        yield ear


@contextmanager
def _there(url: str, model: str) -> Iterator[_Ear]:
    ear = _Ear(OTHER_PROCESS)
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=follow, args=(url, model, theirs), daemon=True)
    process.start()
    theirs.close()
    listener = threading.Thread(target=_listen, args=(ours, ear), daemon=True)
    listener.start()
    try:
        yield ear
    finally:
        ours.send(None)
        process.join(_PATIENCE_S)
        listener.join(_PATIENCE_S)
        ours.close()


def _listen(connection: Connection, ear: _Ear) -> None:
    try:
        while True:
            ear.hear(connection.recv())
    except EOFError:
        return  # the other process has ended


def follow(url: str, model: str, connection: Connection) -> None:
    """What the other process does: follow the store and tell of every snapshot, until it is told to end."""
    from countenance.rollout.reader import RolloutReader

    with (
        RolloutReader.open(url, model=model) as reader,
        Follower(StoreSource(reader, _threshold), [_plane(model, connection.send)]),
    ):
        connection.recv()
    connection.close()
