"""The cheapest policy that keeps to given error rates: a race in which repetitions go where they matter.

All policies of a grid meet the same traffic. After each round those go that very likely miss a wanted rate, and then
the dearer half of the rest; the others play twice as many repetitions (successive halving: Jamieson & Talwalkar,
"Non-stochastic best arm identification and hyperparameter optimization", 2016). The winner was chosen because it looked
good, so its figures flatter it: what is told of it comes from repetitions that the race didn't use.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from pydantic import Field

from countenance.configuration import Configuration
from countenance.errors import RolloutError
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.simulation.arms import LEVEL, WORSE, Arm
from countenance.rollout.simulation.log import DecisionLog
from countenance.rollout.simulation.outcome import Conditions, Outcome
from countenance.rollout.simulation.rates import Rate, Summary, rate
from countenance.rollout.simulation.repetitions import Cell
from countenance.rollout.simulation.study import Study, Track, played

FRESH: Final = 1_000_000
"""The first number of the repetitions that no race uses."""

_SURE: Final = 0.99
"""The level at which a policy is given up early for missing a rate."""


class Wanted(Configuration):
    """What is asked of a policy.

    ``false_rollback``, ``false_promotion``: the largest rates. ``promoted``: the least share of candidates no worse
    than the champion that it promotes before its deadline, since a policy that never decides never errs.
    """

    false_rollback: float = Field(default=0.05, gt=0, lt=1)
    false_promotion: float = Field(default=0.05, gt=0, lt=1)
    promoted: float = Field(default=0.8, ge=0, lt=1)


class Prices(Configuration):
    """What one rollout costs: a person exposed, a minute of an operator, an hour until a good candidate is promoted.

    Wrong answers beyond the champion's are priced by ``Conditions.costs``. ``worse_share``: how many candidates of all
    are worse, 0 to 1, by which the two arms are weighed.
    """

    person: float = Field(default=0.01, ge=0)
    minute: float = Field(default=0.5, ge=0)
    hour: float = Field(default=0.0, ge=0)
    worse_share: float = Field(default=0.5, ge=0, le=1)

    def of(self, null: list[Outcome], worse: list[Outcome]) -> float:
        """The mean price of a rollout over both arms."""
        return (1 - self.worse_share) * self._mean(null, waits=True) + self.worse_share * self._mean(worse, waits=False)

    def _mean(self, outcomes: list[Outcome], *, waits: bool) -> float:
        hour = self.hour if waits else 0.0
        return float(
            np.mean(
                [
                    outcome.money_beyond
                    + self.person * outcome.exposed_people
                    + self.minute * outcome.minutes
                    + hour * outcome.hours
                    for outcome in outcomes
                ]
            )
        )


class Effort(Configuration):
    """Repetitions: in the first round for each policy, at most for one in the race, and afresh at the end."""

    first: int = Field(default=20, ge=5)
    most: int = Field(default=160, ge=5)
    fresh: int = Field(default=400, ge=10)


@dataclass(frozen=True, kw_only=True)
class Runner:
    """One policy in the race: its rates and its price over the repetitions that it played."""

    name: str
    repetitions: int
    false_rollback: Rate
    false_promotion: Rate
    promoted: Rate
    price: float

    def misses(self, wanted: Wanted) -> float:
        """By how much it misses the wanted rates in all; 0 where it meets them."""
        return (
            max(0.0, self.false_rollback.share - wanted.false_rollback)
            + max(0.0, self.false_promotion.share - wanted.false_promotion)
            + max(0.0, wanted.promoted - self.promoted.share)
        )

    def hopeless(self, wanted: Wanted) -> bool:
        """Whether it is nearly sure to miss one."""
        return (
            self.false_rollback.low > wanted.false_rollback
            or self.false_promotion.low > wanted.false_promotion
            or self.promoted.high < wanted.promoted
        )


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search found.

    ``race``: every policy as far as it came, the best first. ``summaries``: of the policy found, ``null`` and
    ``worse``, over fresh repetitions; ``price`` over the same. ``shown``: whether both error rates lie within what is
    wanted with their whole intervals, not with their estimates alone.
    """

    name: str
    policy: RolloutPolicy
    race: tuple[Runner, ...]
    rollouts: int
    summaries: tuple[Summary, ...]
    price: float
    shown: bool


