"""Errors in money: what a threshold costs, and which one costs least.

Expected cost of a transaction = mated_prior * cost_false_non_match * FNMR + (1 - mated_prior) * cost_false_match * FMR
(the detection cost function of NIST's speaker evaluations, in a currency).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike
from pydantic import Field, model_validator

from countenance.assessment.arrays import FloatArray, IntArray, score_vector
from countenance.assessment.intervals import weighted_means
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.results import Result
from countenance.assessment.verification import accepted, pair_counts, weighted_pair_totals
from countenance.configuration import Configuration
from countenance.errors import AssessmentError

Light = Literal["green", "amber", "red"]


class PriceList(Configuration):
    """What a wrong decision costs, and how many strangers a threshold may let in at most.

    Attributes:
        currency: e.g. "EUR".
        cost_false_match: of letting the wrong person through, in the currency.
        cost_false_non_match: of turning the right person away.
        mated_prior: share of transactions by the person they claim to be.
        transactions: costs are per this many.
        maximum_fmr: a cost-optimal threshold may not exceed this FMR; None = no cap.
    """

    currency: str = Field(default="EUR", min_length=1)
    cost_false_match: float = Field(gt=0.0)
    cost_false_non_match: float = Field(gt=0.0)
    mated_prior: float = Field(gt=0.0, lt=1.0)
    transactions: int = Field(default=1000, ge=1)
    maximum_fmr: float | None = Field(default=None, gt=0.0, lt=1.0)

    @property
    def unit(self) -> str:
        """E.g. "EUR per 1,000 transactions"."""
        return f"{self.currency} per {self.transactions:,} transactions"

    def expected_cost(self, fmr: FloatArray, fnmr: FloatArray) -> FloatArray:
        """Return the expected cost per ``transactions``, elementwise."""
        turned_away = self.mated_prior * self.cost_false_non_match * fnmr
        let_through = (1.0 - self.mated_prior) * self.cost_false_match * fmr
        return np.asarray(self.transactions * (turned_away + let_through))


class CostModel(PriceList):
    """A price list, and when the spread of the cost over groups calls for attention.

    Attributes:
        amber_above: a bias index above it lights amber.
        red_above: a bias index above it lights red.
    """

    amber_above: float = Field(default=1.25, ge=1.0)
    red_above: float = Field(default=1.5, ge=1.0)

    @model_validator(mode="after")
    def _lights_in_order(self) -> CostModel:
        if self.red_above < self.amber_above:
            raise ValueError("red_above must not be below amber_above")
        return self

    @property
    def prices(self) -> PriceList:
        """The price list alone."""
        return PriceList(**{name: getattr(self, name) for name in PriceList.model_fields})

    def light(self, index: float) -> Light:
        """Return the light of a bias index."""
        if index > self.red_above:
            return "red"
        return "amber" if index > self.amber_above else "green"


@dataclass(frozen=True, eq=False)
class CostCurve(Result):
    """Error rates and expected cost at every threshold where a decision changes, thresholds ascending, [K].

    Attributes:
        unit: of the costs.
        thresholds: accept when score > threshold.
        fmr: false match rates.
        fnmr: false non-match rates.
        costs: expected costs.
    """

    unit: str
    thresholds: FloatArray
    fmr: FloatArray
    fnmr: FloatArray
    costs: FloatArray

    def thinned(self, points: int) -> CostCurve:
        """Return at most ``points`` points, spread evenly over the thresholds, both ends kept; for a plot.

        Spread by position, nearly all would lie among the many scores of strangers, where nobody sets a threshold.
        """
        if points < 2:
            raise AssessmentError(f"A curve of {points} points has no two ends: ask for 2 or more.")
        wanted = np.linspace(self.thresholds[0], self.thresholds[-1], points)
        # The point that holds at a threshold is the last one that is not above it.
        kept = np.unique(np.searchsorted(self.thresholds, wanted, side="right") - 1)
        return CostCurve(self.unit, self.thresholds[kept], self.fmr[kept], self.fnmr[kept], self.costs[kept])


@dataclass(frozen=True)
class CostOptimum(Result):
    """The threshold that costs least.

    Attributes:
        threshold: accept when score > threshold.
        fmr: there.
        fnmr: there.
        cost: there.
        unit: of the cost.
        capped: True when the cap on FMR kept the cheapest threshold out.
    """

    threshold: float
    fmr: float
    fnmr: float
    cost: float
    unit: str
    capped: bool


def expected_cost_curve(mated: ArrayLike, non_mated: ArrayLike, model: PriceList) -> CostCurve:
    """Return the expected cost at every distinct score as threshold.

    Args:
        mated: scores of mated comparisons, [M]; minus infinity = failure to extract.
        non_mated: scores of non-mated comparisons, [N].
        model: the prices.
    """
    same = np.sort(score_vector(mated, what="mated scores", failures_allowed=True).astype(np.float64))
    other = np.sort(score_vector(non_mated, what="non-mated scores").astype(np.float64))
    if len(same) == 0 or len(other) == 0:
        raise AssessmentError("A cost curve needs mated and non-mated comparisons: one of the two is empty.")
    levels = np.unique(np.concatenate([same[np.isfinite(same)], other]))
    # One threshold under all scores accepts everyone; each score refuses itself and what is below it.
    thresholds = np.concatenate([[np.nextafter(levels[0], -np.inf)], levels])
    fmr = (len(other) - np.searchsorted(other, thresholds, side="right")) / len(other)
    fnmr = np.searchsorted(same, thresholds, side="right") / len(same)
    return CostCurve(model.unit, thresholds, fmr, fnmr, model.expected_cost(fmr, fnmr))


def cost_optimal_threshold(mated: ArrayLike, non_mated: ArrayLike, model: PriceList) -> CostOptimum:
    """Return the common threshold of least expected cost, under the model's cap on FMR if it has one.

    Of equally cheap thresholds the highest is taken: it lets fewer strangers through.
    """
    curve = expected_cost_curve(mated, non_mated, model)
    cheapest = _last_minimum(curve.costs)
    best = cheapest
    if model.maximum_fmr is not None:
        allowed = np.flatnonzero(curve.fmr <= model.maximum_fmr)
        best = int(allowed[_last_minimum(curve.costs[allowed])])
    return CostOptimum(
        float(curve.thresholds[best]),
        float(curve.fmr[best]),
        float(curve.fnmr[best]),
        float(curve.costs[best]),
        curve.unit,
        best != cheapest,
    )


def _last_minimum(costs: FloatArray) -> int:
    return len(costs) - 1 - int(np.argmin(costs[::-1]))


class CostResampler:
    """Expected cost over all comparisons at a threshold, as a statistic of subject weights."""

    def __init__(self, scores: ComparisonScores, threshold: float, model: CostModel) -> None:
        pairs = scores.pairs
        self.subjects = len(pairs.subjects)
        self.model = model
        first, second = pairs.non_mated_subject_first, pairs.non_mated_subject_second
        wrong = accepted(scores.non_mated, threshold)
        self._made = pair_counts(first, second, self.subjects)
        self._wrong = pair_counts(first[wrong], second[wrong], self.subjects)
        self._mated = np.bincount(pairs.mated_subject, minlength=self.subjects)
        self._missed = np.bincount(pairs.mated_subject, ~accepted(scores.mated, threshold), self.subjects)

    def rates(self, weights: IntArray) -> FloatArray:
        """Return FMR and FNMR under each row of ``weights`` [B, S], NaN without comparisons: [B, 2]."""
        made = weighted_pair_totals(weights, self._made)
        fmr = np.full(len(weights), np.nan)
        np.divide(weighted_pair_totals(weights, self._wrong), made, out=fmr, where=made > 0)
        return np.stack([fmr, weighted_means(weights, self._missed, self._mated)], axis=1)

    def __call__(self, weights: IntArray) -> FloatArray:
        """Return the cost under each row of ``weights`` [B, S], NaN without comparisons: [B]."""
        rates = self.rates(weights)
        return self.model.expected_cost(rates[:, 0], rates[:, 1])
