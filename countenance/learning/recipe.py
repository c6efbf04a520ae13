"""From configuration to a trained network: the all-in-one network, the student alone, the distilled student."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import torch
from pydantic import Field, model_validator

from countenance.configuration import Configuration
from countenance.data.crop_store import CropStore
from countenance.errors import DataError
from countenance.learning.augmentation import AugmentationConfiguration
from countenance.learning.batches import BatchConfiguration, FaceDataset
from countenance.learning.distillation import AdaDistillHeader
from countenance.learning.identity_header import IdentityHeader, MarginSoftmaxHeader
from countenance.learning.methods.choice import (
    AdaDistill,
    DistillationMethod,
    TrainingClasses,
    given_centres,
    method_header,
    with_fixed_centres,
)
from countenance.learning.methods.class_means import class_means_of, fixed_centres_of
from countenance.learning.people_apart import drawn_people
from countenance.learning.recognition import (
    RecognitionConfiguration,
    identity_alone,
    joined,
    start_from_checkpoint,
)
from countenance.learning.soft_targets import SoftTable, SoftTeacher
from countenance.learning.streams import STREAMS
from countenance.learning.teachers.configuration import TeacherConfiguration, TeacherSees
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.training import TrainingConfiguration, TrainingRecord, TrainingSession, train_all_in_one
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.margin import MarginConfiguration
from countenance.network.soft_losses import SoftTargetConfiguration


class Recipe(Configuration):
    """How one network is built and trained: from the labels, and if so configured from a recogniser's knowledge."""

    seed: int
    network: NetworkConfiguration = NetworkConfiguration()
    batches: BatchConfiguration = BatchConfiguration()
    augmentation: AugmentationConfiguration = AugmentationConfiguration()
    training: TrainingConfiguration
    margin: MarginConfiguration = MarginConfiguration()
    recognition: RecognitionConfiguration = RecognitionConfiguration()
    balanced: bool = False
    """Whether faces come as often as the ingestion room's sampling weights say."""


class StudentAlone(Configuration):
    """What the student trained alone has of its own: both students share everything else, the budget above all."""

    learning_rate: float = Field(default=0.1, gt=0)
    margin: MarginConfiguration = MarginConfiguration()


class StudentDistilled(Configuration):
    """What the distilled student has of its own."""

    learning_rate: float = Field(default=0.1, gt=0)
    method: DistillationMethod = AdaDistill()
    unnamed_as_classes: bool = False
    """Whether faces without a name teach identity, too, as :mod:`countenance.learning.methods.choice` says of each."""
    teacher_sees: TeacherSees = "crop"
    """Whether the teacher looks at the crop, once for all, or at every crop as the student sees it, varied."""


class FaultyContinuation(Configuration):
    """How the demonstration's damaged candidate goes on from the distilled student, on the faulty delivery."""

    steps: int = Field(default=60, ge=1)
    learning_rate: float = Field(default=0.02, gt=0)


class DistillationConfiguration(Configuration):
    """Parameters of the distillation room.

    ``teacher`` is ``trained`` (the training room's network), the path of a file, or a mapping that also says how it is
    run, see :class:`~countenance.learning.teachers.configuration.TeacherConfiguration`. ``named_share`` is the share of
    the training people whose names the students are given; a teacher often comes from where more people were named. All
    other faces are unnamed for the students, and keep their other labels.
    """

    seed: int
    named_share: float = Field(default=1.0, gt=0, le=1)
    teacher: TeacherConfiguration = TeacherConfiguration()
    network: NetworkConfiguration = NetworkConfiguration()
    batches: BatchConfiguration = BatchConfiguration()
    augmentation: AugmentationConfiguration = AugmentationConfiguration()
    training: TrainingConfiguration
    alone: StudentAlone = StudentAlone()
    distilled: StudentDistilled = StudentDistilled()
    soft: SoftTargetConfiguration = SoftTargetConfiguration()
    """How much the distilled student's other heads learn from what the training room's network says of the faces."""
    faulty: FaultyContinuation = FaultyContinuation()
    balanced: bool = False
    """Whether faces come as often as the ingestion room's sampling weights say."""

    @model_validator(mode="after")
    def _a_student_of_identity_sees_nothing_else(self) -> DistillationConfiguration:
        if self.network.tasks == "all":
            return self
        wasted = [name for name in STREAMS if name != "identity" and getattr(self.batches, f"{name}_share") > 0]
        if wasted:
            raise ValueError(f"a network of identity alone learns nothing from batches.{wasted[0]}_share: set it to 0")
        if self.soft.asked:
            raise ValueError("a network of identity alone has no other heads for soft to teach: leave it out")
        return self


