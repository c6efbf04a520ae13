"""E-processes between two arms: each request is answered, and judged, by one model alone.

Every look brings a block: y_c errors of n_c requests in the candidate's arm, y_b of n_b in the champion's. For a
point (t_b, t_c) of the alternative and its Kullback-Leibler projection (s, s + m) onto the boundary p_c = p_b + m of
the null,

    S = [t_c^y_c (1 - t_c)^(n_c - y_c) t_b^y_b (1 - t_b)^(n_b - y_b)] / [the same at (s + m, s)]

is an e-variable: E[S] <= 1 for every (p_b, p_c) in the null. (log E[S] is concave in (p_b, p_c), 0 at the projection,
and its slope there points out of the null, which is convex.) The projection solves
n_c (t_c - s - m) / ((s + m)(1 - s - m)) + n_b (t_b - s) / (s (1 - s)) = 0; for m = 0 it is the weighted mean of
t_c and t_b.

Points are placed around a *level* g (the errors of both arms together), by several *effects*. Levels are averaged with
weights learned from past blocks alone (a Bayesian's, from a log-uniform prior), which keeps S an e-variable; wealth
is kept for each effect, and together it is the e-value. n_c and n_b may differ from look to look, so long as they do
not depend on the outcomes; where one is 0 the block says nothing and S = 1.

Sources: Turner, Ly & Grunwald, "Generic E-variables for exact sequential k-sample tests that allow for optional
stopping" (JSPI 2024; arXiv 2106.02693), theorem 1 and section 3; Turner & Grunwald, "Exact anytime-valid confidence
intervals for contingency tables and beyond" (Statistics & Probability Letters 2023), for differences of risks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Float = NDArray[np.float64]

LEVELS: Float = np.geomspace(1e-4, 0.6, 34)
"""Error rates of both arms together that are reckoned with; each 1.3 times the one before."""

HARM_RATIOS: tuple[tuple[float, float], ...] = ((1.1, 0.1), (1.35, 0.35), (1.65, 0.35), (2.5, 0.2))
"""By how many times the candidate may err more often, in the alternatives of harm, each above 1; and which share of the
wealth is put on it."""

NON_INFERIORITY_PLACES: tuple[tuple[float, float], ...] = ((-0.5, 1 / 3), (0.0, 1 / 3), (0.3, 1 / 3))
"""Where the difference may lie, in margins, in the alternatives of non-inferiority, each below 1; and the shares."""

_LEAST_SHARE, _MOST = 0.2, 1 - 1e-4
_BISECTIONS = 45


@dataclass(frozen=True)
class Null:
    """A hypothesis on p_c - p_b: ``at most`` the margin (refuted by harm) or ``at least`` (by non-inferiority)."""

    side: Literal["at most", "at least"]
    margin: float


@dataclass(frozen=True, kw_only=True)
class Arms:
    """Errors and requests of both arms; whole numbers, or arrays of one broadcastable shape [...]."""

    candidate_wrong: Any = 0
    candidate_seen: Any = 0
    champion_wrong: Any = 0
    champion_seen: Any = 0

    def plus(self, other: Arms) -> Arms:
        """Both counted together."""
        return Arms(
            candidate_wrong=self.candidate_wrong + other.candidate_wrong,
            candidate_seen=self.candidate_seen + other.candidate_seen,
            champion_wrong=self.champion_wrong + other.champion_wrong,
            champion_seen=self.champion_seen + other.champion_seen,
        )


def starting_wealth(null: Null) -> Float:
    """What each effect begins with, as natural logarithms, shape [effects]: shares that sum to 1."""
    return np.log([share for _, share in _effects(null)])


def log_block(block: Arms, past: Arms, null: Null) -> Float:
    """What one block multiplies the wealth of each effect by, as a natural logarithm.

    Args:
        block: the errors of this look, shape [...]; its numbers of requests are single whole numbers.
        past: all blocks before this one, shape [...].
        null: what is to be refuted.

    Returns:
        Shape [..., effects]; zero where one arm is empty.
    """
    wrong_c, wrong_b = np.asarray(block.candidate_wrong), np.asarray(block.champion_wrong)
    shape = np.broadcast_shapes(wrong_c.shape, wrong_b.shape)
    if block.candidate_seen == 0 or block.champion_seen == 0:
        return np.zeros((*shape, len(_effects(null))))
    steps = _steps(int(block.candidate_seen), int(block.champion_seen), null)
    logs = wrong_c[..., np.newaxis, np.newaxis] * steps[0] + wrong_b[..., np.newaxis, np.newaxis] * steps[1] + steps[2]
    return _summed(logs + _level_weights(past)[..., np.newaxis], axis=-2)


def log_together(log_wealth: ArrayLike) -> Float:
    """The logarithm of the wealth of all effects (last axis) together: the e-value."""
    return _summed(np.asarray(log_wealth, dtype=np.float64), axis=-1)


def bound_margins(margin: float) -> tuple[float, ...]:
    """The differences that an upper bound of p_c - p_b may take: ``margin`` times powers of the root of 2, below 1.

    From a quarter of the margin on; ``margin`` itself is one of them.
    """
    steps = [margin * 2 ** (power / 2) for power in range(-4, 60)]
    return tuple(margin if power == 4 else step for power, step in enumerate(steps) if step < 1)


def alternatives(candidate_seen: int, champion_seen: int, null: Null) -> tuple[Float, Float]:
    """The points (t_b, t_c) of the alternative, each of shape [levels, effects].

    At level g the two rates average to g, weighted by the requests of the arms, where that keeps both above a fifth of
    g. With H0 ``at most`` m, t_c = r t_b + m for ratios r > 1; with H0 ``at least`` m, t_c = t_b + k m, k < 1.
    """
    level, margin = LEVELS[:, np.newaxis], null.margin
    share = candidate_seen / (candidate_seen + champion_seen)
    if null.side == "at most":
        ratio = np.array([ratio for ratio, _ in HARM_RATIOS])
        champion = np.maximum((level - share * margin) / (1 + share * (ratio - 1)), _LEAST_SHARE * level)
        champion = np.minimum(champion, (1 - margin) / ratio.max() * _MOST)
        return champion, np.minimum(ratio * champion + margin, _MOST)
    difference = margin * np.array([place for place, _ in NON_INFERIORITY_PLACES])
    champion = np.minimum(np.maximum(level - share * difference, _LEAST_SHARE * level), _MOST)
    return champion, np.clip(champion + difference, _LEAST_SHARE * level, _MOST)


def projection(champion: Float, candidate: Float, candidate_seen: int, champion_seen: int, margin: float) -> Float:
    """s of the projection (s, s + margin) of alternatives onto the null's boundary, of the alternatives' shape.

    It lies between t_b and t_c - m, where the slope in the module's docstring falls from + to -, and is found by
    bisection to 1e-13; a remaining error e changes E[S] by less than n e^2.
    """
    if margin == 0:
        seen = candidate_seen + champion_seen
        return np.asarray((candidate_seen * candidate + champion_seen * champion) / seen)
    low, high = np.minimum(champion, candidate - margin), np.maximum(champion, candidate - margin)
    low, high = np.maximum(low, 0.0), np.minimum(high, 1 - margin)
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        shifted = middle + margin
        # Both denominators are positive; multiplied out, an end of the interval at 0 or 1 divides by nothing.
        slope = candidate_seen * (candidate - shifted) * middle * (1 - middle)
        slope += champion_seen * (champion - middle) * shifted * (1 - shifted)
        low, high = np.where(slope > 0, middle, low), np.where(slope > 0, high, middle)
    return np.asarray((low + high) / 2)


@lru_cache(maxsize=256)
def _steps(candidate_seen: int, champion_seen: int, null: Null) -> tuple[Float, Float, Float]:
    """What each candidate error, each champion error, and the block as such add to log S; each [levels, effects]."""
    champion, candidate = alternatives(candidate_seen, champion_seen, null)
    base = projection(champion, candidate, candidate_seen, champion_seen, null.margin)
    shifted = base + null.margin
    right_c = np.log1p(-candidate) - np.log1p(-shifted)
    right_b = np.log1p(-champion) - np.log1p(-base)
    wrong_c, wrong_b = np.log(candidate) - np.log(shifted), np.log(champion) - np.log(base)
    return wrong_c - right_c, wrong_b - right_b, candidate_seen * right_c + champion_seen * right_b


def _effects(null: Null) -> tuple[tuple[float, float], ...]:
    return HARM_RATIOS if null.side == "at most" else NON_INFERIORITY_PLACES


def _level_weights(past: Arms) -> Float:
    """Logarithms of the levels' weights given past blocks, shape [..., levels]: they sum to 1 as weights."""
    wrong = np.asarray(past.candidate_wrong + past.champion_wrong, dtype=np.float64)[..., np.newaxis]
    seen = np.asarray(past.candidate_seen + past.champion_seen, dtype=np.float64)[..., np.newaxis]
    logs = wrong * np.log(LEVELS) + (seen - wrong) * np.log1p(-LEVELS)
    return np.asarray(logs - _summed(logs, axis=-1)[..., np.newaxis])


def _summed(logs: Float, *, axis: int) -> Float:
    """The logarithm of the sum of exponentials over ``axis``."""
    top = logs.max(axis=axis, keepdims=True)
    return np.asarray(np.squeeze(top, axis) + np.log(np.exp(logs - top).sum(axis=axis)))
