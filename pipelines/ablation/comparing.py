"""What the ablation's networks said, compared task by task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from countenance.assessment.ablation import assess_ablation
from countenance.assessment.held_out import AssessmentConfiguration
from countenance.configuration import narrow
from countenance.data.manifest import with_five_points
from countenance.learning.ablation import TOGETHER, said_by


def compare_runs(
    manifest: pd.DataFrame, runs: Sequence[Mapping[str, Any]], evaluation: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    """The report: ``tasks`` with values, gains and intervals, ``seeds``, ``headline_far``, ``level`` and ``runs``."""
    configuration = narrow(AssessmentConfiguration, evaluation, where="parameters_evaluation.yml")
    tasks = list(dict.fromkeys(run["task"] for run in runs if run["task"] != TOGETHER))
    seeds = sorted({run["seed"] for run in runs})
    said = partial(said_by, runs, folder)
    gains = assess_ablation(
        with_five_points(manifest),
        tasks,
        seeds,
        together=lambda seed: said(TOGETHER, seed),
        alone=said,
        configuration=configuration,
    )
    return {
        "seeds": seeds,
        "headline_far": configuration.headline_far,
        "level": configuration.resampling.level,
        "tasks": {task: gain.to_dict() for task, gain in gains.items()},
        "runs": [{name: value for name, value in run.items() if name != "digest"} for run in runs],
    }
