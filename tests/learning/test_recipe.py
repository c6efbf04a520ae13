import re

import numpy as np
import pandas as pd
import pytest
import torch
from pydantic import ValidationError
from safetensors.torch import save_file

from countenance.errors import DataError, ModelError
from countenance.learning.batches import BatchConfiguration
from countenance.learning.recipe import (
    DistillationConfiguration,
    FaultyContinuation,
    Recipe,
    StudentDistilled,
    continue_on_faulty_delivery,
    train_network,
    train_student_alone,
    train_student_distilled,
    training_rows,
)
from countenance.learning.recognition import RecognitionConfiguration
from countenance.learning.teacher_features import teacher_features
from countenance.learning.teachers.features import TeacherFeatures
from countenance.learning.training import TrainingConfiguration
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.pretrained import load_recognition
from tests.learning.faces import CropsInMemory, manifest, manifest_row, pattern, small_world
from tests.learning.recognisers import write_recogniser
from tests.network.published_layouts import adadistill_mobilefacenet, state_dict

NETWORK = NetworkConfiguration(
    input_size=32, widths=(8, 8, 8, 8), depths=(0, 0, 0, 0), embedding_dimension=16, identity_width=16, fused_width=6,
    local_width=16, global_width=8,
)  # fmt: skip
BATCHES = BatchConfiguration(batch_size=12)
TRAINING = TrainingConfiguration(steps=3, warmup_steps=1, threads=1, curve_every=1)
RECIPE = Recipe(seed=3, network=NETWORK, batches=BATCHES, training=TRAINING)


def students(**changes: object) -> DistillationConfiguration:
    small = {"seed": 3, "network": NETWORK, "batches": BATCHES, "training": TRAINING}
    return DistillationConfiguration.model_validate(small | changes)


@pytest.fixture(scope="module")
def world():
    rows, crops = small_world()
    return rows.assign(split="train"), crops


@pytest.fixture(scope="module")
def trained():
    torch.manual_seed(0)
    return AllInOneNetwork(NETWORK)


@pytest.fixture(scope="module")
def features(world, trained):
    return teacher_features(*world, trained, students())


def weights(network):
    return {name: tensor.clone() for name, tensor in network.state_dict().items()}


def equal(one, other):
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def crowd(people):
    """One photo a person, all trained on."""
    rows = [manifest_row(f"face-{person}", subject_id=person) for person in people]
    crops = {f"face-{person}": {"aligned": pattern(index)} for index, person in enumerate(people)}
    return manifest(*rows).assign(split="train"), CropsInMemory(crops)


def named_for_students(rows, crops, configuration):
    """Who is named, told from outside: a teacher must know every named face, so it is asked without each of them."""
    named = set()
    for person, face_id in zip(rows["subject_id"], rows["face_id"], strict=True):
        others = tuple(face for face in rows["face_id"] if face != face_id)
        table = TeacherFeatures(others, np.full((len(others), 2, 16), 0.25, dtype=np.float32))
        try:
            train_student_distilled(rows, crops, table, configuration)
        except ModelError as error:
            assert re.search("no feature for 1 of the identity stream's faces", str(error))
            named.add(person)
    return named


PEOPLE = [f"person-{number}" for number in range(8)]


def quick(**changes):
    """A student of a single step, for tests that only ask who is named."""
    return students(training=TRAINING.model_copy(update={"steps": 1}), **changes)


def test_who_is_named_depends_on_the_seed_and_the_name_alone():
    half = quick(named_share=0.5)
    named = named_for_students(*crowd(PEOPLE), half)
    assert set() < named < set(PEOPLE)
    fewer = PEOPLE[1::2]
    assert named_for_students(*crowd(fewer), half) == named & set(fewer)
    backwards = [*PEOPLE[::-1], "somebody new"]
    assert named_for_students(*crowd(backwards), half) - {"somebody new"} == named
    assert named_for_students(*crowd(PEOPLE), quick(named_share=0.5, seed=4)) != named


def test_a_larger_named_share_only_adds_people_and_the_whole_share_names_everybody():
    named = [named_for_students(*crowd(PEOPLE), quick(named_share=share)) for share in (0.3, 0.6, 1.0)]
    assert named[0] <= named[1] <= named[2] == set(PEOPLE)


def test_unnamed_faces_keep_their_other_labels(world):
    rows, crops = world
    network, record = train_student_alone(rows, crops, students(named_share=1e-9))
    assert "loss/identity" not in record.curves
    for task in ("face", "landmarks", "visibility", "pose", "smile", "gender", "age"):
        assert np.isfinite(record.curves[f"loss/{task}"]).any(), task
    anonymous, _ = train_network(rows.assign(subject_id=None), crops, RECIPE)
    assert equal(weights(network), weights(anonymous))


