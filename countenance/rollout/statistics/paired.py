"""Betting e-processes on paired decisions: both models score every request.

Each labelled request gives x = (candidate wrong) - (champion wrong), one of -1, 0 and +1. An e-process is a bettor's
wealth that cannot grow on average while the null hypothesis holds; by Ville's inequality it reaches 1/alpha with a
chance of at most alpha, whenever one looks. Its value depends on x only through counts, and wealth is kept as a
logarithm, so it neither overflows nor underflows.

Where requests were drawn for labelling with a known probability pi, x counts with w = 1/pi: since a request is drawn
with probability pi whatever its label, w x (0 where it was not drawn) has the mean of x. A bet is scaled by the largest
weight W, so that w/W, the *relative weight*, is at most 1 and no bet can lose more than all.

Sources: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting" (JRSS-B 2024),
section 4 (capital process) and appendix (mixture over a grid of bets); Howard, Ramdas, McAuliffe & Sekhon,
"Time-uniform, nonparametric, nonasymptotic confidence sequences" (2021); Waudby-Smith & Ramdas, "Confidence sequences
for sampling without replacement", and Shekhar, Xu, Lipton et al., "Risk-limiting financial audits via weighted sampling
without replacement" (UAI 2023), for bets on importance-weighted draws.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Counts = int | NDArray[np.integer[Any]] | NDArray[np.float64]

HARM_BETS: tuple[float, ...] = (0.07, 0.15, 0.3, 0.6, 0.9)
"""Shares of the wealth put on "the next discordant pair is worse"; each within (0, 1)."""

NON_INFERIORITY_BETS: tuple[float, ...] = (0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.45, 0.6, 0.8)
"""Shares of the largest safe bet 1 / (1 - delta); each within (0, 1)."""

_BISECTIONS = 20


def log_harm(
    better: Counts, worse: Counts, bets: tuple[float, ...] = HARM_BETS, *, weight: ArrayLike = 1.0
) -> NDArray[np.float64]:
    """Log e-value against "the candidate is not worse" (H0: p_c - p_b <= 0), from discordant pairs only.

    E = mean over bets l of (1 + l)^worse * (1 - l)^better.

    Args:
        better, worse: counts of discordant pairs, of any one broadcastable shape [...].
        bets: each within (0, 1).
        weight: relative weights within (0, 1], shape [K]: counts then have shape [..., K], a column a weight u, which
            bets l u. One number (the default 1): all weigh the same.

    Returns:
        The natural logarithm of E, shape [...]. Zero when nothing was seen.
    """
    stakes = np.multiply.outer(np.asarray(weight, dtype=np.float64), np.asarray(bets, dtype=np.float64))
    return _mixed(_times(worse, np.log1p(stakes)) + _times(better, np.log1p(-stakes)), stakes)


def log_non_inferiority(
    better: Counts,
    same: Counts,
    worse: Counts,
    *,
    margin: float,
    bets: tuple[float, ...] = NON_INFERIORITY_BETS,
    weight: ArrayLike = 1.0,
) -> NDArray[np.float64]:
    """Log e-value against "the candidate is worse by the margin or more" (H0: p_c - p_b >= delta).

    E = mean over bets c of the product of 1 - l (x_i - delta), with l = c / (1 - delta), which stays positive
    for every x in [-1, 1].

    Args:
        better, same, worse: counts of labelled requests, of one broadcastable shape [...].
        margin: delta, within (-1, 1).
        bets: each within (0, 1).
        weight: as in :func:`log_harm`; l is multiplied by it.

    Returns:
        The natural logarithm of E, shape [...]. Zero when nothing was seen. It grows with ``margin``.
    """
    stakes = np.multiply.outer(np.asarray(weight, dtype=np.float64), np.asarray(bets, dtype=np.float64) / (1 - margin))
    wealth = (
        _times(better, np.log1p(stakes * (1 + margin)))
        + _times(same, np.log1p(stakes * margin))
        + _times(worse, np.log1p(-stakes * (1 - margin)))
    )
    return _mixed(wealth, stakes)


def log_excess(
    better: Counts,
    same: Counts,
    worse: Counts,
    *,
    margin: float,
    bets: tuple[float, ...] = HARM_BETS,
    weight: ArrayLike = 1.0,
) -> NDArray[np.float64]:
    """Log e-value against "the candidate's rate exceeds the champion's by no more than ``margin``".

    The mirror image of :func:`log_non_inferiority`: E = mean over bets of prod(1 + l (x - margin)), with l below
    1 / (1 + margin), for x = -1 (champion wrong), 0, +1 (candidate wrong); E[x] <= margin under the null, so E is a
    test martingale (Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", 2024).

    Args:
        better, same, worse: how often x was -1, 0 and +1, shape [...].
        margin: within (-1, 1).
        bets: fractions of the largest stake.
        weight: as in :func:`log_harm`; l is multiplied by it.

    Returns:
        The natural logarithm of E, shape [...]. Zero when nothing was seen.
    """
    return log_non_inferiority(worse, same, better, margin=-margin, bets=bets, weight=weight)


def upper_bound(better: Counts, same: Counts, worse: Counts, *, alpha: float, weight: ArrayLike = 1.0) -> float:
    """Upper end of a confidence sequence for p_c - p_b: the smallest difference that is refuted, and all above it.

    It holds at all times together with a chance of at least 1 - alpha, since "p_c - p_b >= m" is refuted when
    :func:`log_non_inferiority` at m reaches 1/alpha; that e-value grows with m, so one root is searched, by 20
    bisections (to 2e-6, on the safe side).

    Args:
        better, same, worse: counts, shape [] or, with weights, [K].
        alpha: within (0, 1).
        weight: as in :func:`log_harm`.

    Returns:
        Within (-1, 1]; 1 where even a difference of nearly 1 is not refuted.
    """
    kept, refuted, limit = -1.0, 1.0, -np.log(alpha)
    for _ in range(_BISECTIONS):
        middle = (kept + refuted) / 2
        if float(log_non_inferiority(better, same, worse, margin=middle, weight=weight)) >= limit:
            refuted = middle
        else:
            kept = middle
    return refuted


def lower_bound(better: Counts, same: Counts, worse: Counts, *, alpha: float, weight: ArrayLike = 1.0) -> float:
    """Lower end of a confidence sequence for p_c - p_b: :func:`upper_bound` of p_b - p_c, negated."""
    return -upper_bound(worse, same, better, alpha=alpha, weight=weight)


def _times(counts: Counts, logs: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(np.asarray(counts, dtype=np.float64)[..., np.newaxis] * logs)


def _mixed(wealth: NDArray[np.float64], stakes: NDArray[np.float64]) -> NDArray[np.float64]:
    """The logarithm of the mean wealth over bets (last axis); a weights' axis before it is summed first."""
    wealth = wealth.sum(axis=-2) if stakes.ndim == 2 else wealth
    return np.asarray(np.logaddexp.reduce(wealth, axis=-1) - np.log(stakes.shape[-1]))
