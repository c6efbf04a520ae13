"""From what the rooms configure to what their batches are taught."""

import numpy as np
import pandas as pd
import pytest
import torch

from countenance.errors import ModelError
from countenance.learning.augmentation import NO_AUGMENTATION, AugmentationConfiguration
from countenance.learning.recipe import DistillationConfiguration, Recipe, train_network, train_student_distilled
from countenance.learning.teacher_features import (
    recognition_features,
    recognition_teaching,
    teacher_features,
    teaching,
    with_live_teacher,
)
from countenance.learning.teachers.configuration import TeacherConfiguration
from countenance.learning.teachers.features import TeacherFeatures
from countenance.network.allinone import AllInOneNetwork
from tests.learning.faces import NETWORK, small_world
from tests.learning.recognisers import expected_features, segments, write_recogniser

MIRRORED = NO_AUGMENTATION.model_copy(update={"mirror": True})
PLAN = {"steps": 2, "warmup_steps": 1, "threads": 1, "curve_every": 1}
FOUR = NETWORK.model_copy(update={"embedding_dimension": 4})


@pytest.fixture(scope="module")
def world():
    rows, crops = small_world()
    return rows.assign(split="train"), crops


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return str(write_recogniser(tmp_path_factory.mktemp("teacher") / "teacher.onnx", batch="n"))


def students(teacher, **changes):
    own = {"seed": 1, "network": FOUR, "batches": {"batch_size": 10}, "training": PLAN, "teacher": teacher}
    return DistillationConfiguration.model_validate(own | changes)


def recipe(teacher, **recognition):
    own = {"seed": 1, "network": FOUR, "batches": {"batch_size": 10}, "training": PLAN}
    return Recipe.model_validate(own | {"recognition": {"teacher": teacher, **recognition}})


def exact(path):
    return {"path": path, "precision": "float32", "threads": 1}


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_a_files_features_are_those_of_its_crops_and_their_mirror_images(world, path, engine):
    rows, crops = world
    table = teacher_features(rows, crops, None, students(exact(path) | {"engine": engine}))
    images = [crops.crops[face]["aligned"] for face in table.face_ids]
    np.testing.assert_allclose(table.features[:, 0], expected_features(images), atol=2e-3)
    np.testing.assert_allclose(table.features[:, 1], expected_features([i[:, ::-1] for i in images]), atol=2e-3)


def test_what_one_room_asked_the_other_finds_in_the_cache(world, path, tmp_path, caplog):
    with caplog.at_level("INFO"):
        recognised = recognition_features(*world, recipe(exact(path)), cache=tmp_path)
        taught = teacher_features(*world, None, students(exact(path)), cache=tmp_path)
    assert ["16 looked at now" in record.message for record in caplog.records] == [True, False]
    assert "12 from the cache, 0 looked at now" in caplog.records[1].message
    assert len(segments(tmp_path)) == 1
    np.testing.assert_array_equal(taught.features, recognised.of(taught.face_ids).features)


def test_a_recipe_without_a_teacher_has_an_empty_table(world):
    plain = recipe(None)
    assert not recognition_features(*world, plain)
    assert recognition_teaching(TeacherFeatures.nothing(), plain) is None


def test_a_table_of_embeddings_teaches_without_a_look_at_a_face(world, tmp_path):
    rows, crops = world
    named = rows.loc[rows["subject_id"].notna(), "face_id"].tolist()
    embeddings = np.random.default_rng(0).normal(size=(len(named), 4))
    path = tmp_path / "table.parquet"
    pd.DataFrame({"face_id": named, "embedding": list(embeddings)}).to_parquet(path)
    table = teacher_features(rows, crops, None, students(str(path)))
    assert table.face_ids == tuple(named)
    _, record = train_student_distilled(rows, crops, table, students(str(path)))
    assert np.isfinite(record.curves["loss/identity"]).all()
    with pytest.raises(ModelError, match="4 dimensions but the embedding to be trained has 16"):
        teacher_features(rows, crops, None, students(str(path), network=NETWORK))


def test_the_table_serves_a_teacher_that_sees_what_the_student_sees_where_that_is_only_mirrored(path, world):
    table = teacher_features(*world, None, students(exact(path)))
    chosen = TeacherConfiguration.model_validate(exact(path))
    for sees, augmentation, looks in (
        ("crop", AugmentationConfiguration(), False),
        ("augmented", MIRRORED, False),
        ("augmented", NO_AUGMENTATION, False),
        ("augmented", MIRRORED.model_copy(update={"box_shift": 0.1}), False),  # no aligned crop
        ("augmented", MIRRORED.model_copy(update={"aligned_shift": 1.0}), True),
        ("augmented", MIRRORED.model_copy(update={"blur": 0.1}), True),
        ("augmented", AugmentationConfiguration(), True),
    ):
        assert (with_live_teacher(table, chosen, sees, augmentation).live is not None) == looks, (sees, augmentation)


