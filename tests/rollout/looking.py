"""A candidate watched for many looks by an operator who signs whatever is asked: can it be promoted?"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from countenance.errors import RolloutError
from countenance.rollout.advance import advance, waits_for
from countenance.rollout.approvals import Act
from countenance.rollout.batch import EvidenceBatch, LabelledBatch, Served
from countenance.rollout.evidence import EvidenceState
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.state import Evidence, RolloutState, Stage, registered

from .scenes import NOON, OFFLINE, REGISTRATION, signed

Answers = dict[str, np.ndarray]
Labelling = Callable[[Answers], np.ndarray]


def everyone(answers: Answers) -> np.ndarray:
    return np.ones(len(answers["mated"]), dtype=np.bool_)


def nobody(answers: Answers) -> np.ndarray:
    return np.zeros(len(answers["mated"]), dtype=np.bool_)


@dataclass(kw_only=True)
class Traffic:
    """Requests of two groups, every second mated. ``hard`` of them are hard; on those alone the models err.

    ``candidate``, ``champion``: each model's error rate on a hard request, one by one independent.
    ``labelled``: which requests' label ever comes. ``watched``: what else is counted: ``served`` (times and failures),
    ``drift``. ``arms``: once people are exposed, only the model that answers has scored a request.
    """

    seed: int = 7
    hard: float = 0.06
    candidate: float = 0.3
    champion: float = 0.3
    groups: tuple[str, ...] = ("north", "south")
    labelled: Labelling = everyone
    watched: frozenset[str] = frozenset({"served", "drift"})
    arms: bool = False
    generator: np.random.Generator = field(init=False)

    def __post_init__(self) -> None:
        self.generator = np.random.default_rng(self.seed)

    def look(self, state: RolloutState, requests: int) -> EvidenceBatch:
        """What ``requests`` more requests brought, all arrived and judged in the present stage."""
        drawn = self.generator.random((4, requests))
        hard = drawn[0] < self.hard
        answers: Answers = {
            "hard": hard,
            "candidate_wrong": (hard & (drawn[1] < self.candidate)).astype(np.int8),
            "champion_wrong": (hard & (drawn[2] < self.champion)).astype(np.int8),
            "by_candidate": drawn[3] < state.share,
            "group": np.array([self.groups[index % len(self.groups)] for index in range(requests)], dtype=object),
            "stage": np.full(requests, state.stage_key, dtype=object),
            "mated": np.arange(requests) // 2 % 2 == 0,
            "weight": np.ones(requests),
        }
        kept = self.labelled(answers)
        single = self.arms and state.exposed
        if single:
            answers["candidate_wrong"][~answers["by_candidate"]] = -1
            answers["champion_wrong"][answers["by_candidate"]] = -1
        disagreed = 0 if single else int((answers["candidate_wrong"] != answers["champion_wrong"]).sum())
        return EvidenceBatch(
            labelled=LabelledBatch(**{name: values[kept] for name, values in answers.items() if name != "hard"}),
            scored=0 if single else requests,
            disagreed=disagreed,
            due=requests,
            due_by_candidate=int(answers["by_candidate"].sum()),
            due_disagreed=float(disagreed),
            **self._watched(requests),
        )

    def _watched(self, requests: int) -> dict[str, object]:
        counted: dict[str, object] = {}
        if "served" in self.watched:
            counted["served"] = {"candidate": Served(requests=requests), "champion": Served(requests=requests)}
        if "drift" in self.watched:
            counted["tail_watched"] = requests // 2
        return counted


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """Where it ended, every stage it was seen in, what it waited for last, and how many looks were refused."""

    state: RolloutState
    seen: tuple[Stage, ...]
    waiting: str
    refused: int

    @property
    def promoted(self) -> bool:
        return Stage.PROMOTED in self.seen


def hourly(policy: RolloutPolicy, *, beyond: timedelta = timedelta(hours=12)) -> list[datetime]:
    """A look an hour from noon until well after the deadline."""
    return [NOON + timedelta(hours=count) for count in range(int((policy.deadline + beyond) / timedelta(hours=1)))]


def watch(
    traffic: Traffic,
    policy: RolloutPolicy,
    clock: Iterable[datetime] | None = None,
    *,
    requests: int = 400,
    quiet_until: datetime | None = None,
) -> Outcome:
    """Take a look at every moment of ``clock``; the operator signs to promote at each of them.

    Args:
        traffic: what is measured; nothing before ``quiet_until``.
        policy: what the rollout runs under.
        clock: the moments as the store's clock tells them; None: hourly until after the deadline.
        requests: how many come between two looks.
        quiet_until: labels come only from then on.
    """
    state = registered("v2", "v1", "key", now=NOON, deadline=policy.deadline)
    measured, seen, refused, waiting = EvidenceState(key="key"), [state.stage], 0, ()
    for now in clock if clock is not None else hourly(policy):
        if quiet_until is None or now >= quiet_until:
            measured = measured.folded(traffic.look(state, requests), policy)
        for _ in range(8):
            shown = Evidence(
                measured=measured,
                registration=REGISTRATION,
                offline=OFFLINE,
                approvals=(signed(Act.START_CANARY, "v2", now), signed(Act.PROMOTE, "v2", now)),
            )
            try:
                after, _ = advance(state, shown, policy, now)
            except RolloutError:
                refused += 1
                break
            waiting = waits_for(after, shown, policy, now) or waiting
            if after == state:
                break
            state = after
            seen.append(state.stage)
    return Outcome(state=state, seen=tuple(seen), waiting=" ".join(waiting), refused=refused)