def search(
    log: DecisionLog,
    policies: Mapping[str, RolloutPolicy],
    harm: Arm,
    wanted: Wanted,
    *,
    prices: Prices,
    conditions: Conditions,
    effort: Effort,
    seed: int = 7,
    requests: int | None = None,
    processes: int = 1,
    track: Callable[[str], Track] = lambda what: iter,
) -> Found:
    """Race ``policies`` and tell the cheapest that meets ``wanted``, on fresh repetitions.

    Args:
        log: the decisions to resample.
        policies: by name.
        harm: the arm ``worse``.
        wanted, prices, conditions, effort: what is asked, and what it may cost.
        seed, requests, processes: as in ``study.Study`` and ``study.run_study``.
        track: given what is done, wraps the numbers of repetitions to show progress.

    Raises:
        RolloutError: no policy meets what is wanted; the sentence names the nearest.
    """
    study = Study(
        log=log, policies=policies, arms=(Arm(name=LEVEL), harm), conditions=conditions, seed=seed, requests=requests
    )
    study.check()
    race = _Race(study, wanted, prices, effort, processes, track)
    ranked = race.run()
    for runner in [runner for runner in ranked if runner.misses(wanted) == 0]:
        found = race.confirmed(runner, ranked)
        if found is not None:
            return found
    best = ranked[0]
    raise RolloutError(
        f"None of {len(policies)} policies keeps to the wanted rates on this log; nearest is '{best.name}' "
        f"(false rollbacks {best.false_rollback.share:.1%}, false promotions {best.false_promotion.share:.1%}, "
        f"promoted {best.promoted.share:.1%}): allow more, give more requests with --requests, or search a wider grid."
    )


class _Race:
    """The policies still running, and what each of them did."""

    def __init__(
        self,
        study: Study,
        wanted: Wanted,
        prices: Prices,
        effort: Effort,
        processes: int,
        track: Callable[[str], Track],
    ) -> None:
        self._study, self._wanted, self._prices, self._effort = study, wanted, prices, effort
        self._processes, self._track = processes, track
        self._outcomes: dict[Cell, list[Outcome]] = {}
        self._rollouts = self._tried = 0

    def run(self) -> tuple[Runner, ...]:
        """All policies, the best first: those that meet what is wanted by price, then the others by what they miss."""
        running, seen, until = list(self._study.policies), 0, self._effort.first
        while True:
            self._play(running, seen, until)
            if until >= self._effort.most:
                break
            ranked = self._ranked([name for name in running if not self._runner(name).hopeless(self._wanted)])
            running = [runner.name for runner in ranked[: max(2, -(-len(ranked) // 2))]]
            if not running:
                break
            seen, until = until, min(2 * until, self._effort.most)
        last = self._ranked(running)
        others = self._ranked([name for name in self._study.policies if name not in running])
        return (*last, *others)

    def confirmed(self, runner: Runner, ranked: tuple[Runner, ...]) -> Found | None:
        """What fresh repetitions say of one policy; None where they say that it misses what is wanted."""
        study = replace(self._study, policies={runner.name: self._study.policies[runner.name]})
        first = FRESH + self._tried * self._effort.fresh
        self._tried += 1
        numbers = list(range(first, first + self._effort.fresh))
        outcomes: dict[Cell, list[Outcome]] = {}
        for _, cells in played(study, numbers, self._processes, self._track(f"confirming {runner.name}")):
            for cell, outcome in cells.items():
                outcomes.setdefault(cell, []).append(outcome)
        self._rollouts += len(numbers) * 2
        fresh = _runner(runner.name, outcomes, self._prices)
        if fresh.misses(self._wanted) > 0:
            return None
        return Found(
            name=runner.name,
            policy=self._study.policies[runner.name],
            race=ranked,
            rollouts=self._rollouts,
            summaries=tuple(study.summarised(outcomes)),
            price=fresh.price,
            shown=_rates(outcomes, runner.name)[0].high <= self._wanted.false_rollback
            and _rates(outcomes, runner.name)[1].high <= self._wanted.false_promotion,
        )

    def _play(self, names: list[str], seen: int, until: int) -> None:
        study = replace(self._study, policies={name: self._study.policies[name] for name in names})
        what = f"racing {len(names)} policies"
        for _, cells in played(study, list(range(seen, until)), self._processes, self._track(what)):
            for cell, outcome in cells.items():
                self._outcomes.setdefault(cell, []).append(outcome)
        self._rollouts += (until - seen) * len(names) * 2

    def _runner(self, name: str) -> Runner:
        return _runner(name, self._outcomes, self._prices)

    def _ranked(self, names: list[str]) -> list[Runner]:
        runners = [self._runner(name) for name in names]
        return sorted(runners, key=lambda runner: (runner.misses(self._wanted), runner.price))


def _runner(name: str, outcomes: Mapping[Cell, list[Outcome]], prices: Prices) -> Runner:
    null, worse = outcomes[name, LEVEL], outcomes[name, WORSE]
    rollbacks, promotions, promoted = _rates(outcomes, name, level=_SURE)
    return Runner(
        name=name,
        repetitions=len(null),
        false_rollback=rollbacks,
        false_promotion=promotions,
        promoted=promoted,
        price=prices.of(null, worse),
    )


def _rates(outcomes: Mapping[Cell, list[Outcome]], name: str, *, level: float = 0.95) -> tuple[Rate, Rate, Rate]:
    """False rollbacks, false promotions, and promotions of candidates that are no worse."""
    null, worse = outcomes[name, LEVEL], outcomes[name, WORSE]

    def share(found: list[Outcome], ending: str) -> Rate:
        return rate(sum(outcome.ending == ending for outcome in found), len(found), level=level)

    return share(null, "stopped"), share(worse, "promoted"), share(null, "promoted")
