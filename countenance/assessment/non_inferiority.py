"""A candidate against the champion on the same comparisons and the same resamples of subjects.

Both systems see the same subjects in each resample, so what makes a subject hard for both cancels out and the
interval of the difference is much narrower than the two intervals side by side suggest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from countenance.assessment.arrays import FloatArray, IntArray
from countenance.assessment.cost import CostResampler
from countenance.assessment.group_error_counts import ErrorCounts
from countenance.assessment.intervals import (
    DEFAULT_RESAMPLING,
    Resampling,
    bootstrap_over_subjects,
    zero_error_bound,
)
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.results import Result, optional_float
from countenance.assessment.verification import TarResampler, accepted, tar_at_far, threshold_at_far
from countenance.errors import AssessmentError


@dataclass(frozen=True)
class PairedDifference(Result):
    """Candidate minus champion (or candidate over champion, for a ratio) with its interval.

    Attributes:
        what: the quantity, e.g. "TAR@FAR=0.0001".
        candidate: the candidate's value, or None where it is not measurable.
        champion: the champion's value, or None.
        difference: candidate - champion, or their ratio; None where either is missing.
        low: lower end, or None where there is no interval.
        high: upper end, or None.
        unit: "proportion", "ratio" or the cost's unit.
        note: what a reader must know; empty where there is nothing to say.
    """

    what: str
    candidate: float | None
    champion: float | None
    difference: float | None
    low: float | None
    high: float | None
    unit: str
    note: str = ""


def paired_bootstrap(
    what: str,
    candidate: Callable[[IntArray], FloatArray],
    champion: Callable[[IntArray], FloatArray],
    subjects: int,
    resampling: Resampling = DEFAULT_RESAMPLING,
    *,
    ratio: bool = False,
    unit: str = "proportion",
) -> PairedDifference:
    """Compare one statistic of two systems under the same resamples of subjects.

    Args:
        what: the quantity's name.
        candidate: statistic of weights [B, S] -> [B], NaN where undefined.
        champion: the same for the champion.
        subjects: S.
        resampling: seed, resamples and level.
        ratio: candidate / champion in place of candidate - champion; undefined where the champion's is zero.
        unit: of the difference.
    """

    def compared(weights: IntArray) -> FloatArray:
        new, old = candidate(weights), champion(weights)
        if not ratio:
            return new - old
        ratios = np.full(len(new), np.nan)
        np.divide(new, old, out=ratios, where=old > 0)
        return ratios

    drawn = bootstrap_over_subjects(compared, subjects, resampling)
    everyone = np.ones((1, subjects), dtype=np.int64)
    return PairedDifference(
        what=what,
        candidate=optional_float(candidate(everyone)[0]),
        champion=optional_float(champion(everyone)[0]),
        difference=drawn.value,
        low=drawn.low,
        high=drawn.high,
        unit=unit,
        note=drawn.note,
    )


def paired_tar_difference(
    candidate: ComparisonScores,
    champion: ComparisonScores,
    far: float,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> PairedDifference:
    """Return TAR@FAR of the candidate minus that of the champion, with its interval over subjects.

    Each system's own threshold is found again in each resample: a threshold is part of what TAR@FAR measures, and
    holding it fixed would hide how uncertain it is at a low FAR. Where the two systems decide every mated comparison
    alike, no resample can show a difference; the interval then reaches as far as the rule of three allows for the
    share of comparisons decided differently, so that a handful of easy pairs proves nothing.

    Raises:
        AssessmentError: the two systems were not scored on the same comparisons.
    """
    if not candidate.pairs.same_as(champion.pairs):
        raise AssessmentError(
            "The candidate and the champion were scored on different comparisons: score both on the same pairs."
        )
    subjects = len(candidate.pairs.subjects)
    result = paired_bootstrap(
        f"TAR@FAR={far:g}",
        TarResampler(candidate, far),
        TarResampler(champion, far),
        subjects,
        resampling,
    )
    if result.difference is None:
        (point,) = tar_at_far(candidate.mated, candidate.non_mated, [far])
        note = point.at.note if point.at.threshold is None else "not measurable: no mated comparisons"
        return PairedDifference(result.what, None, None, None, None, None, result.unit, note)
    return _widened_where_nothing_differs(result, candidate, champion, far, resampling.level)


def _widened_where_nothing_differs(
    result: PairedDifference, candidate: ComparisonScores, champion: ComparisonScores, far: float, level: float
) -> PairedDifference:
    decisions = []
    for scores in (candidate, champion):
        threshold = threshold_at_far(scores.non_mated, far).threshold
        if threshold is None:
            raise AssessmentError(f"FAR {far:g} is not measurable on these comparisons: choose a higher one.")
        decisions.append(accepted(scores.mated, threshold))
    different = int((decisions[0] != decisions[1]).sum())
    count = len(candidate.mated)
    note = f"{different:,} of {count:,} mated comparisons decided differently" + (
        f"; {result.note}" if result.note else ""
    )
    low, high = result.low, result.high
    if different == 0:
        bound = zero_error_bound(count, level=level)
        low, high = min(-bound, low or 0.0), max(bound, high or 0.0)
    return PairedDifference(
        result.what, result.candidate, result.champion, result.difference, low, high, result.unit, note
    )


def paired_worst_group_fnmr(
    candidate: ErrorCounts, champion: ErrorCounts, resampling: Resampling = DEFAULT_RESAMPLING
) -> PairedDifference:
    """Return the worst shown group's FNMR of the candidate minus that of the champion, each at its own threshold.

    The worst group may differ between the two, and between resamples. Thresholds are held: they are the deployed ones.
    """
    _refuse_different_groups(candidate, champion)
    return paired_bootstrap(
        "worst-group FNMR",
        lambda weights: _worst(candidate.fnmr(weights)),
        lambda weights: _worst(champion.fnmr(weights)),
        candidate.subjects,
        resampling,
    )


def paired_worst_group_fmr(
    candidate: ErrorCounts, champion: ErrorCounts, resampling: Resampling = DEFAULT_RESAMPLING
) -> PairedDifference:
    """Return the worst shown group's FMR of the candidate over that of the champion, each at its own threshold."""
    _refuse_different_groups(candidate, champion)
    return paired_bootstrap(
        "worst-group FMR",
        lambda weights: _worst(candidate.fmr(weights)),
        lambda weights: _worst(champion.fmr(weights)),
        candidate.subjects,
        resampling,
        ratio=True,
        unit="ratio",
    )


def paired_cost_difference(
    candidate: CostResampler, champion: CostResampler, resampling: Resampling = DEFAULT_RESAMPLING
) -> PairedDifference:
    """Return the candidate's expected cost minus the champion's, each at its own threshold, same prices."""
    if candidate.subjects != champion.subjects or candidate.model != champion.model:
        raise AssessmentError("The two costs rest on different subjects or prices: use the same for both.")
    return paired_bootstrap(
        "expected cost", candidate, champion, candidate.subjects, resampling, unit=candidate.model.unit
    )


def _worst(rates: FloatArray) -> FloatArray:
    """The highest rate of each row [B, G]: [B]; NaN where one is missing, or no group is shown."""
    return np.asarray(rates.max(axis=1)) if rates.shape[1] else np.full(len(rates), np.nan)


def _refuse_different_groups(candidate: ErrorCounts, champion: ErrorCounts) -> None:
    if candidate.names != champion.names or candidate.subjects != champion.subjects:
        raise AssessmentError("The two systems were counted over different groups: use the same comparisons.")
