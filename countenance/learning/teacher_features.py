"""What the configured teachers say of the training faces, for a recipe and for the students."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from countenance.data.crop_store import CropStore
from countenance.learning.recipe import TRAINED_TEACHER, DistillationConfiguration, Recipe, training_rows
from countenance.learning.recognition import aligned_faces, check_dimension, features_of_file
from countenance.learning.teacher import TeacherFeatures, embed_with_network
from countenance.network.allinone import AllInOneNetwork


def recognition_features(manifest: pd.DataFrame, crops: CropStore, recipe: Recipe) -> TeacherFeatures | None:
    """What the recipe's teacher says of every aligned training face; None where it has no teacher.

    Raises:
        DataError: no training face has an aligned crop.
        ModelError: the teacher's file is missing or doesn't fit.
    """
    if recipe.recognition.teacher is None:
        return None
    rows = training_rows(manifest)
    return features_of_file(
        Path(recipe.recognition.teacher),
        rows[rows["is_face"]],
        crops,
        dimension=recipe.network.embedding_dimension,
        threads=recipe.training.threads,
    )


def teacher_features(
    manifest: pd.DataFrame,
    crops: CropStore,
    trained: AllInOneNetwork,
    configuration: DistillationConfiguration,
    *,
    known: TeacherFeatures | None = None,
) -> TeacherFeatures:
    """What the teacher says of every aligned training face and of its mirror image.

    Args:
        manifest: every row; only the training split is used.
        crops: the crop store.
        trained: the all-in-one network, which may be the teacher.
        configuration: names the teacher.
        known: what this same teacher said before; it isn't asked again if that is of all faces.

    Raises:
        DataError: no training face can be shown to the teacher.
        ModelError: the teacher's file is missing or does not fit the student.
    """
    faces = training_rows(manifest)
    faces = faces[faces["is_face"]]
    if not configuration.distilled.unnamed_as_classes:
        faces = faces[faces["subject_id"].notna()]
    if known is not None:
        asked = known.rows_of(aligned_faces(faces, crops)[0])
        if (asked >= 0).all():
            check_dimension(known, configuration.network.embedding_dimension)
            return TeacherFeatures(tuple(known.face_ids[row] for row in asked), known.features[asked])
    if configuration.teacher != TRAINED_TEACHER:
        path, dimension = Path(configuration.teacher), configuration.network.embedding_dimension
        return features_of_file(path, faces, crops, dimension=dimension, threads=configuration.training.threads)
    face_ids, rows = aligned_faces(faces, crops)
    features = embed_with_network(trained, face_ids, lambda index: crops.read_row(int(rows[index]), "aligned"))
    check_dimension(features, configuration.network.embedding_dimension)
    return features
