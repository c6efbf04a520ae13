"""TAR as the public IJB scripts read it: at the ROC point whose FAR is nearest to the target.

The point may lie on either side, so that the realised FAR may exceed its target (and does, by up to 1.14 times, on
coarse scores). It is here to compare with published figures, under the name ``insightface_compat``, and nothing is
decided by it.

The public scripts take the points from scikit-learn's ``roc_curve``, which leaves out those in the middle of a straight
stretch: only points where the curve turns are read. Of two that are equally near, the one with the larger FAR is
taken, and on a vertical stretch its upper end. A curve ends where all comparisons are accepted that aren't failures to
extract, which never are.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from countenance.assessment.arrays import BoolArray, FloatArray, IntArray
from countenance.assessment.score_grid import STEP
from countenance.assessment.sorted_scores import ExactBand, SortedScores, failed_count
from countenance.assessment.verification import BELOW_ALL, TarAtFar, ThresholdAtFar, allowed_false_accepts

WIDENING = 4.0


@dataclass(frozen=True, eq=False)
class _Points:
    """Points of a part of the ROC curve at which it turns, from strict to lax: what is accepted is score >= level.

    Attributes:
        levels: [K].
        false_accepts: [K].
        true_accepts: [K].
        fewest: false accepts at the strict end of the part; points beyond it have as many or fewer.
        most: false accepts at its lax end; points beyond it have as many or more.
    """

    levels: FloatArray
    false_accepts: IntArray
    true_accepts: IntArray
    fewest: float
    most: float


def nearest_roc_point(scores: SortedScores, far: float) -> TarAtFar:
    """Return TAR at the ROC point nearest to ``far``, counted in float64.

    Looks at the curve near the target first and at more of it while a nearer point could lie outside. A FAR below
    1 / non-mated is not measurable here either.
    """
    count, mated = len(scores.non_mated), len(scores.mated)
    allowed = allowed_false_accepts(far, count)
    if allowed == 0:
        return TarAtFar(None, None, mated, ThresholdAtFar(float(far), None, None, None, count))
    if scores.failed == count + mated:
        at = ThresholdAtFar(float(far), BELOW_ALL, 0.0, 0, count)
        return TarAtFar(0.0 if mated else None, 0, mated, at)
    middle, half = _middle(scores, count - 1 - allowed), 4.0 * scores.error_bound
    while True:
        points = _turning_points(scores, middle - half, middle + half)
        distances = np.abs(points.false_accepts / count - far)
        # Negative where the part doesn't reach from one side of the target to the other.
        beyond = min(far - points.fewest / count, points.most / count - far)
        if len(distances) and distances.min() < beyond:
            break
        half *= WIDENING
    nearest = len(distances) - 1 - int(np.argmin(distances[::-1]))
    false_accepts, accepted = int(points.false_accepts[nearest]), int(points.true_accepts[nearest])
    # Accepting what is at the level or above is accepting what is above the next multiple of the grid below it.
    threshold = float(points.levels[nearest]) - STEP
    at = ThresholdAtFar(float(far), threshold, false_accepts / count, false_accepts, count)
    return TarAtFar(accepted / mated if mated else None, accepted, mated, at)


def _middle(scores: SortedScores, place: int) -> float:
    """The non-mated score at a place, or the lowest of all that were made where none was made so far down."""
    made = [each[failed_count(each) :][:1] for each in (scores.non_mated, scores.mated)]
    return float(max(scores.non_mated[place], np.concatenate(made).min()))


def _turning_points(scores: SortedScores, low: float, high: float) -> _Points:
    band = scores.exact_between(low, high)
    if len(band.mated) + len(band.non_mated) + scores.failed == len(scores.mated) + len(scores.non_mated):
        return _all_turning_points(band)
    levels, false_accepts, true_accepts = _accepted_at_each_level(band, band.low, band.high)
    if len(levels) < 3:
        return _Points(levels[:0], false_accepts[:0], true_accepts[:0], math.inf, -math.inf)
    # Whether the curve turns at either end can't be told from here.
    inner = np.flatnonzero(_turns(false_accepts, true_accepts)) + 1
    fewest, most = float(false_accepts[0]), float(false_accepts[-1])
    return _Points(levels[inner], false_accepts[inner], true_accepts[inner], fewest, most)


def _all_turning_points(band: ExactBand) -> _Points:
    levels, false_accepts, true_accepts = _accepted_at_each_level(band, -math.inf, math.inf)
    # The curve's ends are points of it, the highest score always is, and so is accepting nothing.
    kept = np.ones(len(levels), dtype=np.bool_)
    kept[1:-1] = _turns(false_accepts, true_accepts)
    above_all = levels[:1] + STEP
    return _Points(
        levels=np.concatenate([above_all, levels[kept]]),
        false_accepts=np.concatenate([[0], false_accepts[kept]]),
        true_accepts=np.concatenate([[0], true_accepts[kept]]),
        fewest=-math.inf,
        most=math.inf,
    )


def _turns(false_accepts: IntArray, true_accepts: IntArray) -> BoolArray:
    """Whether the curve turns at each point but the first and the last, [K - 2]; none where K < 3."""
    return np.asarray((np.diff(false_accepts, 2) != 0) | (np.diff(true_accepts, 2) != 0))


def _accepted_at_each_level(band: ExactBand, bottom: float, top: float) -> tuple[FloatArray, IntArray, IntArray]:
    """Levels within [bottom, top), falling, and what is accepted at each or above: all of it known in float64."""
    levels = np.unique(np.concatenate([band.mated, band.non_mated]))[::-1]
    levels = levels[(levels >= bottom) & (levels < top)]
    false_accepts = band.non_mated_above + len(band.non_mated) - np.searchsorted(band.non_mated, levels)
    true_accepts = band.mated_above + len(band.mated) - np.searchsorted(band.mated, levels)
    return levels, np.asarray(false_accepts), np.asarray(true_accepts)
