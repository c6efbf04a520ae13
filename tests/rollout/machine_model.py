"""One rollout driven by any events at all, with what must hold after each of them.

The checks are written from the rules, not from the machine: they ask the evidence itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from countenance.errors import RolloutError
from countenance.rollout.advance import Move, aborted, advance, paused, resumed, superseded
from countenance.rollout.approvals import Act, Approval, OperatorKey
from countenance.rollout.batch import Served
from countenance.rollout.evidence import EvidenceState, Tally
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.preconditions import Preconditions
from countenance.rollout.state import BreakerReading, Evidence, Gate, RolloutState, Stage, registered
from countenance.rollout.verdict import Verdict, judge

from .machine_scenes import BUDGET, HARM
from .scenes import ANNA, NOON, OFFLINE, REGISTRATION, good_evidence, measured, policy

BEN = OperatorKey("ben", b"a secret of ben's, of 32 bytes too")
KEYS = (ANNA, BEN)
FITS = Preconditions(embedding_space="a space", cross_model_tar=0.97, required_tar=0.95, threshold=0.4)

POLICIES = (
    policy(),
    policy(promotion_needs_approval=False, on_inconclusive="roll_back"),
    policy(approvers=2, canary_needs_approval=True, preconditions="required"),
    policy(budget=BUDGET, heartbeat="PT2H", shadow={"labelled": 400, "dwell": "PT1H"}),
    policy(
        latency={"limit_ms": 100, "tolerated": 0.05},
        required_metrics=["errors"],
        budget=BUDGET.model_copy(update={"amount": 60}),
    ),
)

_SERVED = {"candidate": Served(requests=4000, slow=40), "champion": Served(requests=4000, slow=40)}
_SLOW = {"candidate": Served(requests=4000, slow=2000), "champion": Served(requests=4000, slow=40)}
WELL = replace(good_evidence(), served=_SERVED)
MEASURED: tuple[EvidenceState, ...] = (
    WELL,
    WELL,
    WELL,
    WELL,
    good_evidence(),
    HARM,
    replace(WELL, served=_SLOW),
    replace(WELL, due=20_000),
    replace(WELL, groups={"north": Tally(15, 4000, 5)}),
    replace(WELL, disagreed=2000),
    replace(WELL, shadow_dropped=2000),
    replace(WELL, labelled_by_stage={"shadow": 9000}),
    replace(WELL, due=8800, due_disagreed=700.0),
    measured(by_stage=0),
    measured(overall=Tally(1, 200, 1)),
)
FAILED = (Gate(name="licence", passed=False, detail="it forbids this use"),)
GATES: tuple[tuple[Gate, ...], ...] = (REGISTRATION, REGISTRATION, REGISTRATION, (), FAILED)

_VERDICTS: dict[tuple[str, str], Verdict] = {}


def judged(found: EvidenceState, rules: RolloutPolicy) -> Verdict:
    """The verdict, kept: the pools above are small and histories are many."""
    key = (found.to_json(), rules.policy_hash())
    if key not in _VERDICTS:
        _VERDICTS[key] = judge(found, rules)
    return _VERDICTS[key]


@dataclass(kw_only=True)
class Rollout:
    """A rollout, its clock and its signatures; every event checks what it did."""

    policy: RolloutPolicy
    now: datetime = NOON
    signatures: list[Approval] = field(default_factory=list)
    seen: list[Stage] = field(default_factory=lambda: [Stage.REGISTERED])
    state: RolloutState = field(init=False)

    def __post_init__(self) -> None:
        self.state = registered("v2", "v1", "key", now=NOON, deadline=self.policy.deadline)

    def wait(self, seconds: int) -> None:
        self.now += timedelta(seconds=seconds)

    def sign(self, who: int, act: Act, seconds: int = 0, release: str = "v2") -> None:
        """An operator signs; ``seconds`` before (or after) now, and perhaps for another release."""
        at = self.now - timedelta(seconds=seconds)
        self.signatures.append(KEYS[who].sign(act, subject=release, at=at, reason="It was looked at."))

    def look(
        self,
        found: EvidenceState,
        gates: tuple[Gate, ...] = REGISTRATION,
        *,
        failed: int = 0,
        silent_for: int | None = 0,
        exposed_requests: int = 0,
        preconditions: Preconditions | None = FITS,
        now: datetime | None = None,
    ) -> None:
        """One decision. ``failed`` of 100 requests within the breaker's window; None: nobody ever heard the plane."""
        now = now or self.now
        shown = Evidence(
            measured=found,
            registration=gates,
            offline=OFFLINE if gates is REGISTRATION else gates,
            approvals=tuple(self.signatures),
            breaker=BreakerReading(requests=100, errors=failed),
            heartbeat_at=None if silent_for is None else now - timedelta(seconds=silent_for),
            exposed_requests=exposed_requests,
            preconditions=preconditions,
        )
        before = self.state
        try:
            after, actions = advance(before, shown, self.policy, now)
        except RolloutError:
            assert now < before.entered_at, "only a clock that went backwards may refuse a decision"
            return
        assert (after == before) == (actions == () and after.stage is before.stage)
        self._accept(after)
        self._check_look(before, shown, now)

    def pause(self) -> None:
        self._command(lambda: paused(self.state, self.now, by="anna", reason="A pause."))

    def resume(self) -> None:
        self._command(lambda: resumed(self.state, self.policy, self.now, by="anna", reason="Go on."))

    def abort(self, now: datetime | None = None) -> None:
        before = self.state
        after, actions = aborted(before, now or self.now, by="anna", reason="Now.")
        if before.stage.ended:
            assert (after, actions) == (before, ())
        else:
            assert after.stage is (Stage.ROLLED_BACK if before.exposed else Stage.ABORTED) and after.share == 0
        self._accept(after)

    def supersede(self) -> None:
        self._accept(superseded(self.state, self.now, by="v3")[0])
        assert self.state.stage.ended

    def _command(self, move: Callable[[], Move]) -> None:
        before = self.state
        try:
            after, _ = move()
        except RolloutError:
            return
        assert after.share == before.share and after.step == before.step and after.base is before.base
        self._accept(after)

    def _accept(self, after: RolloutState) -> None:
        """What holds for every move whatever caused it."""
        before = self.state
        if before.stage.ended:
            assert after == before, "what has ended stays ended"
        if after.stage.ended:
            assert after.share == (1.0 if after.stage is Stage.PROMOTED else 0.0)
        elif after.base in (Stage.CANARY, Stage.BAKING):
            assert 0 < after.share <= self.policy.steps[after.step], "exposure is never above the policy's"
            assert after.share >= before.share, "exposure is never taken back silently"
        else:
            assert after.share == 0, "nobody is exposed before the canary"
        assert after.step - before.step in (0, 1) or after.stage.ended
        assert after.entered_at >= before.entered_at
        self.state = after
        self.seen.append(after.stage)

    def _check_look(self, before: RolloutState, shown: Evidence, now: datetime) -> None:
        after, rules = self.state, self.policy
        verdict = judged(shown.measured, rules)
        if not before.stage.ended and verdict.harm() is not None:
            assert after.stage is (Stage.ROLLED_BACK if before.exposed else Stage.ABORTED), "harm ends it"
            return
        if before.exposed and self._must_stop(shown, verdict.excess_upper, now):
            assert after.stage is Stage.ROLLED_BACK, "guards run in every exposed state"
            return
        if before.stage in (Stage.INCONCLUSIVE, Stage.PAUSED):
            assert after.stage in (before.stage, Stage.INCONCLUSIVE, Stage.ABORTED, Stage.ROLLED_BACK)
        if after.share > before.share:
            assert not before.stage.ended and before.entered_at <= now < before.deadline_at
            self._check_forward(before, shown, now)
            if after.stage is Stage.PROMOTED:
                self._check_promotion(before, shown)

    def _must_stop(self, shown: Evidence, excess: float, now: datetime) -> bool:
        rules, reading = self.policy, shown.breaker
        assert reading is not None
        broken = reading.errors >= rules.errors.maximum and reading.errors / reading.requests >= rules.errors.share
        last = shown.heartbeat_at
        silent = rules.heartbeat is not None and last is not None and now - last > rules.heartbeat
        return broken or silent or (rules.budget is not None and self._cost(shown, excess) > rules.budget.amount)

    def _cost(self, shown: Evidence, excess: float) -> float:
        budget = self.policy.budget
        assert budget is not None
        return (
            shown.exposed_requests
            * max(budget.cost_false_match, budget.cost_false_non_match)
            * min(budget.worst_excess, excess)
        )

    def _check_forward(self, before: RolloutState, shown: Evidence, now: datetime) -> None:
        """More people are exposed: with evidence, signatures, money and preconditions, or not at all."""
        rules, found = self.policy, shown.measured
        least = {Stage.SHADOW: rules.shadow, Stage.CANARY: rules.step, Stage.BAKING: rules.bake}[before.base]
        assert found.labelled_by_stage.get(before.stage_key, 0) >= least.labelled
        assert before.stage is Stage.AWAITING_APPROVAL or now - before.entered_at >= least.dwell
        assert found.due and 1 - found.labelled / found.due <= rules.maximum_unlabelled_share
        if before.base is not Stage.SHADOW:
            assert judged(found, rules).log_non_inferiority >= -math.log(rules.alpha), "no step without non-inferiority"
        wanted = {Stage.SHADOW: (rules.canary_needs_approval, Act.START_CANARY)}.get(before.base, (False, Act.PROMOTE))
        if wanted[0] or (before.base is Stage.BAKING and rules.promotion_needs_approval):
            names = {
                signature.actor
                for signature in self.signatures
                if signature.act is wanted[1] and signature.subject == "v2" and before.entered_at <= signature.at <= now
            }
            assert before.stage is Stage.AWAITING_APPROVAL and len(names) >= rules.approvers
        if rules.preconditions == "required":
            assert shown.preconditions is not None
        assert shown.preconditions is None or not shown.preconditions.unmet()
        if rules.budget is not None and self.state.stage is Stage.CANARY:
            left = rules.budget.amount - self._cost(shown, judged(found, rules).excess_upper)
            assert self.state.share * 800 <= left + 1e-9, "the next step costs at most what is left"

    def _check_promotion(self, before: RolloutState, shown: Evidence) -> None:
        rules, found = self.policy, shown.measured
        verdict = judged(found, rules)
        assert before.base is Stage.BAKING and before.stage not in (Stage.PAUSED, Stage.INCONCLUSIVE)
        assert verdict.worst_case.upper <= rules.non_inferiority_margin
        assert all(found.groups.get(name, Tally()).labelled >= rules.group_minimum for name in rules.guarded_groups)
        assert found.served or not rules.metrics_needed()
