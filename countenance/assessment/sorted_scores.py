"""The float32 scores of a protocol in order, and the float64 scores of the few that lie in some band of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from countenance.assessment.arrays import FloatArray, IntArray
from countenance.assessment.template_scores import TemplatePairScores


@dataclass(frozen=True, eq=False)
class ExactBand:
    """The pairs whose float32 score lies in a band, in float64, and how many lie above it.

    Attributes:
        mated: float64 scores of the mated pairs in the band, ascending.
        non_mated: float64 scores of its non-mated pairs, ascending.
        mated_above: mated pairs whose float32 score is above the band.
        non_mated_above: non-mated pairs above it.
        low: every pair with a float64 score of ``low`` or more is in the band or above it.
        high: every pair with a float64 score under ``high`` is in the band or below it.
    """

    mated: FloatArray
    non_mated: FloatArray
    mated_above: int
    non_mated_above: int
    low: float
    high: float


class _Highest(NamedTuple):
    """All pairs that score at least so much, and their scores."""

    least: np.float32
    pairs: IntArray
    scores: NDArray[np.float32]


class SortedScores:
    """Mated and non-mated scores, each in ascending order; 63 MB for 15.7 million pairs.

    Args:
        scores: of all pairs, in the protocol's order.

    Attributes:
        pairs: the scores as they were given.
        mated: [M] float32.
        non_mated: [N] float32.
        error_bound: how far any of them may be from its float64 value.
        failed: how many pairs are with a template that failed.
    """

    def __init__(self, scores: TemplatePairScores) -> None:
        self.pairs = scores
        self.mated: NDArray[np.float32] = np.sort(scores.scores[scores.mated])
        self.non_mated: NDArray[np.float32] = scores.scores[~scores.mated]
        self.non_mated.sort()
        self.error_bound = scores.error_bound
        self.failed = failed_count(self.mated) + failed_count(self.non_mated)
        self._highest = _Highest(np.float32(np.inf), np.empty(0, np.int64), np.empty(0, np.float32))

    def exact_between(self, low: float, high: float) -> ExactBand:
        """Score the pairs again in float64 whose float32 score lies within ``low`` to ``high``, ends included.

        The band should be wider than two error bounds, or it holds nothing that is surely all there. Of several bands
        the lowest is best asked for first: the pairs from there up are then at hand for the others.
        """
        # Rounded outwards: the band is never narrower than what was asked for.
        bottom = np.nextafter(np.float32(low), np.float32(-np.inf))
        top = np.nextafter(np.float32(high), np.float32(np.inf))
        self._reach(bottom)
        values = self._highest.scores
        inside = self._highest.pairs[(values >= bottom) & (values <= top)]
        exact, truth = self.pairs.exact(inside), self.pairs.mated[inside]
        return ExactBand(
            mated=np.sort(exact[truth]),
            non_mated=np.sort(exact[~truth]),
            mated_above=_above(self.mated, top),
            non_mated_above=_above(self.non_mated, top),
            low=float(bottom) + self.error_bound,
            high=float(top) - self.error_bound,
        )

    def pairs_above(self, threshold: float) -> IntArray:
        """Return which pairs have a float64 score above ``threshold``, [K], in the protocol's order."""
        bottom = np.nextafter(np.float32(threshold - self.error_bound), np.float32(-np.inf))
        top = np.nextafter(np.float32(threshold + self.error_bound), np.float32(np.inf))
        self._reach(bottom)
        values = self._highest.scores
        above = values > top
        near = np.flatnonzero((values >= bottom) & ~above)
        above[near] = self.pairs.exact(self._highest.pairs[near]) > threshold
        return np.asarray(self._highest.pairs[above])

    def _reach(self, least: np.float32) -> None:
        if least < self._highest.least:
            rows = np.flatnonzero(self.pairs.scores >= least)
            self._highest = _Highest(least, rows, self.pairs.scores[rows])


def failed_count(ascending: NDArray[np.float32]) -> int:
    """How many of some scores are minus infinity: comparisons with a template that failed, which are never accepted."""
    return int(np.searchsorted(ascending, np.float32(-np.inf), side="right"))


def _above(ascending: NDArray[np.float32], value: np.float32) -> int:
    return len(ascending) - int(np.searchsorted(ascending, value, side="right"))
