"""Several e-values at once: was anything found, and what."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def log_any(log_e_values: NDArray[np.float64]) -> float:
    """Log e-value against "no group is harmed": the average of the groups' e-values (shape [G], G >= 1)."""
    return float(np.logaddexp.reduce(log_e_values) - np.log(len(log_e_values)))


def e_benjamini_hochberg(log_e_values: NDArray[np.float64], alpha: float) -> NDArray[np.intp]:
    """Which hypotheses to reject so that the false discovery rate is at most ``alpha``, whatever their dependence.

    The k largest e-values are rejected, k the largest with k * e_(k) / G >= 1 / alpha (Wang & Ramdas,
    "False discovery rate control with e-values", JRSS-B 2022, definition of e-BH).

    Args:
        log_e_values: natural logarithms, shape [G].
        alpha: within (0, 1).

    Returns:
        Positions of the rejected, largest e-value first; empty when none is.
    """
    order = np.argsort(-log_e_values, kind="stable")
    count = len(order)
    if count == 0:
        return order
    ranks = np.arange(1, count + 1)
    reached = np.log(ranks) + log_e_values[order] - np.log(count) >= -np.log(alpha)
    rejected = int(ranks[reached].max()) if reached.any() else 0
    return order[:rejected]
