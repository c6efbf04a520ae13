"""One rate against what is tolerated: slow requests, scores in the tail."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

RATE_FACTORS: tuple[float, ...] = (1.1, 1.25, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0)
"""How many times the tolerated odds the alternatives have; each above 1."""


def log_rate_excess(
    hits: int | NDArray[np.integer[Any]],
    seen: int | NDArray[np.integer[Any]],
    *,
    tolerated: float,
    factors: tuple[float, ...] = RATE_FACTORS,
) -> NDArray[np.float64]:
    """Log e-value against "the rate is at most what is tolerated" (H0: p <= t).

    E = mean over alternatives q of (q/t)^hits * ((1-q)/(1-t))^(seen-hits), the likelihood ratio of q to t. As q > t, a
    hit multiplies by more than 1 and a miss by less, so on average by at most 1 for every p <= t. Each q has the
    odds of t times a factor, and so lies within (t, 1).

    Args:
        hits, seen: counts of one broadcastable shape [...]; hits <= seen.
        tolerated: t, within (0, 1).
        factors: each above 1.

    Returns:
        The natural logarithm of E, shape [...]. Zero when nothing was seen.
    """
    odds = np.asarray(factors, dtype=np.float64) * tolerated / (1 - tolerated)
    alternatives = odds / (1 + odds)
    misses = np.asarray(seen) - np.asarray(hits)
    wealth = np.multiply.outer(hits, np.log(alternatives / tolerated)) + np.multiply.outer(
        misses, np.log1p(-alternatives) - np.log1p(-tolerated)
    )
    return np.asarray(np.logaddexp.reduce(wealth, axis=-1) - np.log(len(alternatives)))
