"""Every way to distil in one frame: the same student, the same photos, the same number of crops, several seeds.

The students have no heads of the other tasks and are trained on identity alone, so that every crop serves what is
compared. What suits a method best (learning rate, scale, margin, weights) is its own; the network,
its first weights, the batches and the schedule are common to all. A method that can learn from faces without a name may
be given them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd

from countenance.data.crop_store import CropStore
from countenance.errors import DataError, ModelError
from countenance.learning.compared_methods import MethodComparisonConfiguration
from countenance.learning.fingerprint import fingerprint
from countenance.learning.kept_runs import data_digest, done_once, keep_table, kept_table, what_counts
from countenance.learning.labels import subjects_of
from countenance.learning.methods.choice import Alone, given_centres, needs_no_look
from countenance.learning.methods.header_table import read_header
from countenance.learning.outputs import network_outputs
from countenance.learning.recipe import DistillationConfiguration, StudentDistilled, train_student_distilled
from countenance.learning.recognition import RecognitionConfiguration, identity_alone
from countenance.learning.tables import curves_table, effort_summary
from countenance.learning.teachers.asking import aligned_faces, check_dimension
from countenance.learning.teachers.features import TeacherFeatures
from countenance.network.soft_losses import SoftTargetConfiguration
from countenance.progress import track
from countenance.storage import file_sha256

_NOT_READ: Final = ("teacher", "alone", "soft", "faulty")
"""Of the distillation room's parameters: the teacher counts with what it says."""

GIVES: Final = ("outputs", "curves")
"""The tables that every training keeps."""


@dataclass(frozen=True)
class PlannedStudent:
    """One student to be trained.

    Attributes:
        row: of the comparison.
        student: the distillation room's parameters with the row's own.
        teacher: features, or None for a student alone.
        digest: of all that the run depends on.
    """

    row: str
    student: DistillationConfiguration
    teacher: TeacherFeatures | None
    digest: str


def student_of(
    configuration: DistillationConfiguration, comparison: MethodComparisonConfiguration, row: str, seed: int
) -> DistillationConfiguration:
    """The distillation room's parameters for one row: identity alone, its method and rate, the comparison's steps.

    The warm-up keeps its share of the steps.
    """
    compared, asked = comparison.rows[row], configuration.training
    network = comparison.network or configuration.network
    mix = configuration.batches.model_copy(
        update={"batch_size": comparison.batch_size or configuration.batches.batch_size}
    )
    schedule = RecognitionConfiguration(steps=comparison.steps, learning_rate=compared.learning_rate)
    batches, training = identity_alone(mix, asked, schedule)
    warmup = round(asked.warmup_steps * comparison.steps / asked.steps)
    distilled = StudentDistilled(
        learning_rate=compared.learning_rate,
        method=compared.method,
        unnamed_as_classes=compared.unnamed_as_classes,
        teacher_sees="crop" if needs_no_look(compared.method) else comparison.teacher_sees,
    )
    return configuration.model_copy(
        update={
            "seed": seed,
            # Without the other heads, which nothing would be asked of.
            "network": network.model_copy(update={"tasks": "identity"}),
            "soft": SoftTargetConfiguration(),
            "batches": batches,
            "training": training.model_copy(update={"warmup_steps": warmup, "gradient_statistics_every": 0}),
            "distilled": distilled,
        }
    )


def planned_students(
    manifest: pd.DataFrame,
    crops: CropStore,
    configuration: DistillationConfiguration,
    comparison: MethodComparisonConfiguration,
    *,
    teacher: TeacherFeatures,
) -> list[PlannedStudent]:
    """The runs of a comparison, seed by seed; arguments as in :func:`run_comparison`."""
    data = data_digest(manifest, crops, configuration.network.landmark_scheme)
    table = teacher.with_live(None)
    plan = []
    for seed in comparison.seeds:
        for row, compared in comparison.wanted.items():
            student = student_of(configuration, comparison, row, seed)
            asked = teacher if student.distilled.teacher_sees == "augmented" else table
            own = None if isinstance(compared.method, Alone) else asked
            counts = [what_counts(student, without=_NOT_READ), data, None if own is None else own.identity]
            if (header := given_centres(compared.method)) is not None:
                counts.append(file_sha256(header))
            plan.append(PlannedStudent(row, student, own, fingerprint(*counts)))
    return plan


