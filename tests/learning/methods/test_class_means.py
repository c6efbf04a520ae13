import numpy as np
import pandas as pd
import pytest
import torch

from countenance.errors import ModelError
from countenance.learning.augmentation import NO_AUGMENTATION
from countenance.learning.batches import BatchConfiguration, FaceDataset
from countenance.learning.methods.class_means import class_means, class_means_of, fixed_centres_of
from countenance.learning.teachers.features import TeacherFeatures
from tests.learning.faces import NETWORK, small_world


def test_a_mean_is_of_directions_and_faces_without_a_class_do_not_count():
    features = torch.tensor([[3.0, 0.0], [0.0, 0.5], [0.0, 2.0], [-1.0, 0.0]])
    means = class_means([(features[:2], torch.tensor([1, 1])), (features[2:], torch.tensor([0, -1]))], 2, 2)
    torch.testing.assert_close(means, torch.tensor([[0.0, 1.0], [1.0, 1.0]]))


def test_a_class_without_a_feature_or_whose_features_cancel_out_is_refused():
    features = torch.tensor([[1.0, 0.0], [-1.0, 0.0]])
    with pytest.raises(ModelError, match="2 of 4 classes have no teacher feature"):
        class_means([(features, torch.tensor([0, 2]))], 4, 2)
    with pytest.raises(ModelError, match="1 of 1 classes cancel out"):
        class_means([(features, torch.tensor([0, 0]))], 1, 2)
    with pytest.raises(ModelError, match="zero or not finite"):
        class_means([(features * 0, torch.tensor([0, 1]))], 2, 2)


def world(**batches):
    rows, crops = small_world(people=2, photos=2)
    faces = [str(face) for face in rows.loc[rows["is_face"], "face_id"]]
    table = np.random.default_rng(0).normal(size=(len(faces), 2, NETWORK.embedding_dimension)).astype(np.float32)
    teacher = TeacherFeatures(tuple(faces), table)
    mix = BatchConfiguration(batch_size=8, **batches)
    return rows, FaceDataset(rows, crops, NETWORK, mix, NO_AUGMENTATION, seed=0, teacher=teacher), teacher


def unit(rows):
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def test_every_named_face_and_its_mirror_image_stand_for_their_class():
    rows, dataset, teacher = world()
    means = class_means_of(dataset, rows["face_id"].tolist())
    own = teacher.rows_of(["face-0-0", "face-0-1"]), teacher.rows_of(["face-1-0", "face-1-1"])
    expected = [unit(teacher.features[faces]).sum(axis=(0, 1)) for faces in own]
    np.testing.assert_allclose(means.numpy(), expected, atol=1e-5)


def test_an_unnamed_face_that_is_a_class_has_its_own_feature_and_mirror_image():
    rows, dataset, teacher = world(unnamed_as_classes=True)
    means = class_means_of(dataset, rows["face_id"].tolist())
    own = teacher.rows_of(["unnamed-0", "unnamed-1"])
    np.testing.assert_allclose(means.numpy()[2:], unit(teacher.features[own]).sum(axis=1), atol=1e-5)


def test_without_a_teacher_there_are_no_means():
    rows, crops = small_world(people=2, photos=2)
    dataset = FaceDataset(rows, crops, NETWORK, BatchConfiguration(batch_size=8), NO_AUGMENTATION, seed=0)
    with pytest.raises(ModelError, match="there is none: name a teacher"):
        class_means_of(dataset, rows["face_id"].tolist())


def test_the_teachers_own_class_weights_are_the_centres_of_named_people_and_others_keep_its_feature_of_them(tmp_path):
    rows, dataset, _ = world(unnamed_as_classes=True)
    means = class_means_of(dataset, rows["face_id"].tolist())
    assert torch.equal(fixed_centres_of(dataset, rows, None), means)
    weights = np.eye(NETWORK.embedding_dimension)[[3, 5, 7]]
    people = {"subject_id": ["person-1", "nobody", "person-0"], "centre": list(weights)}
    pd.DataFrame(people).to_parquet(tmp_path / "header.parquet")
    centres = fixed_centres_of(dataset, rows, tmp_path / "header.parquet")
    np.testing.assert_array_equal(centres[:2].numpy(), weights[[2, 0]])
    assert torch.equal(centres[2:], means[2:])
