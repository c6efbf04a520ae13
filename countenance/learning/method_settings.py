"""Every way to distil at its best: its learning rate, scale and margin, found on people set apart from training.

A comparison at common settings flatters the method that they were chosen for. Here each row of a comparison tries the
same values, one setting after the other, on briefer trainings of the same student, and takes another value only where
it is surely better: among a few hundred people the best of several trials is often the luckiest. Beside the people for
validation a share of the training people choose; the people for the test aren't even read. The table of all trials is
kept, so that anybody can see how near the others came.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd

from countenance.assessment.setting_choice import VotedAccuracy
from countenance.data.crop_store import CropStore
from countenance.errors import DataError, TrainingError
from countenance.learning.compared_methods import (
    SETTINGS,
    ComparedMethod,
    MethodComparisonConfiguration,
    SettingsSearch,
)
from countenance.learning.kept_runs import kept_table, tried_once
from countenance.learning.method_comparison import GIVES, check_teacher, planned_students, train_and_read
from countenance.learning.people_apart import with_people_set_apart
from countenance.learning.recipe import DistillationConfiguration
from countenance.learning.teachers.features import TeacherFeatures
from countenance.progress import track

LEAST_PEOPLE: Final = 10
"""Of whom there are two photos: with fewer, one of them would decide too much."""


@dataclass(frozen=True)
class Attempt:
    """What became of a row with some settings.

    Attributes:
        score: None where its training diverged.
        told: what the training cost, or why it diverged.
    """

    score: VotedAccuracy | None
    told: Mapping[str, Any]


Try = Callable[[str, ComparedMethod], Attempt]


def search_settings(
    manifest: pd.DataFrame,
    crops: CropStore,
    configuration: DistillationConfiguration,
    comparison: MethodComparisonConfiguration,
    *,
    teacher: TeacherFeatures,
    folder: Path,
    score: Callable[[pd.DataFrame, pd.DataFrame], VotedAccuracy],
) -> list[dict[str, Any]]:
    """Try settings for every wanted row; nothing where the comparison asks for no search.

    A trial that is in ``folder`` already isn't done again, and one that was interrupted goes on where it was. A
    training that diverges is a trial like others, that is never chosen.

    Args:
        manifest: every row.
        crops: the crop store.
        configuration: of the distillation room.
        comparison: the rows, and the values to be tried.
        teacher: as in :func:`~countenance.learning.method_comparison.run_comparison`.
        folder: holds a folder a trial.
        score: of a manifest and what a student said of the named faces that it has for validation, the columns of
            :func:`~countenance.learning.outputs.network_outputs`.

    Returns:
        A row a trial, in their order: ``row``, ``learning_rate``, ``scale``, ``margin`` (None where the method has
        none), ``score`` (None where it diverged), ``people`` (who scored it), ``chosen`` (of exactly one trial a row),
        and what its training cost.

    Raises:
        DataError: there is nothing to train on, or too few people to choose by; a finished trial's note is damaged.
        ModelError: the teacher doesn't know a face that a row learns from, or doesn't fit the student.
        TrainingError: every trial of a row diverged.
    """
    search = comparison.search
    if search is None:
        return []
    check_teacher(manifest, crops, configuration, comparison, teacher)
    rows = _judged_by_enough(manifest, search)

    def attempt(row: str, compared: ComparedMethod) -> Attempt:
        brief = comparison.model_copy(
            update={"steps": search.steps, "seeds": (search.seed,), "rows": {row: compared}, "only": ()}
        )
        (run,) = planned_students(rows, crops, configuration, brief, teacher=teacher)
        train = partial(train_and_read, run, rows, crops, splits=("validation",))
        told = tried_once(folder / run.digest, train, gives=GIVES)
        if "diverged" in told:
            return Attempt(None, told)
        return Attempt(score(rows, kept_table(folder, run.digest, "outputs", run=f"trial of '{row}'")), told)

    wanted = comparison.wanted
    return [
        trial
        for row, compared in track(wanted.items(), what="settings of each way", total=len(wanted), unit="way")
        for trial in best_settings(row, compared, search, attempt)
    ]


def _judged_by_enough(manifest: pd.DataFrame, search: SettingsSearch) -> pd.DataFrame:
    moved = with_people_set_apart(manifest, search.people_share, search.seed)
    asked = moved["is_face"] & (moved["split"] == "validation")
    people = int((moved.loc[asked, "subject_id"].value_counts() > 1).sum())
    if people < LEAST_PEOPLE:
        raise DataError(
            f"Settings can't be chosen by {people} people with two faces for validation, where {LEAST_PEOPLE} are the "
            "least: raise 'people_share' of the search or the validation split."
        )
    return moved


def best_settings(row: str, compared: ComparedMethod, search: SettingsSearch, attempt: Try) -> list[dict[str, Any]]:
    """One row's trials: each setting in turn, the best so far kept for the next unless another is surely better.

    Args:
        row: its name.
        compared: the row with the settings to begin with.
        search: the values, and how sure is sure.
        attempt: trains and scores the row with some settings.

    Returns:
        As :func:`search_settings`.

    Raises:
        TrainingError: every trial diverged.
    """
    best, first = compared, attempt(row, compared)
    highest = first.score
    tried = [(compared, first)]
    for name in SETTINGS:
        start = best
        for value in search.values(name):
            if start.setting(name) in (None, value):
                continue
            other = start.with_setting(name, value)
            tried.append((other, found := attempt(row, other)))
            if found.score is not None and (highest is None or found.score.surely_above(highest, search.sure)):
                best, highest = other, found.score
    if highest is None:
        raise TrainingError(
            f"Every training of the row '{row}' diverged, with its own settings and with all values of the search: "
            f"give it a lower learning rate; the first one said: {first.told['diverged']}"
        )
    return [
        {
            "row": row,
            **settings.settings,
            "score": None if found.score is None else found.score.value,
            "people": None if found.score is None else found.score.people,
            "chosen": settings is best,
            **found.told,
        }
        for settings, found in tried
    ]


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