def test_the_same_seed_gives_the_same_weights_and_another_seed_others(world):
    first, record = train_network(*world, RECIPE)
    again, recorded_again = train_network(*world, RECIPE)
    other, _ = train_network(*world, RECIPE.model_copy(update={"seed": 4}))
    assert equal(weights(first), weights(again))
    np.testing.assert_equal(record.curves, recorded_again.curves)
    assert not equal(weights(first), weights(other))
    assert not first.training


def test_only_the_training_split_is_trained_on(world):
    rows, crops = world
    held_out = rows["subject_id"] == "person-0"
    one, _ = train_network(rows.assign(split=np.where(held_out, "test", "train")), crops, RECIPE)
    other, _ = train_network(rows[~held_out], crops, RECIPE)
    assert equal(weights(one), weights(other))


def test_a_manifest_without_training_rows_says_where_to_look(world):
    rows, crops = world
    with pytest.raises(DataError, match="no training rows: check the splits in parameters_ingestion.yml"):
        training_rows(rows.assign(split="test"))
    with pytest.raises(DataError, match="no training rows"):
        train_network(rows.assign(split="validation"), crops, RECIPE)


def test_both_students_have_one_budget_and_rates_of_their_own(world, features):
    configuration = students(alone={"learning_rate": 0.08}, distilled={"learning_rate": 0.03})
    _, alone = train_student_alone(*world, configuration)
    network, distilled = train_student_distilled(*world, features, configuration)
    assert (alone.images_seen, alone.steps, alone.parameters) == (
        distilled.images_seen,
        distilled.steps,
        distilled.parameters,
    )
    # The warm-up is a single step, so the first step has the whole rate.
    assert (alone.curves["learning_rate"][0], distilled.curves["learning_rate"][0]) == (0.08, 0.03)
    assert "alpha" in distilled.curves and "alpha" not in alone.curves
    again, _ = train_student_distilled(*world, features, configuration)
    assert equal(weights(network), weights(again))


def test_the_faulty_continuation_goes_on_from_the_student_it_is_given(world, trained, features):
    rows, crops = world
    student = AllInOneNetwork(NETWORK)
    student.load_state_dict(trained.state_dict())
    configuration = students(faulty=FaultyContinuation(steps=2, learning_rate=0.01))
    network, record = continue_on_faulty_delivery(student, rows, crops, features, configuration)
    assert network is student
    assert record.images_seen == 2 * 12
    assert max(record.curves["learning_rate"]) == pytest.approx(0.01)
    assert not equal(weights(student), weights(trained))


@pytest.mark.parametrize("unnamed_as_classes", [False, True])
def test_unnamed_faces_have_teacher_features_only_where_they_are_classes(world, trained, unnamed_as_classes):
    rows, crops = world
    rows = rows.assign(split=np.where(rows["subject_id"] == "person-3", "validation", "train"))
    configuration = students(distilled=StudentDistilled(unnamed_as_classes=unnamed_as_classes))
    table = teacher_features(rows, crops, trained, configuration)
    named = {f"face-{person}-{photo}" for person in range(3) for photo in range(3)}
    unnamed = {f"unnamed-{person}" for person in range(4)}
    assert set(table.face_ids) == (named | unnamed if unnamed_as_classes else named)
    network, record = train_student_distilled(rows, crops, table, configuration)
    assert np.isfinite(record.curves["loss/identity"]).all()
    assert network.configuration == NETWORK


def test_a_face_without_an_aligned_crop_has_no_teacher_feature(trained):
    rows, crops = crowd(["anna", "bela"])
    crops.crops["face-bela"] = {"box": pattern(7)}
    assert teacher_features(rows, crops, trained, students()).face_ids == ("face-anna",)


def test_a_delivery_in_which_nobody_can_be_taught_is_refused(trained):
    rows, crops = crowd(["anna", "bela"])
    with pytest.raises(DataError, match="no named face with an aligned crop"):
        teacher_features(rows.assign(subject_id=None), crops, trained, students())


def test_a_teacher_of_another_dimension_is_refused_and_the_right_number_named(world, trained, tmp_path):
    narrow = students(network=NETWORK.model_copy(update={"embedding_dimension": 8}))
    with pytest.raises(
        ModelError, match="16 dimensions but the embedding to be trained has 8: set 'network.embedding_dimension' to 16"
    ):
        teacher_features(*world, trained, narrow)
    file = write_recogniser(tmp_path / "teacher.onnx")
    with pytest.raises(ModelError, match="4 dimensions but the embedding to be trained has 16"):
        teacher_features(*world, trained, students(teacher=str(file)))


