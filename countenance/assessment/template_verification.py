"""1:1 verification of templates: TAR at FAR 1e-6 to 1e-1 over millions of pairs, right to the last count.

The rule is that of :mod:`countenance.assessment.verification`, on float64 scores. Yet only a few thousand pairs are
ever scored in float64. Every float32 score is within a proved bound B of its float64 score, so that the (k+1)-th
largest of the ones is within B of the (k+1)-th largest of the others; a pair whose float32 score is more than 2 B away
from the float32 threshold is on the same side of the float64 one, and the rest are scored again in float64, ties
included. A score of minus infinity, of a template that failed, is the same in both.

``insightface_compat`` is the only other rule; see :mod:`countenance.assessment.nearest_roc_point`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from countenance.assessment.arrays import FloatArray, IntArray
from countenance.assessment.nearest_roc_point import nearest_roc_point
from countenance.assessment.results import Result
from countenance.assessment.sorted_scores import SortedScores, failed_count
from countenance.assessment.template_scores import TemplatePairScores
from countenance.assessment.verification import BELOW_ALL, TarAtFar, ThresholdAtFar, allowed_false_accepts
from countenance.errors import AssessmentError

FARS: Final = (1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1)
ROC_POINTS: Final = 2000

Rule = Literal["threshold", "insightface_compat"]


@dataclass(frozen=True, eq=False)
class RocCurve(Result):
    """A ROC curve thinned for plotting; its DET curve is 1 - tar over far. Counts are of float32 scores.

    The first point accepts nothing and the last everything that isn't a failure to extract; between them points are
    spread evenly over the logarithm of the false accepts. Scores that may be equal in float64 are on one side of each
    threshold, as far as they stand apart from others, and no two thresholds between the ends are nearer to each other.

    Attributes:
        thresholds: [K], falling; accept when score > threshold.
        false_accepts: non-mated comparisons above each, [K].
        true_accepts: mated comparisons above each, [K].
        non_mated: non-mated comparisons in all.
        mated: mated comparisons in all.
    """

    thresholds: FloatArray
    false_accepts: IntArray
    true_accepts: IntArray
    non_mated: int
    mated: int

    @property
    def far(self) -> FloatArray:
        """False accept rate of each point, [K]."""
        return np.asarray(self.false_accepts / self.non_mated)

    @property
    def tar(self) -> FloatArray:
        """True accept rate of each point, [K]."""
        return np.asarray(self.true_accepts / self.mated)


def template_tar_at_far(
    scores: TemplatePairScores | SortedScores, fars: Sequence[float] = FARS, *, rule: Rule = "threshold"
) -> tuple[TarAtFar, ...]:
    """Return TAR at each target FAR, its counts those of float64 scores.

    Args:
        scores: of all pairs; sorted ones where several things are measured on them.
        fars: the targets.
        rule: "threshold", which never exceeds a target, or "insightface_compat", which may.
    """
    ordered = scores if isinstance(scores, SortedScores) else SortedScores(scores)
    read = nearest_roc_point if rule == "insightface_compat" else _tar_at
    # The highest FAR has the lowest threshold, from which on the others look.
    found = {far: read(ordered, far) for far in sorted(fars, reverse=True)}
    return tuple(found[far] for far in fars)


def _tar_at(scores: SortedScores, far: float) -> TarAtFar:
    count, mated = len(scores.non_mated), len(scores.mated)
    allowed = allowed_false_accepts(far, count)
    if allowed == 0:
        return TarAtFar(None, None, mated, ThresholdAtFar(float(far), None, None, None, count))
    false_accepts, accepted, threshold = counts_allowing(scores, allowed)
    at = ThresholdAtFar(float(far), threshold, false_accepts / count, false_accepts, count)
    return TarAtFar(accepted / mated if mated else None, accepted, mated, at)


def counts_allowing(scores: SortedScores, allowed: int) -> tuple[int, int, float]:
    """Return false accepts, accepted mated pairs and threshold, where so many false accepts are allowed, in float64.

    Args:
        scores: of all pairs.
        allowed: k, from 0 to all non-mated pairs but one; the threshold is the (k+1)-th largest of their scores.
    """
    count, mated = len(scores.non_mated), len(scores.mated)
    about = float(scores.non_mated[count - 1 - allowed])
    if about == -np.inf:
        # Few enough were made that all of them may be accepted.
        return count - failed_count(scores.non_mated), mated - failed_count(scores.mated), BELOW_ALL
    near = scores.exact_between(about - 2.0 * scores.error_bound, about + 2.0 * scores.error_bound)
    # All of the non-mated above the band are above the threshold: it is so many places down within the band.
    threshold = near.non_mated[len(near.non_mated) - 1 - (allowed - near.non_mated_above)]
    false_accepts = near.non_mated_above + _greater(near.non_mated, threshold)
    return false_accepts, near.mated_above + _greater(near.mated, threshold), float(threshold)


def _greater(ascending: FloatArray, threshold: float) -> int:
    return len(ascending) - int(np.searchsorted(ascending, threshold, side="right"))


def roc_curve(scores: TemplatePairScores | SortedScores, points: int = ROC_POINTS) -> RocCurve:
    """Return the ROC curve in at most ``points`` points.

    Raises:
        AssessmentError: there is no mated or no non-mated comparison, or fewer than two points are asked for.
    """
    ordered = scores if isinstance(scores, SortedScores) else SortedScores(scores)
    strangers, same = ordered.non_mated, ordered.mated
    if points < 2 or not len(strangers) or not len(same):
        raise AssessmentError(
            f"A ROC curve of {points} points was asked for on {len(same)} mated and {len(strangers)} non-mated "
            "comparisons: give some of both, and two points at least."
        )
    made = [each[failed_count(each) :] for each in (strangers, same)]
    highest = max((each[-1] for each in made if len(each)), default=np.float32(BELOW_ALL))
    lowest = min((each[0] for each in made if len(each)), default=np.float32(BELOW_ALL))
    ranks = np.unique(np.rint(np.geomspace(1, len(strangers), points - 2)).astype(np.int64))
    between = strangers[len(strangers) - ranks]
    below = np.nextafter(lowest, np.float32(-np.inf))
    between = _levels_apart(between[between >= lowest], made, highest, 2.0 * ordered.error_bound)
    thresholds = np.concatenate([[highest], between, [below]]).astype(np.float32)
    return RocCurve(
        thresholds=thresholds.astype(np.float64),
        false_accepts=_above_each(strangers, thresholds),
        true_accepts=_above_each(same, thresholds),
        non_mated=len(strangers),
        mated=len(same),
    )


def _levels_apart(
    levels: NDArray[np.float32], scores: Sequence[NDArray[np.float32]], highest: np.float32, reach: float
) -> NDArray[np.float32]:
    """Levels of the scores near some levels, falling from below ``highest`` in steps of more than ``reach``.

    Args:
        levels: to thin, [K].
        scores: ascending; a level is raised to the highest of them that is at most ``reach`` above it, so that a
            threshold stands on top of scores that may be equal.
        highest: of all scores.
        reach: how far apart float32 scores that are equal in float64 may be.
    """
    tops = np.nextafter(levels + np.float32(reach), np.float32(np.inf))
    for ascending in scores:
        if len(ascending):
            below = np.searchsorted(ascending, tops, side="right") - 1
            levels = np.where(below >= 0, np.maximum(levels, ascending[below]), levels)
    kept = [highest]
    for level in np.unique(levels)[::-1]:
        if kept[-1] - level > reach:
            kept.append(level)
    return np.array(kept[1:], dtype=np.float32)


def _above_each(ascending: FloatArray, thresholds: NDArray[np.float32]) -> IntArray:
    return np.asarray(len(ascending) - np.searchsorted(ascending, thresholds, side="right"))
