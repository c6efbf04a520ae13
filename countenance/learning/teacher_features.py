"""What the configured teachers say of the training faces, for a recipe and for the students."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd

from countenance.errors import ModelError
from countenance.learning.augmentation import AugmentationConfiguration
from countenance.learning.crop_reader import CropReader
from countenance.learning.recipe import DistillationConfiguration, Recipe, training_rows
from countenance.learning.teachers.asking import aligned_faces, ask, check_dimension
from countenance.learning.teachers.configuration import TeacherConfiguration, TeacherSees
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.teachers.opening import identity_of, open_teacher
from countenance.learning.teachers.table import read_table
from countenance.network.allinone import AllInOneNetwork


def recognition_features(
    manifest: pd.DataFrame, crops: CropReader, recipe: Recipe, *, cache: Path | None = None
) -> TeacherFeatures:
    """What the recipe's teacher says of every aligned training face; an empty table where it has no teacher.

    Args:
        manifest: every row; only the training split is used.
        crops: the crop store.
        recipe: names the teacher.
        cache: the folder of teachers' features that are kept; None: none are.

    Raises:
        DataError: no training face has an aligned crop.
        ModelError: the teacher's file is missing or doesn't fit.
    """
    teacher = recipe.recognition.teacher
    if teacher is None:
        return TeacherFeatures.nothing()
    rows = training_rows(manifest)
    faces = rows[rows["is_face"]]
    mirrored = recipe.recognition.teacher_sees == "augmented" and recipe.augmentation.mirror
    dimension = recipe.network.embedding_dimension
    return features_of(teacher, faces, crops, dimension=dimension, mirrored=mirrored, cache=cache)


def teacher_features(
    manifest: pd.DataFrame,
    crops: CropReader,
    trained: AllInOneNetwork,
    configuration: DistillationConfiguration,
    *,
    cache: Path | None = None,
) -> TeacherFeatures:
    """What the teacher says of every aligned training face and of its mirror image.

    Args:
        manifest: every row; only the training split is used.
        crops: the crop store.
        trained: the all-in-one network, which may be the teacher.
        configuration: names the teacher.
        cache: the folder of teachers' features that are kept; None: none are.

    Raises:
        DataError: no training face can be shown to the teacher.
        ModelError: the teacher's file is missing or does not fit the student.
    """
    faces = training_rows(manifest)
    faces = faces[faces["is_face"]]
    if not configuration.distilled.unnamed_as_classes:
        faces = faces[faces["subject_id"].notna()]
    mirrored = configuration.distilled.teacher_sees == "augmented" and configuration.augmentation.mirror
    dimension = configuration.network.embedding_dimension
    return features_of(
        configuration.teacher, faces, crops, dimension=dimension, mirrored=mirrored, trained=trained, cache=cache
    )


def features_of(
    teacher: TeacherConfiguration,
    faces: pd.DataFrame,
    crops: CropReader,
    *,
    dimension: int | None = None,
    mirrored: bool = False,
    only_known: bool = False,
    trained: AllInOneNetwork | None = None,
    cache: Path | None = None,
) -> TeacherFeatures:
    """What a configured teacher says of those of some faces that have an aligned crop.

    Args:
        teacher: which, and how it is run.
        faces: rows of the manifest.
        crops: the crop store.
        dimension: what the features' length must be; None: any.
        mirrored: whether a table must tell mirror images from images.
        only_known: leave out the faces that a table lacks.
        trained: the training room's network, which may be the teacher.
        cache: the folder of teachers' features that are kept; None: none are.

    Raises:
        DataError: no face has an aligned crop.
        ModelError: the teacher's file is missing, damaged or doesn't fit.
    """
    face_ids, rows = aligned_faces(faces, crops)
    if teacher.kind_of_file == "table":
        table = read_table(Path(teacher.path), face_ids, only_known=only_known, mirrored=mirrored)
        if dimension is not None:
            check_dimension(table.dimension, dimension)
        return replace(table, said_by=identity_of(teacher))
    opened = open_teacher(teacher, trained=trained)
    said = ask(
        opened,
        face_ids,
        rows,
        crops,
        cache=cache,
        dimension=dimension,
        batch_size=teacher.batch_size,
        dtype=teacher.cached_as,
    )
    return replace(said, said_by=opened.identity)


def recognition_teaching(features: TeacherFeatures, recipe: Recipe) -> TeacherFeatures | None:
    """The table as the recipe's training uses it: with the teacher beside it where that is to see varied crops.

    Returns:
        None where the recipe has no teacher.

    Raises:
        ModelError: as :func:`with_live_teacher`.
    """
    recognition = recipe.recognition
    return with_live_teacher(features, recognition.teacher, recognition.teacher_sees, recipe.augmentation) or None


def teaching(
    features: TeacherFeatures, configuration: DistillationConfiguration, trained: AllInOneNetwork
) -> TeacherFeatures:
    """The table as the distilled student's training uses it: beside it the teacher, if that is to see varied crops.

    Raises:
        ModelError: as :func:`with_live_teacher`; or the table holds no face.
    """
    if not features:
        raise ModelError("The teacher's feature table holds no face: run the distillation pipeline again.")
    sees, augmentation = configuration.distilled.teacher_sees, configuration.augmentation
    return with_live_teacher(features, configuration.teacher, sees, augmentation, trained=trained)


def with_live_teacher(
    features: TeacherFeatures,
    teacher: TeacherConfiguration | None,
    sees: TeacherSees,
    augmentation: AugmentationConfiguration,
    *,
    trained: AllInOneNetwork | None = None,
) -> TeacherFeatures:
    """The table as a training uses it: with the teacher beside it, if that is to see what the table can't serve.

    A table holds the features of every crop and of its mirror image. So it serves a teacher that sees crops as they are
    varied for the student, too, as long as they vary by mirroring alone.

    Args:
        features: what the teacher said of the stored crops.
        teacher: which, and how it is run; None: there is none.
        sees: what it looks at.
        augmentation: how crops are varied.
        trained: the training room's network, which may be the teacher.

    Raises:
        ModelError: the teacher can't look at faces, its file is missing or damaged, or the table is another teacher's.
    """
    if teacher is None:
        return features
    if features.said_by and features.said_by != identity_of(teacher, trained=trained):
        raise ModelError(
            f"The features on disk are of another teacher than {Path(teacher.path).name}: run the room again that asks "
            "it (training or distillation), and the evaluation after it."
        )
    if sees == "crop" or augmentation.only_mirrors_aligned:
        return features
    if teacher.kind_of_file == "table":
        raise ModelError(
            f"The teacher {Path(teacher.path).name} is a table, which can't look at varied crops: set 'teacher_sees' "
            "to crop, or let 'augmentation' do no more to aligned crops than mirror them."
        )
    return features.with_live(open_teacher(teacher, trained=trained))
