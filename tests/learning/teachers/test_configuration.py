import pytest

from countenance.configuration import Configuration, narrow
from countenance.errors import ConfigurationError
from countenance.learning.recipe import DistillationConfiguration
from countenance.learning.recognition import RecognitionConfiguration
from countenance.learning.teachers.configuration import TeacherConfiguration


class Room(Configuration):
    teacher: TeacherConfiguration = TeacherConfiguration()


def teacher(given):
    return narrow(Room, {"teacher": given}, where="parameters_room.yml").teacher


def test_a_path_alone_is_a_teacher_with_everything_as_it_is_by_default():
    assert teacher("models/t.onnx") == TeacherConfiguration(path="models/t.onnx")
    assert teacher({"path": "models/t.onnx"}) == teacher("models/t.onnx")
    assert Room().teacher.kind_of_file == "trained"


@pytest.mark.parametrize(
    ("path", "kind"),
    [("t.onnx", "onnx"), ("t.safetensors", "checkpoint"), ("t.pt", "checkpoint"), ("t.pth", "checkpoint"),
     ("t.parquet", "table"), ("trained", "trained")],
)  # fmt: skip
def test_the_kind_is_told_by_the_files_ending(path, kind):
    assert teacher(path).kind_of_file == kind


def test_an_onnx_file_sees_pixels_in_another_range_than_a_checkpoint_unless_told():
    assert teacher("t.onnx").input_range == (127.0, 128.0)
    assert teacher("t.pth").input_range == (127.5, 127.5)
    assert teacher({"path": "t.onnx", "input_mean": 0.0, "input_scale": 255.0}).input_range == (0.0, 255.0)


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"path": "t.onnx", "engine": "torch"}, "'torch' can't run a teacher of the kind 'onnx'; choose openvino or"),
        ({"path": "t.pth", "engine": "onnxruntime"}, "'onnxruntime' can't run a teacher of the kind 'checkpoint'"),
        ({"path": "t.onnx", "device": "cuda"}, "'openvino' runs on the CPU only; set 'engine' to torch"),
        (
            {"path": "t.onnx", "engine": "onnxruntime", "precision": "bfloat16"},
            "doesn't compute in bfloat16; choose fas",
        ),
        ({"path": "t.pth", "engine": "torch", "precision": "float16"}, "choose fastest or float32 or bfloat16"),
        ("t.bin", "the ending of 't.bin' is none of .onnx, .safetensors"),
        ({"path": "trained", "kind": "onnx"}, "'trained' is not of the kind 'onnx'"),
        ({"path": "t.onnx", "kind": "trained"}, "'t.onnx' is not of the kind 'trained'"),
        ({"path": "t.parquet", "input_mean": 1.0}, "has an input of its own"),
        ({"path": "trained", "input_order": "bgr"}, "has an input of its own"),
        ({"path": "t.onnx", "enginge": "torch"}, "did you mean 'engine'"),
    ],
)
def test_what_does_not_fit_together_is_refused_with_the_place_and_the_remedy(given, sentence):
    with pytest.raises(ConfigurationError, match="'teacher.*in parameters_room.yml") as raised:
        teacher(given)
    assert sentence in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_file_of_another_ending_needs_its_kind():
    assert teacher({"path": "t.bin", "kind": "checkpoint"}).kind_of_file == "checkpoint"


def test_the_rooms_take_a_path_or_a_mapping():
    students = {"seed": 1, "training": {"steps": 1}}
    for given in ("t.onnx", {"path": "t.onnx"}):
        chosen = narrow(DistillationConfiguration, students | {"teacher": given}, where="x.yml")
        assert chosen.teacher == TeacherConfiguration(path="t.onnx")
        recognition = narrow(RecognitionConfiguration, {"teacher": given}, where="x.yml")
        assert recognition.teacher == TeacherConfiguration(path="t.onnx")
    assert RecognitionConfiguration().teacher is None


def test_the_training_room_can_not_learn_from_the_network_that_it_trains():
    with pytest.raises(ConfigurationError, match="can't be its own teacher"):
        narrow(RecognitionConfiguration, {"teacher": "trained"}, where="x.yml")
