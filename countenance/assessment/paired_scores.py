"""One system against another on the same photos, task by task: what it gains, with an interval over people.

What makes a photo hard for both cancels out in the difference, so that its interval is much narrower than those of the
two values side by side. A system that was trained from several seeds counts as their mean, photo by photo.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import BoolArray, FloatArray, IntArray, cluster_codes, same_length
from countenance.assessment.attributes import mean_over_subjects
from countenance.assessment.intervals import (
    DEFAULT_RESAMPLING,
    Bootstrap,
    Resampling,
    bootstrap_over_subjects,
    weighted_means,
    zero_error_bound,
)
from countenance.assessment.non_inferiority import paired_tar_difference
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.results import Measurement, Result
from countenance.assessment.row_scores import RowScores
from countenance.assessment.verification import TarResampler, measure_tar_at_far
from countenance.errors import AssessmentError


@dataclass(frozen=True)
class PairedGain(Result):
    """What a system gains over another one.

    Attributes:
        candidate: its value.
        reference: the other one's, on the same photos or comparisons.
        gain: how much better the candidate is, whichever way the metric is better: positive = the candidate is better.
            None where nothing was measured.
        low: lower end of its interval, or None where there is none.
        high: upper end, or None where there is none.
        unit: of the gain.
        count: photos or comparisons.
        note: what a reader must know; empty where there is nothing to say.
    """

    candidate: Measurement
    reference: Measurement
    gain: float | None
    low: float | None
    high: float | None
    unit: str
    count: int
    note: str = ""


def averaged(scores: Sequence[RowScores]) -> RowScores:
    """The mean over several systems of the same kind, photo by photo.

    Raises:
        AssessmentError: they were not scored on the same labels.
    """
    first = scores[0]
    if len(scores) == 1:
        return first
    _refuse_different(scores)
    return replace(first, values=np.mean([each.values for each in scores], axis=0), proportion=False)


def paired_score_gain(
    candidate: RowScores,
    reference: RowScores,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> PairedGain:
    """Return what the candidate's mean score gains, with its interval over subjects.

    Where both decide every photo alike no resample can show a difference; the interval then reaches as far as the rule
    of three allows for the share of photos decided differently.

    Args:
        candidate: [N], NaN = not labelled.
        reference: [N], of the same photos.
        subjects: [N], or None; a photo without a subject stands for itself.
        resampling: seed, resamples and level.

    Raises:
        AssessmentError: the two were not scored on the same labels.
    """
    _refuse_different([candidate, reference])
    clusters = cluster_codes(subjects, len(candidate.values))
    new, old = (mean_over_subjects(each, subjects, resampling=resampling) for each in (candidate, reference))
    known = ~np.isnan(candidate.values)
    if not known.any():
        return PairedGain(new, old, None, None, None, candidate.unit, 0, new.note)
    better = (candidate.values - reference.values)[known] * (1.0 if candidate.higher_is_better else -1.0)
    _, cluster = np.unique(clusters[known], return_inverse=True)
    drawn = _mean_over(better, cluster, resampling)
    low, high, note = drawn.low, drawn.high, drawn.note
    if not better.any() and candidate.proportion:
        bound = zero_error_bound(len(better), level=resampling.level)
        low, high, note = -bound, bound, "every photo decided alike"
    return PairedGain(new, old, float(better.mean()), low, high, candidate.unit, len(better), note)


def paired_tar_gain(
    candidate: Sequence[ComparisonScores],
    reference: Sequence[ComparisonScores],
    far: float,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> PairedGain:
    """Return what the candidate's TAR at a FAR gains, with its interval over subjects.

    Args:
        candidate: its scores, once for each seed it was trained from.
        reference: likewise, on the same comparisons.
        far: each system has the threshold that its own non-mated scores give.
        resampling: seed, resamples and level.

    Raises:
        AssessmentError: they were not scored on the same comparisons.
    """
    if len(candidate) == len(reference) == 1:
        found = paired_tar_difference(candidate[0], reference[0], far, resampling)
        gain, low, high, note = found.difference, found.low, found.high, found.note
    else:
        drawn = _mean_tar_difference(candidate, reference, far, resampling)
        gain, low, high, note = drawn.value, drawn.low, drawn.high, drawn.note
    new, old = (_mean_tar(scores, far, resampling) for scores in (candidate, reference))
    return PairedGain(new, old, gain, low, high, "proportion", new.count, note)


def _mean_over(values: FloatArray, cluster: IntArray, resampling: Resampling) -> Bootstrap:
    sums, counts = np.bincount(cluster, values), np.bincount(cluster)
    return bootstrap_over_subjects(lambda weights: weighted_means(weights, sums, counts), len(counts), resampling)


def _mean_tar(scores: Sequence[ComparisonScores], far: float, resampling: Resampling) -> Measurement:
    measured = [measure_tar_at_far(each, far, resampling) for each in scores]
    if len(measured) == 1 or any(each.value is None for each in measured):
        return next((each for each in measured if each.value is None), measured[0])
    of_each = [TarResampler(each, far) for each in scores]
    drawn = bootstrap_over_subjects(
        lambda weights: _mean([tar(weights) for tar in of_each]), len(scores[0].pairs.subjects), resampling
    )
    note = f"TAR@FAR={far:g}, mean of {len(scores)} seeds"
    return Measurement(drawn.value, drawn.low, drawn.high, measured[0].count, "proportion", True, note)


def _mean_tar_difference(
    candidate: Sequence[ComparisonScores], reference: Sequence[ComparisonScores], far: float, resampling: Resampling
) -> Bootstrap:
    every = [*candidate, *reference]
    if not all(each.pairs.same_as(every[0].pairs) for each in every):
        raise AssessmentError("The systems were scored on different comparisons: score all on the same pairs.")
    new, old = ([TarResampler(each, far) for each in group] for group in (candidate, reference))
    return bootstrap_over_subjects(
        lambda weights: _mean([tar(weights) for tar in new]) - _mean([tar(weights) for tar in old]),
        len(every[0].pairs.subjects),
        resampling,
    )


def _mean(values: Sequence[FloatArray]) -> FloatArray:
    return np.asarray(np.mean(values, axis=0))


def _refuse_different(scores: Sequence[RowScores]) -> None:
    first = scores[0]
    same_length(**{f"system {number}": len(each.values) for number, each in enumerate(scores, start=1)})
    for each in scores[1:]:
        same: BoolArray = np.isnan(each.values) == np.isnan(first.values)
        if (each.unit, each.higher_is_better) != (first.unit, first.higher_is_better) or not same.all():
            raise AssessmentError("The systems were scored on different labels: score all on the same photos.")
