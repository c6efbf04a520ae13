import numpy as np
import pandas as pd
import pytest
import torch

from countenance.data.alignment import five_points
from countenance.errors import ModelError
from countenance.learning.outputs import ATTRIBUTE_COLUMNS, network_outputs, outputs_of_teacher, teacher_outputs
from countenance.learning.readings import read_faces
from countenance.learning.recipe import DistillationConfiguration
from countenance.learning.teachers.configuration import TeacherConfiguration
from countenance.learning.training import TrainingConfiguration
from countenance.network.allinone import AllInOneNetwork
from tests.learning.faces import NETWORK, small_world
from tests.learning.recognisers import expected_features, write_recogniser

COLUMNS = {"face_id", "embedding", "landmarks_5", *ATTRIBUTE_COLUMNS}


@pytest.fixture(scope="module")
def world():
    return small_world(people=2, photos=2)


@pytest.fixture(scope="module")
def network():
    torch.manual_seed(0)
    return AllInOneNetwork(NETWORK).eval()


def exact(path):
    return TeacherConfiguration(path=str(path), precision="float32", threads=1)


def by_face(table):
    return table.set_index("face_id")


def test_a_network_says_of_each_face_what_its_crops_allow(world, network):
    rows, crops = world
    table = network_outputs(network, rows, crops)
    assert set(table.columns) == COLUMNS
    assert table["face_id"].tolist() == rows["face_id"].tolist()
    told = by_face(table)
    whole, unnamed, nobody = told.loc["face-0-0"], told.loc["unnamed-0"], told.loc["nobody-0"]
    assert whole.notna().all()
    assert whole["landmarks_5"].shape == (10,)
    # An aligned crop alone says nothing of where the face was; a box crop alone has no identity.
    assert unnamed["embedding"].shape == (16,)
    assert unnamed["landmarks_5"] is None
    assert unnamed[["face_probability", "yaw_deg", "pitch_deg", "roll_deg"]].isna().all()
    assert nobody["embedding"] is None and nobody["landmarks_5"] is None
    assert 0 <= nobody["face_probability"] <= 1


def test_a_network_says_the_same_in_the_table_as_in_its_readings(world, network):
    rows, crops = world
    table, said = network_outputs(network, rows, crops), read_faces(network, rows, crops)
    for column, values in {
        "yaw_deg": said.pose_deg[:, 0],
        "pitch_deg": said.pose_deg[:, 1],
        "roll_deg": said.pose_deg[:, 2],
        "male_probability": said.male_probability,
        "smile_probability": said.smile_probability,
        "age_years": said.age_years,
        "face_probability": said.face_probability,
    }.items():
        np.testing.assert_array_equal(table[column].to_numpy(), values, err_msg=column)
    np.testing.assert_array_equal(table["landmarks_5"][0], said.landmarks[0].ravel())
    np.testing.assert_allclose(np.linalg.norm(table["embedding"][0]), 1.0, rtol=1e-5)


def test_rows_that_were_picked_from_a_manifest_keep_their_faces(world, network):
    rows, crops = world
    whole = by_face(network_outputs(network, rows, crops))
    picked = by_face(network_outputs(network, rows.iloc[[5, 0]], crops))
    assert picked.index.tolist() == rows["face_id"].iloc[[5, 0]].tolist()
    np.testing.assert_allclose(picked["age_years"], whole.loc[picked.index, "age_years"], rtol=1e-4)


def test_sixty_eight_points_are_told_as_five(world):
    torch.manual_seed(0)
    network = AllInOneNetwork(NETWORK.model_copy(update={"landmark_scheme": "68"}))
    rows, crops = world
    said = read_faces(network, rows, crops).landmarks[0]
    np.testing.assert_allclose(
        network_outputs(network, rows, crops)["landmarks_5"][0], five_points(said, "68").ravel(), rtol=1e-5
    )


def test_a_teacher_file_says_identity_of_named_aligned_faces_and_nothing_else(world, tmp_path):
    rows, crops = world
    path = write_recogniser(tmp_path / "teacher.onnx")
    table = teacher_outputs(exact(path), rows.iloc[::-1], crops)
    assert set(table.columns) == COLUMNS
    told = by_face(table)
    assert set(told.index[told["embedding"].notna()]) == set(rows["face_id"][rows["subject_id"].notna()])
    assert told.drop(columns="embedding").isna().all(axis=None)
    image = crops.crops["face-1-0"]["aligned"]
    both = expected_features([image]) + expected_features([image[:, ::-1]])
    np.testing.assert_allclose(told.loc["face-1-0", "embedding"], (both / np.linalg.norm(both))[0], atol=2e-3)


def test_a_table_of_embeddings_says_what_it_has_and_need_not_have_every_face(world, tmp_path):
    rows, crops = world
    path = tmp_path / "table.parquet"
    pd.DataFrame({"face_id": ["face-0-0"], "embedding": [[3.0, 4.0]]}).to_parquet(path)
    told = by_face(teacher_outputs(exact(path), rows, crops))
    np.testing.assert_allclose(told.loc["face-0-0", "embedding"], [0.6, 0.8], atol=1e-6)
    assert told["embedding"].notna().sum() == 1
    pd.DataFrame({"face_id": ["nobody here"], "embedding": [[3.0, 4.0]]}).to_parquet(path)
    assert teacher_outputs(exact(path), rows, crops)["embedding"].isna().all()


def test_a_table_that_lacks_a_face_is_left_out_of_the_evaluation_and_the_log_says_so(world, tmp_path, caplog):
    rows, crops = world
    named = rows["face_id"][rows["subject_id"].notna()].tolist()
    path = tmp_path / "table.parquet"
    given = {"seed": 1, "training": TrainingConfiguration(steps=1, threads=1), "teacher": exact(path)}
    for known, told in ((named, len(rows)), (named[1:], 0)):
        pd.DataFrame({"face_id": known, "embedding": [[3.0, 4.0]] * len(known)}).to_parquet(path)
        assert len(outputs_of_teacher(DistillationConfiguration(**given), rows, crops, rows)) == told
    assert caplog.messages == [
        f"the teacher's table table.parquet lacks 1 of {len(named)} held-out faces: it is left out of the evaluation"
    ]


def test_what_a_teacher_said_before_is_not_asked_again(world, tmp_path):
    rows, crops = world
    teacher = exact(write_recogniser(tmp_path / "teacher.onnx"))
    first = teacher_outputs(teacher, rows, crops, cache=tmp_path / "cache")
    pd.testing.assert_frame_equal(teacher_outputs(teacher, rows, crops, cache=tmp_path / "cache"), first)
    pd.testing.assert_frame_equal(teacher_outputs(teacher, rows, crops), first)


def test_the_teacher_is_the_trained_network_or_the_file_that_the_parameters_name(world, network, tmp_path):
    rows, crops = world
    trained = network_outputs(network, rows, crops)
    given = {"seed": 1, "training": TrainingConfiguration(steps=1, threads=1)}
    assert outputs_of_teacher(DistillationConfiguration(**given), rows, crops, trained) is trained
    path = write_recogniser(tmp_path / "teacher.onnx")
    from_file = outputs_of_teacher(DistillationConfiguration(**given, teacher=exact(path)), rows, crops, trained)
    pd.testing.assert_frame_equal(from_file, teacher_outputs(exact(path), rows, crops))
    with pytest.raises(ModelError, match="absent.onnx is not there"):
        outputs_of_teacher(
            DistillationConfiguration(**given, teacher=str(tmp_path / "absent.onnx")), rows, crops, trained
        )