def test_a_teacher_file_teaches_a_student_of_its_dimension(world, trained, tmp_path):
    file = write_recogniser(tmp_path / "teacher.onnx")
    configuration = students(teacher=str(file), network=NETWORK.model_copy(update={"embedding_dimension": 4}))
    table = teacher_features(*world, trained, configuration)
    assert table.dimension == 4
    _, record = train_student_distilled(*world, table, configuration)
    assert pd.Series(record.curves["teacher_agreement"]).between(-1, 1).all()


def test_the_trunk_learns_a_teachers_embedding_first_without_a_single_name(world):
    rows, crops = world
    nameless = rows.assign(subject_id=None)
    faces = [str(face) for face in rows.loc[rows["is_face"], "face_id"]]
    generator = np.random.default_rng(0)
    features = generator.standard_normal((len(faces), 2, RECIPE.network.embedding_dimension)).astype(np.float32)
    teacher = TeacherFeatures(tuple(faces), features / np.linalg.norm(features, axis=2, keepdims=True))
    recipe = RECIPE.model_copy(update={"recognition": RecognitionConfiguration(steps=3)})
    network, record = train_network(nameless, crops, recipe, teacher=teacher)
    steps = recipe.training.steps
    assert record.steps[-1] == 3 + steps - 1
    first = [index for index, step in enumerate(record.steps) if step < 3]
    assert all(np.isfinite(record.curves["loss/identity"][index]) for index in first)
    assert all(np.isnan(record.curves["loss/landmarks"][index]) for index in first)
    assert record.images_seen == (3 + steps) * recipe.batches.batch_size
    assert network.configuration == recipe.network


def test_a_checkpoint_that_is_no_recogniser_of_this_trunk_stops_the_training(world, tmp_path):
    save_file({"trunk.unknown": torch.zeros(1)}, tmp_path / "foreign.safetensors")
    foreign = RecognitionConfiguration(checkpoint=str(tmp_path / "foreign.safetensors"))
    with pytest.raises(ModelError, match="foreign.safetensors"):
        train_network(*world, RECIPE.model_copy(update={"recognition": foreign}))


def test_a_recognisers_early_layers_are_kept_through_a_whole_training_and_its_end(world, tmp_path):
    save_file(state_dict(adadistill_mobilefacenet(16)), tmp_path / "recogniser.safetensors")
    recognition = {"checkpoint": str(tmp_path / "recogniser.safetensors"), "keeps_early_layers": True}
    network = {"trunk": "mobilefacenet", "input_size": 112, "embedding_dimension": 16, "fused_width": 4}
    recipe = RECIPE.model_copy(
        update={
            "recognition": RecognitionConfiguration(**recognition),
            "network": NetworkConfiguration(**network, local_width=8, global_width=8),
            "training": RECIPE.training.model_copy(update={"steps": 2, "gradient_statistics_every": 1}),
        }
    )
    started = AllInOneNetwork(recipe.network)
    load_recognition(started, tmp_path / "recogniser.safetensors")
    trained, record = train_network(*world, recipe, session=tmp_path / "session")
    early = [f"trunk.{name}." for name in ("stem", "spread", "down1", "stage1")]
    before, after = started.state_dict(), trained.state_dict()
    kept = [name for name in before if name.startswith(tuple(early))]
    assert kept and all(torch.equal(before[name], after[name]) for name in kept)
    assert not torch.equal(before["trunk.widen.0.weight"], after["trunk.widen.0.weight"])
    assert any(name.startswith("gradient/") for name in record.curves)


def test_random_early_layers_are_not_kept():
    with pytest.raises(ValidationError, match="keeps random weights without a checkpoint"):
        RecognitionConfiguration(keeps_early_layers=True)


def test_fixed_centres_of_a_recipe_are_the_teachers_class_means(world, trained):
    rows, crops = world
    recognition = RecognitionConfiguration.model_validate({"adadistill": {"alpha": "fixed"}})
    recipe = RECIPE.model_copy(update={"recognition": recognition})
    everybody = students(distilled={"unnamed_as_classes": True})
    _, record = train_network(rows, crops, recipe, teacher=teacher_features(rows, crops, trained, everybody))
    assert np.isfinite(record.curves["loss/identity"]).all()
    assert "centre_agreement" in record.curves and "alpha" not in record.curves
