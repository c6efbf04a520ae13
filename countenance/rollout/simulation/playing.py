"""One rollout over traffic in memory: the same machine, evidence and verdict as over a store, without the store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from countenance.errors import RolloutError
from countenance.rollout.advance import advance
from countenance.rollout.approvals import Approval
from countenance.rollout.batch import CANDIDATE, CHAMPION, EvidenceBatch, LabelledBatch, Served
from countenance.rollout.decisions.batching import by_weight
from countenance.rollout.decisions.cursor import Spending
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.simulation.log import NOT_KNOWN, DecisionLog
from countenance.rollout.simulation.outcome import Conditions, Ending, Move, Outcome
from countenance.rollout.state import BreakerReading, Evidence, Gate, Stage, registered
from countenance.rollout.tape import as_datetime, as_moment, between
from countenance.rollout.verdict import judge

LOOKS_AFTER_THE_LOG: Final = 24
_GATES: Final = (Gate(name="simulated", passed=True, detail="a simulation begins where offline gates have passed"),)
_PRECONDITIONS: Final = Preconditions(embedding_space="simulated", re_enrolled=True, threshold=0.0)
_ENDINGS: Final[dict[Stage, Ending]] = {
    Stage.PROMOTED: "promoted",
    Stage.ROLLED_BACK: "stopped",
    Stage.ABORTED: "stopped",
}


def play(
    traffic: DecisionLog, policy: RolloutPolicy, positions: NDArray[np.float64], conditions: Conditions
) -> Outcome:
    """Roll the candidate out over ``traffic``; the clock is the traffic's.

    Offline gates and preconditions count as passed, the traffic plane as alive, and operators sign
    ``conditions.answers_after`` after they are asked. Looks are taken as in ``replay.replay``: every so many requests,
    and 24 times after the last one until the deadline.

    Args:
        traffic: what both models decided.
        policy: what to run under.
        positions: where each person (or site, as ``policy.route_by`` says) stands in [0, 1); the candidate answers
            those below its share.
        conditions: looks, operators and prices.

    Raises:
        RolloutError: the policy routes by site and the traffic has none, or guards what the log has no column for.
    """
    return _Play(traffic, policy, positions, conditions).run()


class _Play:
    """One rollout under way: arrays in order of arrival, what was seen, and where it stands."""

    def __init__(
        self, traffic: DecisionLog, policy: RolloutPolicy, positions: NDArray[np.float64], conditions: Conditions
    ) -> None:
        self._log, self._policy, self._conditions = traffic, policy, conditions
        self._routed = traffic.person if policy.route_by == "subject" else traffic.site
        if (self._routed < 0).any():
            raise RolloutError("The policy routes by site, and requests of the log have none: export them with 'site'.")
        self._position = positions[self._routed]
        self._tape = _Tape.of(traffic, policy)
        count = len(traffic)
        self._stage = np.full(count, "", dtype=object)
        self._by_candidate = np.zeros(count, dtype=np.bool_)
        self._split = np.zeros(count, dtype=np.bool_)
        self._spending = Spending()
        start = as_datetime(traffic.at[0])
        key = "simulation"
        self._state = registered(traffic.candidate, traffic.champion, key, now=start, deadline=policy.deadline)
        self._measured = EvidenceState(key=key)
        self._approvals: tuple[Approval, ...] = ()
        self._moves = [Move(hours=0.0, stage=str(self._state.stage), step=0, share=0.0)]
        self._until: np.datetime64 = np.datetime64(0, "us")
        self._arrived = self._discordant = self._exposed = 0

    def run(self) -> Outcome:
        self._settle(self._state.started_at)
        for moment in self._moments():
            if self._state.stage.ended:
                break
            self._look(moment)
            self._settle(as_datetime(moment))
        return self._outcome()

    def _moments(self) -> Iterator[np.datetime64]:
        at, every = self._log.at, self._conditions.look_every
        regular = np.unique(np.append(at[every - 1 :: every], at[-1]))
        yield from regular
        deadline = as_moment(self._state.deadline_at)
        step = (deadline - at[-1]) // LOOKS_AFTER_THE_LOG
        after = [*(at[-1] + step * count for count in range(1, LOOKS_AFTER_THE_LOG)), deadline]
        yield from (moment for moment in after if moment > at[-1])

    def _look(self, moment: np.datetime64) -> None:
        tape, state = self._tape, self._state
        arrived = between(self._log.at, self._until, moment)
        due = tape.due[between(tape.due_at, self._until, moment)]
        ready = tape.ready[between(tape.ready_at, self._until, moment)]
        self._until, self._arrived = moment, arrived.stop
        self._stage[arrived] = state.stage_key
        self._by_candidate[arrived] = by_candidate = self._position[arrived] < state.share
        # Between arms only the model that answers scores a request.
        self._split[arrived] = self._policy.canary_comparison == "arms" and state.share > 0
        self._exposed += int(by_candidate.sum())
        if arrived.start == arrived.stop and not len(due) and not len(ready):
            return
        labelled = self._labelled(ready)
        if self._policy.budget is not None:
            self._spending = self._spending.plus(labelled, self._policy.budget)
        self._discordant += int((labelled.paired & (labelled.candidate_wrong != labelled.champion_wrong)).sum())
        for batch in by_weight(self._counted(arrived, due, ready), labelled, self._policy):
            self._measured = self._measured.folded(batch, self._policy)

    def _counted(self, arrived: slice, due: NDArray[np.intp], ready: NDArray[np.intp]) -> EvidenceBatch:
        """What needs no label, and the watched tail of scores."""
        tape, log = self._tape, self._log
        both = tape.scored[arrived] & ~self._split[arrived]
        unanswered = self._by_candidate[due] & (log.candidate_match[due] < 0)
        differing = due[(tape.discordant[due] & ~self._split[due]) | unanswered]
        watched, above = tape.tail(ready, self._arrived, self._policy)
        return EvidenceBatch(
            scored=int(both.sum()),
            disagreed=int((both & tape.discordant[arrived]).sum()),
            shadow_dropped=int(log.shadow_dropped[arrived].sum()),
            due=len(due),
            due_by_candidate=int(self._by_candidate[due].sum()),
            due_paired=int((tape.scored[due] & ~self._split[due] & ~self._by_candidate[due]).sum()),
            due_disagreed=float(log.weight[differing].sum()),
            served=self._served(arrived),
            tail_watched=watched,
            tail_above=above,
        )

    def _labelled(self, ready: NDArray[np.intp]) -> LabelledBatch:
        tape, by_candidate, split = self._tape, self._by_candidate[ready], self._split[ready]
        unseen = np.int8(NOT_KNOWN)
        return LabelledBatch(
            candidate_wrong=np.where(split & ~by_candidate, unseen, tape.candidate_wrong[ready]),
            champion_wrong=np.where(split & by_candidate, unseen, tape.champion_wrong[ready]),
            by_candidate=by_candidate,
            group=tape.group[ready],
            stage=self._stage[ready],
            mated=tape.mated[ready],
            weight=self._log.weight[ready],
        )

    def _served(self, arrived: slice) -> dict[str, Served]:
        """What each model answered; where latency is guarded, a request without a time is no measurement."""
        by_candidate, guard, log = self._by_candidate[arrived], self._policy.latency, self._log
        served = {}
        for name, rows, wrong, times in (
            (CANDIDATE, by_candidate, log.candidate_failed, log.candidate_ms),
            (CHAMPION, ~by_candidate, log.champion_failed, log.champion_ms),
        ):
            failed, ms = wrong[arrived][rows], times[arrived][rows]
            untimed = np.isnan(ms)
            served[name] = Served(
                requests=len(failed) if guard is None else int((~untimed | failed).sum()),
                errors=int(failed.sum()),
                slow=0 if guard is None else int(np.where(untimed, failed, ms > guard.limit_ms).sum()),
            )
        return served

    def _settle(self, now: datetime) -> None:
        """Ask for decisions until none is left to take at this moment."""
        while True:
            self._sign(now)
            after, _ = advance(self._state, self._evidence(now), self._policy, now)
            if after == self._state:
                return
            self._state = after
            hours = (now - after.started_at) / timedelta(hours=1)
            self._moves.append(Move(hours=hours, stage=str(after.stage), step=after.step, share=after.share))

    def _sign(self, now: datetime) -> None:
        state = self._state
        if state.awaited is None or now < state.entered_at + self._conditions.answers_after:
            return
        if any(signed.act is state.awaited and signed.at >= state.entered_at for signed in self._approvals):
            return
        self._approvals += tuple(
            Approval(
                actor=f"operator {number + 1}",
                act=state.awaited,
                subject=state.release,
                at=now,
                reason="A simulated operator signs what is asked for.",
                signature="simulated",
            )
            for number in range(self._policy.approvers)
        )

    def _evidence(self, now: datetime) -> Evidence:
        return Evidence(
            measured=self._measured,
            registration=_GATES,
            offline=_GATES,
            approvals=self._approvals,
            breaker=self._breaker(now),
            heartbeat_at=now,
            spent=self._spending.excess(),
            exposed_requests=self._exposed,
            preconditions=_PRECONDITIONS,
        )

    def _breaker(self, now: datetime) -> BreakerReading:
        moment = as_moment(now)
        rows = between(self._log.at[: self._arrived], moment - np.timedelta64(self._policy.errors.window), moment)
        answered = self._by_candidate[rows]
        failed = self._log.candidate_failed[rows]
        return BreakerReading(requests=int(answered.sum()), errors=int((answered & failed).sum()))

    def _outcome(self) -> Outcome:
        state, conditions = self._state, self._conditions
        ending = _ENDINGS.get(state.stage, "undecided")
        exposed = np.flatnonzero(self._by_candidate[: self._arrived])
        wrong, money = self._lost(self._tape.candidate_wrong, exposed)
        champion_wrong, spared = self._lost(self._tape.champion_wrong, exposed)
        approvals, load = len(self._approvals), conditions.load
        ended = state.entered_at if ending != "undecided" else as_datetime(self._until)
        return Outcome(
            ending=ending,
            stage=str(state.stage),
            by_harm=ending == "stopped" and judge(self._measured, self._policy).harm() is not None,
            hours=(ended - state.started_at) / timedelta(hours=1),
            requests=self._arrived,
            exposed_requests=len(exposed),
            exposed_people=len(np.unique(self._routed[exposed])),
            wrong=wrong,
            champion_wrong=champion_wrong,
            money=money,
            money_beyond=money - spared,
            approvals=approvals,
            discordant=self._discordant,
            minutes=approvals * load.minutes_per_approval + self._discordant * load.minutes_per_discordant_pair,
            moves=tuple(self._moves),
        )

    def _lost(self, wrong: NDArray[np.int8], exposed: NDArray[np.intp]) -> tuple[int, float]:
        """How many of the exposed requests one model gets wrong, and their price."""
        rows, costs = exposed[wrong[exposed] == 1], self._conditions.costs
        strangers = int((~self._tape.mated[rows]).sum())
        return len(rows), strangers * costs.false_match + (len(rows) - strangers) * costs.false_non_match


@dataclass(frozen=True, eq=False, kw_only=True)
class _Tape:
    """The traffic under one policy, shape [N]; ``due`` and ``ready`` are rows by the moment they count."""

    due: NDArray[np.intp]
    due_at: NDArray[np.datetime64]
    ready: NDArray[np.intp]
    ready_at: NDArray[np.datetime64]
    group: NDArray[np.object_]
    mated: NDArray[np.bool_]
    candidate_wrong: NDArray[np.int8]
    champion_wrong: NDArray[np.int8]
    scored: NDArray[np.bool_]
    discordant: NDArray[np.bool_]
    score: NDArray[np.float64]
    draw: NDArray[np.float64]
    weight: NDArray[np.float64]
    heaviest: NDArray[np.float64]

    @classmethod
    def of(cls, log: DecisionLog, policy: RolloutPolicy) -> _Tape:
        due_at = log.at + np.timedelta64(policy.label_delay)
        ready_at = np.maximum(due_at, log.label_at)
        ready = np.argsort(ready_at, kind="stable")[: int((~np.isnat(ready_at)).sum())]
        # A label that nobody asked for tells of those who complain, so it doesn't count.
        ready = ready[log.audited[ready]]
        due = np.flatnonzero(log.audited)
        scored = (log.candidate_match >= 0) & (log.champion_match >= 0)
        words = [name if name in policy.guarded_groups else None for name in log.groups]
        return cls(
            due=due,
            due_at=due_at[due],
            ready=ready,
            ready_at=ready_at[ready],
            group=np.array([*words, None], dtype=object)[log.group],
            mated=log.mated == 1,
            candidate_wrong=_wrong(log.candidate_match, log.mated),
            champion_wrong=_wrong(log.champion_match, log.mated),
            scored=scored,
            discordant=scored & (log.candidate_match != log.champion_match),
            score=log.candidate_score,
            # The golden ratio's multiples lie evenly in [0, 1): a draw that is the same every time.
            draw=np.asarray(np.arange(len(log)) * 0.6180339887498949 % 1, dtype=np.float64),
            weight=log.weight,
            heaviest=np.maximum.accumulate(log.weight),
        )

    def tail(self, ready: NDArray[np.intp], arrived: int, policy: RolloutPolicy) -> tuple[int, int]:
        """How many scores of known strangers were watched, and how many lie above the policy's tail score.

        Discordant pairs are all labelled and lie near the threshold: where the others are drawn with a smaller
        probability, as many of them are left out.
        """
        if policy.drift is None or not arrived:
            return 0, 0
        thinnest = 1 / self.heaviest[arrived - 1]
        rows = ready[~self.mated[ready] & np.isfinite(self.score[ready])]
        rows = rows[(self.weight[rows] > 1) | (self.draw[rows] < thinnest)]
        return len(rows), int((self.score[rows] > policy.drift.tail_score).sum())


def _wrong(decided: NDArray[np.int8], mated: NDArray[np.int8]) -> NDArray[np.int8]:
    """1 wrong, 0 right, -1 where there is no decision or no truth."""
    return np.where((decided < 0) | (mated < 0), NOT_KNOWN, decided != mated).astype(np.int8)
