"""One network for all tasks against a network for each: what learning together gives or costs, task by task."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from countenance.assessment.held_out import AssessmentConfiguration, compare, join_outputs
from countenance.assessment.paired_scores import PairedGain, averaged, paired_score_gain, paired_tar_gain
from countenance.assessment.task_scores import TaskScores, task_scores
from countenance.errors import AssessmentError
from countenance.progress import track

IDENTITY = "identity"


def assess_ablation(
    manifest: pd.DataFrame,
    tasks: Sequence[str],
    seeds: Sequence[int],
    *,
    together: Callable[[int], pd.DataFrame],
    alone: Callable[[str, int], pd.DataFrame],
    configuration: AssessmentConfiguration,
) -> dict[str, PairedGain]:
    """Compare the network of all tasks with that of each, on the test faces that are labelled for the task.

    Args:
        manifest: every row, with ``landmarks_5``.
        tasks: ``face``, ``landmarks``, ``pose``, ``gender``, ``smile``, ``age``, ``identity`` or some of them.
        seeds: that both were trained from; a face counts with its mean over them.
        together: what the network of all tasks said of the test faces, by seed.
        alone: what the network of a task said, by task and seed, at least of the test faces that are labelled for it.
        configuration: headline FAR and resampling.

    Returns:
        For each task what learning together gains; positive = better together.

    Raises:
        AssessmentError: a face has no output, or a task that a network doesn't do is asked for.
    """
    return {
        task: _gain(manifest, task, [(together(seed), alone(task, seed)) for seed in seeds], configuration)
        for task in track(tasks, what="comparing", total=len(tasks), unit="task")
    }


def _gain(
    manifest: pd.DataFrame,
    task: str,
    said: Sequence[tuple[pd.DataFrame, pd.DataFrame]],
    configuration: AssessmentConfiguration,
) -> PairedGain:
    asked = manifest[manifest["face_id"].isin(said[0][1]["face_id"])]
    joined = [[join_outputs(asked, outputs, "test") for outputs in pair] for pair in said]
    if task == IDENTITY:
        new, old = ([compare(pair[which], configuration) for pair in joined] for which in (0, 1))
        return paired_tar_gain(new, old, configuration.headline_far, configuration.resampling)
    scored = [[_scores(rows, task) for rows in pair] for pair in joined]
    candidate, reference = (averaged([pair[which].scores for pair in scored]) for which in (0, 1))
    return paired_score_gain(candidate, reference, scored[0][0].subjects, configuration.resampling)


def _scores(rows: pd.DataFrame, task: str) -> TaskScores:
    found = task_scores(rows).get(task)
    if found is None:
        raise AssessmentError(f"A network of the ablation says nothing of the task '{task}': run the ablation again.")
    return found


def ablation_numbers(report: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers of an ablation's report that are compared from run to run."""
    numbers = {
        task: {
            "together": found["candidate"]["value"],
            "alone": found["reference"]["value"],
            **{name: found[name] for name in ("gain", "low", "high")},
        }
        for task, found in report["tasks"].items()
    }
    return {task: {name: value for name, value in of.items() if value is not None} for task, of in numbers.items()}
