"""Evidence that may be looked at as often as one likes: betting e-processes on paired decisions.

Both models score every request, so each labelled request gives x = (candidate wrong) - (champion wrong),
one of -1, 0 and +1. An e-process is a bettor's wealth that cannot grow on average while the null
hypothesis holds; by Ville's inequality it reaches 1/alpha with a chance of at most alpha, whenever one looks.
Its value depends on x only through three counts, so the state is three integers and exact, and
wealth is kept as a logarithm, so it neither overflows nor underflows.

Sources: Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting" (JRSS-B 2024),
section 4 (capital process) and appendix (mixture over a grid of bets); Howard, Ramdas, McAuliffe & Sekhon,
"Time-uniform, nonparametric, nonasymptotic confidence sequences" (2021).

Assumption: each x has, given the past, a mean on the null's side. When the mix of groups changes
while a rollout runs, "non-inferior" speaks of the traffic that was seen, not of the traffic to come.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from countenance.errors import RolloutError
from countenance.rollout.ledger import canonical_json

Counts = int | NDArray[np.integer[Any]]

HARM_BETS: tuple[float, ...] = (0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
"""Shares of the wealth put on "the next discordant pair is worse"; each within (0, 1)."""

NON_INFERIORITY_BETS: tuple[float, ...] = (0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3, 0.45, 0.6, 0.8)
"""Shares of the largest safe bet 1 / (1 - delta); each within (0, 1)."""


@dataclass(frozen=True)
class Tally:
    """Labelled requests by outcome: the candidate was ``better`` (x = -1), the ``same`` or ``worse`` (x = +1)."""

    better: int = 0
    same: int = 0
    worse: int = 0

    @property
    def labelled(self) -> int:
        """How many labelled requests were counted."""
        return self.better + self.same + self.worse

    @property
    def discordant(self) -> int:
        """How many of them one model got right and the other wrong."""
        return self.better + self.worse

    def plus(self, differences: NDArray[np.int8]) -> Tally:
        """This tally with ``differences`` (shape [N], values -1, 0, +1) counted in."""
        better, worse = int((differences < 0).sum()), int((differences > 0).sum())
        same = len(differences) - better - worse
        return Tally(self.better + better, self.same + same, self.worse + worse)


def log_harm(better: Counts, worse: Counts, bets: tuple[float, ...] = HARM_BETS) -> NDArray[np.float64]:
    """Log e-value against "the candidate is not worse" (H0: p_c - p_b <= 0), from discordant pairs only.

    E = mean over bets l of (1 + l)^worse * (1 - l)^better.

    Args:
        better, worse: counts of discordant pairs, of any one broadcastable shape [...].
        bets: each within (0, 1).

    Returns:
        The natural logarithm of E, shape [...]. Zero when nothing was seen.
    """
    grid = np.asarray(bets, dtype=np.float64)
    wealth = np.multiply.outer(worse, np.log1p(grid)) + np.multiply.outer(better, np.log1p(-grid))
    return np.asarray(np.logaddexp.reduce(wealth, axis=-1) - np.log(len(grid)))


def log_non_inferiority(
    better: Counts, same: Counts, worse: Counts, *, margin: float, bets: tuple[float, ...] = NON_INFERIORITY_BETS
) -> NDArray[np.float64]:
    """Log e-value against "the candidate is worse by the margin or more" (H0: p_c - p_b >= delta).

    E = mean over bets c of the product of 1 - l (x_i - delta), with l = c / (1 - delta), which stays positive
    for every x in [-1, 1].

    Args:
        better, same, worse: counts of labelled requests, of one broadcastable shape [...].
        margin: delta, within (0, 1).
        bets: each within (0, 1).

    Returns:
        The natural logarithm of E, shape [...]. Zero when nothing was seen.
    """
    stakes = np.asarray(bets, dtype=np.float64) / (1 - margin)
    wealth = (
        np.multiply.outer(better, np.log1p(stakes * (1 + margin)))
        + np.multiply.outer(same, np.log1p(stakes * margin))
        + np.multiply.outer(worse, np.log1p(-stakes * (1 - margin)))
    )
    return np.asarray(np.logaddexp.reduce(wealth, axis=-1) - np.log(len(stakes)))


def log_excess(
    better: Counts, same: Counts, worse: Counts, *, margin: float, bets: tuple[float, ...] = HARM_BETS
) -> NDArray[np.float64]:
    """Log e-value against "the candidate's rate exceeds the champion's by no more than ``margin``".

    The mirror image of :func:`log_non_inferiority`: E = mean over bets of prod(1 + l (x - margin)), with l below
    1 / (1 + margin), for x = -1 (champion wrong), 0, +1 (candidate wrong); E[x] <= margin under the null, so E is a
    test martingale (Waudby-Smith & Ramdas, "Estimating means of bounded random variables by betting", 2024).

    Args:
        better, same, worse: how often x was -1, 0 and +1, shape [...].
        margin: within [0, 1).
        bets: fractions of the largest stake.

    Returns:
        The natural logarithm of E, shape [...]. Zero when nothing was seen.
    """
    stakes = np.asarray(bets, dtype=np.float64) / (1 + margin)
    wealth = (
        np.multiply.outer(better, np.log1p(-stakes * (1 + margin)))
        + np.multiply.outer(same, np.log1p(-stakes * margin))
        + np.multiply.outer(worse, np.log1p(stakes * (1 - margin)))
    )
    return np.asarray(np.logaddexp.reduce(wealth, axis=-1) - np.log(len(stakes)))


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


def evidence_key(candidate: str, champion: str, thresholds: Mapping[str, float], policy_hash: str) -> str:
    """The sha256 (hex) of what evidence is about: both models, both thresholds, the policy.

    Evidence gathered under one key says nothing under another; a canary's share is not part of it.
    """
    about = {
        "candidate": candidate,
        "champion": champion,
        "thresholds": {name: float(thresholds[name]) for name in (candidate, champion)},
        "policy": policy_hash,
    }
    return hashlib.sha256(canonical_json(about).encode()).hexdigest()


@dataclass(frozen=True, kw_only=True)
class EvidenceState:
    """All that has been seen so far; a value, made anew by every batch.

    ``scored``: requests that both models scored; ``disagreed``: those they decided differently on;
    ``due``: those old enough for their label to count. ``labelled_by_stage`` counts labelled requests by
    the stage in which they *arrived* (``RolloutState.stage_key``). ``false_matches`` counts each group's
    non-mated requests alone: an error there is a stranger who was let in.
    """

    key: str
    scored: int = 0
    disagreed: int = 0
    due: int = 0
    overall: Tally = Tally()
    groups: Mapping[str, Tally] = field(default_factory=dict)
    false_matches: Mapping[str, Tally] = field(default_factory=dict)
    labelled_by_stage: Mapping[str, int] = field(default_factory=dict)

    def with_scored(self, *, scored: int, disagreed: int, due: int) -> EvidenceState:
        """The state after more requests were scored and more have become old enough; needs no label."""
        return replace(self, scored=self.scored + scored, disagreed=self.disagreed + disagreed, due=self.due + due)

    def with_labelled(
        self,
        differences: NDArray[np.int8],
        groups: NDArray[np.object_],
        stages: NDArray[np.object_],
        mated: NDArray[np.bool_],
    ) -> EvidenceState:
        """The state after more labels have matured.

        Args:
            differences: x per request, shape [N], values -1, 0, +1.
            groups: the subject's group per request, shape [N]; None counts for no group.
            stages: the stage key in which each request arrived, shape [N].
            mated: the ground truth of each request, shape [N].

        Raises:
            RolloutError: when the four differ in length or a difference is none of -1, 0 and +1.
        """
        if not len(differences) == len(groups) == len(stages) == len(mated):
            raise RolloutError(
                "Differences, groups, stages and truths must have one entry a request: give four equal lengths."
            )
        if len(differences) and int(np.abs(differences).max()) > 1:
            raise RolloutError("A paired difference must be -1, 0 or +1: give losses of 0 and 1.")
        by_group, strangers, by_stage = dict(self.groups), dict(self.false_matches), dict(self.labelled_by_stage)
        for name in sorted({name for name in groups if name is not None}):
            theirs = groups == name
            by_group[name] = by_group.get(name, Tally()).plus(differences[theirs])
            strangers[name] = strangers.get(name, Tally()).plus(differences[theirs & ~mated])
        for stage in sorted(set(stages)):
            by_stage[stage] = by_stage.get(stage, 0) + int((stages == stage).sum())
        return replace(
            self,
            overall=self.overall.plus(differences),
            groups=by_group,
            false_matches=strangers,
            labelled_by_stage=by_stage,
        )

    def to_json(self) -> str:
        """Canonical JSON; ``from_json`` gives an equal state back."""
        return canonical_json(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> EvidenceState:
        """Read what ``to_json`` wrote."""
        values = json.loads(text)
        return cls(
            **values
            | {
                "overall": Tally(**values["overall"]),
                "groups": {name: Tally(**tally) for name, tally in values["groups"].items()},
                "false_matches": {name: Tally(**tally) for name, tally in values["false_matches"].items()},
            }
        )
