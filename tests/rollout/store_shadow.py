"""The rollout's history told again from its events alone: what must hold for each of them, whoever caused it."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from countenance.rollout.approvals import Act, Approval, OperatorKey, verify
from countenance.rollout.evidence import Tally
from countenance.rollout.ledger import Event
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.records import Standing
from countenance.rollout.state import Stage
from countenance.rollout.store import RolloutStore

_EVER = datetime(1970, 1, 1, tzinfo=UTC)
_FORWARD = [Stage.REGISTERED, Stage.VALIDATING, Stage.SHADOW, Stage.CANARY, Stage.BAKING, Stage.PROMOTED]


@dataclass
class _Told:
    """One rollout as its events tell it."""

    release: str
    champion: str | None
    policy: RolloutPolicy | None
    entered_at: datetime
    stage: Stage = Stage.REGISTERED
    base: Stage = Stage.REGISTERED
    epoch: int = 1
    share: float = 0.0
    step: int = 0


@dataclass
class Shadow:
    """Reads every event once; raises AssertionError where one must not be."""

    keys: dict[str, OperatorKey]
    champion: str | None = None
    previous: str | None = None
    read: int = 0
    head: str = "0" * 64
    rollouts: dict[int, _Told] = field(default_factory=dict)
    signed: dict[int, list[Approval]] = field(default_factory=dict)
    reached: set[Stage] = field(default_factory=set)
    promotions: int = 0

    def follow(self, store: RolloutStore, policies: dict[str, RolloutPolicy]) -> None:
        """Read what is new, and compare the result with what the store says of itself."""
        events = store.events()
        assert len(events) >= self.read, "no event is ever lost"
        assert not self.read or events[self.read - 1].hash == self.head, "no event is ever rewritten"
        for event in events[self.read :]:
            self._tell(event, store, policies)
            self.read, self.head = event.sequence, event.hash
        self._compare(store.standing())

    def _tell(self, event: Event, store: RolloutStore, policies: dict[str, RolloutPolicy]) -> None:
        payload = event.payload
        if event.kind in ("started", "bootstrapped"):
            assert event.rollout not in self.rollouts and not self._active(), "one active rollout a model"
            release = payload["release"]
            told = _Told(release, payload["champion"], policies.get(release), event.at)
            self.rollouts[event.rollout] = told
            if event.kind == "bootstrapped":
                assert payload["offline"] and all(gate["passed"] for gate in payload["offline"])
                assert self._signers(event, Act.BOOTSTRAP, _EVER)
                assert payload["champion"] == self.champion
                told.stage = Stage.PROMOTED
                self.previous, self.champion = self.champion, release
            else:
                assert payload["champion"] == self.champion
        elif event.kind == "approved":
            approval = _approval(payload)
            verify(approval, self.keys)
            assert approval.at <= event.at
            assert not any(approval in given for given in self.signed.values()), "a signature is used once"
            self.signed.setdefault(event.rollout, []).append(approval)
            return
        elif event.kind == "moved":
            self._move(self.rollouts[event.rollout], event, store)
        elif event.kind == "rolled_back":
            told = self.rollouts[event.rollout]
            assert told.release == self.champion and self._signers(event, Act.ROLL_BACK, _EVER)
            told.stage, told.epoch = Stage.ROLLED_BACK, payload["epoch"]
            self.champion = self.previous
            self.previous = next(
                (
                    each.champion
                    for _, each in sorted(self.rollouts.items(), reverse=True)
                    if each.release == self.champion
                ),
                None,
            )
        else:
            assert event.kind in ("hand_edited", "attached"), event.kind
        self.reached.add(self.rollouts[event.rollout].stage)

    def _move(self, told: _Told, event: Event, store: RolloutStore) -> None:
        payload, after = event.payload, Stage(event.payload["stage"])
        assert payload["from"] == told.stage and not told.stage.ended, "what has ended stays ended"
        assert payload["epoch"] == told.epoch + 1, "nothing twice, nothing left out"
        share, step = payload["share"], payload["step"]
        rules = told.policy
        assert rules is not None
        if after.ended:
            assert share == (1.0 if after is Stage.PROMOTED else 0.0)
        else:
            assert share in (told.share, *rules.steps) and share >= told.share
            assert share <= (rules.steps[step] if after in _FORWARD[3:5] or share else 0.0)
        if share > told.share:
            self._check_forward(told, event, store)
        if after is Stage.PROMOTED:
            assert told.base is Stage.BAKING and told.champion == self.champion
            self.previous, self.champion = self.champion, told.release
            self.promotions += 1
        told.stage, told.epoch, told.share, told.step = after, payload["epoch"], share, step
        told.base = after if after in _FORWARD else told.base
        told.entered_at = event.at

    def _check_forward(self, told: _Told, event: Event, store: RolloutStore) -> None:
        """More people are exposed: on a look that lies in the store, which says enough, and with every signature."""
        rules, payload = told.policy, event.payload
        assert rules is not None
        look = next(look for look in store.looks(event.rollout) if look.hash == payload["evidence"])
        found, verdict = look.measured, payload["verdict"]
        least = {Stage.SHADOW: rules.shadow, Stage.CANARY: rules.step, Stage.BAKING: rules.bake}[told.base]
        key = {Stage.CANARY: f"canary:{told.step + 1}"}.get(told.base, told.base.value.lower())
        assert found.labelled_by_stage[key] >= least.labelled
        assert verdict["unlabelled_share"] <= rules.maximum_unlabelled_share
        if told.base is not Stage.SHADOW:
            assert verdict["log_non_inferiority"] >= -math.log(rules.alpha), "no promotion without evidence"
        if payload["stage"] == "PROMOTED":
            assert verdict["worst_case"]["upper"] <= rules.non_inferiority_margin
            assert all(found.groups.get(name, Tally()).labelled >= rules.group_minimum for name in rules.guarded_groups)
        act, asked = (
            (Act.START_CANARY, rules.canary_needs_approval and told.base is Stage.SHADOW)
            if told.base is Stage.SHADOW
            else (Act.PROMOTE, rules.promotion_needs_approval and told.base is Stage.BAKING)
        )
        if asked:
            assert told.stage is Stage.AWAITING_APPROVAL
            names = self._signers(event, act, told.entered_at)
            assert len(names) >= rules.approvers, "no promotion without its signatures"

    def _signers(self, event: Event, act: Act, since: datetime) -> set[str]:
        release = self.rollouts[event.rollout].release
        return {
            each.actor
            for each in self.signed.get(event.rollout, ())
            if each.act is act and each.subject == release and since <= each.at <= event.at
        }

    def _active(self) -> list[_Told]:
        return [told for told in self.rollouts.values() if not told.stage.ended]

    def _compare(self, standing: Standing) -> None:
        assert standing.champion == self.champion and self.champion is not None, "one champion always"
        active = self._active()
        assert len(active) == (standing.active is not None)
        if standing.active is not None:
            state = standing.active.state
            assert (state.release, state.stage, state.share) == (active[0].release, active[0].stage, active[0].share)
            assert standing.active.epoch == active[0].epoch
        assert (standing.epoch, standing.head) == (self.read, self.head)


def _approval(payload: dict[str, Any]) -> Approval:
    return Approval(
        actor=payload["actor"],
        act=Act(payload["act"]),
        subject=payload["subject"],
        at=datetime.fromisoformat(payload["signed_at"]),
        reason=payload["reason"],
        signature=payload["signature"],
    )
