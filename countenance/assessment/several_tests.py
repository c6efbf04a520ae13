"""Several questions asked of one set of data: how sure an answer must be when each has its own chance to err.

Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of Statistics 6, 1979, for gates,
which are named beforehand: the chance that any gate fails by noise alone stays under the level. Benjamini and Hochberg,
"Controlling the false discovery rate", JRSS B 57, 1995, for exploring: the share of false finds does.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from scipy import stats

from countenance.assessment.arrays import FloatArray
from countenance.assessment.intervals import DEFAULT_LEVEL
from countenance.errors import AssessmentError


def chance_at_limit(
    value: float, low: float, limit: float, *, level: float = DEFAULT_LEVEL, ratio: bool = False
) -> float:
    """Return how likely a value this far above a limit is where the truth lies at the limit, from its interval.

    The distance from the lower end to the value is taken for as many standard errors as the level says; where the
    limit is the lower end itself, the chance is exactly (1 - level) / 2, so that it says what the interval says.

    Args:
        value: what was measured.
        low: lower end of its interval.
        limit: the limit that it is held against.
        level: of the interval.
        ratio: measure distances between logarithms.
    """
    if ratio:
        if limit <= 0.0:
            raise AssessmentError(f"A ratio is held against the limit {limit}: give one above zero.")
        if low <= 0.0:
            return 1.0 if value <= limit else 0.5
        value, low, limit = math.log(value), math.log(low), math.log(limit)
    if value <= low:
        return 0.0 if value > limit else 1.0
    errors = (value - limit) / (value - low) * stats.norm.isf((1.0 - level) / 2.0)
    return float(stats.norm.sf(errors))


def holm(chances: Sequence[float]) -> FloatArray:
    """Return Holm's adjusted chances, [K]: reject at a level those that are under it, and all hold together."""
    values = _checked(chances)
    order = np.argsort(values, kind="stable")
    count = len(values)
    stepped = np.maximum.accumulate(values[order] * (count - np.arange(count)))
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def benjamini_hochberg(chances: Sequence[float]) -> FloatArray:
    """Return Benjamini and Hochberg's adjusted chances, [K]: of those under a level, at most that share is false."""
    values = _checked(chances)
    order = np.argsort(values, kind="stable")[::-1]
    count = len(values)
    stepped = np.minimum.accumulate(values[order] * count / (count - np.arange(count)))
    adjusted = np.empty(count)
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def _checked(chances: Sequence[float]) -> FloatArray:
    values = np.asarray(chances, dtype=np.float64)
    if not ((values >= 0.0) & (values <= 1.0)).all():
        raise AssessmentError("A chance is not between 0 and 1: mend what computed it.")
    return values
