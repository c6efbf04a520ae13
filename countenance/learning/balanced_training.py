"""The same student trained twice from each seed: on faces as they come, and as often as sampling weights say.

No group is known here: what differs is how often a face comes. Network, first weights, schedule, number of crops and
settings are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd
from pydantic import Field, model_validator

from countenance.configuration import Configuration
from countenance.data.crop_store import CropStore
from countenance.learning.balance import with_weights
from countenance.learning.compared_methods import ComparedMethod, MethodComparisonConfiguration
from countenance.learning.fingerprint import fingerprint
from countenance.learning.kept_runs import data_digest, done_once, kept_table, what_counts
from countenance.learning.method_comparison import GIVES, PlannedStudent, student_of, train_and_read
from countenance.learning.methods.choice import Alone
from countenance.learning.recipe import DistillationConfiguration
from countenance.network.margin import MarginConfiguration
from countenance.progress import track

AS_IT_COMES: Final = "as it comes"
BALANCED: Final = "balanced"


class BalancedTraining(Configuration):
    """Both students' training: identity alone, from the names, without a teacher who may know what is rare.

    Attributes:
        steps: of every training.
        seeds: each gives one training of either kind.
        learning_rate: of both.
        margin: of both.
    """

    steps: int = Field(ge=1)
    seeds: tuple[int, ...] = Field(min_length=1)
    learning_rate: float = Field(default=0.2, gt=0.0)
    margin: MarginConfiguration = MarginConfiguration()

    @model_validator(mode="after")
    def _tells_something_new(self) -> BalancedTraining:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("a seed is there twice: training from it again would tell nothing new")
        return self


def run_balanced(
    manifest: pd.DataFrame,
    weights: pd.DataFrame,
    crops: CropStore,
    configuration: DistillationConfiguration,
    training: BalancedTraining,
    folder: Path,
) -> list[dict[str, Any]]:
    """Train the distillation room's student in both ways from every seed, and keep what each says of named faces.

    A run that is in ``folder`` already isn't done again, and one that was interrupted goes on where it was.

    Args:
        manifest: every row, the held-out ones too.
        weights: ``face_id`` and ``weight``.
        crops: the crop store.
        configuration: of the distillation room; every training person's name is given to the students.
        training: steps, seeds and settings.
        folder: holds a folder a run.

    Returns:
        A row a run: ``row`` (:data:`AS_IT_COMES` or :data:`BALANCED`), ``seed``, ``digest``, what its training cost.

    Raises:
        DataError: there is nothing to train on, or nobody held out has a name.
    """
    manifests = {AS_IT_COMES: manifest, BALANCED: with_weights(manifest, weights)}
    plan = [
        planned(manifests[row], crops, configuration, training, row, seed)
        for seed in training.seeds
        for row in manifests
    ]
    return [
        {
            "row": run.row,
            "seed": run.student.seed,
            "digest": run.digest,
            **done_once(folder / run.digest, partial(train_and_read, run, manifests[run.row], crops), gives=GIVES),
        }
        for run in track(plan, what="mitigation", total=len(plan), unit="run")
    ]


def planned(
    manifest: pd.DataFrame,
    crops: CropStore,
    configuration: DistillationConfiguration,
    training: BalancedTraining,
    row: str,
    seed: int,
) -> PlannedStudent:
    """One student to be trained, named by a digest of all that its run depends on."""
    way = ComparedMethod(method=Alone(margin=training.margin), learning_rate=training.learning_rate)
    comparison = MethodComparisonConfiguration.model_validate(
        {
            "steps": training.steps,
            "seeds": (seed,),
            "rows": dict.fromkeys((AS_IT_COMES, BALANCED), way),
            "judged": {"reference": AS_IT_COMES, "headline": BALANCED},
        }
    )
    student = student_of(configuration.model_copy(update={"named_share": 1.0}), comparison, row, seed)
    settings = what_counts(student, without=("teacher", "alone", "soft", "faulty"))
    data = data_digest(manifest, crops, configuration.network.landmark_scheme)
    return PlannedStudent(row, student, None, fingerprint("mitigation", row, settings, data))


def said_by(runs: Sequence[Mapping[str, Any]], folder: Path, row: str, seed: int) -> pd.DataFrame:
    """What the student of a row and seed said of the named held-out faces.

    Raises:
        DataError: the run isn't there.
    """
    digest = next((str(run["digest"]) for run in runs if (run["row"], run["seed"]) == (row, seed)), "")
    return kept_table(folder, digest, "outputs", run=f"'{row}' of seed {seed}")
