"""Head pose measured as the field reports it: the mean absolute error of each angle, and the mean of the three.

Differences wrap around: 179 degrees and -179 degrees are 2 degrees apart.

On AFLW2000-3D, faces with an angle beyond 99 degrees are left out, since the fit behind their labels has failed (Yang
et al., "FSA-Net", CVPR 2019, and the code that came with it); :data:`AFLW2000_LIMIT_DEG` is that limit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import FloatArray, refuse_rows
from countenance.assessment.attributes import mean_over_subjects
from countenance.assessment.balanced_means import mean_of_means
from countenance.assessment.intervals import DEFAULT_RESAMPLING, Resampling
from countenance.assessment.results import Measurement, Result
from countenance.assessment.row_scores import RowScores
from countenance.errors import AssessmentError

ANGLES: Final = ("yaw", "pitch", "roll")
AFLW2000_LIMIT_DEG: Final = 99.0


@dataclass(frozen=True)
class PoseErrors(Result):
    """Mean absolute errors of head pose in degrees.

    Attributes:
        yaw: of the yaw.
        pitch: of the pitch.
        roll: of the roll.
        mean: the mean of the three; no value where an angle isn't labelled at all.
        yaw_within: share of the faces whose yaw is off by at most ``within_deg``.
        within_deg: that limit.
        left_out: labelled faces that were left out because an angle is too large.
    """

    yaw: Measurement
    pitch: Measurement
    roll: Measurement
    mean: Measurement
    yaw_within: Measurement
    within_deg: float
    left_out: int


def measure_pose(
    labels_deg: ArrayLike,
    predictions_deg: ArrayLike,
    *,
    leave_out_beyond_deg: float | None = None,
    within_deg: float = 15.0,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> PoseErrors:
    """Measure head pose.

    Args:
        labels_deg: yaw, pitch, roll in degrees, [N, 3]; NaN = angle not labelled.
        predictions_deg: the same angles, [N, 3].
        leave_out_beyond_deg: leave out faces with a labelled angle whose absolute value is beyond this; None: none is.
        within_deg: the limit of the share of faces with a nearly right yaw; 15 degrees as on AFW (Zhu and Ramanan,
            "Face Detection, Pose Estimation, and Landmark Localization in the Wild", CVPR 2012).
        subjects: [N], or None; a photo without a subject stands for itself.
        resampling: seed, resamples and level.

    Raises:
        AssessmentError: the shapes differ, or a labelled angle has no prediction.
    """
    errors, left_out = _angle_errors(labels_deg, predictions_deg, leave_out_beyond_deg)
    yaw, pitch, roll = (
        mean_over_subjects(RowScores(column, "degrees", False, False), subjects, resampling=resampling)
        for column in errors.T
    )
    within = np.where(np.isnan(errors[:, 0]), np.nan, errors[:, 0] <= within_deg)
    nearly_right = RowScores(within, "proportion", higher_is_better=True, proportion=True)
    return PoseErrors(
        yaw=yaw,
        pitch=pitch,
        roll=roll,
        mean=mean_of_means(errors, ANGLES, unit="degrees", subjects=subjects, resampling=resampling),
        yaw_within=mean_over_subjects(nearly_right, subjects, resampling=resampling),
        within_deg=within_deg,
        left_out=left_out,
    )


def _angle_errors(labels: ArrayLike, predictions: ArrayLike, limit: float | None) -> tuple[FloatArray, int]:
    """|difference| of each angle, [N, 3], NaN = not in the metric; and how many labelled faces were left out."""
    truth, guess = np.asarray(labels, dtype=np.float64), np.asarray(predictions, dtype=np.float64)
    if truth.shape != guess.shape or truth.ndim != 2 or truth.shape[1] != len(ANGLES):
        raise AssessmentError(f"The angles have shapes {truth.shape} and {guess.shape}: give [photos, 3] for both.")
    beyond = np.zeros(len(truth), dtype=np.bool_)
    if limit is not None:
        # NaN, an angle that isn't labelled, is never beyond the limit.
        beyond |= (np.abs(truth) > limit).any(axis=1)
        truth = np.where(beyond[:, None], np.nan, truth)
    refuse_rows((~np.isnan(truth) & np.isnan(guess)).any(axis=1), "a labelled angle has no prediction")
    return np.abs((guess - truth + 180.0) % 360.0 - 180.0), int(beyond.sum())
