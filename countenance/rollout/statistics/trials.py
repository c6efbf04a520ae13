"""Made-up histories to try a sequential test on: when, looking after every hundred requests, would it have stopped?"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from countenance.rollout.statistics.arms import Arms, Null, log_block, log_together, starting_wealth
from countenance.rollout.statistics.paired import log_harm, log_non_inferiority

Looks = NDArray[np.int64]
"""The look at which a history was stopped, from 1; 0 where it never was. Shape [histories]."""

ONE_SIDED_5_PERCENT = 1.6448536269514722
_PEOPLE_AT_ONCE = 2_000_000


@dataclass(frozen=True, kw_only=True)
class Errors:
    """Errors of both arms by look, each [histories, looks], of so many requests a look."""

    candidate: NDArray[np.int64]
    champion: NDArray[np.int64]
    candidate_look: int
    champion_look: int


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """Pairs by look, cumulative, each [histories, looks]."""

    better: NDArray[np.int64]
    same: NDArray[np.int64]
    worse: NDArray[np.int64]


def independent_errors(
    candidate: float,
    champion: float,
    *,
    histories: int,
    looks: int,
    candidate_look: int,
    champion_look: int,
    generator: np.random.Generator,
) -> Errors:
    """Each request errs on its own, at its arm's rate."""
    return Errors(
        candidate=generator.binomial(candidate_look, candidate, (histories, looks)),
        champion=generator.binomial(champion_look, champion, (histories, looks)),
        candidate_look=candidate_look,
        champion_look=champion_look,
    )


def errors_of_people(
    rate: float,
    *,
    people: int,
    likeness: float,
    histories: int,
    looks: int,
    look: int,
    generator: np.random.Generator,
) -> Errors:
    """The same few people come again and again, each staying in one arm (sticky routing); the models do not differ.

    A person's own error rate is drawn from a beta distribution of mean ``rate``; ``likeness`` is the correlation of two
    requests of one person (beta's 1 / (a + b + 1)). Half of the people are in each arm.

    Args:
        rate: mean error rate.
        people: how many, both arms together; 2 or more.
        likeness: within (0, 1).
        histories, looks, look: how many histories, looks, and requests a look and arm.
        generator: all randomness.
    """
    size = 1 / likeness - 1
    arm = max(people // 2, 1)
    errors = np.empty((2, histories, looks), dtype=np.int64)
    at_once = max(_PEOPLE_AT_ONCE // arm, 1)
    for start in range(0, histories, at_once):
        part = slice(start, min(start + at_once, histories))
        for side in range(2):
            rates = generator.beta(rate * size, (1 - rate) * size, (part.stop - part.start, arm))
            for number in range(looks):
                who = generator.integers(arm, size=(len(rates), look))
                wrong = generator.random(who.shape) < np.take_along_axis(rates, who, axis=1)
                errors[side, part, number] = wrong.sum(axis=1)
    return Errors(candidate=errors[0], champion=errors[1], candidate_look=look, champion_look=look)


def pairs(
    worse: float, better: float, *, histories: int, looks: int, look: int, generator: np.random.Generator
) -> Pairs:
    """Requests that both models score, a share of ``worse`` with the candidate wrong alone, ``better`` the champion."""
    drawn = generator.multinomial(look, [better, 1 - better - worse, worse], (histories, looks)).cumsum(axis=1)
    return Pairs(better=drawn[..., 0], same=drawn[..., 1], worse=drawn[..., 2])


def stopped_by_arms(errors: Errors, null: Null, alpha: float) -> Looks:
    """The e-process between arms against ``null``, stopped at 1/alpha."""
    histories, looks = errors.candidate.shape
    nobody = np.zeros(histories, dtype=np.int64)
    past, wealth = Arms(candidate_wrong=nobody, champion_wrong=nobody), np.tile(starting_wealth(null), (histories, 1))
    reached = np.zeros((histories, looks), dtype=np.bool_)
    for number in range(looks):
        block = Arms(
            candidate_wrong=errors.candidate[:, number],
            candidate_seen=errors.candidate_look,
            champion_wrong=errors.champion[:, number],
            champion_seen=errors.champion_look,
        )
        wealth += log_block(block, past, null)
        past = past.plus(block)
        reached[:, number] = log_together(wealth) >= -math.log(alpha)
    return _first(reached)


def stopped_by_pairs(seen: Pairs, alpha: float, *, margin: float | None = None) -> Looks:
    """The paired e-process for harm, or, with a ``margin``, for non-inferiority, stopped at 1/alpha."""
    if margin is None:
        logs = log_harm(seen.better, seen.worse)
    else:
        logs = log_non_inferiority(seen.better, seen.same, seen.worse, margin=margin)
    return _first(logs >= -math.log(alpha))


def stopped_by_z_test(errors: Errors, *, looking: bool) -> Looks:
    """A z-test of two proportions (pooled variance, one-sided, 5 %) at every look, or at the last alone."""
    looks = np.arange(1, errors.candidate.shape[1] + 1)
    n_c, n_b = looks * errors.candidate_look, looks * errors.champion_look
    y_c, y_b = errors.candidate.cumsum(axis=1), errors.champion.cumsum(axis=1)
    pooled = (y_c + y_b) / (n_c + n_b)
    deviation = np.sqrt(pooled * (1 - pooled) * (1 / n_c + 1 / n_b))
    reached = (y_c / n_c - y_b / n_b > ONE_SIDED_5_PERCENT * deviation) & (deviation > 0)
    if not looking:
        reached[:, :-1] = False
    return _first(reached)


def _first(reached: NDArray[np.bool_]) -> Looks:
    return np.where(reached.any(axis=1), reached.argmax(axis=1) + 1, 0)
