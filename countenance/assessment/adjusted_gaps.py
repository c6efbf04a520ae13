"""Gaps between groups after what their photos differ in is taken out: head pose, face size, or any other number.

A group whose photos are turned further or are smaller does worse without being treated worse. Raw gaps say what people
meet; adjusted ones, what would be left if all groups' photos were alike. Both are needed: neither excuses the other.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import FloatArray, IntArray, cluster_codes, codes_of, same_length
from countenance.assessment.groups import DEFAULT_GROUP_SIZES, GroupSizes, shown_groups
from countenance.assessment.intervals import DEFAULT_RESAMPLING, Resampling, bootstrap_interval, bootstrap_replicates
from countenance.assessment.results import Measurement, Result
from countenance.assessment.row_scores import RowScores
from countenance.errors import AssessmentError

# Below this share of the largest one, a direction of the covariates is not told from the groups themselves.
SMALLEST_EIGENVALUE = 1e-10
ESTIMABLE = 1e-6


@dataclass(frozen=True)
class AdjustedGap(Result):
    """A gap with the same covariates everywhere.

    Attributes:
        gap: largest - smallest adjusted mean, or their ratio.
        means: adjusted mean of each shown group.
        covariates: what was held equal, by name.
    """

    gap: Measurement
    means: Mapping[str, float]
    covariates: tuple[str, ...]


def adjusted_gap(
    scores: RowScores,
    groups: ArrayLike,
    covariates: Mapping[str, ArrayLike],
    *,
    subjects: ArrayLike | None = None,
    sizes: GroupSizes = DEFAULT_GROUP_SIZES,
    resampling: Resampling = DEFAULT_RESAMPLING,
    ratio: bool = False,
) -> AdjustedGap:
    """Measure how far the groups' means lie apart when every group has the covariates of all photos together.

    Least squares with one mean a group and a common slope for each covariate and its square; a group's adjusted mean is
    the average of what the fit says of all photos, as though they were of that group ("direct standardisation"). The
    interval is the percentile interval of the bootstrap over subjects, the fit made again in each resample.

    Args:
        scores: photo scores, [N].
        groups: group of each photo, [N]; null = in no group.
        covariates: by name, a number of each photo, [N]; a photo without one of them is left out.
        subjects: subject of each photo, or None.
        sizes: subjects a group needs.
        resampling: seed, resamples and level.
        ratio: largest / smallest in place of the difference.
    """
    if not covariates:
        raise AssessmentError("An adjusted gap was asked for without a covariate: name what photos may differ in.")
    unit, names_of = "ratio" if ratio else scores.unit, tuple(covariates)
    codes, names = codes_of(groups)
    clusters = cluster_codes(subjects, len(codes))
    columns = np.stack([np.asarray(column, dtype=np.float64) for column in covariates.values()], axis=1)
    same_length(scores=len(scores.values), groups=len(codes), covariates=len(columns))
    known = (codes >= 0) & ~np.isnan(scores.values) & ~np.isnan(columns).any(axis=1)
    shown = shown_groups(codes, clusters, known, len(names), sizes)
    if len(shown) < 2:
        note = "not measurable: fewer than two groups are large enough and have covariates"
        return AdjustedGap(Measurement.missing(unit, higher_is_better=False, note=note), {}, names_of)
    rows = np.flatnonzero(known & np.isin(codes, shown))
    fit = _Fit(scores.values[rows], np.searchsorted(shown, codes[rows]), len(shown), columns[rows], clusters[rows])
    point, replicates = bootstrap_replicates(fit, fit.subjects, resampling)
    gap = _gap(point[None], ratio)[0]
    if np.isnan(gap):
        note = "not measurable: a group's mean is zero or less, or the covariates tell the groups apart entirely"
        return AdjustedGap(Measurement.missing(unit, higher_is_better=False, note=note), {}, names_of)
    drawn = bootstrap_interval(float(gap), _gap(replicates, ratio), resampling.level)
    about = f"between {len(shown)} groups, {' and '.join(names_of)} held equal" + f"; {drawn.note}" * bool(drawn.note)
    measured = Measurement(drawn.value, drawn.low, drawn.high, len(rows), unit, False, about)
    means = {str(names[code]): float(mean) for code, mean in zip(shown, point, strict=True)}
    return AdjustedGap(measured, means, names_of)


class _Fit:
    """Adjusted means as a statistic of subject weights."""

    def __init__(
        self, values: FloatArray, group: IntArray, groups: int, covariates: FloatArray, clusters: IntArray
    ) -> None:
        _, cluster = np.unique(clusters, return_inverse=True)
        self.subjects, self._groups = int(cluster.max()) + 1, groups
        # In standard deviations, so that no unit makes the equations ill-conditioned.
        spread = covariates.std(axis=0)
        scaled = (covariates - covariates.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
        design = np.concatenate([np.eye(groups)[group], scaled, scaled**2], axis=1)
        self._width = design.shape[1]
        self._products = np.zeros((self.subjects, self._width**2))
        np.add.at(self._products, cluster, (design[:, :, None] * design[:, None, :]).reshape(len(design), -1))
        self._targets = np.zeros((self.subjects, self._width))
        np.add.at(self._targets, cluster, design * values[:, None])

    def __call__(self, weights: IntArray) -> FloatArray:
        """Return the adjusted mean of each group under each row of ``weights`` [B, S]: [B, G]."""
        products = (weights @ self._products).reshape(len(weights), self._width, self._width)
        targets, groups = weights @ self._targets, self._groups
        total = np.trace(products[:, :groups, :groups], axis1=1, axis2=2)
        average = products[:, :groups, groups:].sum(axis=1) / total[:, None]
        asked = np.concatenate(
            [np.broadcast_to(np.eye(groups), (len(weights), groups, groups)), average[:, None].repeat(groups, axis=1)],
            2,
        )
        inverse = np.linalg.pinv(products, rcond=SMALLEST_EIGENVALUE, hermitian=True)
        means = (asked @ inverse @ targets[:, :, None])[:, :, 0]
        # What the data cannot tell is not reproduced: a group without photos, or one that a covariate stands for.
        told = np.abs(asked @ inverse @ products - asked).max(axis=(1, 2)) < ESTIMABLE
        return np.where(told[:, None], means, np.nan)


def _gap(means: FloatArray, ratio: bool) -> FloatArray:
    largest, smallest = means.max(axis=1), means.min(axis=1)
    if not ratio:
        return np.asarray(largest - smallest)
    ratios = np.full(len(means), np.nan)
    np.divide(largest, smallest, out=ratios, where=smallest > 0)
    return ratios
