"""One whole rollout that can be taken up wherever it was cut off, and processes that are killed within it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from countenance.rollout.actions import RollBack
from countenance.rollout.advance import advance
from countenance.rollout.approvals import Act
from countenance.rollout.lease import Lease
from countenance.rollout.records import Look, RolloutRecord
from countenance.rollout.state import Evidence, Stage
from countenance.rollout.store import RolloutStore
from countenance.rollout.verdict import judge

from .scenes import ANNA, LATER, OFFLINE, REGISTRATION, bootstrapped, good_evidence, policy, signed, started

SENTENCE = "The gates say so."
FILE = "v2/report.json"


def play(url: str, world: Path, at: datetime, watched: Callable[[Engine], None] | None = None) -> None:
    """Lead v2 from its start to promotion while v3 waits, then stop v3, and tell the world; go on where it stands.

    Args:
        url: of the store.
        world: a file with a line for every job of the outbox that was carried out.
        at: the moment of all that is decided in this run.
        watched: is handed the engine first.
    """
    with RolloutStore.open(url, keys=[ANNA]) as store:
        if watched is not None:
            watched(store._engine)
        if store.champion() is None:
            bootstrapped(store)
        if store.rollout_of("v2") is None:
            started(store)
        lease = store.lease(f"process {os.getpid()}", timedelta(minutes=1), now=at)
        if not store.queued() and store.rollout_of("v3") is None:
            store.start("v3", policy(), evidence_key="key", now=at, if_active="queue")
        second = store.rollout_of("v2")
        while second is not None and not second.state.stage.ended:
            second = _further(store, second, lease, at)
        assert second is not None
        if not store.attachments(second.id):
            store.attach(second, FILE, "ab" * 32, 64, now=at)
        store.start_next(at, key_for=lambda queued, champion: f"{queued.release} against {champion}")
        active = store.active()
        if active is not None:
            store.command(signed(Act.ABORT, "v3", at), now=at)
        for job in store.pending_outbox(None):
            with world.open("a") as lines:
                lines.write(f"{job.id} {job.kind}\n")
            store.mark_done(job.id, now=at)
        store.release_lease(lease, now=at)


def _further(store: RolloutStore, record: RolloutRecord, lease: Lease, at: datetime) -> RolloutRecord:
    """One look if the stage has none, one signature if it is waited for, one move."""
    assert record.policy is not None
    state, found, newest = record.state, good_evidence(), store.latest_look(record.id)
    if state.base in (Stage.SHADOW, Stage.CANARY, Stage.BAKING) and (
        newest is None or newest.stage_key != state.stage_key
    ):
        number = 1 if newest is None else newest.number + 1
        verdict = judge(found, record.policy).summary()
        look = Look(
            number=number, at=at, stage=state.stage, stage_key=state.stage_key, share=state.share, measured=found,
            verdict=verdict,
        )  # fmt: skip
        store.observe(record, look, cursor=f'{{"label":{number}}}', token=lease.token)
        newest = store.latest_look(record.id)
    if state.awaited is not None and not any(each.act is state.awaited for each in store.approvals(record.id)):
        store.approve(signed(state.awaited, state.release, at), now=at)
    evidence = Evidence(
        measured=found, registration=REGISTRATION, offline=OFFLINE, approvals=store.approvals(record.id)
    )
    after, actions = advance(state, evidence, record.policy, at)
    assert not any(isinstance(action, RollBack) for action in actions), after.reason
    rests_on = None if newest is None else newest.hash
    return store.move(record, after, actions, now=at, measured=found, evidence_hash=rests_on, token=lease.token)


class Countdown:
    """Counts the writes of an engine (every changing statement, and each commit before and after) and dies at one."""

    def __init__(self, dies_at: int | None = None):
        self.count = 0
        self._dies_at = dies_at
        self._wrote = False

    def __call__(self, engine: Engine) -> None:
        event.listen(engine, "before_cursor_execute", self._statement)
        commit = engine.dialect.do_commit

        def committed(connection: Any) -> None:
            if self._wrote:
                self._tick()
            commit(connection)
            if self._wrote:
                self._tick()
            self._wrote = False

        engine.dialect.do_commit = committed  # type: ignore[method-assign]

    def _statement(self, connection: Any, cursor: Any, text: str, *_: object) -> None:
        if text.startswith(("INSERT", "UPDATE", "DELETE")):
            self._wrote = True
            self._tick()

    def _tick(self) -> None:
        self.count += 1
        if self.count == self._dies_at:
            os.kill(os.getpid(), signal.SIGKILL)


def killed_at(number: int, url: str, world: Path) -> bool:
    """Play in a process that is killed (SIGKILL) at its write ``number``; False when it came to its end before."""
    child = os.fork()
    if child == 0:
        try:
            play(url, world, LATER, Countdown(number))
            os._exit(0)
        finally:
            os._exit(70)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0, "the rollout failed before it was killed"
    return False
