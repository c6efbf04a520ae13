"""Landmark errors by yaw band, as a cumulative curve, the area under it, and the rate of failures.

Bands: |yaw| in [0, 30), [30, 60) and [60, 90] degrees, and the mean of the three bands' means, in which the many
frontal faces don't hide the few profiles (AFLW and AFLW2000-3D; Zhu et al., CVPR 2016). Code published for them puts an
edge, a yaw of exactly 30 or 60 degrees, into the lower band and everything beyond 90 degrees into the last.

Curve: the share of faces with an error up to a limit. Its area up to a cut-off, divided by the cut-off, is 1 where
every error is 0; a failure is an error beyond the cut-off (300-W; Yang et al., "An Empirical Study of Recent Face
Alignment Methods", arXiv 1511.05049). The usual cut-offs are 0.07, 0.08 and 0.10 of the distance of the eyes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import BoolArray, FloatArray, same_length
from countenance.assessment.attributes import mean_over_subjects
from countenance.assessment.balanced_means import mean_of_means
from countenance.assessment.intervals import DEFAULT_RESAMPLING, Resampling
from countenance.assessment.results import Measurement, Result
from countenance.assessment.row_scores import RowScores
from countenance.errors import AssessmentError

YAW_BANDS_DEG: Final = ((0.0, 30.0), (30.0, 60.0), (60.0, 90.0))
CUT_OFFS: Final = (0.07, 0.08, 0.10)
CURVE_LIMITS: Final = tuple(step / 1000 for step in range(101))


@dataclass(frozen=True)
class YawBand(Result):
    """The mean error of the faces whose |yaw| is from ``low_deg`` up to, but not including, ``high_deg``.

    The last band includes its upper end.
    """

    low_deg: float
    high_deg: float
    error: Measurement


@dataclass(frozen=True)
class YawBandErrors(Result):
    """Errors by yaw band.

    Attributes:
        bands: in the order given.
        balanced: the mean of the bands' means; no value where a band has no face.
        without_yaw: faces with an error whose yaw isn't labelled; in no band.
        outside: faces with an error whose yaw is in no band.
    """

    bands: tuple[YawBand, ...]
    balanced: Measurement
    without_yaw: int
    outside: int


@dataclass(frozen=True)
class ErrorCurve(Result):
    """The cumulative distribution of errors.

    Attributes:
        limits: errors, ascending.
        share: share of the faces whose error is at most the limit.
        faces: how many there are.
        unit: of the limits.
    """

    limits: tuple[float, ...]
    share: tuple[float, ...]
    faces: int
    unit: str


def errors_by_yaw_band(
    scores: RowScores,
    yaw_deg: ArrayLike,
    *,
    bands_deg: Sequence[tuple[float, float]] = YAW_BANDS_DEG,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> YawBandErrors:
    """Measure errors by band of |yaw|.

    Args:
        scores: errors of photos, [N]; NaN = not in the metric.
        yaw_deg: labelled yaw in degrees, [N]; NaN = not labelled.
        bands_deg: (from, up to) of each band, ascending; the last one includes its upper end.
        subjects: [N], or None; a photo without a subject stands for itself.
        resampling: seed, resamples and level.
    """
    yaw = np.abs((np.asarray(yaw_deg, dtype=np.float64) + 180.0) % 360.0 - 180.0)
    same_length(errors=len(scores.values), yaw=len(yaw))
    inside = _bands(yaw, bands_deg)
    values = np.where(inside, scores.values[:, None], np.nan)
    measured = [
        mean_over_subjects(
            RowScores(column, scores.unit, scores.higher_is_better, scores.proportion), subjects, resampling=resampling
        )
        for column in values.T
    ]
    known = ~np.isnan(scores.values)
    names = [f"[{low:g}, {high:g}] degrees" for low, high in bands_deg]
    return YawBandErrors(
        bands=tuple(YawBand(low, high, error) for (low, high), error in zip(bands_deg, measured, strict=True)),
        balanced=mean_of_means(values, names, unit=scores.unit, subjects=subjects, resampling=resampling),
        without_yaw=int((known & np.isnan(yaw)).sum()),
        outside=int((known & ~np.isnan(yaw) & ~inside.any(axis=1)).sum()),
    )


def cumulative_error_curve(scores: RowScores, *, limits: Sequence[float] = CURVE_LIMITS) -> ErrorCurve | None:
    """Return the share of faces with an error up to each limit; None where no face is labelled.

    Args:
        scores: errors of photos, [N]; NaN = not in the metric.
        limits: in the errors' unit, ascending.
    """
    errors = np.sort(scores.values[~np.isnan(scores.values)])
    if not len(errors):
        return None
    share = np.searchsorted(errors, np.asarray(limits, dtype=np.float64), side="right") / len(errors)
    return ErrorCurve(tuple(float(limit) for limit in limits), tuple(share.tolist()), len(errors), scores.unit)


def area_under_error_curve(
    scores: RowScores,
    cut_off: float,
    *,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the area under the cumulative curve up to ``cut_off``, divided by it: 0 to 1, higher is better.

    The curve is a step function, so its area is exactly the mean over faces of max(0, 1 - error / cut-off).
    """
    _check_cut_off(cut_off)
    areas = np.clip(1.0 - scores.values / cut_off, 0.0, 1.0)
    of_photo = RowScores(areas, "area under the cumulative error curve", higher_is_better=True, proportion=False)
    return mean_over_subjects(of_photo, subjects, resampling=resampling)


def failure_rate(
    scores: RowScores,
    cut_off: float,
    *,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the share of faces whose error is beyond ``cut_off``."""
    _check_cut_off(cut_off)
    failed = np.where(np.isnan(scores.values), np.nan, scores.values > cut_off)
    of_photo = RowScores(failed, "proportion", higher_is_better=False, proportion=True)
    return mean_over_subjects(of_photo, subjects, resampling=resampling)


def _check_cut_off(cut_off: float) -> None:
    if not cut_off > 0:
        raise AssessmentError(f"The cut-off of an error curve is {cut_off}: give a positive number.")


def _bands(yaw: FloatArray, bands_deg: Sequence[tuple[float, float]]) -> BoolArray:
    edges = np.asarray(bands_deg, dtype=np.float64).reshape(-1, 2)
    if not len(edges) or (edges[:, 0] >= edges[:, 1]).any() or (edges[1:, 0] < edges[:-1, 1]).any():
        raise AssessmentError("The yaw bands are empty or overlap: give (from, up to) of each, ascending.")
    inside = (yaw[:, None] >= edges[:, 0]) & (yaw[:, None] < edges[:, 1])
    inside[:, -1] |= yaw == edges[-1, 1]
    return inside