def test_a_table_can_not_look_at_varied_crops(world):
    teacher = TeacherConfiguration(path="t.parquet")
    table = TeacherFeatures(("a",), np.ones((1, 2, 4), dtype=np.float32))
    with pytest.raises(ModelError, match="t.parquet is a table, which can't look at varied crops: set 'teacher_sees'"):
        with_live_teacher(table, teacher, "augmented", AugmentationConfiguration())
    assert with_live_teacher(table, teacher, "augmented", MIRRORED).live is None


def test_a_student_learns_from_a_teacher_that_sees_what_it_sees(world, path):
    chosen = students(exact(path), distilled={"teacher_sees": "augmented"})
    table = teaching(teacher_features(*world, None, chosen), chosen, None)
    assert table.live is not None
    network, record = train_student_distilled(*world, table, chosen)
    assert np.isfinite(record.curves["teacher_agreement"]).all()
    again, _ = train_student_distilled(*world, table, chosen)
    assert all(torch.equal(one, other) for one, other in zip(network.parameters(), again.parameters(), strict=True))


@pytest.mark.slow
def test_two_processes_with_a_teacher_each_train_what_one_does(world, path):
    chosen = students(exact(path), distilled={"teacher_sees": "augmented"})
    table = teaching(teacher_features(*world, None, chosen), chosen, None)
    one, record = train_student_distilled(*world, table, chosen)
    shared = chosen.model_copy(update={"training": chosen.training.model_copy(update={"processes": 2})})
    two, other = train_student_distilled(*world, table, shared)
    np.testing.assert_allclose(record.curves["loss/identity"], other.curves["loss/identity"], rtol=1e-4)
    for name, weight in one.state_dict().items():
        torch.testing.assert_close(two.state_dict()[name], weight, rtol=1e-3, atol=1e-4)


def test_the_trunk_learns_from_a_teacher_that_sees_what_it_sees(world, path):
    chosen = recipe(exact(path), teacher_sees="augmented", steps=1)
    table = recognition_teaching(recognition_features(*world, chosen), chosen)
    assert table is not None and table.live is not None
    _, record = train_network(*world, chosen, teacher=table)
    assert np.isfinite(record.curves["loss/identity"]).all()


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_the_trained_network_teaches_by_either_engine(world, engine):
    torch.manual_seed(0)
    trained = AllInOneNetwork(NETWORK)
    settings = {"path": "trained", "engine": engine, "precision": "float32", "threads": 1}
    chosen = students(settings, network=NETWORK, distilled={"teacher_sees": "augmented"})
    table = teaching(teacher_features(*world, trained, chosen), chosen, trained)
    _, record = train_student_distilled(*world, table, chosen)
    assert np.isfinite(record.curves["teacher_agreement"]).all()


def test_features_that_another_teacher_said_are_refused_whatever_it_is_to_look_at(world, path, tmp_path):
    mine = teacher_features(*world, None, students(exact(path)))
    weight = np.random.default_rng(9).normal(size=(4, 3, 112, 56)).astype(np.float32)
    other = exact(str(write_recogniser(tmp_path / "other.onnx", weight=weight)))
    for sees in ("crop", "augmented"):
        assert teaching(mine, students(exact(path), distilled={"teacher_sees": sees}), None)
        with pytest.raises(ModelError, match="are of another teacher than other.onnx: run the room again that asks"):
            teaching(mine, students(other, distilled={"teacher_sees": sees}), None)
    table = tmp_path / "table.parquet"
    pd.DataFrame({"face_id": mine.face_ids, "embedding": list(mine.features[:, 0])}).to_parquet(table)
    theirs = teacher_features(*world, None, students(str(table)))
    assert teaching(theirs, students(str(table)), None)
    pd.DataFrame({"face_id": mine.face_ids, "embedding": list(-mine.features[:, 0])}).to_parquet(table)
    with pytest.raises(ModelError, match=r"another teacher than table.parquet"):
        teaching(theirs, students(str(table)), None)


def test_an_empty_table_teaches_nobody():
    with pytest.raises(ModelError, match="holds no face: run the distillation pipeline again"):
        teaching(TeacherFeatures.nothing(), students("trained"), None)