Trained = tuple[AllInOneNetwork, TrainingRecord]


def train_network(
    manifest: pd.DataFrame,
    crops: CropStore,
    recipe: Recipe,
    *,
    teacher: TeacherFeatures | None = None,
    session: Path | None = None,
) -> Trained:
    """Train an all-in-one network on every label of the training rows, recognition first if so configured.

    Args:
        manifest: every row; only the training split is used.
        crops: the crop store.
        recipe: network, batches and schedule.
        teacher: features that the embedding learns from, in the place of identity labels.
        session: a folder to keep the state in, so that the same call goes on after an interruption.

    Raises:
        DataError: there is nothing to train on.
        ModelError: a checkpoint doesn't fit the network.
        TrainingError: a loss is not finite, or the session belongs to another run.
    """
    rows = training_rows(manifest)
    torch.manual_seed(recipe.seed)
    network = AllInOneNetwork(recipe.network)
    if recipe.recognition.checkpoint is not None:
        start_from_checkpoint(network, recipe.recognition, rows[rows["is_face"]], crops)
    batches = recipe.batches.model_copy(update={"unnamed_as_classes": True}) if teacher else recipe.batches

    def dataset(mix: BatchConfiguration) -> FaceDataset:
        return FaceDataset(rows, crops, recipe.network, mix, recipe.augmentation, seed=recipe.seed, teacher=teacher)

    together = dataset(batches)
    header = _identity_header(recipe, together, rows["face_id"].astype(str).tolist())
    first: TrainingRecord | None = None
    if recipe.recognition.steps:
        mix, schedule = identity_alone(batches, recipe.training, recipe.recognition)
        own = _session(session, "recognition")
        first = train_all_in_one(network, dataset(mix), schedule, header=header, session=own)
    record = train_all_in_one(network, together, recipe.training, header=header, session=_session(session, "tasks"))
    return network, record if first is None else joined(first, record)


def _identity_header(recipe: Recipe, dataset: FaceDataset, face_ids: list[str]) -> IdentityHeader:
    generator, classes = torch.Generator().manual_seed(recipe.seed), dataset.labels.classes
    if dataset.teacher is None:
        return MarginSoftmaxHeader(classes, recipe.network.embedding_dimension, recipe.margin, generator)
    settings = recipe.recognition.adadistill
    header = AdaDistillHeader(classes, dataset.teacher.dimension, settings, generator)
    if settings.alpha == "fixed":
        return with_fixed_centres(header, lambda: class_means_of(dataset, face_ids))
    return header


def _session(folder: Path | None, part: str) -> TrainingSession | None:
    return None if folder is None else TrainingSession(folder / part)


def train_student_alone(
    manifest: pd.DataFrame,
    crops: CropStore,
    configuration: DistillationConfiguration,
    *,
    session: Path | None = None,
) -> Trained:
    """Train the student from the labels alone, with the budget that the distilled student has."""
    recipe = Recipe(
        seed=configuration.seed,
        network=configuration.network,
        batches=configuration.batches,
        augmentation=configuration.augmentation,
        training=_with_rate(configuration.training, configuration.alone.learning_rate),
        margin=configuration.alone.margin,
    )
    return train_network(_as_named_for_students(manifest, configuration), crops, recipe, session=session)


