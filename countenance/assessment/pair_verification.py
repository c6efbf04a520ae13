"""TAR at FAR and the ROC curve of pairs of photos, failures to extract included."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from countenance.assessment.arrays import FloatArray, IntArray
from countenance.assessment.intervals import DEFAULT_RESAMPLING, Resampling
from countenance.assessment.pair_scores import PhotoPairScores
from countenance.assessment.pairs import ComparisonPairs, ComparisonScores
from countenance.assessment.template_verification import FARS, RocCurve
from countenance.assessment.verification import measure_tar_at_far, tar_at_far
from countenance.assessment.verification_row import VerificationRow
from countenance.errors import AssessmentError

ROC_POINTS: Final = 500


def comparison_scores(pairs: PhotoPairScores) -> ComparisonScores:
    """The pairs as the measures over subjects take them.

    Failed non-mated comparisons get a score just below the lowest there is: they stay in the number of comparisons, and
    no threshold accepts them.

    Raises:
        AssessmentError: no comparison has a score.
    """
    finite = pairs.scores[~pairs.failed]
    if not len(finite):
        raise AssessmentError("No pair has a score, since every one has a photo that failed: embed the photos again.")
    # Codes without gaps: a list may use few of very many photos.
    subjects, code = np.unique(np.concatenate([pairs.first_subject, pairs.second_subject]), return_inverse=True)
    first, second = code[: len(pairs)], code[len(pairs) :]
    same, strangers = np.flatnonzero(pairs.mated), np.flatnonzero(~pairs.mated)
    known = ComparisonPairs(
        subjects=subjects,
        mated_first=same,
        mated_second=same,
        mated_subject=first[same],
        non_mated_first=strangers,
        non_mated_second=strangers,
        non_mated_subject_first=first[strangers],
        non_mated_subject_second=second[strangers],
        exhaustive=False,
    )
    floored = np.maximum(pairs.scores[strangers], np.nextafter(finite.min(), -np.inf))
    return ComparisonScores(pairs=known, mated=pairs.scores[same], non_mated=floored)


def verification_rows(
    pairs: PhotoPairScores, fars: Sequence[float] = FARS, resampling: Resampling = DEFAULT_RESAMPLING
) -> tuple[VerificationRow, ...]:
    """Return TAR at each FAR by the threshold rule, with intervals over subjects."""
    scores = comparison_scores(pairs)
    return tuple(_row(scores, far, resampling) for far in fars)


def _row(scores: ComparisonScores, far: float, resampling: Resampling) -> VerificationRow:
    (point,) = tar_at_far(scores.mated, scores.non_mated, [far])
    measured = measure_tar_at_far(scores, far, resampling)
    return VerificationRow.of(point, measured.low, measured.high, measured.note if point.tar is None else "")


def pair_roc(pairs: PhotoPairScores, points: int = ROC_POINTS) -> RocCurve | None:
    """Return the ROC curve in at most ``points`` points; None where it has no scored mated or non-mated pair.

    The first point accepts nothing, the last every comparison that has a score; between them they are spread evenly
    over the logarithm of the false accepts.
    """
    same, strangers = (np.sort(pairs.scores[(pairs.mated == kind) & ~pairs.failed]) for kind in (True, False))
    if not len(same) or not len(strangers):
        return None
    ranks = np.unique(np.rint(np.geomspace(1, len(strangers), points - 2)).astype(np.int64))
    ends = max(strangers[-1], same[-1]), np.nextafter(min(strangers[0], same[0]), -np.inf)
    thresholds = np.unique(np.append(strangers[len(strangers) - ranks], ends))[::-1]
    return RocCurve(
        thresholds=thresholds,
        false_accepts=_above_each(strangers, thresholds),
        true_accepts=_above_each(same, thresholds),
        non_mated=int((~pairs.mated).sum()),
        mated=int(pairs.mated.sum()),
    )


def _above_each(ascending: FloatArray, thresholds: FloatArray) -> IntArray:
    return np.asarray(len(ascending) - np.searchsorted(ascending, thresholds, side="right"))
