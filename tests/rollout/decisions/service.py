"""A service in miniature: requests every minute, routed as the store says, labelled later; a controller from cron."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import numpy as np

from countenance.rollout.approvals import Act
from countenance.rollout.decisions import intake
from countenance.rollout.decisions.controller import step
from countenance.rollout.decisions.decision import Decision
from countenance.rollout.decisions.labels import LabelMessage, sign_label
from countenance.rollout.decisions.report import StepReport
from countenance.rollout.store import RolloutStore
from countenance.rollout.traffic import sticky_share

from ..scenes import ANNA, GROUPS, NOON, SALT
from .requests import SECRET

MINUTE = timedelta(minutes=1)


class Gate:
    """A gate where 200 people a minute ask. Errors are drawn beforehand, so that every run sees the same people."""

    def __init__(
        self,
        store: RolloutStore,
        *,
        candidate_errors: float = 0.01,
        champion_errors: float = 0.02,
        labelled: float = 1.0,
        fails: float = 0.0,
        a_minute: int = 200,
        label_after: timedelta = MINUTE,
        seed: int = 3,
    ):
        self.store = store
        self.now: datetime = NOON
        self._rates = candidate_errors, champion_errors
        self._labelled, self._fails, self._a_minute, self._label_after = labelled, fails, a_minute, label_after
        self._seed, self._minute = seed, 0
        self._to_label: list[tuple[datetime, LabelMessage]] = []

    def minute(self) -> None:
        """Everything that one minute brings: labels that are ready, then people. The same again changes nothing."""
        self.now = NOON + self._minute * MINUTE
        ready = [message for at, message in self._to_label if at <= self.now]
        intake.label_all(self.store, ready, SECRET, now=self.now)
        self._to_label = [(at, message) for at, message in self._to_label if at > self.now]
        intake.record(self.store, self._people(), now=self.now)
        self._minute += 1

    def steps(self, limit: int, **how: object) -> Iterator[StepReport]:
        """One minute and one step after the other; the operator signs whatever is asked for."""
        for _ in range(limit):
            self.minute()
            report = step(self.store, now=self.now, **how)  # type: ignore[arg-type]
            self.sign()
            yield report

    def sign(self) -> None:
        active = self.store.active()
        if (
            active is not None
            and active.state.awaited is not None
            and not self._signed(active.id, active.state.awaited)
        ):
            signature = ANNA.sign(active.state.awaited, subject=active.state.release, at=self.now, reason="Looked at.")
            self.store.approve(signature, now=self.now)

    def _signed(self, rollout: int, act: Act) -> bool:
        return any(approval.act is act for approval in self.store.approvals(rollout))

    def _people(self) -> list[Decision]:
        active = self.store.active()
        generator = np.random.default_rng([self._seed, self._minute])
        draws, champion = generator.random((5, self._a_minute)), self.store.champion()
        assert champion is not None
        found = []
        for place in range(self._a_minute):
            mated = bool(draws[0, place] < 0.5)
            key, name = f"person-{generator.integers(400)}", f"minute-{self._minute}-{place}"
            exposed = active is not None and sticky_share(key, SALT) < active.state.share
            failed = exposed and bool(draws[3, place] < self._fails)
            found.append(
                Decision(
                    decision_id=name,
                    champion=champion,
                    candidate=None if active is None else active.state.release,
                    by_candidate=exposed,
                    candidate_match=None
                    if active is None or failed
                    else mated ^ bool(draws[1, place] < self._rates[0]),
                    champion_match=mated ^ bool(draws[2, place] < self._rates[1]),
                    group=GROUPS[place % 2],
                    routing_key=key,
                    failed=failed,
                )
            )
            if draws[4, place] < self._labelled:
                message = sign_label(name, mated=mated, source="gate", secret=SECRET, model="countenance")
                self._to_label.append((self.now + self._label_after, message))
        return found
