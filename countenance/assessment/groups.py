"""Any metric by group: the shape of fairlearn's MetricFrame, with intervals and the small-group rule built in.

A group under ``minimum`` subjects is suppressed: it is named, and nothing about it is shown. A group under
``sufficient`` subjects is shown and marked insufficient.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from pydantic import Field

from countenance.assessment.arrays import AnyArray, FloatArray, IntArray, cluster_codes, codes_of, is_null, same_length
from countenance.assessment.intervals import (
    DEFAULT_RESAMPLING,
    Resampling,
    bootstrap_over_subjects,
    rate_over_subjects,
    weighted_means,
)
from countenance.assessment.results import Measurement, Result
from countenance.assessment.row_scores import RowScores
from countenance.configuration import Configuration

GroupStatus = Literal["sufficient", "insufficient", "suppressed"]


class GroupSizes(Configuration):
    """How many subjects a group needs.

    Attributes:
        minimum: under it a group is suppressed.
        sufficient: under it a group is shown as insufficient.
    """

    minimum: int = Field(default=10, ge=1)
    sufficient: int = Field(default=100, ge=1)

    def status(self, subjects: int) -> GroupStatus:
        """Return the status of a group of so many subjects."""
        if subjects < self.minimum:
            return "suppressed"
        return "insufficient" if subjects < self.sufficient else "sufficient"


DEFAULT_GROUP_SIZES = GroupSizes()


@dataclass(frozen=True)
class GroupMeasurement(Result):
    """One group's measurement.

    Attributes:
        group: its name.
        subjects: how many; None where suppressed.
        status: "sufficient", "insufficient" or "suppressed".
        measurement: None where suppressed.
    """

    group: str
    subjects: int | None
    status: GroupStatus
    measurement: Measurement | None


@dataclass(frozen=True)
class GroupedMeasurements(Result):
    """A metric overall and by group.

    Attributes:
        overall: over all rows, those in no group included.
        groups: in the order of their names.
    """

    overall: Measurement
    groups: tuple[GroupMeasurement, ...]

    @property
    def worst(self) -> GroupMeasurement | None:
        """The shown group with the worst value; None when no group has one."""
        shown = [
            (item.measurement.value, item)
            for item in self.groups
            if item.measurement is not None and item.measurement.value is not None
        ]
        if not shown:
            return None
        choose = min if self.overall.higher_is_better else max
        return choose(shown, key=lambda pair: pair[0])[1]


def by_group(
    metric: Callable[[IntArray], Measurement],
    groups: ArrayLike,
    *,
    subjects: ArrayLike | None = None,
    sizes: GroupSizes = DEFAULT_GROUP_SIZES,
) -> GroupedMeasurements:
    """Measure a metric overall and on each group's rows.

    Args:
        metric: takes row indices and returns the measurement on those rows.
        groups: group of each row, [N]; null = in no group.
        subjects: subject of each row, [N]; without it each row counts as a subject.
        sizes: subjects a group needs to be shown, and to be called sufficient.
    """
    codes, names = codes_of(groups)
    clusters = cluster_codes(subjects, len(codes))
    results = []
    for code, name in enumerate(names):
        rows = np.flatnonzero(codes == code)
        count = len(np.unique(clusters[rows]))
        status = sizes.status(count)
        hidden = status == "suppressed"
        results.append(GroupMeasurement(str(name), None if hidden else count, status, None if hidden else metric(rows)))
    return GroupedMeasurements(metric(np.arange(len(codes))), tuple(results))


def cross_groups(*columns: ArrayLike) -> AnyArray:
    """Return one group column out of several, e.g. "female | dark"; null where any of them is null, [N]."""
    same_length(**{f"column {number}": len(pd.Series(column)) for number, column in enumerate(columns)})
    known = ~np.any([is_null(column) for column in columns], axis=0)
    crossed = np.full(len(known), None, dtype=object)
    parts = [np.asarray(column, dtype=object)[known] for column in columns]
    crossed[known] = [" | ".join(str(part) for part in row) for row in zip(*parts, strict=True)]
    return crossed


def gap_between_groups(
    scores: RowScores,
    groups: ArrayLike,
    *,
    subjects: ArrayLike | None = None,
    sizes: GroupSizes = DEFAULT_GROUP_SIZES,
    resampling: Resampling = DEFAULT_RESAMPLING,
    ratio: bool = False,
) -> Measurement:
    """Measure how far the groups' means lie apart: largest - smallest, or largest / smallest.

    The interval is the percentile interval of the bootstrap over subjects. The larger the groups' own noise, the
    further a gap is biased upwards, so read it with its interval. Where no resample shows a spread, the gap of
    proportions reaches from 0 to the highest upper less the lowest lower end of the groups' own intervals; other
    gaps then have no interval. Suppressed groups, and groups without a labelled photo, are left out.

    Args:
        scores: photo scores, [N].
        groups: group of each photo, [N]; null = in no group.
        subjects: subject of each photo, or None.
        sizes: subjects a group needs.
        resampling: seed, resamples and level.
        ratio: largest / smallest in place of the difference.
    """
    unit = "ratio" if ratio else scores.unit
    codes, names = codes_of(groups)
    clusters = cluster_codes(subjects, len(codes))
    known = (codes >= 0) & ~np.isnan(scores.values)
    shown = shown_groups(codes, clusters, known, len(names), sizes)
    if len(shown) < 2:
        note = "not measurable: fewer than two groups are large enough"
        return Measurement.missing(unit, higher_is_better=False, note=note)
    rows = np.flatnonzero(known & np.isin(codes, shown))
    _, cluster = np.unique(clusters[rows], return_inverse=True)
    cell = (cluster, np.searchsorted(shown, codes[rows]))
    sums, counts = np.zeros((2, int(cluster.max()) + 1, len(shown)))
    np.add.at(sums, cell, scores.values[rows])
    np.add.at(counts, cell, 1.0)

    def statistic(weights: IntArray) -> FloatArray:
        means = weighted_means(weights, sums, counts)
        largest, smallest = means.max(axis=1), means.min(axis=1)
        if not ratio:
            return np.asarray(largest - smallest)
        ratios = np.full(len(means), np.nan)
        np.divide(largest, smallest, out=ratios, where=smallest > 0)
        return ratios

    drawn = bootstrap_over_subjects(statistic, len(sums), resampling)
    if drawn.value is None:
        note = "not measurable: a group's mean is zero"
        return Measurement.missing(unit, higher_is_better=False, note=note)
    low, high, note = drawn.low, drawn.high, drawn.note
    if low is None and scores.proportion and not ratio:
        low, high = 0.0, _widest_gap(scores.values[rows], cell, resampling.level)
        note = "interval from those of the groups"
    about = f"between {len(shown)} groups" + (f"; {note}" if note else "")
    return Measurement(drawn.value, low, high, len(rows), unit, False, about)


def _widest_gap(values: FloatArray, cell: tuple[IntArray, IntArray], level: float) -> float | None:
    cluster, column = cell
    rates = [
        rate_over_subjects(values[column == group] > 0.5, cluster[column == group], level=level)
        for group in np.unique(column)
    ]
    lows = [rate.low for rate in rates if rate.low is not None]
    highs = [rate.high for rate in rates if rate.high is not None]
    return max(highs) - min(lows) if len(lows) == len(rates) else None


def shown_groups(codes: IntArray, clusters: IntArray, known: AnyArray, count: int, sizes: GroupSizes) -> Sequence[int]:
    """Return the codes of the groups, of ``count``, with enough clusters among the ``known`` rows to be shown."""
    return [
        code for code in range(count) if sizes.status(len(np.unique(clusters[known & (codes == code)]))) != "suppressed"
    ]
