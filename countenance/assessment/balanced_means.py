"""The mean of several means, each counting alike however many photos it rests on."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import FloatArray, IntArray, cluster_codes, same_length
from countenance.assessment.intervals import (
    DEFAULT_RESAMPLING,
    Resampling,
    bootstrap_over_subjects,
    weighted_means,
)
from countenance.assessment.results import NOT_LABELLED, Measurement


def mean_of_means(
    values: FloatArray,
    names: Sequence[str],
    *,
    unit: str,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the mean over the columns of their means, errors of any kind, with its interval over subjects.

    Args:
        values: [N, G], NaN where a photo isn't in the column; a photo may be in several.
        names: of the columns, [G], for the note where one of them is empty.
        unit: of the values.
        subjects: [N], or None; a photo without a subject stands for itself.
        resampling: seed, resamples and level.

    Returns:
        The mean; no value where a column has no photo. ``count`` are the photos in any column.
    """
    same_length(columns=values.shape[1], names=len(names))
    clusters = cluster_codes(subjects, len(values))
    known = ~np.isnan(values)
    rows = known.any(axis=1)
    if not rows.any():
        return Measurement.missing(unit, higher_is_better=False, note=NOT_LABELLED)
    empty = [name for name, some in zip(names, np.asarray(known.any(axis=0)), strict=True) if not some]
    if empty:
        note = f"not measurable: nothing labelled in {', '.join(empty)}"
        return Measurement.missing(unit, higher_is_better=False, note=note)
    _, cluster = np.unique(clusters[rows], return_inverse=True)
    size = int(cluster.max()) + 1
    columns = range(values.shape[1])
    sums = np.stack([np.bincount(cluster, np.where(known, values, 0.0)[rows, column], size) for column in columns], 1)
    counts = np.stack([np.bincount(cluster, known[rows, column], size) for column in columns], 1)

    def statistic(weights: IntArray) -> FloatArray:
        return np.asarray(weighted_means(weights, sums, counts).mean(axis=1))

    drawn = bootstrap_over_subjects(statistic, size, resampling)
    note = "no interval: a single subject" if size < 2 else drawn.note
    return Measurement(drawn.value, drawn.low, drawn.high, int(rows.sum()), unit, False, note)
