"""Which tests are tried on which truths by ``countenance bench rollout``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from countenance.rollout.policy_guards import AlphaShares
from countenance.rollout.statistics.arms import Null
from countenance.rollout.statistics.trials import (
    Errors,
    Looks,
    Pairs,
    errors_of_people,
    independent_errors,
    pairs,
    stopped_by_arms,
    stopped_by_pairs,
    stopped_by_z_test,
)

LIKENESS = 0.1
"""Correlation of two requests of one person where people come again and again."""

PEOPLE = (200, 1_000, 5_000, 20_000)

_HARM, _PASS = "harm", "non-inferiority"
_NO_HARM = Null("at most", 0.0)
_HALF = 0.005  # a discordance of 1 %, half of it worse
_THREE_IN_FOUR = (0.0075, 0.0025)


@dataclass(frozen=True, kw_only=True)
class BenchmarkSize:
    """What is simulated: how many histories, both error rates, the margin, alpha, and when one looks.

    ``look``: requests (in each arm) between looks; ``most``: requests (in each arm) of a history.
    """

    repetitions: int = 2_000
    base: float = 0.02
    worse: float = 0.03
    margin: float = 0.01
    alpha: float = 0.05
    look: int = 100
    most: int = 10_000
    seed: int = 0

    @property
    def looks(self) -> int:
        """How often one looks in a history."""
        return self.most // self.look


@dataclass(frozen=True, kw_only=True)
class Trial:
    """One test on one truth.

    ``truth`` says what was simulated, ``asks`` what the test was to say, ``wrong`` whether saying so is an error, so
    that alpha bounds its rate. ``run`` draws so many histories and gives the look that stopped each; ``look`` is how
    many requests of the candidate lie between looks.
    """

    test: str
    truth: str
    asks: str
    wrong: bool
    look: int
    run: Callable[[int, np.random.Generator], Looks]


def trials_of(size: BenchmarkSize) -> tuple[Trial, ...]:
    """Every trial of that size."""
    return (*_between_arms(size), *_alpha_shared(size), *_z_tests(size), *_on_pairs(size), *_of_people(size))


def _between_arms(size: BenchmarkSize) -> list[Trial]:
    too_bad, at_margin = Null("at least", size.margin), size.base + size.margin
    harm = partial(stopped_by_arms, null=_NO_HARM, alpha=size.alpha)
    passed = partial(stopped_by_arms, null=too_bad, alpha=size.alpha)
    return [
        _arms(size, "arms", _HARM, True, size.base, harm),
        _arms(size, "arms", _HARM, False, size.worse, harm),
        _arms(size, "arms", _PASS, False, size.base, passed),
        _arms(size, "arms", _PASS, True, at_margin, passed),
        _arms(size, "arms, 5 % share", _HARM, True, size.base, harm, others=19),
        _arms(size, "arms, 5 % share", _HARM, False, size.worse, harm, others=19),
    ]


def _alpha_shared(size: BenchmarkSize) -> list[Trial]:
    """What is left of both tests where every guard is on and harm to all traffic has its share of alpha alone."""
    alpha = size.alpha * AlphaShares().overall
    harm = partial(stopped_by_arms, null=_NO_HARM, alpha=alpha)
    return [
        _arms(size, f"arms, alpha {alpha:g}", _HARM, True, size.base, harm),
        _arms(size, f"arms, alpha {alpha:g}", _HARM, False, size.worse, harm),
        _pairs(size, f"paired, alpha {alpha:g}", "1 % discordant, 3 of 4 worse", _HARM, False, _THREE_IN_FOUR, alpha),
    ]


def _z_tests(size: BenchmarkSize) -> list[Trial]:
    peeking, patient = partial(stopped_by_z_test, looking=True), partial(stopped_by_z_test, looking=False)
    return [
        _arms(size, "z-test at every look", _HARM, True, size.base, peeking),
        _arms(size, "z-test at every look", _HARM, False, size.worse, peeking),
        _arms(size, "z-test, one look", _HARM, True, size.base, patient),
    ]


def _on_pairs(size: BenchmarkSize) -> list[Trial]:
    excess, margin, test = size.worse - size.base, size.margin, "paired"
    half = "1 % discordant, half of it worse"
    independent = (size.worse * (1 - size.base), size.base * (1 - size.worse))
    apart = f"errors independent, {_percent(size.base)} and {_percent(size.worse)}"
    return [
        _pairs(size, test, half, _HARM, True, (_HALF, _HALF)),
        _pairs(size, test, f"1 % discordant, and {_percent(excess)} worse", _HARM, False, (_HALF + excess, _HALF)),
        _pairs(size, test, "1 % discordant, 3 of 4 worse", _HARM, False, _THREE_IN_FOUR),
        _pairs(size, test, apart, _HARM, False, independent),
        _pairs(size, test, half, _PASS, False, (_HALF, _HALF), margin=margin),
        _pairs(
            size,
            test,
            f"1 % discordant, and {_percent(margin)} worse",
            _PASS,
            True,
            (_HALF + margin, _HALF),
            margin=margin,
        ),
    ]


def _of_people(size: BenchmarkSize) -> list[Trial]:
    """No difference, but few people who come again and again: each in one arm, or in pairs."""

    def drawn(histories: int, generator: np.random.Generator, rate: float, people: int) -> Errors:
        return errors_of_people(
            rate,
            people=people,
            likeness=LIKENESS,
            histories=histories,
            looks=size.looks,
            look=size.look,
            generator=generator,
        )

    def arms(histories: int, generator: np.random.Generator, *, people: int) -> Looks:
        return stopped_by_arms(drawn(histories, generator, size.base, people), _NO_HARM, size.alpha)

    def paired(histories: int, generator: np.random.Generator, *, people: int) -> Looks:
        # Either side has all the people here: one counts where the candidate errs alone, the other the champion.
        errors = drawn(histories, generator, _HALF, 2 * people)
        worse, better = errors.candidate.cumsum(axis=1), errors.champion.cumsum(axis=1)
        seen = size.look * np.arange(1, size.looks + 1)
        return stopped_by_pairs(Pairs(better=better, same=seen - better - worse, worse=worse), size.alpha)

    kinds = (
        ("arms, sticky people", f"{_percent(size.base)} in both arms", arms, PEOPLE),
        ("paired, few people", "1 % discordant", paired, PEOPLE[:-1]),
    )
    return [
        Trial(
            test=test,
            truth=f"{people:,} people, {what}",
            asks=_HARM,
            wrong=True,
            look=size.look,
            run=partial(run, people=people),
        )
        for test, what, run, counts in kinds
        for people in counts
    ]


def _arms(
    size: BenchmarkSize,
    test: str,
    asks: str,
    wrong: bool,
    candidate: float,
    stop: Callable[[Errors], Looks],
    *,
    others: int = 1,
) -> Trial:
    """A trial between arms; the champion has ``others`` times the candidate's requests."""

    def run(histories: int, generator: np.random.Generator) -> Looks:
        drawn = independent_errors(
            candidate,
            size.base,
            histories=histories,
            looks=size.looks,
            candidate_look=size.look,
            champion_look=size.look * others,
            generator=generator,
        )
        return stop(drawn)

    same = candidate == size.base
    truth = f"{_percent(size.base)} in both arms" if same else f"{_percent(size.base)} and {_percent(candidate)}"
    return Trial(test=test, truth=truth, asks=asks, wrong=wrong, look=size.look, run=run)


def _pairs(
    size: BenchmarkSize,
    test: str,
    truth: str,
    asks: str,
    wrong: bool,
    rates: tuple[float, float],
    alpha: float | None = None,
    *,
    margin: float | None = None,
) -> Trial:
    """A trial on pairs; ``rates`` are the shares of pairs on which the candidate, or the champion, errs alone."""

    def run(histories: int, generator: np.random.Generator) -> Looks:
        drawn = pairs(*rates, histories=histories, looks=size.looks, look=size.look, generator=generator)
        return stopped_by_pairs(drawn, alpha or size.alpha, margin=margin)

    return Trial(test=test, truth=truth, asks=asks, wrong=wrong, look=size.look, run=run)


def _percent(rate: float) -> str:
    return f"{100 * rate:.2g} %"