def train_student_distilled(
    manifest: pd.DataFrame,
    crops: CropStore,
    teacher: TeacherFeatures | None,
    configuration: DistillationConfiguration,
    *,
    soft: SoftTable | None = None,
    session: Path | None = None,
    watch: Callable[[int, AllInOneNetwork], None] | None = None,
) -> Trained:
    """Train the student: identity by the configured method from the teacher's features, other tasks from the labels.

    Args:
        manifest: every row; only the training split is used.
        crops: the crop store.
        teacher: its features; None where the method asks no teacher.
        configuration: of the room.
        soft: what the all-in-one teacher says of the other tasks, which are then learned from that, too.
        session: a folder to keep the state in.
        watch: called after every step with the number of steps done and the network.
    """
    torch.manual_seed(configuration.seed)
    network = AllInOneNetwork(configuration.network)
    training = _with_rate(configuration.training, configuration.distilled.learning_rate)
    rows = training_rows(_as_named_for_students(manifest, configuration))
    return network, _distil(network, rows, crops, teacher, training, configuration, session, soft=soft, watch=watch)


def continue_on_faulty_delivery(
    student: AllInOneNetwork,
    delivery: pd.DataFrame,
    crops: CropStore,
    teacher: TeacherFeatures,
    configuration: DistillationConfiguration,
    *,
    soft: SoftTable | None = None,
    session: Path | None = None,
) -> Trained:
    """Train the distilled student further, as usual, on a delivery whose labels are wrong."""
    fault = configuration.faulty
    training = configuration.training.model_copy(
        update={"steps": fault.steps, "learning_rate": fault.learning_rate, "warmup_steps": fault.steps // 5}
    )
    torch.manual_seed(configuration.seed)
    return student, _distil(student, delivery, crops, teacher, training, configuration, session, soft=soft)


def training_rows(manifest: pd.DataFrame) -> pd.DataFrame:
    """The rows of the training split.

    Raises:
        DataError: there are none.
    """
    rows = manifest[manifest["split"] == "train"]
    if rows.empty:
        raise DataError("The manifest has no training rows: check the splits in parameters_ingestion.yml.")
    return rows


def _as_named_for_students(manifest: pd.DataFrame, configuration: DistillationConfiguration) -> pd.DataFrame:
    """The manifest with the names that the students are given; who is named depends on the seed and the name alone."""
    if configuration.named_share >= 1.0:
        return manifest
    given = drawn_people(manifest["subject_id"], configuration.named_share, str(configuration.seed))
    return manifest.assign(subject_id=manifest["subject_id"].where(given, None))


def _distil(
    network: AllInOneNetwork,
    rows: pd.DataFrame,
    crops: CropStore,
    teacher: TeacherFeatures | None,
    training: TrainingConfiguration,
    configuration: DistillationConfiguration,
    session: Path | None,
    *,
    soft: SoftTable | None,
    watch: Callable[[int, AllInOneNetwork], None] | None = None,
) -> TrainingRecord:
    dataset = FaceDataset(
        rows,
        crops,
        network.configuration,
        configuration.batches.model_copy(update={"unnamed_as_classes": configuration.distilled.unnamed_as_classes}),
        configuration.augmentation,
        seed=configuration.seed,
        teacher=teacher,
        soft=None if soft is None else SoftTeacher(soft, configuration.soft),
    )
    header = method_header(
        configuration.distilled.method,
        TrainingClasses(named=rows["subject_id"].nunique(), every=dataset.labels.classes),
        network.configuration.embedding_dimension,
        torch.Generator().manual_seed(configuration.seed),
        class_means=lambda: fixed_centres_of(dataset, rows, given_centres(configuration.distilled.method)),
    )
    own = _session(session, "tasks")
    return train_all_in_one(network, dataset, training, header=header, session=own, watch=watch)


def _with_rate(training: TrainingConfiguration, learning_rate: float) -> TrainingConfiguration:
    return training.model_copy(update={"learning_rate": learning_rate})