def check_teacher(
    manifest: pd.DataFrame,
    crops: CropStore,
    configuration: DistillationConfiguration,
    comparison: MethodComparisonConfiguration,
    teacher: TeacherFeatures,
) -> None:
    """Find out before the student alone is trained, which asks no teacher, whether all others can be.

    Raises:
        ModelError: the teacher's features aren't as long as the embedding, some face has none, or the teacher's own
            class weights are named but not right.
    """
    dimension = (comparison.network or configuration.network).embedding_dimension
    check_dimension(teacher.dimension, dimension)
    unnamed = any(compared.unnamed_as_classes for compared in comparison.wanted.values())
    faces = manifest[manifest["is_face"] & (manifest["split"] == "train")]
    face_ids, _ = aligned_faces(faces if unnamed else faces[faces["subject_id"].notna()], crops)
    missing = int((teacher.rows_of(face_ids) < 0).sum())
    if missing:
        raise ModelError(
            f"The teacher has no feature for {missing:,} of {len(face_ids):,} faces that the comparison learns from: "
            "run the distillation room again with 'distilled.unnamed_as_classes' set, or give a table that has them."
        )
    for compared in comparison.wanted.values():
        if (header := given_centres(compared.method)) is not None:
            read_header(header, subjects_of(faces), dimension)


def run_comparison(
    manifest: pd.DataFrame,
    crops: CropStore,
    configuration: DistillationConfiguration,
    comparison: MethodComparisonConfiguration,
    *,
    teacher: TeacherFeatures,
    folder: Path,
) -> list[dict[str, Any]]:
    """Train a student a row and seed, and keep what each says of the named held-out faces.

    A run that is in ``folder`` already isn't done again, and one that was interrupted goes on where it was.

    Args:
        manifest: every row.
        crops: the crop store.
        configuration: of the distillation room.
        comparison: the rows, steps and seeds.
        teacher: its features of the training faces, the unnamed ones included where a row is to learn from them; with
            the teacher itself where that is to look at every crop as it is varied.
        folder: holds a folder a run, named by a digest of all that the run depends on.

    Returns:
        A row a run: ``row``, ``seed``, ``method``, ``unnamed_as_classes``, ``learning_rate``, ``scale`` and ``margin``
        (None where the method has none), ``digest``, and what its training cost.

    Raises:
        DataError: there is nothing to train on, or nobody to compare on; the note of a finished run is damaged.
        ModelError: the teacher doesn't know a face that a row learns from, or doesn't fit the student.
    """
    check_teacher(manifest, crops, configuration, comparison, teacher)
    runs = []
    plan = planned_students(manifest, crops, configuration, comparison, teacher=teacher)
    for run in track(plan, what="method comparison", total=len(plan), unit="run"):
        told = done_once(folder / run.digest, partial(train_and_read, run, manifest, crops), gives=GIVES)
        compared = comparison.rows[run.row]
        runs.append(
            {
                "row": run.row,
                "seed": run.student.seed,
                "method": compared.method.name,
                "unnamed_as_classes": compared.unnamed_as_classes,
                **compared.settings,
                "digest": run.digest,
                **told,
            }
        )
    return runs


def said_by(runs: Sequence[Mapping[str, Any]], folder: Path, row: str, seed: int) -> pd.DataFrame:
    """What the student of a row and seed said of the named held-out faces; the columns of :func:`network_outputs`.

    Raises:
        DataError: the run isn't there.
    """
    return kept_table(folder, _digest_of(runs, row, seed), "outputs", run=f"'{row}' of seed {seed}")


def curves_by_row(runs: Sequence[Mapping[str, Any]], folder: Path) -> dict[str, pd.DataFrame]:
    """The curves of each row over its steps, each the mean over the seeds.

    Raises:
        DataError: a run isn't there.
    """
    rows: dict[str, list[pd.DataFrame]] = {}
    for run in runs:
        table = kept_table(folder, run["digest"], "curves", run=f"'{run['row']}' of seed {run['seed']}")
        rows.setdefault(run["row"], []).append(table)
    return {row: pd.concat(tables).groupby("step", as_index=False).mean() for row, tables in rows.items()}


def _digest_of(runs: Sequence[Mapping[str, Any]], row: str, seed: int) -> str:
    return next((str(run["digest"]) for run in runs if (run["row"], run["seed"]) == (row, seed)), "")


def train_and_read(
    run: PlannedStudent,
    manifest: pd.DataFrame,
    crops: CropStore,
    folder: Path,
    *,
    splits: Sequence[str] = ("validation", "test"),
) -> dict[str, Any]:
    """Train one student, and keep what it says of the named faces of the splits; what its training cost.

    Raises:
        DataError: the splits hold no named face.
    """
    named = manifest["is_face"] & manifest["subject_id"].notna() & manifest["split"].isin(splits)
    if not named.any():
        raise DataError(
            f"No face of the split {' or '.join(splits)} has a name, so identity cannot be compared: check the splits "
            "and the sources."
        )
    network, record = train_student_distilled(manifest, crops, run.teacher, run.student, session=folder / "session")
    keep_table(network_outputs(network, manifest[named], crops), folder, "outputs")
    keep_table(curves_table(record), folder, "curves")
    return effort_summary(record)
