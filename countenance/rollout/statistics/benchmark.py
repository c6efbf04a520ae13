"""What the rollout's tests are worth: false alarms, what they find and how soon, beside a z-test that peeks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from countenance.assessment.intervals import wilson_interval
from countenance.progress import track
from countenance.rollout.statistics.trial_list import BenchmarkSize, Trial, trials_of
from countenance.rollout.statistics.trials import Looks

_AT_ONCE = 500


@dataclass(frozen=True, kw_only=True)
class Measured:
    """How often a trial's test said what it was asked, and by when.

    ``low`` and ``high`` are Wilson's 95 % interval of the rate. ``median_sample``: requests (of the candidate's arm, or
    pairs) by which half of all histories were stopped; None when fewer were. ``by_look``: the share stopped by each.
    """

    test: str
    truth: str
    asks: str
    wrong: bool
    repetitions: int
    stopped: int
    low: float
    high: float
    median_sample: int | None
    by_look: tuple[float, ...]

    @property
    def rate(self) -> float:
        """The share of histories that were stopped."""
        return self.stopped / self.repetitions

    def to_dict(self) -> dict[str, Any]:
        """As JSON values, without the curve."""
        names = ("test", "truth", "asks", "wrong", "repetitions", "stopped", "rate", "low", "high", "median_sample")
        return {name: getattr(self, name) for name in names}


def measure(size: BenchmarkSize) -> tuple[Measured, ...]:
    """Run every trial; the same size gives the same figures."""
    trials = trials_of(size)
    parts = [(number, start) for number in range(len(trials)) for start in range(0, size.repetitions, _AT_ONCE)]
    seeds = np.random.SeedSequence(size.seed).spawn(len(parts))
    stopped: list[list[Looks]] = [[] for _ in trials]
    for (number, start), seed in zip(track(parts, what="Histories", unit="part"), seeds, strict=True):
        histories = min(_AT_ONCE, size.repetitions - start)
        stopped[number].append(trials[number].run(histories, np.random.default_rng(seed)))
    return tuple(_measured(trial, np.concatenate(looks), size) for trial, looks in zip(trials, stopped, strict=True))


def _measured(trial: Trial, looks: Looks, size: BenchmarkSize) -> Measured:
    stopped = int((looks > 0).sum())
    interval = wilson_interval(stopped / len(looks), len(looks))
    middle = float(np.median(np.where(looks > 0, looks, size.looks + 1)))
    by_look = np.bincount(looks, minlength=size.looks + 1)[1:].cumsum() / len(looks)
    return Measured(
        test=trial.test,
        truth=trial.truth,
        asks=trial.asks,
        wrong=trial.wrong,
        repetitions=len(looks),
        stopped=stopped,
        low=interval.low,
        high=interval.high,
        median_sample=round(middle * trial.look) if middle <= size.looks else None,
        by_look=tuple(by_look.tolist()),
    )
