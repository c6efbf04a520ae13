"""One system beside another by group: what a candidate does to each group that the champion, or its teacher, did not.

Both decide the same comparisons, each at its own threshold, and share their resamples of subjects.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from countenance.assessment.arrays import FloatArray, IntArray
from countenance.assessment.cost import CostModel
from countenance.assessment.exhaustive_errors import ExhaustiveErrorCounts
from countenance.assessment.intervals import DEFAULT_RESAMPLING, Resampling
from countenance.assessment.non_inferiority import (
    PairedDifference,
    paired_bootstrap,
    paired_worst_group_fmr,
    paired_worst_group_fnmr,
)
from countenance.assessment.results import Result


@dataclass(frozen=True)
class PairedRates(Result):
    """One group's rates: candidate - reference, of which more is worse."""

    fmr: PairedDifference
    fnmr: PairedDifference


@dataclass(frozen=True)
class PairedGroups(Result):
    """A candidate beside a reference by group.

    In every :class:`~countenance.assessment.non_inferiority.PairedDifference` the reference stands as the champion.

    Attributes:
        reference: its name.
        worst_fmr: the worst group's FMR, candidate / reference.
        worst_fnmr: the worst group's FNMR, candidate - reference.
        cost: expected cost over all comparisons, candidate - reference.
        groups: each shown group's rates.
    """

    reference: str
    worst_fmr: PairedDifference
    worst_fnmr: PairedDifference
    cost: PairedDifference
    groups: Mapping[str, PairedRates]


def pair_groups(
    candidate: ExhaustiveErrorCounts,
    reference: ExhaustiveErrorCounts,
    name: str,
    model: CostModel,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> PairedGroups:
    """Compare two systems by group, each at the threshold that its errors were counted at.

    Args:
        candidate: errors of the one.
        reference: errors of the other, of the same samples and groups.
        name: of the reference.
        model: prices.
        resampling: seed, resamples and level.

    Raises:
        AssessmentError: the two were counted over different groups or subjects.
    """
    return PairedGroups(
        reference=name,
        worst_fmr=paired_worst_group_fmr(candidate, reference, resampling),
        worst_fnmr=paired_worst_group_fnmr(candidate, reference, resampling),
        cost=paired_bootstrap(
            "expected cost",
            _cost_of(candidate, model),
            _cost_of(reference, model),
            candidate.subjects,
            resampling,
            unit=model.unit,
        ),
        groups={
            group: PairedRates(
                _of_group(f"FMR of {group}", candidate.fmr, reference.fmr, column, candidate.subjects, resampling),
                _of_group(f"FNMR of {group}", candidate.fnmr, reference.fnmr, column, candidate.subjects, resampling),
            )
            for column, group in enumerate(candidate.names)
        },
    )


def _cost_of(counts: ExhaustiveErrorCounts, model: CostModel) -> Callable[[IntArray], FloatArray]:
    def cost(weights: IntArray) -> FloatArray:
        rates = counts.overall(weights)
        return model.expected_cost(rates[:, 0], rates[:, 1])

    return cost


def _of_group(
    what: str,
    candidate: Callable[[IntArray], FloatArray],
    reference: Callable[[IntArray], FloatArray],
    column: int,
    subjects: int,
    resampling: Resampling,
) -> PairedDifference:
    return paired_bootstrap(
        what,
        lambda weights: np.asarray(candidate(weights)[:, column]),
        lambda weights: np.asarray(reference(weights)[:, column]),
        subjects,
        resampling,
    )
