"""Systems that were trained from several seeds: what they score on average, and how sure that is.

An interval is of two chances at once: who was photographed, and which seeds were drawn. In each resample subjects are
drawn again with replacement, and so are the seeds; every system has the same subjects and the same seeds in it, so that
what makes a resample hard for all cancels out in a difference. Of n seeds the bootstrap sees (n - 1) / n of the
variance between them: with two or three an interval is rather too narrow, and the values by seed are given beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from countenance.assessment.arrays import FloatArray, IntArray
from countenance.assessment.intervals import Resampling, bootstrap_interval, bootstrap_replicates
from countenance.assessment.results import Result, optional_float
from countenance.errors import AssessmentError

Statistic = Callable[[IntArray], FloatArray]
"""Of subject weights [B, S] -> [B], or [B, G] for G groups; NaN where undefined."""


@dataclass(frozen=True)
class SeededMeasurement(Result):
    """A mean over seeds with its interval over subjects and seeds.

    Attributes:
        value: the mean, or None where it is not measurable.
        low: lower end, or None where there is no interval.
        high: upper end, or None.
        by_seed: the value of each seed, or of each seed's difference.
        unit: e.g. "proportion"; "ratio" for one system over another.
        note: what a reader must know; empty where there is nothing to say.
    """

    value: float | None
    low: float | None
    high: float | None
    by_seed: tuple[float | None, ...]
    unit: str = "proportion"
    note: str = ""


@dataclass(frozen=True, eq=False)
class SeededReplicates:
    """One statistic of one system, from each of n seeds.

    Attributes:
        point: [n, ...] on the data as they are.
        drawn: [R, n, ...] on each resample of subjects.
    """

    point: FloatArray
    drawn: FloatArray

    @classmethod
    def of(cls, statistics: Sequence[Statistic], subjects: int, resampling: Resampling) -> SeededReplicates:
        """Draw subjects again, the same for each seed's statistic.

        Raises:
            AssessmentError: there is no seed.
        """
        if not statistics:
            raise AssessmentError("A system without a single seed cannot be measured: train it once at least.")
        point, drawn = bootstrap_replicates(
            lambda weights: np.stack([statistic(weights) for statistic in statistics], axis=1), subjects, resampling
        )
        return cls(point, drawn)

    def over_seeds(self, draws: IntArray) -> tuple[FloatArray, FloatArray]:
        """The mean over seeds, [...], and over the seeds of each resample, [R, ...]."""
        rows = np.arange(len(draws))[:, None]
        return np.asarray(self.point.mean(axis=0)), np.asarray(self.drawn[rows, draws].mean(axis=1))


def seed_draws(seeds: int, resampling: Resampling) -> IntArray:
    """[R, n]: which seeds each resample has; the same for all systems of a comparison."""
    generator = np.random.default_rng([resampling.seed, 1])
    return generator.integers(0, seeds, size=(resampling.resamples, seeds))


def measured(system: SeededReplicates, draws: IntArray, *, level: float) -> SeededMeasurement:
    """One system's mean and interval; for statistics of one number."""
    return _summary(*system.over_seeds(draws), system.point, level=level)


def difference(
    candidate: SeededReplicates, reference: SeededReplicates, draws: IntArray, *, level: float
) -> SeededMeasurement:
    """Candidate minus reference, paired over subjects and seeds; for statistics of one number.

    Raises:
        AssessmentError: they have different numbers of seeds or resamples.
    """
    _refuse_unpaired(candidate, reference)
    paired = SeededReplicates(candidate.point - reference.point, candidate.drawn - reference.drawn)
    return _summary(*paired.over_seeds(draws), paired.point, level=level)


def worst_difference(
    candidate: SeededReplicates, reference: SeededReplicates, draws: IntArray, *, level: float, ratio: bool = False
) -> SeededMeasurement:
    """The worst group of the candidate minus (or over) that of the reference; larger is worse.

    A group counts with its mean over seeds. Which group is worst may differ between the two, and between resamples.

    Args:
        candidate: of G groups: point [n, G].
        reference: of the same groups.
        draws: of :func:`seed_draws`.
        level: of the interval.
        ratio: candidate / reference; undefined where the reference's is zero.

    Raises:
        AssessmentError: they have different numbers of seeds, groups or resamples.
    """
    _refuse_unpaired(candidate, reference)
    new, old = (_worst(*system.over_seeds(draws)) for system in (candidate, reference))
    by_seed = _compared(candidate.point.max(axis=1), reference.point.max(axis=1), ratio=ratio)
    point, drawn = (_compared(one, other, ratio=ratio) for one, other in zip(new, old, strict=True))
    return _summary(point, drawn, by_seed, level=level, unit="ratio" if ratio else "proportion")


def _worst(point: FloatArray, drawn: FloatArray) -> tuple[FloatArray, FloatArray]:
    return np.asarray(point.max()), np.asarray(drawn.max(axis=1))


def _compared(new: FloatArray, old: FloatArray, *, ratio: bool) -> FloatArray:
    if not ratio:
        return np.asarray(new - old)
    ratios = np.full(np.shape(new), np.nan)
    np.divide(new, old, out=ratios, where=np.asarray(old > 0))
    return ratios


def _summary(
    point: FloatArray, drawn: FloatArray, by_seed: FloatArray, *, level: float, unit: str = "proportion"
) -> SeededMeasurement:
    found = bootstrap_interval(float(point), drawn, level)
    notes = ["one seed: what another would give is not in the interval"] if len(by_seed) == 1 else []
    notes += [found.note] if found.note else []
    each = tuple(optional_float(value) for value in by_seed)
    return SeededMeasurement(found.value, found.low, found.high, each, unit, "; ".join(notes))


def _refuse_unpaired(one: SeededReplicates, other: SeededReplicates) -> None:
    if one.drawn.shape != other.drawn.shape:
        raise AssessmentError(
            "Two systems were measured on different seeds, groups or resamples: train both from the same seeds."
        )
