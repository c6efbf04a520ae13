"""A simulation study: every policy, in every arm, over the same resampled traffic, again and again."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from countenance.errors import RolloutError
from countenance.rollout.policy import RolloutPolicy
from countenance.rollout.simulation.arms import Arm, Resampler, applied, check_arm
from countenance.rollout.simulation.log import DecisionLog
from countenance.rollout.simulation.outcome import Conditions, Outcome
from countenance.rollout.simulation.playing import play
from countenance.rollout.simulation.rates import Summary, summarise
from countenance.rollout.simulation.repetitions import Cell, Repetitions
from countenance.rollout.traffic import SHARES

Track = Callable[[Iterable[int]], Iterable[int]]


@dataclass(frozen=True, eq=False, kw_only=True)
class Study:
    """What is simulated.

    Args:
        log: the decisions to resample.
        policies: by name.
        arms: what is true of the candidate.
        conditions: looks, operators, prices.
        seed: of all randomness. Repetition r depends on the seed and r alone, so more can be added later.
        requests: of each repetition; None: about as many as the log holds.
    """

    log: DecisionLog
    policies: Mapping[str, RolloutPolicy]
    arms: tuple[Arm, ...]
    conditions: Conditions = field(default_factory=Conditions)
    seed: int = 7
    requests: int | None = None

    def check(self) -> None:
        """Refuse what the log cannot give.

        Raises:
            RolloutError: an arm's group or harm isn't possible, a policy guards a group that never comes, routes by a
                site that the log doesn't know, or limits latency or drift without a column for it.
        """
        if not self.policies:
            raise RolloutError("There is no policy to simulate: give one with --policy.")
        for arm in self.arms:
            check_arm(arm, self.log)
        for name, policy in self.policies.items():
            _check_policy(name, policy, self.log)

    def about(self) -> dict[str, Any]:
        """What repetitions of this study depend on, as JSON values; their number isn't part of it."""
        return {
            "countenance": version("countenance"),
            "log_sha256": _digest(self.log),
            "policies": {name: policy.policy_hash() for name, policy in self.policies.items()},
            "arms": [asdict(arm) for arm in self.arms],
            "conditions": self.conditions.model_dump(mode="json"),
            "seed": self.seed,
            "requests": self.requests,
        }

    def repetition(self, number: int) -> dict[Cell, Outcome]:
        """Play repetition ``number``: every policy in every arm meets the same people in the same places."""
        generator = np.random.default_rng([self.seed, number])
        traffic = Resampler(self.log, self.requests).draw(generator)
        # A fresh salt spreads HMACs evenly over the parts of the traffic, so the parts themselves are drawn.
        subjects = _positions(int(traffic.person.max()) + 1, generator)
        sites = _positions(len(self.log.sites), generator)
        outcomes = {}
        for arm in self.arms:
            # Both arms toss the same coins, so that they differ by the harm alone.
            changed = applied(arm, traffic, self.log, np.random.default_rng([self.seed, number, 1]))
            for name, policy in self.policies.items():
                positions = subjects if policy.route_by == "subject" else sites
                outcomes[name, arm.name] = play(changed, policy, positions, self.conditions)
        return outcomes

    def summaries(self, repetitions: Repetitions, count: int, *, level: float = 0.95) -> list[Summary]:
        """Each policy in each arm over the first ``count`` repetitions."""
        cells = [(name, arm.name) for name in self.policies for arm in self.arms]
        return self.summarised({cell: repetitions.of(cell, count) for cell in cells}, level=level)

    def summarised(self, outcomes: Mapping[Cell, Sequence[Outcome]], *, level: float = 0.95) -> list[Summary]:
        """Each policy in each arm over its ``outcomes``."""
        return [
            summarise(name, arm, outcomes[name, arm.name], level=level) for name in self.policies for arm in self.arms
        ]


def run_study(
    study: Study,
    count: int,
    *,
    folder: Path | None = None,
    processes: int = 1,
    track: Track = iter,
) -> Repetitions:
    """Play repetitions 0 to ``count`` - 1; those that ``folder`` holds already are not played again.

    Args:
        study: is checked first.
        count: 1 or more.
        folder: keeps each repetition as soon as it is finished.
        processes: to share the work; the result is the same for any number.
        track: wraps the numbers, to show progress.

    Raises:
        RolloutError: as ``Study.check`` and ``Repetitions`` tell.
    """
    study.check()
    kept = Repetitions(study.about(), folder)
    missing = [number for number in range(count) if number not in kept]
    for number, outcomes in played(study, missing, processes, track):
        kept.add(number, outcomes)
    return kept


def played(study: Study, numbers: list[int], processes: int, track: Track) -> Iterator[tuple[int, dict[Cell, Outcome]]]:
    """Play the repetitions ``numbers`` in their order, each with its outcomes as soon as they are known."""
    if processes == 1 or len(numbers) < 2:
        for number in track(numbers):
            yield number, study.repetition(number)
        return
    from concurrent.futures import ProcessPoolExecutor
    from multiprocessing import get_context

    # Threads of libraries don't survive a fork, so the workers start afresh.
    executor = ProcessPoolExecutor(
        max_workers=processes, mp_context=get_context("spawn"), initializer=_take_up, initargs=(study,)
    )
    try:
        results = executor.map(_repetition, numbers)
        for number in track(numbers):
            yield number, next(results)
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


_study: Study | None = None


def _take_up(study: Study) -> None:
    """Keep the study in a worker, which would else be sent it with every repetition."""
    global _study
    _study = study


def _repetition(number: int) -> dict[Cell, Outcome]:
    assert _study is not None
    return _study.repetition(number)


def _positions(count: int, generator: np.random.Generator) -> NDArray[np.float64]:
    return generator.integers(SHARES, size=count) / SHARES


def _check_policy(name: str, policy: RolloutPolicy, log: DecisionLog) -> None:
    absent = set(policy.guarded_groups) - set(log.groups)
    if absent:
        raise RolloutError(
            f"Policy '{name}' guards group '{min(absent)}', of whom the log holds nobody, so it could never promote: "
            "take the group out of a copy of the policy, or export other traffic."
        )
    needed = {
        "'candidate_ms' (milliseconds), which its latency guard": policy.latency is not None
        and bool(np.isnan(log.candidate_ms).all()),
        "'candidate_score', which its drift guard": policy.drift is not None
        and bool(np.isnan(log.candidate_score).all()),
        "'site', by which it": policy.route_by == "site" and bool((log.site < 0).any()),
    }
    lacking = next((what for what, is_lacking in needed.items() if is_lacking), None)
    if lacking is not None:
        verb = "routes" if policy.route_by == "site" and lacking.startswith("'site'") else "needs"
        raise RolloutError(
            f"Policy '{name}' cannot be simulated: the log has no column {lacking} {verb}; export the log with it, or "
            "take that guard out of a copy of the policy."
        )


def _digest(log: DecisionLog) -> str:
    """The sha256 (hex) of every array and name of the log."""
    digest = hashlib.sha256()
    for member in fields(log):
        value = getattr(log, member.name)
        if isinstance(value, np.ndarray) and value.dtype != object:
            digest.update(np.ascontiguousarray(value).tobytes())
        else:
            digest.update("\0".join([value] if isinstance(value, str) else value).encode())
    return digest.hexdigest()
