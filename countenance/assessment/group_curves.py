"""Both error rates and the money of every group over all thresholds, of which one, common to all, is chosen.

Where groups lie apart at the chosen threshold, the curves show whether another would be kinder to one of them and what
it would cost everybody; a threshold for each is not on offer, since it would hide that the model serves them unequally.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd

from countenance.assessment.arrays import FloatArray
from countenance.assessment.cost import CostModel
from countenance.assessment.fairness import FairnessConfiguration, group_of_subjects
from countenance.assessment.group_error_counts import coded_groups, members_and_shown
from countenance.assessment.groups import DEFAULT_GROUP_SIZES, GroupSizes
from countenance.assessment.held_out import AssessmentConfiguration, compare, join_outputs
from countenance.assessment.pairs import ComparisonScores

POINTS: Final = 60
"""Of each kind: thresholds by false matches and thresholds by false non-matches."""


def assess_group_curves(
    manifest: pd.DataFrame,
    outputs: Mapping[str, pd.DataFrame],
    groups: pd.DataFrame,
    assessments: Mapping[str, Any],
    configuration: AssessmentConfiguration,
    fairness: FairnessConfiguration,
) -> dict[str, Any]:
    """:func:`group_curves` of every model on the test people, by the attribute that carries the cost.

    Args:
        manifest: every row.
        outputs: by model.
        groups: ``face_id`` and one column an attribute.
        assessments: by model, which hold the operating thresholds.
        configuration: prices, and how many comparisons are drawn.
        fairness: the attribute and how many people a group needs.
    """
    column = groups.set_index("face_id")[fairness.identity_attribute]
    found = {}
    for model, said in outputs.items():
        test = join_outputs(manifest, said, "test")
        people, threshold = group_of_subjects(test, column), assessments[model]["operating"]["threshold"]
        scores = compare(test, configuration)
        found[model] = group_curves(scores, people, threshold, configuration.cost, fairness.sizes)
    return found


def group_curves(
    scores: ComparisonScores,
    groups: Mapping[str, str],
    threshold: float,
    prices: CostModel,
    sizes: GroupSizes = DEFAULT_GROUP_SIZES,
) -> dict[str, Any]:
    """Error rates and cost of each shown group, and of everybody, at the same thresholds.

    Args:
        scores: one system's comparisons.
        groups: subject -> group.
        threshold: the common one; it is among the points.
        prices: of errors.
        sizes: subjects a group needs to be shown.

    Returns:
        ``threshold``, ``unit`` of the cost, ``thresholds`` ascending, and ``groups`` and ``overall`` with ``fmr``,
        ``fnmr`` and ``cost`` at each of them; a group without mated or without non-mated comparisons is left out.
    """
    pairs = scores.pairs
    of_subject, names = coded_groups(pairs.subjects, groups)
    _, shown = members_and_shown(of_subject, len(names), sizes)
    first, second = of_subject[pairs.non_mated_subject_first], of_subject[pairs.non_mated_subject_second]
    own = of_subject[pairs.mated_subject]
    parts = {
        names[code]: (_sorted(scores.non_mated[(first == code) & (second == code)]), _sorted(scores.mated[own == code]))
        for code in shown
    }
    everybody = _sorted(scores.non_mated), _sorted(scores.mated)
    grid = _grid(everybody[0], everybody[1], threshold)
    return {
        "threshold": float(threshold),
        "unit": prices.unit,
        "thresholds": grid.tolist(),
        "groups": {
            name: _curve(strangers, mated, grid, prices)
            for name, (strangers, mated) in parts.items()
            if len(strangers) and len(mated)
        },
        "overall": _curve(*everybody, grid, prices),
    }


def _sorted(scores: FloatArray) -> FloatArray:
    return np.sort(scores.astype(np.float64))


def _grid(strangers: FloatArray, mated: FloatArray, threshold: float) -> FloatArray:
    """Thresholds spread evenly over the logarithm of the FMR and over the FNMR, the common one among them."""
    smallest = 1.0 / max(1, len(strangers))
    by_fmr = np.quantile(strangers, 1.0 - np.geomspace(smallest, 1.0, POINTS)) if len(strangers) else np.empty(0)
    finite = mated[np.isfinite(mated)]
    by_fnmr = np.quantile(finite, np.linspace(0.0, 1.0, POINTS)) if len(finite) else np.empty(0)
    return np.unique(np.concatenate([by_fmr, by_fnmr, [float(threshold)]]))


def _curve(strangers: FloatArray, mated: FloatArray, grid: FloatArray, prices: CostModel) -> dict[str, list[float]]:
    fmr = (len(strangers) - np.searchsorted(strangers, grid, side="right")) / max(1, len(strangers))
    fnmr = np.searchsorted(mated, grid, side="right") / max(1, len(mated))
    return {"fmr": fmr.tolist(), "fnmr": fnmr.tolist(), "cost": prices.expected_cost(fmr, fnmr).tolist()}
