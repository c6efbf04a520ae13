"""A bias report on any set of faces: identity errors from embeddings, attribute errors from predictions, by group.

One report whatever the model: embeddings, or what was said of each photo, beside a table of labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from countenance.assessment.adjusted_gaps import AdjustedGap, adjusted_gap
from countenance.assessment.arrays import AnyArray, FloatArray
from countenance.assessment.attributes import mean_over_subjects
from countenance.assessment.cost import CostModel
from countenance.assessment.cost_report import CostReport
from countenance.assessment.differential import differential_of
from countenance.assessment.exhaustive_errors import ExhaustiveErrorCounts, cross_group_fmr
from countenance.assessment.exhaustive_pairs import HighScores, Samples
from countenance.assessment.gate_policy import GateEvidence, GatePolicy, run_gates
from countenance.assessment.gates import Gate
from countenance.assessment.groups import (
    DEFAULT_GROUP_SIZES,
    GroupedMeasurements,
    GroupSizes,
    by_group,
    gap_between_groups,
)
from countenance.assessment.identity_by_group import GroupCells, cost_by_group
from countenance.assessment.intervals import DEFAULT_RESAMPLING, Resampling
from countenance.assessment.results import Measurement, Result
from countenance.assessment.row_scores import RowScores
from countenance.errors import AssessmentError

NOMINAL: Final = 1e-3
NOT_MEASURED_HERE: Final = (
    "tar_margin",
    "worst_group_fmr_ratio",
    "worst_group_fnmr_increase",
    "teacher_fmr_ratio",
    "teacher_fnmr_increase",
    "cost_increase",
)
"""Gates that compare with another model, of which such a report knows nothing."""


@dataclass(frozen=True)
class IdentityBias(Result):
    """Identity errors by group.

    Attributes:
        samples: how many were compared with one another.
        subjects: of whom.
        ungrouped: subjects whose group is not known: they count for the threshold and in no group.
        failures: samples of each group from which nothing could be extracted: non-matches, but no false matches.
        rate: FMR over all comparisons at which the threshold was set; None where it was given.
        cells: FMR and FNMR of every group, and FMR between any two.
        cost: money by group; None without prices.
        gates: those that need no other model.
    """

    samples: int
    subjects: int
    ungrouped: int
    failures: Mapping[str, int]
    rate: float | None
    cells: GroupCells
    cost: CostReport | None
    gates: tuple[Gate, ...]


@dataclass(frozen=True)
class TaskBias(Result):
    """One attribute task by group.

    Attributes:
        measured: over all labelled photos and by group.
        gap: largest - smallest mean of the shown groups.
        adjusted: the same with covariates held equal; None where none were handed in.
    """

    measured: GroupedMeasurements
    gap: Measurement
    adjusted: AdjustedGap | None


def identity_bias(
    samples: Samples,
    groups: Mapping[str, str],
    *,
    rate: float | None = None,
    threshold: float | None = None,
    prices: CostModel | None = None,
    policy: GatePolicy | None = None,
    sizes: GroupSizes = DEFAULT_GROUP_SIZES,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> IdentityBias:
    """Compare every sample with every other and count errors by group at one threshold.

    Args:
        samples: what is compared.
        groups: subject -> group.
        rate: set the threshold at this FMR over all comparisons, across groups too; None takes ``threshold``.
        threshold: accept when score > threshold; used where ``rate`` is None.
        prices: for money by group.
        policy: limits of the gates; None takes the defaults at ``rate``.
        sizes: subjects a group needs.
        resampling: seed, resamples and level.

    Raises:
        AssessmentError: neither or both of rate and threshold are given, or the rate is not measurable.
    """
    if (rate is None) == (threshold is None):
        raise AssessmentError("A bias report needs either the false match rate of its threshold or the threshold.")
    high = HighScores.above(samples, threshold) if threshold is not None else HighScores.for_rate(samples, rate or 0.0)
    common = threshold if threshold is not None else high.threshold_at(rate or 0.0)
    counts = ExhaustiveErrorCounts(high, groups, common, sizes)
    cells = GroupCells(
        differential_of(counts, sizes=sizes, resampling=resampling), cross_group_fmr(counts, level=resampling.level)
    )
    cost = None if prices is None else cost_by_group(counts, prices, sizes=sizes, resampling=resampling)
    limits = policy or GatePolicy(attribute_gaps={}, nominal_fmr=NOMINAL if rate is None else rate)
    off = dict.fromkeys(NOT_MEASURED_HERE) | ({"bias_index": None} if prices is None else {})
    gates = run_gates(limits.model_copy(update=off), GateEvidence(differential=cells.differential, cost=cost))
    of_sample = np.array([groups.get(samples.subjects[code]) for code in samples.subject], dtype=object)
    return IdentityBias(
        samples=len(samples.subject),
        subjects=len(samples.subjects),
        ungrouped=int((counts.of_subject < 0).sum()),
        failures={name: int((samples.failed & (of_sample == name)).sum()) for name in counts.names},
        rate=rate,
        cells=cells,
        cost=cost,
        gates=gates,
    )


def task_bias(
    scores: RowScores,
    groups: AnyArray,
    *,
    subjects: AnyArray | None = None,
    covariates: Mapping[str, FloatArray] | None = None,
    sizes: GroupSizes = DEFAULT_GROUP_SIZES,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> TaskBias:
    """Measure one attribute task by group.

    Args:
        scores: photo scores, [N]; NaN = not labelled.
        groups: group of each photo, [N]; null = in no group.
        subjects: subject of each photo, [N]; without it each photo counts as a subject.
        covariates: what photos differ in, by name, [N] each, for the adjusted gap.
        sizes: subjects a group needs.
        resampling: seed, resamples and level.
    """
    adjusted = None
    if covariates:
        adjusted = adjusted_gap(scores, groups, covariates, subjects=subjects, sizes=sizes, resampling=resampling)
    return TaskBias(
        measured=tasks_of_groups(scores, groups, subjects, sizes, resampling),
        gap=gap_between_groups(scores, groups, subjects=subjects, sizes=sizes, resampling=resampling),
        adjusted=adjusted,
    )


def tasks_of_groups(
    scores: RowScores, groups: AnyArray, subjects: AnyArray | None, sizes: GroupSizes, resampling: Resampling
) -> GroupedMeasurements:
    """Measure photo scores overall and by group; only labelled photos count towards a group's size."""
    labelled = groups.astype(object)
    labelled[np.isnan(scores.values)] = None
    return by_group(
        lambda rows: mean_over_subjects(
            scores.take(rows), None if subjects is None else subjects[rows], resampling=resampling
        ),
        labelled,
        subjects=subjects,
        sizes=sizes,
    )
