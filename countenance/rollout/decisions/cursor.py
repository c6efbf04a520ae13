"""Up to where decisions and labels were folded, and the running sums that are no evidence; small, whatever was seen."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from countenance.rollout.batch import LabelledBatch
from countenance.rollout.ledger import canonical_json
from countenance.rollout.policy_guards import Budget


@dataclass(frozen=True, order=True)
class Position:
    """A decision's place among those of its rollout: its moment, then its number. No two share one."""

    at: datetime
    id: int


BEGINNING: Final = Position(datetime(1970, 1, 1, tzinfo=UTC), 0)
"""Before every decision."""


@dataclass(frozen=True, kw_only=True)
class Spending:
    """What wrong answers of the candidate cost, in the budget's currency, each weighted by 1 / audit probability.

    ``paired``: sum of (candidate's cost - champion's cost) over labelled requests that the candidate answered and both
    scored. The other four are sums of costs and weights over labelled requests that only the answering model scored.
    """

    paired: float = 0.0
    candidate_cost: float = 0.0
    candidate_weight: float = 0.0
    champion_cost: float = 0.0
    champion_weight: float = 0.0

    def plus(self, batch: LabelledBatch, budget: Budget) -> Spending:
        """With the labels of ``batch`` counted in."""
        price = np.where(batch.mated, budget.cost_false_non_match, budget.cost_false_match) * batch.weight
        exposed = batch.paired & batch.by_candidate
        candidate, champion = batch.single & batch.by_candidate, batch.single & ~batch.by_candidate
        excess = batch.candidate_wrong.astype(np.float64) - batch.champion_wrong
        return Spending(
            paired=self.paired + _sum(price * excess, exposed),
            candidate_cost=self.candidate_cost + _sum(price * (batch.candidate_wrong == 1), candidate),
            candidate_weight=self.candidate_weight + _sum(batch.weight, candidate),
            champion_cost=self.champion_cost + _sum(price * (batch.champion_wrong == 1), champion),
            champion_weight=self.champion_weight + _sum(batch.weight, champion),
        )

    def excess(self) -> float:
        """What the candidate's answers cost more than the champion's would have; 0 when they cost less.

        Between arms the champion's cost of one request is that of its own arm; without any, it is taken for 0.
        """
        usual = self.champion_cost / self.champion_weight if self.champion_weight else 0.0
        return max(0.0, self.paired) + max(0.0, self.candidate_cost - self.candidate_weight * usual)


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """Where folding stands in one rollout.

    ``arrived``: the last decision that was counted as an arrival; ``matured``: the last one that was old enough for its
    label to count; ``label``: the number of the last label that was looked at; ``exposed_requests``: how many requests
    the candidate answered; ``thinnest``: the smallest audit probability that was met; ``sites``: those it answered at,
    where routing is by site; ``arrivals_digest`` and ``labels_digest``: fingerprints of the rows that were folded.
    """

    arrived: Position = BEGINNING
    matured: Position = BEGINNING
    label: int = 0
    exposed_requests: int = 0
    thinnest: float = 1.0
    sites: tuple[str, ...] = ()
    spending: Spending = Spending()
    arrivals_digest: str = "0" * 64
    labels_digest: str = "0" * 64

    def to_json(self) -> str:
        """Canonical JSON; ``from_json`` gives an equal cursor back."""
        places = {name: _written(getattr(self, name)) for name in ("arrived", "matured")}
        return canonical_json(asdict(self) | places)

    @classmethod
    def from_json(cls, text: str | None) -> Cursor:
        """Read what ``to_json`` wrote; None is the beginning."""
        if text is None:
            return cls()
        values = json.loads(text)
        read = {name: _read(values[name]) for name in ("arrived", "matured")}
        rest = {"sites": tuple(values["sites"]), "spending": Spending(**values["spending"])}
        return cls(**values | read | rest)


def _read(place: tuple[str, int]) -> Position:
    return Position(datetime.fromisoformat(place[0]), place[1])


def _written(position: Position) -> list[str | int]:
    return [position.at.isoformat(), position.id]


def _sum(values: NDArray[np.float64], rows: NDArray[np.bool_]) -> float:
    return float(values[rows].sum())
