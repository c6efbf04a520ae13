"""Every way to distil at its best: its learning rate, scale and margin, found on the people for validation.

A comparison at common settings flatters the method that they were chosen for. Here each row of a comparison tries the
same values, one setting after the other, on briefer trainings of the same student; the people for the test aren't even
read. The table of all trials is kept, so that anybody can see how near the others came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from countenance.data.crop_store import CropStore
from countenance.learning.compared_methods import (
    SETTINGS,
    ComparedMethod,
    MethodComparisonConfiguration,
    SettingsSearch,
)
from countenance.learning.kept_runs import done_once, kept_table
from countenance.learning.method_comparison import GIVES, planned_students, train_and_read
from countenance.learning.recipe import DistillationConfiguration
from countenance.learning.teachers.asking import check_dimension
from countenance.learning.teachers.features import TeacherFeatures
from countenance.progress import track

Try = Callable[[str, ComparedMethod], float]
"""How well a row does with some settings; more is better."""


def search_settings(
    manifest: pd.DataFrame,
    crops: CropStore,
    configuration: DistillationConfiguration,
    comparison: MethodComparisonConfiguration,
    *,
    teacher: TeacherFeatures,
    folder: Path,
    score: Callable[[pd.DataFrame], float],
) -> list[dict[str, Any]]:
    """Try settings for every wanted row; nothing where the comparison asks for no search.

    A trial that is in ``folder`` already isn't done again, and one that was interrupted goes on where it was.

    Args:
        manifest: every row.
        crops: the crop store.
        configuration: of the distillation room.
        comparison: the rows, and the values to be tried.
        teacher: as in :func:`~countenance.learning.method_comparison.run_comparison`.
        folder: holds a folder a trial.
        score: of what a student said of the named faces for validation, the columns of
            :func:`~countenance.learning.outputs.network_outputs`; more is better.

    Returns:
        A row a trial, in their order: ``row``, ``learning_rate``, ``scale``, ``margin`` (None where the method has
        none), ``score``, ``chosen`` (of exactly one trial a row), and what its training cost.

    Raises:
        DataError: there is nothing to train on, or nobody to choose by; the note of a finished trial is damaged.
        ModelError: the teacher doesn't know a face that a row learns from, or doesn't fit the student.
    """
    search = comparison.search
    if search is None:
        return []
    check_dimension(teacher.dimension, (comparison.network or configuration.network).embedding_dimension)
    costs: dict[tuple[Any, ...], dict[str, Any]] = {}

    def attempt(row: str, compared: ComparedMethod) -> float:
        brief = comparison.model_copy(
            update={"steps": search.steps, "seeds": (search.seed,), "rows": {row: compared}, "only": ()}
        )
        (run,) = planned_students(manifest, crops, configuration, brief, teacher=teacher)
        train = partial(train_and_read, run, manifest, crops, splits=("validation",))
        costs[row, *compared.settings.values()] = done_once(folder / run.digest, train, gives=GIVES)
        return score(kept_table(folder, run.digest, "outputs", run=f"trial of '{row}'"))

    tried = []
    for row, compared in track(
        comparison.wanted.items(), what="settings of each way", total=len(comparison.wanted), unit="way"
    ):
        for trial in best_settings(row, compared, search, attempt):
            tried.append(trial | costs[row, *(trial[name] for name in SETTINGS)])
    return tried


def best_settings(row: str, compared: ComparedMethod, search: SettingsSearch, attempt: Try) -> list[dict[str, Any]]:
    """One row's trials: each setting in turn, the best so far kept for the next; an equal score changes nothing.

    Args:
        row: its name.
        compared: the row with the settings to begin with.
        search: the values.
        attempt: scores the row with some settings.

    Returns:
        As :func:`search_settings`, without what the trainings cost.
    """
    best, highest = compared, attempt(row, compared)
    tried = [(compared, highest)]
    for name in SETTINGS:
        start = best
        for value in search.values(name):
            if start.setting(name) in (None, value):
                continue
            other = start.with_setting(name, value)
            tried.append((other, attempt(row, other)))
            if tried[-1][1] > highest:
                best, highest = tried[-1]
    return [{"row": row, **one.settings, "score": score, "chosen": one is best} for one, score in tried]


def with_chosen_settings(
    comparison: MethodComparisonConfiguration, tried: Sequence[Mapping[str, Any]]
) -> MethodComparisonConfiguration:
    """The comparison with every row's chosen settings; rows of which nothing was tried stay as they are."""
    rows = dict(comparison.rows)
    for trial in tried:
        for name in SETTINGS if trial["chosen"] else ():
            if trial[name] is not None:
                rows[trial["row"]] = rows[trial["row"]].with_setting(name, trial[name])
    return comparison.model_copy(update={"rows": rows})
