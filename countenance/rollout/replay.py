"""Replay: one candidate against the champion over logged traffic, through the same machine and the same store."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from countenance.errors import RolloutError
from countenance.rollout.advance import advance
from countenance.rollout.approvals import Approval, OperatorKey
from countenance.rollout.attaching import attach_files
from countenance.rollout.batch import CANDIDATE, CHAMPION, EvidenceBatch, LabelledBatch, Served
from countenance.rollout.evidence import EvidenceState, evidence_key
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.records import DecisionBatch, Look, RolloutRecord
from countenance.rollout.state import Evidence, Gate, RolloutState
from countenance.rollout.store import RolloutStore
from countenance.rollout.story import ErrorCosts, OperatingLoad, RolloutStory, recorded_story
from countenance.rollout.tape import as_datetime, as_moment, between, record_tape
from countenance.rollout.traffic import TrafficLog
from countenance.rollout.verdict import judge

_LOOKS_AFTER_THE_LOG = 24


@dataclass(frozen=True, kw_only=True)
class DutyOperator:
    """Stands in, within a replay, for the person who signs: with this key, this long after being asked."""

    key: OperatorKey
    answers_after: timedelta = timedelta(0)

    def answer(self, state: RolloutState, signed: tuple[Approval, ...], now: datetime) -> Approval | None:
        """A signature for what ``state`` waits for, once it is time and none was given; else None."""
        if state.awaited is None or now < state.entered_at + self.answers_after:
            return None
        if any(approval.act is state.awaited and approval.at >= state.entered_at for approval in signed):
            return None
        return self.key.sign(state.awaited, subject=state.release, at=now, reason="The evidence was read and stands.")


def replay(
    store: RolloutStore,
    log: TrafficLog,
    *,
    candidate: str,
    policy: RolloutPolicy,
    registration: tuple[Gate, ...],
    offline: tuple[Gate, ...],
    salt: bytes,
    preconditions: Preconditions | None = None,
    files: Mapping[str, Path] | None = None,
    operator: DutyOperator | None = None,
    costs: ErrorCosts | None = None,
    load: OperatingLoad | None = None,
    look_every: int = 200,
    supersede: bool = False,
) -> RolloutStory:
    """Roll ``candidate`` out over ``log``; the clock is the log's.

    A look is taken every ``look_every`` requests and, when the log is over, 24 times until the deadline, so a replay
    always reaches a verdict. A candidate whose rollout ended is not replayed: its recorded story is
    returned. One that was cut off goes on after its last recorded look.

    Args:
        store: holds the champion; takes every look and move.
        log: scored by the candidate and the champion.
        candidate: the release id.
        policy: what to run under.
        registration, offline: the candidate's gates.
        salt: the model's routing salt.
        preconditions: what is known of the embedding spaces; None where the policy does not ask.
        files: evidence files by name, whose hashes are kept with the rollout.
        operator: signs where the policy asks; None: nobody does.
        costs, load: price the story.
        look_every: requests between looks.
        supersede: end another candidate's rollout that is still active.

    Raises:
        RolloutError: when there is no champion, the log holds a group that the policy does not guard, or
            the candidate's models, thresholds or policy changed in mid-rollout.
        DataError: when the log has no scores of one of the two.
    """
    if look_every < 1:
        raise RolloutError(f"A look every {look_every} requests is not possible: give 1 or more.")
    record = store.rollout_of(candidate)
    if record is None or not record.state.stage.ended:
        _refuse_unguarded(log, policy)
        record = record or _started(store, log, candidate, policy, supersede)
        _refuse_change(record, log, policy)
        attach_files(store, record, files or {}, now=record.state.started_at)
        evidence = Evidence(
            measured=EvidenceState(key=record.state.evidence_key),
            registration=registration,
            offline=offline,
            preconditions=preconditions,
        )
        _Replay(store, log, record, policy, evidence, salt, operator).run(look_every)
    return recorded_story(store, candidate, costs=costs, load=load)


def _started(
    store: RolloutStore, log: TrafficLog, candidate: str, policy: RolloutPolicy, supersede: bool
) -> RolloutRecord:
    champion = store.champion()
    if champion is None:
        raise RolloutError(f"There is no champion to compare '{candidate}' with: bootstrap one first.")
    for release in (candidate, champion):
        log.decisions(release)  # refuses a release without scores before anything is written
    key = evidence_key(candidate, champion, log.thresholds, policy.policy_hash())
    now = log.frame["at"].iloc[0].to_pydatetime()
    return store.start(candidate, policy, evidence_key=key, now=now, supersede=supersede)


def _refuse_change(record: RolloutRecord, log: TrafficLog, policy: RolloutPolicy) -> None:
    state = record.state
    assert state.champion is not None
    if evidence_key(state.release, state.champion, log.thresholds, policy.policy_hash()) != state.evidence_key:
        raise RolloutError(
            f"The thresholds or the policy changed while '{state.release}' was rolled out: go on under those it was "
            "started with, or abort it and register a new release."
        )


def _refuse_unguarded(log: TrafficLog, policy: RolloutPolicy) -> None:
    unguarded = set(log.frame["group"].dropna().unique()) - set(policy.guarded_groups)
    if policy.guarded_groups and unguarded:
        raise RolloutError(
            f"The traffic log holds group '{min(unguarded)}', which the policy does not guard: "
            "add it to guarded_groups."
        )


class _Replay:
    """One replay under way: the tape, what was seen so far, and the stored rollout."""

    def __init__(
        self,
        store: RolloutStore,
        log: TrafficLog,
        record: RolloutRecord,
        policy: RolloutPolicy,
        evidence: Evidence,
        salt: bytes,
        operator: DutyOperator | None,
    ):
        self._store, self._policy, self._operator = store, policy, operator
        self._record = record
        self._gates = evidence
        self._measured = evidence.measured
        assert record.state.champion is not None
        self._tape = record_tape(
            log, candidate=record.state.release, champion=record.state.champion, policy=policy, salt=salt
        )
        self._stage_of = np.full(len(self._tape.at), "", dtype=object)
        self._by_candidate = np.zeros(len(self._tape.at), dtype=np.bool_)
        self._people: set[int] = set()
        self._seen_until: np.datetime64 = np.datetime64(0, "us")
        self._number = 0

    def run(self, look_every: int) -> None:
        self._recall()
        if self._number == 0:
            self._settle(self._record.state.started_at)
        for moment in self._moments(look_every):
            if self._record.state.stage.ended:
                return
            self._look(moment)
            self._settle(as_datetime(moment))

    def _recall(self) -> None:
        """Take up a replay that was cut off: what was seen, and the decision that may still be missing."""
        looks = self._store.looks(self._record.id)
        for look in looks:
            self._arrive(as_moment(look.at), look.stage_key, look.share)
        if looks:
            self._number, self._measured = looks[-1].number, looks[-1].measured
            self._settle(looks[-1].at)

    def _moments(self, look_every: int) -> Iterator[np.datetime64]:
        at = self._tape.at
        regular = np.unique(np.append(at[look_every - 1 :: look_every], at[-1]))
        yield from regular[regular > self._seen_until]
        deadline = as_moment(self._record.state.deadline_at)
        step = (deadline - at[-1]) // _LOOKS_AFTER_THE_LOG
        after = [*(at[-1] + step * count for count in range(1, _LOOKS_AFTER_THE_LOG)), deadline]
        yield from (moment for moment in after if moment > self._seen_until)

    def _look(self, moment: np.datetime64) -> None:
        state, before = self._record.state, self._seen_until
        arrived, batches = self._arrive(moment, state.stage_key, state.share)
        self._measured = self._measured.folded(self._new_evidence(arrived, before, moment), self._policy)
        self._number += 1
        look = Look(
            number=self._number,
            at=as_datetime(moment),
            stage=state.stage,
            stage_key=state.stage_key,
            share=state.share,
            measured=self._measured,
            verdict=judge(self._measured, self._policy).summary(),
            batches=batches,
        )
        self._store.observe(self._record, look)

    def _new_evidence(self, arrived: slice, before: np.datetime64, moment: np.datetime64) -> EvidenceBatch:
        """What came in (before, moment]; ``arrived`` are its arrivals. A log knows no times and no failures."""
        tape, policy = self._tape, self._policy
        due = between(tape.due_at, before, moment)
        ready = tape.ready_order[between(tape.ready_at[tape.ready_order], before, moment)]
        by_candidate = self._by_candidate[arrived]
        served = {CANDIDATE: int(by_candidate.sum()), CHAMPION: int((~by_candidate).sum())}
        scores = np.zeros(0) if policy.drift is None else tape.score[ready][~tape.mated[ready]]
        return EvidenceBatch(
            labelled=LabelledBatch(
                candidate_wrong=tape.candidate_wrong[ready].astype(np.int8),
                champion_wrong=tape.champion_wrong[ready].astype(np.int8),
                by_candidate=self._by_candidate[ready],
                group=tape.group[ready],
                stage=self._stage_of[ready],
                mated=tape.mated[ready],
                weight=np.ones(len(ready)),
            ),
            scored=len(by_candidate),
            disagreed=int(tape.disagreed[arrived].sum()),
            due=due.stop - due.start,
            due_by_candidate=int(self._by_candidate[due].sum()),
            due_paired=int((~self._by_candidate[due]).sum()),
            due_disagreed=float(tape.disagreed[due].sum()),
            served={} if policy.latency else {name: Served(requests=count) for name, count in served.items()},
            tail_watched=len(scores),
            tail_above=0 if policy.drift is None else int((scores > policy.drift.tail_score).sum()),
        )

    def _arrive(self, moment: np.datetime64, stage_key: str, share: float) -> tuple[slice, tuple[DecisionBatch, ...]]:
        arrived = between(self._tape.at, self._seen_until, moment)
        self._stage_of[arrived] = stage_key
        self._seen_until = moment
        state = self._record.state
        assert state.champion is not None
        exposed = self._tape.position[arrived] < share
        self._by_candidate[arrived] = exposed
        answered = ((state.release, exposed), (state.champion, ~exposed))
        batches = tuple(self._batch(release, arrived, rows) for release, rows in answered if rows.any())
        self._people.update(self._tape.person[arrived][exposed].tolist())
        return arrived, batches

    def _batch(self, release: str, arrived: slice, rows: NDArray[np.bool_]) -> DecisionBatch:
        tape = self._tape
        at, mated, people = tape.at[arrived][rows], tape.mated[arrived][rows], tape.person[arrived][rows]
        by_candidate = release == self._record.state.release
        champion_wrong = tape.champion_wrong[arrived][rows]
        wrong = tape.candidate_wrong[arrived][rows] if by_candidate else champion_wrong
        return DecisionBatch(
            release=release,
            first_at=as_datetime(at[0]),
            last_at=as_datetime(at[-1]),
            requests=len(at),
            new_people=len(set(people.tolist()) - self._people) if by_candidate else 0,
            false_matches=int((wrong & ~mated).sum()),
            false_non_matches=int((wrong & mated).sum()),
            champion_false_matches=int((champion_wrong & ~mated).sum()),
            champion_false_non_matches=int((champion_wrong & mated).sum()),
        )

    def _settle(self, now: datetime) -> None:
        """Ask for decisions until none is left to take at this moment."""
        while True:
            record, signed = self._record, self._store.approvals(self._record.id)
            answer = self._operator.answer(record.state, signed, now) if self._operator else None
            if answer is not None:
                self._store.approve(answer, now=now)
                signed = (*signed, answer)
            exposed = int(self._by_candidate.sum())
            evidence = replace(self._gates, measured=self._measured, approvals=signed, exposed_requests=exposed)
            after, actions = advance(record.state, evidence, self._policy, now)
            if after == record.state:
                return
            self._record = self._store.move(record, after, actions, now=now, measured=self._measured)
