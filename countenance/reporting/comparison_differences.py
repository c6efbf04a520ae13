"""Paired differences between compared models, where their reports allow any."""

from __future__ import annotations

import math
from typing import Final

import numpy as np
from scipy import stats

from countenance.assessment.intervals import DEFAULT_LEVEL
from countenance.reporting.comparison_reports import ComparedModel, ComparedProtocol
from countenance.reporting.wording import NOT_MEASURABLE, Shown

_ALIKE: Final = 1e-9
"""Percentage points by which folds may differ by rounding alone."""


def has_difference(table: ComparedProtocol) -> bool:
    """Whether a model has a paired difference to the champion."""
    return table.champion is not None and any(
        paired_difference(model, table.champion).value != NOT_MEASURABLE
        for model in table.models
        if model is not table.champion
    )


def level_of(table: ComparedProtocol) -> float:
    """Of all intervals of a table, which are of one level."""
    return float(table.models[0].report["options"].get("level") or DEFAULT_LEVEL)


def paired_difference(model: ComparedModel, champion: ComparedModel | None) -> Shown:
    """Accuracy minus the champion's, fold by fold on the same pairs, with Student's t over the folds.

    Where all folds differ alike there is no interval. Folds share the pairs that their thresholds come from, so that
    the interval is a little too narrow (Dietterich, "Approximate statistical tests for comparing supervised
    classification learning algorithms", 1998).
    """
    if champion is None or model is champion:
        return Shown("–")
    ours, theirs = ((one.report.get("accuracy") or {}).get("by_fold") or [] for one in (model, champion))
    if len(ours) < 2 or len(ours) != len(theirs):
        return Shown(NOT_MEASURABLE, note="no folds in common")
    differences = 100.0 * (np.asarray(ours, dtype=np.float64) - np.asarray(theirs, dtype=np.float64))
    mean = float(differences.mean())
    if np.ptp(differences) < _ALIKE:
        # Without spread Student's t has nothing to go by: an interval of no width would claim certainty.
        return Shown(f"{mean:+.2f} points", "no interval", "all folds differ alike")
    level = float(model.report["options"].get("level") or DEFAULT_LEVEL)
    reach = float(stats.t.ppf(0.5 + level / 2, len(differences) - 1))
    reach *= float(differences.std(ddof=1)) / math.sqrt(len(differences))
    return Shown(f"{mean:+.2f} points", f"{mean - reach:+.2f} to {mean + reach:+.2f}")
