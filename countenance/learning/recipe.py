"""From configuration to a trained network: the all-in-one network, the student alone, the distilled student."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from pydantic import Field

from countenance.configuration import Configuration
from countenance.data.crop_store import CropStore
from countenance.errors import DataError, ModelError
from countenance.learning.augmentation import AugmentationConfiguration
from countenance.learning.batches import BatchConfiguration, FaceDataset
from countenance.learning.distillation import (
    AdaDistillConfiguration,
    AdaDistillHeader,
    IdentityHeader,
    MarginSoftmaxHeader,
)
from countenance.learning.teacher import TeacherFeatures, embed_with_network, embed_with_onnx
from countenance.learning.training import TrainingConfiguration, TrainingRecord, train_all_in_one
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.margin import MarginConfiguration

TRAINED_TEACHER = "trained"
"""Names the all-in-one network of the training room as the teacher, in place of an ONNX file."""


class Recipe(Configuration):
    """How one network is built and trained from the labels alone."""

    seed: int
    network: NetworkConfiguration = NetworkConfiguration()
    batches: BatchConfiguration = BatchConfiguration()
    augmentation: AugmentationConfiguration = AugmentationConfiguration()
    training: TrainingConfiguration
    margin: MarginConfiguration = MarginConfiguration()


class StudentAlone(Configuration):
    """What the student trained alone has of its own: both students share everything else, the budget above all."""

    learning_rate: float = Field(default=0.1, gt=0)
    margin: MarginConfiguration = MarginConfiguration()


class StudentDistilled(Configuration):
    """What the distilled student has of its own."""

    learning_rate: float = Field(default=0.1, gt=0)
    adadistill: AdaDistillConfiguration = AdaDistillConfiguration()
    unnamed_as_classes: bool = False
    """Whether faces without a name teach identity, too: each is a class of its own whose centre the teacher gives."""


class FaultyContinuation(Configuration):
    """How the demonstration's damaged candidate goes on from the distilled student, on the faulty delivery."""

    steps: int = Field(default=60, ge=1)
    learning_rate: float = Field(default=0.02, gt=0)


class DistillationConfiguration(Configuration):
    """Parameters of the distillation room.

    ``teacher`` is ``trained`` or the path of an ONNX file that takes [n, 3, 112, 112] RGB as (x - 127) / 128.
    ``named_share`` is the share of the training people whose names the students are given; a teacher often comes from
    where more people were named. All other faces are unnamed for the students, and keep their other labels.
    """

    seed: int
    named_share: float = Field(default=1.0, gt=0, le=1)
    teacher: str = TRAINED_TEACHER
    network: NetworkConfiguration = NetworkConfiguration()
    batches: BatchConfiguration = BatchConfiguration()
    augmentation: AugmentationConfiguration = AugmentationConfiguration()
    training: TrainingConfiguration
    alone: StudentAlone = StudentAlone()
    distilled: StudentDistilled = StudentDistilled()
    faulty: FaultyContinuation = FaultyContinuation()


Trained = tuple[AllInOneNetwork, TrainingRecord]


def train_from_labels(manifest: pd.DataFrame, crops: CropStore, recipe: Recipe) -> Trained:
    """Train an all-in-one network on every label of the training rows.

    Args:
        manifest: every row; only the training split is used.
        crops: the crop store.
        recipe: network, batches and schedule.

    Raises:
        DataError: there is nothing to train on.
        TrainingError: a loss is not finite.
    """
    rows = training_rows(manifest)
    torch.manual_seed(recipe.seed)
    network = AllInOneNetwork(recipe.network)
    dataset = FaceDataset(rows, crops, recipe.network, recipe.batches, recipe.augmentation, seed=recipe.seed)
    generator = torch.Generator().manual_seed(recipe.seed)
    header = MarginSoftmaxHeader(dataset.labels.classes, recipe.network.embedding_dimension, recipe.margin, generator)
    return network, train_all_in_one(network, dataset, recipe.training, header=header)


def train_student_alone(manifest: pd.DataFrame, crops: CropStore, configuration: DistillationConfiguration) -> Trained:
    """Train the student from the labels alone, with the budget that the distilled student has."""
    recipe = Recipe(
        seed=configuration.seed,
        network=configuration.network,
        batches=configuration.batches,
        augmentation=configuration.augmentation,
        training=_with_rate(configuration.training, configuration.alone.learning_rate),
        margin=configuration.alone.margin,
    )
    return train_from_labels(_as_named_for_students(manifest, configuration), crops, recipe)


