"""Scores made comparable between people who are like many others and people who are like few.

Whoever lies where faces crowd is taken for somebody else more often at the same threshold, and some groups crowd more
than others. Adaptive symmetric normalisation (Matejka et al., "Analysis of score normalization in multilingual speaker
recognition", Interspeech 2017) measures how alike each sample is to its nearest strangers in a cohort and takes that
out of the score. It asks nobody's group of those who are compared. The cohort should hold all groups alike: on half of
LFW, a cohort of three men to a woman made the gap between their FMR wider, one of as many of either closed it.

    s' = ((s - mu_i) / sigma_i + (s - mu_j) / sigma_j) / 2,   mu, sigma over the nearest strangers in the cohort

Here s' is put back on the scale of cosines by the cohort's own mean and deviation, which changes no decision.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field

from countenance.assessment.arrays import FloatArray
from countenance.configuration import Configuration
from countenance.errors import AssessmentError

BLOCK_ROWS: Final = 1024
LEAST_DEVIATION: Final = 1e-3
"""Of cosines: less than this between a sample's nearest strangers is taken for this."""


class NormalisationConfiguration(Configuration):
    """How scores are normalised.

    Attributes:
        neighbours: nearest strangers in the cohort that say how crowded it is around a sample.
    """

    neighbours: int = Field(default=100, ge=2)


DEFAULT_NORMALISATION = NormalisationConfiguration()


class CohortNormalisation:
    """How crowded it is around a sample, told by a cohort of strangers.

    Args:
        cohort: embeddings of any length of people who are in no comparison, [C, D]; a row a person is best.
        configuration: how many neighbours.

    Raises:
        AssessmentError: the cohort has too few rows, or one without length.
    """

    def __init__(self, cohort: ArrayLike, configuration: NormalisationConfiguration = DEFAULT_NORMALISATION) -> None:
        rows = np.asarray(cohort, dtype=np.float64)
        self._neighbours = configuration.neighbours
        if rows.ndim != 2 or len(rows) <= self._neighbours:
            raise AssessmentError(
                f"A cohort of shape {rows.shape} has no {self._neighbours} neighbours beside oneself: give more people "
                "or lower 'neighbours'."
            )
        length = np.linalg.norm(rows, axis=1)
        if not (np.isfinite(length) & (length > 0)).all():
            row = int(np.flatnonzero(~(np.isfinite(length) & (length > 0)))[0])
            raise AssessmentError(f"Row {row} of the cohort is no embedding: leave out what could not be extracted.")
        self._cohort = rows / length[:, None]
        means, deviations = self._crowding(self._cohort, own=True)
        self._mean, self._deviation = float(means.mean()), float(deviations.mean())

    def scale_and_shift(self, features: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return what each sample adds: a normalised score is score * (scale_i + scale_j) + shift_i + shift_j.

        Args:
            features: unit vectors, [N, D].

        Returns:
            scales and shifts, [N] float64 each.
        """
        means, deviations = self._crowding(features)
        scale = self._deviation / (2.0 * deviations)
        return scale, self._mean / 2.0 - scale * means

    def _crowding(self, features: FloatArray, *, own: bool = False) -> tuple[FloatArray, FloatArray]:
        means, deviations = np.empty(len(features)), np.empty(len(features))
        for start, scores in self._scores(features):
            if own:
                # Of the cohort's own rows, each is its own nearest.
                np.put_along_axis(scores, start + np.arange(len(scores))[:, None], -np.inf, axis=1)
            nearest = np.partition(scores, scores.shape[1] - self._neighbours, axis=1)[:, -self._neighbours :]
            means[start : start + len(scores)] = nearest.mean(axis=1)
            deviations[start : start + len(scores)] = nearest.std(axis=1)
        return means, np.maximum(deviations, LEAST_DEVIATION)

    def _scores(self, features: FloatArray) -> Iterator[tuple[int, FloatArray]]:
        for start in range(0, len(features), BLOCK_ROWS):
            yield start, features[start : start + BLOCK_ROWS] @ self._cohort.T
