"""Weights of audited requests, made relative to the largest so far, so that counts are all that need be kept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from countenance.errors import RolloutError

MOST_WEIGHTS = 64
"""So many different relative weights one rollout may have; its state would grow otherwise."""


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

    def without(self, other: Tally) -> Tally:
        """This tally less ``other``, which was counted in it."""
        return Tally(self.better - other.better, self.same - other.same, self.worse - other.worse)


ByWeight = Mapping[str, Tally]
"""Tallies by the text of both relative weights (:class:`Scale`); requests of full weight aren't listed."""


@dataclass(frozen=True)
class Scale:
    """The largest weights seen so far, W: of all requests, and of those on which one model erred alone.

    A request counts with w / W, W the largest weight up to and with its look: known before its label, so that bets
    scaled by it are fair. Harm is judged on discordant requests alone, so these have a scale of their own: where
    every disagreement is audited (w = 1) and one in ten of the rest (w = 10), harm is judged at full weight.
    0: none seen yet.
    """

    all: float = 0.0
    discordant: float = 0.0

    def grown(self, weights: NDArray[np.float64], differences: NDArray[np.int8]) -> Scale:
        """The scale after a look of requests with ``weights`` (shape [N]) and x = ``differences`` (shape [N])."""
        discordant = weights[differences != 0]
        return Scale(
            max(self.all, float(weights.max(initial=0.0))), max(self.discordant, float(discordant.max(initial=0.0)))
        )

    def named(self, weights: NDArray[np.float64], differences: NDArray[np.int8]) -> NDArray[np.object_]:
        """The key of each request in a :data:`ByWeight`, shape [N]; "" for full weight."""
        keys = np.full(len(weights), "", dtype=object)
        light = (weights < self.all) | ((differences != 0) & (weights < self.discordant))
        for place in np.flatnonzero(light):
            of_discordant = weights[place] / self.discordant if differences[place] else 1.0
            keys[place] = f"{weights[place] / self.all:.12g} {of_discordant:.12g}"
        return keys


def counted(before: ByWeight, keys: NDArray[np.object_], differences: NDArray[np.int8]) -> dict[str, Tally]:
    """``before`` with more requests counted in.

    Raises:
        RolloutError: when there are more than 64 different weights.
    """
    after = dict(before)
    for key in sorted(set(keys) - {""}):
        after[key] = after.get(key, Tally()).plus(differences[keys == key])
    if len(after) > MOST_WEIGHTS:
        raise RolloutError(
            f"Requests were drawn for audit with more than {MOST_WEIGHTS} different probabilities in one rollout: "
            "audit with a few fixed ones."
        )
    return after


@dataclass(frozen=True)
class Weighed:
    """Counts by relative weight, each of shape [K]: what the formulas of ``paired.py`` take.

    ``weight`` is relative to the largest of all requests, ``harm_weight`` to the largest of discordant ones.
    """

    better: NDArray[np.float64]
    same: NDArray[np.float64]
    worse: NDArray[np.float64]
    weight: NDArray[np.float64]
    harm_weight: NDArray[np.float64]

    @classmethod
    def of(cls, tally: Tally, light: ByWeight) -> Weighed:
        """``tally`` counts all requests, ``light`` those of them that have less than full weight."""
        full = tally
        for part in light.values():
            full = full.without(part)
        tallies = [full, *light.values()]
        weights = [(1.0, 1.0), *(tuple(float(part) for part in key.split(" ")) for key in light)]
        columns = np.array([(part.better, part.same, part.worse) for part in tallies], dtype=np.float64)
        relative = np.array(weights, dtype=np.float64)
        return cls(columns[:, 0], columns[:, 1], columns[:, 2], relative[:, 0], relative[:, 1])

    def plus(self, *, better: float = 0.0, same: float = 0.0, worse: float = 0.0) -> Weighed:
        """With so many more of full weight, for bounds that reckon with the worst; they need not be whole."""
        first = np.zeros(len(self.weight))
        first[0] = 1.0
        return Weighed(
            self.better + better * first,
            self.same + same * first,
            self.worse + worse * first,
            self.weight,
            self.harm_weight,
        )
