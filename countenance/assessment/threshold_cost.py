"""The threshold that costs least under a cap on false matches: chosen on some people, judged on others.

Beside it, the thresholds of several false accept rates, from the people on whom they are chosen, too. Where too few
comparisons were made for a rate, that is what is said of it: a threshold above all scores would look like an answer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from countenance.assessment.cost import (
    CostCurve,
    CostModel,
    CostOptimum,
    cost_optimal_threshold,
    expected_cost_curve,
)
from countenance.assessment.cost_report import cost_report
from countenance.assessment.intervals import DEFAULT_RESAMPLING, Rate, Resampling
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.results import Measurement, Result
from countenance.assessment.verification import false_match_rate, false_non_match_rate

CURVE_POINTS: Final = 250


@dataclass(frozen=True)
class PlottedCost(Result):
    """A cost curve thinned for a plot, thresholds ascending; see :class:`countenance.assessment.cost.CostCurve`."""

    thresholds: tuple[float, ...]
    fmr: tuple[float, ...]
    fnmr: tuple[float, ...]
    costs: tuple[float, ...]


@dataclass(frozen=True)
class ThresholdCost(Result):
    """What thresholds cost, and the one that costs least.

    Attributes:
        prices: the price list, with its cap, as in the parameters.
        optimum: the threshold of least expected cost under the cap, and its rates and cost, on the calibration people.
        lowest_allowed: the lowest threshold that the cap allows on them; None without a cap.
        fmr: at the optimum, on the people it is judged by.
        fnmr: likewise.
        cost: likewise, with its interval.
        curve: the cost of every threshold, on the calibration people.
    """

    prices: Mapping[str, Any]
    optimum: CostOptimum
    lowest_allowed: float | None
    fmr: Rate
    fnmr: Rate
    cost: Measurement
    curve: PlottedCost


def threshold_cost(
    calibration: ComparisonScores,
    judged: ComparisonScores,
    model: CostModel,
    resampling: Resampling = DEFAULT_RESAMPLING,
) -> ThresholdCost:
    """Choose the threshold of least expected cost on ``calibration`` and measure it on ``judged``.

    Args:
        calibration: comparisons of the people on whom it is chosen.
        judged: comparisons of other people.
        model: the prices and the cap.
        resampling: of the judged people.

    Raises:
        AssessmentError: the calibration people have no mated or no non-mated comparison.
    """
    curve = expected_cost_curve(calibration.mated, calibration.non_mated, model)
    optimum = cost_optimal_threshold(calibration.mated, calibration.non_mated, model)
    return ThresholdCost(
        prices=model.prices.model_dump(),
        optimum=optimum,
        lowest_allowed=_lowest_allowed(curve, model.maximum_fmr),
        fmr=false_match_rate(judged, optimum.threshold),
        fnmr=false_non_match_rate(judged, optimum.threshold),
        cost=cost_report(judged, {}, optimum.threshold, model, resampling=resampling).overall,
        curve=_plotted(curve.thinned(CURVE_POINTS)),
    )


def _lowest_allowed(curve: CostCurve, maximum_fmr: float | None) -> float | None:
    # The highest threshold lets nobody in, so that a cap always allows one.
    return None if maximum_fmr is None else float(curve.thresholds[int(np.argmax(curve.fmr <= maximum_fmr))])


def _plotted(curve: CostCurve) -> PlottedCost:
    return PlottedCost(*(tuple(values.tolist()) for values in (curve.thresholds, curve.fmr, curve.fnmr, curve.costs)))