def train_student_distilled(
    manifest: pd.DataFrame, crops: CropStore, teacher: TeacherFeatures, configuration: DistillationConfiguration
) -> Trained:
    """Train the student by AdaDistill: identity from the teacher's features, the other tasks from the labels."""
    torch.manual_seed(configuration.seed)
    network = AllInOneNetwork(configuration.network)
    training = _with_rate(configuration.training, configuration.distilled.learning_rate)
    rows = training_rows(_as_named_for_students(manifest, configuration))
    return network, _distil(network, rows, crops, teacher, training, configuration)


def continue_on_faulty_delivery(
    student: AllInOneNetwork,
    delivery: pd.DataFrame,
    crops: CropStore,
    teacher: TeacherFeatures,
    configuration: DistillationConfiguration,
) -> Trained:
    """Train the distilled student further, as usual, on a delivery whose labels are wrong."""
    fault = configuration.faulty
    training = configuration.training.model_copy(
        update={"steps": fault.steps, "learning_rate": fault.learning_rate, "warmup_steps": fault.steps // 5}
    )
    torch.manual_seed(configuration.seed)
    return student, _distil(student, delivery, crops, teacher, training, configuration)


def teacher_features(
    manifest: pd.DataFrame, crops: CropStore, trained: AllInOneNetwork, configuration: DistillationConfiguration
) -> TeacherFeatures:
    """What the teacher says of every aligned training face and of its mirror image.

    Raises:
        DataError: no training face can be shown to the teacher.
        ModelError: the teacher's file is missing or does not fit the student.
    """
    faces = training_rows(manifest)
    faces = faces[faces["is_face"]]
    if not configuration.distilled.unnamed_as_classes:
        faces = faces[faces["subject_id"].notna()]
    rows = crops.rows(faces["crop"].tolist())
    aligned = np.array([crops.encoded(int(row), "aligned") is not None for row in rows], dtype=bool)
    faces, rows = faces[aligned], rows[aligned]
    face_ids = [str(face_id) for face_id in faces["face_id"]]

    def crop(index: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
        return crops.read_row(int(rows[index]), "aligned")

    if configuration.teacher == TRAINED_TEACHER:
        features = embed_with_network(trained, face_ids, crop)
    else:
        path = Path(configuration.teacher)
        features = embed_with_onnx(path, face_ids, crop, threads=configuration.training.threads)
    if features.dimension != configuration.network.embedding_dimension:
        raise ModelError(
            f"The teacher's features have {features.dimension} dimensions but the student's "
            f"{configuration.network.embedding_dimension}: set 'network.embedding_dimension' in "
            f"parameters_distillation.yml to {features.dimension}."
        )
    return features


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
    position = {
        subject: int.from_bytes(hashlib.blake2b(f"{configuration.seed}\n{subject}".encode(), digest_size=8).digest())
        for subject in manifest["subject_id"].dropna().unique()
    }
    given = manifest["subject_id"].map(position) < configuration.named_share * 2**64
    return manifest.assign(subject_id=manifest["subject_id"].where(given, None))


def _distil(
    network: AllInOneNetwork,
    rows: pd.DataFrame,
    crops: CropStore,
    teacher: TeacherFeatures,
    training: TrainingConfiguration,
    configuration: DistillationConfiguration,
) -> TrainingRecord:
    dataset = FaceDataset(
        rows,
        crops,
        network.configuration,
        configuration.batches.model_copy(update={"unnamed_as_classes": configuration.distilled.unnamed_as_classes}),
        configuration.augmentation,
        seed=configuration.seed,
        teacher=teacher,
    )
    generator = torch.Generator().manual_seed(configuration.seed)
    header: IdentityHeader = AdaDistillHeader(
        dataset.labels.classes, teacher.dimension, configuration.distilled.adadistill, generator
    )
    return train_all_in_one(network, dataset, training, header=header)


def _with_rate(training: TrainingConfiguration, learning_rate: float) -> TrainingConfiguration:
    return training.model_copy(update={"learning_rate": learning_rate})
