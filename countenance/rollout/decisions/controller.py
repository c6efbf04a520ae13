"""The controller: take the lease, fold what came, decide, move. Safe to run every minute, by anybody, at any time.

A step that is killed leaves either nothing or a whole look, or a whole move; the next one goes on from there.
"""

from __future__ import annotations

import os
import secrets
import socket
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from countenance.rollout.advance import advance, waits_for
from countenance.rollout.decisions.cursor import Cursor
from countenance.rollout.decisions.folding import ROWS_A_LOOK, Folded, fold
from countenance.rollout.decisions.papers import key_of_queued
from countenance.rollout.decisions.present import present_evidence
from countenance.rollout.decisions.report import StepReport
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.lease import Lease, LeaseTaken
from countenance.rollout.records import Look, RolloutRecord
from countenance.rollout.store import RolloutStore
from countenance.rollout.verdict import judge

LOOKS_A_STEP: Final = 4
"""A step that has more to fold leaves the rest to the next one, so that its time and memory are bounded."""

_MOVES_A_STEP: Final = 10


def step(
    store: RolloutStore,
    *,
    now: datetime | None = None,
    holder: str | None = None,
    ttl: timedelta = timedelta(minutes=2),
    re_enrolled: Collection[str] = (),
    rows: int = ROWS_A_LOOK,
) -> StepReport:
    """Take one step: fold what is new into evidence, decide until nothing is left to decide, start who waits.

    Args:
        store: opened with the keys of the operators whose signatures count.
        now: the moment, in a replay; None: the database's.
        holder: who takes the lease; None: a name made of host, process and chance.
        ttl: how long the lease lasts if this process is killed.
        re_enrolled: releases for whom the whole gallery was enrolled again.
        rows: the most that one look reads of each kind.

    Returns:
        What was done; where another controller holds the lease, that nothing was.

    Raises:
        RolloutError: when an operator moved the rollout in the same moment (the next step sees it), the database's
            clock went backwards, or the store was tampered with.
    """
    try:
        lease = store.lease(holder or _this_process(), ttl, now=now)
    except LeaseTaken as taken:
        at = now or store.now()
        return StepReport(model=store._model, at=at, champion=store.champion(), idle=f"Nothing was done: {taken}")
    try:
        return _Step(store, lease, now, tuple(re_enrolled), rows).run()
    finally:
        store.release_lease(lease, now=now)


@dataclass
class _Step:
    """One step under way. ``given`` is the replay's moment; None: the database's, read whenever it is asked for."""

    store: RolloutStore
    lease: Lease
    given: datetime | None
    re_enrolled: tuple[str, ...]
    rows: int
    moves: list[str] = field(default_factory=list)
    looks: int = 0

    def run(self) -> StepReport:
        record = self.store.active() or self._next()
        if record is None:
            return self._idle()
        look, behind = self._look(record)
        record, missing = self._settle(record, look)
        champion = self.store.champion()
        found = {"moves": tuple(self.moves), "waits_for": missing, "looks": self.looks, "behind": behind}
        return StepReport.of(record, self._now(), champion, **found)

    def _now(self) -> datetime:
        return self.given or self.store.now()

    def _next(self) -> RolloutRecord | None:
        record = self.store.start_next(
            self.given, key_for=lambda queued, champion: key_of_queued(self.store, queued, champion)
        )
        if record is not None:
            self.moves.append(record.state.reason)
        return record

    def _idle(self) -> StepReport:
        champion = self.store.champion()
        if champion is None:
            idle = "There is no champion yet: bootstrap a first release, which an operator signs."
        else:
            idle = f"Nothing runs: '{champion}' answers everybody."
        return StepReport(model=self.store._model, at=self._now(), champion=champion, idle=idle)

    def _look(self, record: RolloutRecord) -> tuple[Look | None, bool]:
        """Fold and keep look after look until nothing is left, or as many as a step takes."""
        look, behind = self.store.latest_look(record.id), True
        while behind and self.looks < LOOKS_A_STEP:
            now = self._now()
            cursor = Cursor.from_json(None if look is None else look.cursor)
            folded = fold(self.store, record, cursor, now, rows=self.rows)
            behind = folded.behind
            if not folded.anything:
                break
            look = self._kept(record, look, folded, now)
            self.looks += 1
        return look, behind

    def _kept(self, record: RolloutRecord, before: Look | None, folded: Folded, now: datetime) -> Look:
        state, policy = record.state, record.policy
        assert policy is not None
        measured = EvidenceState(key=state.evidence_key) if before is None else before.measured
        for batch in folded.batches:
            measured = measured.folded(batch, policy)
        look = Look(
            number=1 if before is None else before.number + 1,
            at=now,
            stage=state.stage,
            stage_key=state.stage_key,
            share=state.share,
            measured=measured,
            verdict=judge(measured, policy).summary(),
            batches=folded.answered,
            cursor=folded.cursor.to_json(),
        )
        link = self.store.observe(record, look, cursor=look.cursor, token=self.lease.token)
        return replace(look, hash=link)

    def _settle(self, record: RolloutRecord, look: Look | None) -> tuple[RolloutRecord, tuple[str, ...]]:
        """Ask for decisions until none is left to take; what the rollout then waits for."""
        policy = record.policy
        assert policy is not None
        for _ in range(_MOVES_A_STEP):
            now = self._now()
            evidence = present_evidence(self.store, record, now=now, look=look, re_enrolled=self.re_enrolled)
            after, actions = advance(record.state, evidence, policy, now)
            if after == record.state:
                return record, waits_for(after, evidence, policy, now)
            record = self.store.move(
                record,
                after,
                actions,
                now=self.given,
                measured=evidence.measured,
                cursor=None if look is None else look.cursor,
                evidence_hash=None if look is None else look.hash,
                token=self.lease.token,
            )
            self.moves.append(after.reason)
        return record, ()


def _this_process() -> str:
    return f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
