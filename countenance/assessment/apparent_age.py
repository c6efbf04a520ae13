"""Apparent age: the ε-error, which forgives what the people who guessed a face's age disagreed about.

Source: ChaLearn Looking at People, apparent age estimation (Escalera et al., "ChaLearn Looking at People 2015: Apparent
Age and Cultural Event Recognition", ICCV workshops 2015): 1 - exp(-(x - mu)^2 / (2 sigma^2)) of each face, mu and sigma
the mean and standard deviation of the votes; the metric is the mean over faces, 0 (right) to 1 (far off).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import FloatArray, is_null, refuse_rows, same_length
from countenance.assessment.attributes import mean_over_subjects
from countenance.assessment.intervals import DEFAULT_RESAMPLING, Resampling
from countenance.assessment.results import Measurement
from countenance.assessment.row_scores import RowScores

UNIT = "epsilon error"


def apparent_age_errors(
    labels_years: ArrayLike,
    deviations_years: ArrayLike,
    predictions_years: ArrayLike,
    *,
    unanswered_count_as_one: bool = False,
) -> RowScores:
    """Score apparent age: the ε-error of each face, NaN where its mean or its standard deviation isn't labelled.

    Where everybody voted for the same age (a deviation of 0) the error is 0 if it was hit and 1 if it wasn't.

    Args:
        labels_years: mean of the votes, [N]; null = not labelled.
        deviations_years: standard deviation of the votes, [N]; null = not labelled.
        predictions_years: [N].
        unanswered_count_as_one: a labelled face without a prediction has the error 1, as in the challenge; otherwise it
            is refused.

    Raises:
        AssessmentError: a deviation is negative or not finite, or a labelled face has no prediction; names the row.
    """
    labels, deviations, predictions = (
        _numbers(column) for column in (labels_years, deviations_years, predictions_years)
    )
    same_length(labels=len(labels), deviations=len(deviations), predictions=len(predictions))
    known = ~np.isnan(labels) & ~np.isnan(deviations)
    refuse_rows(known & ~(np.isfinite(deviations) & (deviations >= 0)), "the deviation of an age is not 0 or more")
    silent = known & np.isnan(predictions)
    if not unanswered_count_as_one:
        refuse_rows(silent, "a labelled photo has no prediction")
    distance = np.abs(predictions - labels)
    ratio = np.zeros_like(distance)
    np.divide(distance, deviations, out=ratio, where=deviations > 0)
    ratio[(deviations == 0) & (distance > 0)] = np.inf
    values = np.where(known, -np.expm1(-0.5 * ratio**2), np.nan)
    values[silent] = 1.0
    return RowScores(values, UNIT, higher_is_better=False, proportion=False)


def apparent_age_error(
    labels_years: ArrayLike,
    deviations_years: ArrayLike,
    predictions_years: ArrayLike,
    *,
    unanswered_count_as_one: bool = False,
    subjects: ArrayLike | None = None,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> Measurement:
    """Return the mean ε-error with its interval over subjects; arguments as in :func:`apparent_age_errors`."""
    scores = apparent_age_errors(
        labels_years, deviations_years, predictions_years, unanswered_count_as_one=unanswered_count_as_one
    )
    return mean_over_subjects(scores, subjects, resampling=resampling)


def _numbers(values: ArrayLike) -> FloatArray:
    # None and pandas' NA, too, become NaN.
    null = is_null(values)
    numbers = np.full(len(null), np.nan)
    numbers[~null] = np.asarray(values, dtype=object)[~null].astype(np.float64)
    return numbers
