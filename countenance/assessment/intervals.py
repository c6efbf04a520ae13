"""How far a measured rate may be from the truth: intervals over subjects, never over pairs.

Comparisons that share a subject err together, so a pair is not an independent trial. The dyadic interval follows
Fogliato, Patil and Perona, "Confidence intervals for error rates in 1:1 matching tasks", IJCV 2024.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field
from scipy import stats

from countenance.assessment.arrays import AnyArray, BoolArray, FloatArray, IntArray, same_length
from countenance.assessment.results import Result
from countenance.configuration import Configuration
from countenance.errors import AssessmentError

DEFAULT_LEVEL = 0.95
# A usual ratio of the true variance to that of independent pairs, taken where no error was seen to measure it on.
USUAL_DESIGN_EFFECT = 4.0
# More undefined resamples than this share and the rest no longer stand for the whole.
UNDEFINED_SHARE = 0.1
WEIGHT_CELLS = 4_000_000


class Resampling(Configuration):
    """How bootstrap intervals are drawn.

    Attributes:
        seed: of the generator; each interval starts from it, so that none depends on which was drawn before.
        resamples: how often subjects are drawn again.
        level: of the interval, e.g. 0.95.
    """

    seed: int = Field(default=0, ge=0)
    resamples: int = Field(default=1000, ge=1)
    level: float = Field(default=DEFAULT_LEVEL, gt=0.0, lt=1.0)

    def generator(self) -> np.random.Generator:
        """Return a fresh generator at the seed."""
        return np.random.default_rng(self.seed)


DEFAULT_RESAMPLING = Resampling()


@dataclass(frozen=True)
class Interval(Result):
    """A confidence interval, ends included."""

    low: float
    high: float


@dataclass(frozen=True)
class Rate(Result):
    """An error rate (FMR, FNMR, ...) with its interval over subjects.

    Attributes:
        errors: comparisons decided wrongly.
        comparisons: comparisons made.
        subjects: distinct subjects in them.
        value: errors / comparisons, or None without comparisons.
        low: lower end, or None with fewer than two subjects.
        high: upper end, or None with fewer than two subjects.
        design_effect: variance of the rate over that of independent pairs, at least 1; None where no error, or
            nothing but errors, was seen.
    """

    errors: int
    comparisons: int
    subjects: int
    value: float | None
    low: float | None
    high: float | None
    design_effect: float | None


@dataclass(frozen=True)
class Bootstrap(Result):
    """A statistic with its percentile interval over resampled subjects.

    Attributes:
        value: the statistic on the data as they are, or None where it is undefined.
        low: lower end; None where the resamples are all alike or more than a tenth are undefined.
        high: upper end; None in the same cases.
        resamples: how many resamples were drawn.
        undefined: in how many the statistic could not be computed.
    """

    value: float | None
    low: float | None
    high: float | None
    resamples: int
    undefined: int

    @property
    def note(self) -> str:
        """Say why there is no interval, or how many resamples it lacks; empty where there is nothing to say."""
        lacking = f"{self.undefined} of {self.resamples} resamples undefined" if self.undefined else ""
        if self.low is not None:
            return lacking
        return f"no interval: {lacking or 'the resamples are all alike'}"


def wilson_interval(
    rate: float, count: float, *, level: float = DEFAULT_LEVEL, degrees_of_freedom: int | None = None
) -> Interval:
    """Return Wilson's score interval of a proportion (Wilson 1927, JASA 22, p. 209).

    Args:
        rate: the observed proportion, 0 to 1.
        count: trials, or the effective number of them; need not be whole.
        level: e.g. 0.95.
        degrees_of_freedom: of Student's t in place of the normal quantile, where the variance is estimated.
    """
    if not 0.0 <= rate <= 1.0 or not count > 0:
        raise AssessmentError(f"Wilson's interval needs a rate in 0..1 and trials, not {rate} of {count}.")
    tail = _upper_tail(level)
    z = _quantile(tail, degrees_of_freedom)
    shrink = 1.0 + z * z / count
    centre = (rate + z * z / (2.0 * count)) / shrink
    half = z / shrink * math.sqrt(rate * (1.0 - rate) / count + z * z / (4.0 * count * count))
    return Interval(max(0.0, min(rate, centre - half)), min(1.0, max(rate, centre + half)))


def zero_error_bound(
    comparisons: int, *, design_effect: float = USUAL_DESIGN_EFFECT, level: float = DEFAULT_LEVEL
) -> float:
    """Return the upper bound of a rate with no error in ``comparisons``: 3 x design effect / N at 95 %."""
    if comparisons < 1 or design_effect < 1.0:
        raise AssessmentError(
            f"The rule of three needs comparisons and a design effect of 1 or more, "
            f"not {comparisons} and {design_effect}."
        )
    three = 3.0 * math.log(1.0 - level) / math.log(0.05)
    return min(1.0, three * design_effect / comparisons)


def dyadic_variance(errors: ArrayLike, comparisons: ArrayLike, first: ArrayLike, second: ArrayLike) -> float:
    """Return the plug-in variance of an error rate over dyads of subjects.

    With p = sum(errors) / N, r_d = errors_d - p * comparisons_d and R_i the sum of r_d over the dyads of subject
    i: V = (sum R_i^2 - sum r_d^2) / N^2, the second sum over dyads of two different subjects, which the first
    counts twice. A dyad of a subject with itself holds its mated pairs. Where the covariance of dyads that share
    a subject comes out negative it is taken as zero, as in the authors' package, so V >= sum r_d^2 / N^2.

    Args:
        errors: wrong decisions of each dyad, [D].
        comparisons: comparisons of each dyad, [D].
        first: subject code of one side, [D]; each dyad is listed once.
        second: subject code of the other side, [D].
    """
    one, other = np.asarray(first), np.asarray(second)
    wrong, made = np.asarray(errors, dtype=np.float64), np.asarray(comparisons, dtype=np.float64)
    same_length(errors=len(wrong), comparisons=len(made), first=len(one), second=len(other))
    total = made.sum()
    if not total > 0:
        raise AssessmentError("The variance of a rate was asked for without a comparison: give at least one.")
    residual = wrong - wrong.sum() / total * made
    apart = one != other
    size = int(max(one.max(), other.max())) + 1
    of_subject = np.bincount(one, residual, size) + np.bincount(other[apart], residual[apart], size)
    alone = float((residual**2).sum())
    shared = float((of_subject**2).sum() - (residual**2).sum() - (residual[apart] ** 2).sum())
    return (alone + max(0.0, shared)) / float(total) ** 2


def rate_over_subjects(
    errors: BoolArray,
    first: IntArray,
    second: IntArray | None = None,
    *,
    level: float = DEFAULT_LEVEL,
    zero_error_design_effect: float = USUAL_DESIGN_EFFECT,
) -> Rate:
    """Return an error rate with its subject-level interval.

    Wilson's interval with n_eff = p(1-p)/V and Student's t with (subjects - 1) degrees of freedom. The design effect
    is held at 1 or more, since the plug-in variance of few subjects may fall below that of independent pairs.

    Args:
        errors: whether each comparison was decided wrongly, [N].
        first: subject code of one side, [N].
        second: subject code of the other side, [N]; None when both sides are one subject.
        level: e.g. 0.95.
        zero_error_design_effect: used in the rule of three where no error was seen; give the pooled one if known.
    """
    wrong = np.asarray(errors, dtype=np.bool_)
    other = first if second is None else second
    same_length(errors=len(wrong), first=len(first), second=len(other))
    count, mistakes = len(wrong), int(wrong.sum())
    subjects = len(np.unique(np.concatenate([first, other])))
    variance = dyadic_variance(*_counted_dyads(wrong, first, other)) if count else 0.0
    return rate_of_counts(
        mistakes, count, subjects, variance, level=level, zero_error_design_effect=zero_error_design_effect
    )


def rate_of_counts(
    errors: int,
    comparisons: int,
    subjects: int,
    variance: float,
    *,
    level: float = DEFAULT_LEVEL,
    zero_error_design_effect: float = USUAL_DESIGN_EFFECT,
) -> Rate:
    """Return an error rate with its interval as :func:`rate_over_subjects` does, the variance already known.

    Args:
        errors: comparisons decided wrongly.
        comparisons: comparisons made.
        subjects: distinct subjects in them.
        variance: of the rate, over dyads; unused where no error, or nothing but errors, was seen.
        level: e.g. 0.95.
        zero_error_design_effect: used in the rule of three where no error was seen.
    """
    if comparisons == 0:
        return Rate(0, 0, 0, None, None, None, None)
    rate = errors / comparisons
    if subjects < 2:
        return Rate(errors, comparisons, subjects, rate, None, None, None)
    if errors in (0, comparisons):
        bound = zero_error_bound(comparisons, design_effect=zero_error_design_effect, level=level)
        low, high = (0.0, bound) if errors == 0 else (1.0 - bound, 1.0)
        return Rate(errors, comparisons, subjects, rate, low, high, None)
    design_effect = max(1.0, variance * comparisons / (rate * (1.0 - rate)))
    interval = wilson_interval(rate, comparisons / design_effect, level=level, degrees_of_freedom=subjects - 1)
    return Rate(errors, comparisons, subjects, rate, interval.low, interval.high, design_effect)


def _counted_dyads(
    wrong: BoolArray, first: IntArray, second: IntArray
) -> tuple[AnyArray, AnyArray, AnyArray, AnyArray]:
    size = np.int64(max(first.max(), second.max()) + 1)
    keys, dyad, comparisons = np.unique(
        np.minimum(first, second) * size + np.maximum(first, second), return_inverse=True, return_counts=True
    )
    errors = np.bincount(dyad, wrong, len(keys))
    return errors, comparisons, keys // size, keys % size


def subject_weights(subjects: int, resamples: int, generator: np.random.Generator) -> Iterator[IntArray]:
    """Yield blocks of resamples: how often each subject was drawn, [block, subjects]; a row adds up to ``subjects``."""
    if subjects < 1 or resamples < 1:
        raise AssessmentError(f"A bootstrap needs subjects and resamples, not {subjects} and {resamples}.")
    block = max(1, WEIGHT_CELLS // subjects)
    for start in range(0, resamples, block):
        count = min(block, resamples - start)
        drawn = generator.integers(0, subjects, size=(count, subjects))
        drawn += np.arange(count)[:, None] * subjects
        yield np.bincount(drawn.reshape(-1), minlength=count * subjects).reshape(count, subjects)


def bootstrap_over_subjects(
    statistic: Callable[[IntArray], FloatArray],
    subjects: int,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Bootstrap:
    """Return a statistic with its percentile interval when subjects are drawn again with replacement.

    Args:
        statistic: takes weights [B, S], how often each subject was drawn, and returns [B], NaN where undefined.
            A row of one subject weighs the subject's weight; a pair of two subjects, the product of both.
        subjects: S, the number of subjects.
        resampling: seed, resamples and level.
    """
    point, replicates = bootstrap_replicates(statistic, subjects, resampling)
    return bootstrap_interval(float(point), replicates, resampling.level)


def bootstrap_replicates(
    statistic: Callable[[IntArray], FloatArray], subjects: int, resampling: Resampling
) -> tuple[FloatArray, FloatArray]:
    """Return a statistic on the data as they are, [...], and on each resample of subjects, [resamples, ...].

    Several quantities drawn together, as the costs of all groups, then share their resamples.
    """
    point = statistic(np.ones((1, subjects), dtype=np.int64))[0]
    blocks = subject_weights(subjects, resampling.resamples, resampling.generator())
    return np.asarray(point), np.concatenate([statistic(weights) for weights in blocks])


def bootstrap_interval(point: float, replicates: FloatArray, level: float = DEFAULT_LEVEL) -> Bootstrap:
    """Summarise the replicates [resamples] of one statistic, NaN where undefined, by their percentiles."""
    defined = replicates[~np.isnan(replicates)]
    undefined = len(replicates) - len(defined)
    low: float | None = None
    high: float | None = None
    if len(defined) and undefined <= UNDEFINED_SHARE * len(replicates) and defined.min() < defined.max():
        tail = _upper_tail(level)
        low, high = (float(end) for end in np.quantile(defined, [tail, 1.0 - tail]))
    return Bootstrap(None if math.isnan(point) else point, low, high, len(replicates), undefined)


def weighted_means(weights: IntArray, sums: AnyArray, counts: AnyArray) -> FloatArray:
    """Return (weights @ sums) / (weights @ counts) with NaN where nothing was drawn.

    Args:
        weights: [B, S]; sums: [S] or [S, G]; counts: the same shape as sums.
    """
    total = weights @ counts
    means = np.full(total.shape, np.nan)
    np.divide(weights @ sums, total, out=means, where=total > 0)
    return means


@cache
def _quantile(tail: float, degrees_of_freedom: int | None) -> float:
    return float(stats.norm.isf(tail) if degrees_of_freedom is None else stats.t.isf(tail, degrees_of_freedom))


def _upper_tail(level: float) -> float:
    if not 0.0 < level < 1.0:
        raise AssessmentError(f"The level of an interval is {level}: give a number between 0 and 1.")
    return (1.0 - level) / 2.0
