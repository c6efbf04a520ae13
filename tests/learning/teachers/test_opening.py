import pytest
import torch

from countenance.errors import ModelError
from countenance.learning.teachers.configuration import TeacherConfiguration
from countenance.learning.teachers.opening import open_teacher, teacher_of_network
from countenance.network.allinone import AllInOneNetwork
from tests.learning.faces import NETWORK
from tests.learning.recognisers import write_recogniser


@pytest.fixture
def path(tmp_path):
    return str(write_recogniser(tmp_path / "teacher.onnx"))


def identity(**settings):
    return open_teacher(TeacherConfiguration(**{"precision": "float32"} | settings)).identity


def test_an_identity_says_all_that_features_depend_on_and_no_more(path, tmp_path):
    own = identity(path=path)
    assert len(bytes.fromhex(own)) == 32
    same = [identity(path=path), identity(path=path, threads=3, batch_size=7, cached_as="float32")]
    moved = tmp_path / "elsewhere" / "renamed.onnx"
    moved.parent.mkdir()
    moved.write_bytes(open(path, "rb").read())  # noqa: SIM115, PTH123
    same.append(identity(path=str(moved)))
    assert set(same) == {own}
    others = [
        identity(path=path, engine="onnxruntime"),
        identity(path=path, precision="bfloat16"),
        identity(path=path, input_mean=0.0),
        identity(path=path, input_scale=1.0),
        identity(path=path, input_order="bgr"),
        identity(path=str(write_recogniser(tmp_path / "other.onnx", batch=2))),
    ]
    assert len({own, *others}) == 7


def test_the_trained_network_is_a_teacher_only_where_it_is_given(path):
    trained = TeacherConfiguration(threads=1)
    with pytest.raises(ModelError, match="the trained network, which is not there: run the training room first"):
        open_teacher(trained)
    torch.manual_seed(0)
    network = AllInOneNetwork(NETWORK)
    assert open_teacher(trained, trained=network).identity == teacher_of_network(network, trained).identity
    assert "trained (openvino" in open_teacher(trained, trained=network).name


def test_a_table_can_not_be_opened_as_one_that_looks_at_faces(tmp_path):
    with pytest.raises(ModelError, match="t.parquet is a table, which can't look at faces"):
        open_teacher(TeacherConfiguration(path=str(tmp_path / "t.parquet")))


def test_an_opened_teacher_says_its_name_and_how_it_runs_but_not_where_it_lies(path):
    teacher = open_teacher(TeacherConfiguration(path=path, engine="onnxruntime"))
    assert teacher.name == "teacher.onnx (onnxruntime, float32)"
