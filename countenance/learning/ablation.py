"""Every task alone against all together: the same network, trained on the same number of crops.

A network of one task is given every advantage that costs no more: its batches hold only crops that are labelled for its
task, in the view that shows it, so that all of its steps serve it. The network of all tasks shares its steps between
them. Both start from the same random weights, or from the recipe's recognition checkpoint.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd
from pydantic import Field

from countenance.configuration import Configuration
from countenance.data.crop_store import CropStore
from countenance.errors import DataError
from countenance.learning.fingerprint import fingerprint
from countenance.learning.kept_runs import data_digest, done_once, keep_table, kept_table, what_counts
from countenance.learning.outputs import network_outputs
from countenance.learning.recipe import Recipe, train_network
from countenance.learning.tables import effort_summary
from countenance.learning.teachers.features import TeacherFeatures
from countenance.network.losses import MultiTaskWeights
from countenance.progress import track

TOGETHER: Final = "together"


@dataclass(frozen=True)
class TaskNeeds:
    """What a task alone is trained on.

    Attributes:
        losses: that keep their weight.
        labels: columns of the manifest; a row with one of them is labelled for the task.
        streams: of the batch that show the task.
    """

    losses: tuple[str, ...]
    labels: tuple[str, ...]
    streams: tuple[str, ...]


_WHOLE_FACE: Final = ("identity", "attributes", "localisation")
TASKS: Final = {
    "face": TaskNeeds(("face", "proposal"), ("is_face",), ("localisation", "scenes")),
    # Of ten places of the scenes' stream hardly one shows labelled landmarks.
    "landmarks": TaskNeeds(("landmarks", "visibility"), ("landmarks",), ("localisation",)),
    "pose": TaskNeeds(("pose",), ("yaw_deg", "pitch_deg", "roll_deg", "yaw_range"), ("localisation",)),
    "gender": TaskNeeds(("gender",), ("gender",), _WHOLE_FACE),
    "smile": TaskNeeds(("smile",), ("smiling",), _WHOLE_FACE),
    "age": TaskNeeds(("age",), ("age_years",), _WHOLE_FACE),
    "identity": TaskNeeds(("identity",), ("subject_id",), ("identity",)),
}
"""The seven tasks. Proposals belong to the face, as visibility does to the landmarks."""


class AblationConfiguration(Configuration):
    """Parameters of the ablation room; everything else is the training room's.

    Attributes:
        steps: of every run, recognition first included; warm-up and recognition keep their shares of it.
        seeds: each gives one run a task and one together; a face counts with its mean over them.
    """

    steps: int = Field(ge=1)
    seeds: tuple[int, ...] = Field(min_length=1)


@dataclass(frozen=True)
class PlannedRun:
    """One network to be trained.

    Attributes:
        task: its name, or :data:`TOGETHER`.
        recipe: of the training; its seed is the run's.
        teacher: features for identity, or None.
        digest: of all that the run depends on.
    """

    task: str
    recipe: Recipe
    teacher: TeacherFeatures | None
    digest: str


def ablation_recipes(recipe: Recipe, *, steps: int, seed: int) -> dict[str, Recipe]:
    """The recipe with so many steps in all, and the same for each task alone, by task.

    Alone a task keeps its weight, its learning rate and its share of the views; every other weight is 0. Only identity
    alone has the recipe's teacher, and no step goes to recognition first: it is a task like the others.
    """
    asked = recipe.recognition.steps + recipe.training.steps
    first = min(round(steps * recipe.recognition.steps / asked), steps - 1)
    training = recipe.training.model_copy(
        update={
            "steps": steps - first,
            "warmup_steps": round(recipe.training.warmup_steps * steps / asked),
            "gradient_statistics_every": 0,
        }
    )
    recognition = recipe.recognition.model_copy(update={"steps": first})
    together = recipe.model_copy(update={"seed": seed, "training": training, "recognition": recognition})
    return {TOGETHER: together} | {task: _alone(together, task, steps) for task in TASKS}


def _alone(together: Recipe, task: str, steps: int) -> Recipe:
    needs, batches, recognition = TASKS[task], together.batches, together.recognition
    kept = {loss: getattr(together.training.weights, loss) for loss in needs.losses}
    weights = MultiTaskWeights(**dict.fromkeys(MultiTaskWeights.model_fields, 0.0) | kept)
    share = {name: getattr(batches, f"{name}_share") for name in needs.streams}
    nobody_named = task != "identity"
    if nobody_named and "identity" in share:
        # Where nobody is named, the aligned crops of named people are crops with attributes like the others.
        share["attributes"] += share.pop("identity")
    every = dict.fromkeys(("identity_share", "attributes_share", "localisation_share", "scenes_share"), 0.0)
    mix = every | {f"{name}_share": amount for name, amount in share.items()}
    if nobody_named:
        mix["unnamed_as_classes"] = False
        recognition = recognition.model_copy(update={"teacher": None})
    return together.model_copy(
        update={
            "batches": batches.model_copy(update=mix),
            "training": together.training.model_copy(update={"steps": steps, "weights": weights}),
            "recognition": recognition.model_copy(update={"steps": 0}),
        }
    )


def labelled_for(task: str, manifest: pd.DataFrame) -> pd.Series[bool]:
    """[M] which rows are labelled for a task."""
    return manifest[list(TASKS[task].labels)].notna().any(axis=1)


def labelled_tasks(manifest: pd.DataFrame) -> list[str]:
    """The tasks that training and test rows are labelled for, in the order of :data:`TASKS`."""
    splits = [manifest[manifest["split"] == split] for split in ("train", "test")]
    return [task for task in TASKS if all(bool(labelled_for(task, rows).any()) for rows in splits)]


def run_ablation(
    manifest: pd.DataFrame,
    crops: CropStore,
    recipe: Recipe,
    configuration: AblationConfiguration,
    *,
    teacher: TeacherFeatures | None,
    folder: Path,
) -> list[dict[str, Any]]:
    """Train the network of all tasks and that of each labelled one, and keep what they say of the test faces.

    A run that is in ``folder`` already isn't done again, and one that was interrupted goes on where it was.

    Args:
        manifest: every row.
        crops: the crop store.
        recipe: of the training room.
        configuration: how many steps and seeds.
        teacher: features of the recipe's teacher, if it has one.
        folder: holds a folder a run, named by a digest of all that the run depends on.

    Returns:
        A row a run: ``task``, ``seed``, ``digest`` and what its training cost.

    Raises:
        DataError: no task is labelled in both the training and the test rows.
    """
    runs = []
    plan = planned_runs(manifest, crops, recipe, configuration, teacher=teacher)
    for run in track(plan, what="ablation", total=len(plan), unit="run"):
        found = done_once(folder / run.digest, partial(_train_and_read, run, manifest, crops), gives=("outputs",))
        runs.append({"task": run.task, "seed": run.recipe.seed, "digest": run.digest, **found})
    return runs


def planned_runs(
    manifest: pd.DataFrame,
    crops: CropStore,
    recipe: Recipe,
    configuration: AblationConfiguration,
    *,
    teacher: TeacherFeatures | None,
) -> list[PlannedRun]:
    """The runs of an ablation; arguments as in :func:`run_ablation`.

    Raises:
        DataError: no task is labelled in both the training and the test rows.
    """
    tasks = labelled_tasks(manifest)
    if not tasks:
        raise DataError("No task is labelled in both training and test rows: check the splits and the sources' labels.")
    checkpoint = recipe.recognition.checkpoint
    start = None if checkpoint is None else Path(checkpoint).read_bytes()
    data = fingerprint(data_digest(manifest, crops, recipe.network.landmark_scheme), start)
    taught = None if teacher is None else teacher.identity
    plan = []
    for seed in configuration.seeds:
        recipes = ablation_recipes(recipe, steps=configuration.steps, seed=seed)
        for task in (TOGETHER, *tasks):
            with_teacher = teacher is not None and task in (TOGETHER, "identity")
            digest = fingerprint(task, what_counts(recipes[task]), data, taught if with_teacher else None)
            plan.append(PlannedRun(task, recipes[task], teacher if with_teacher else None, digest))
    return plan


def said_by(runs: Sequence[Mapping[str, Any]], folder: Path, task: str, seed: int) -> pd.DataFrame:
    """What the network of a run said of the test faces; the columns of :func:`network_outputs`.

    Raises:
        DataError: the run isn't there.
    """
    digest = next((str(run["digest"]) for run in runs if (run["task"], run["seed"]) == (task, seed)), "")
    return kept_table(folder, digest, "outputs", run=f"of the task '{task}' and seed {seed}")


def _train_and_read(run: PlannedRun, manifest: pd.DataFrame, crops: CropStore, folder: Path) -> dict[str, Any]:
    nameless_too = run.teacher is not None or run.recipe.batches.unnamed_as_classes
    rows = manifest if run.task == TOGETHER else _rows_for(run.task, manifest, nameless_too=nameless_too)
    sources = set(rows.loc[rows["split"] == "train", "source"])
    weights = {source: weight for source, weight in run.recipe.batches.source_weights.items() if source in sources}
    batches = run.recipe.batches.model_copy(update={"source_weights": weights})
    recipe = run.recipe.model_copy(update={"batches": batches})
    network, record = train_network(rows, crops, recipe, teacher=run.teacher, session=folder / "session")
    asked = manifest["split"] == "test"
    if run.task != TOGETHER:
        asked &= labelled_for(run.task, manifest)
    outputs = network_outputs(network, manifest[asked], crops)
    keep_table(outputs, folder, "outputs")
    return effort_summary(record)


def _rows_for(task: str, manifest: pd.DataFrame, *, nameless_too: bool) -> pd.DataFrame:
    """The rows that a task alone is trained on; who is on them is for identity to know."""
    if task == "identity":
        return manifest[manifest["is_face"] if nameless_too else labelled_for(task, manifest)]
    return manifest[labelled_for(task, manifest)].assign(subject_id=None)
