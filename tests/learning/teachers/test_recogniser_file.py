import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from countenance.errors import ModelError
from countenance.learning.teachers.recogniser_file import read_recogniser
from tests.learning.recognisers import write_recogniser


@pytest.mark.parametrize(("batch", "known"), [(1, 1), (4, 4), ("n", None)])
def test_the_batch_size_that_a_graph_is_made_for_is_known(tmp_path, batch, known):
    assert read_recogniser(write_recogniser(tmp_path / "teacher.onnx", batch=batch)).batch == known


def test_a_file_that_is_not_there_no_model_or_of_another_shape_is_refused(tmp_path):
    with pytest.raises(ModelError, match=r"teacher.onnx is not there: put it there, set 'teacher'"):
        read_recogniser(tmp_path / "teacher.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelError, match="text.onnx is not a readable ONNX model"):
        read_recogniser(tmp_path / "text.onnx")
    with pytest.raises(
        ModelError, match=r"takes \[\[1, 3, 224, 224\]\] and gives.*it must take one \[n, 3, 112, 112\]"
    ):
        read_recogniser(write_recogniser(tmp_path / "large.onnx", side=224))


def test_a_half_written_file_is_refused(tmp_path):
    path = write_recogniser(tmp_path / "teacher.onnx")
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(ModelError, match="teacher.onnx is not a readable ONNX model"):
        read_recogniser(path)


def test_a_file_with_a_weight_that_is_not_finite_is_refused_before_it_runs(tmp_path):
    weight = np.ones((4, 3, 112, 56), dtype=np.float32)
    weight[2, 1, 5, 5] = np.nan
    with pytest.raises(ModelError, match="not finite in 'weight': use an undamaged teacher"):
        read_recogniser(write_recogniser(tmp_path / "teacher.onnx", weight=weight))


def test_denormal_weights_are_taken_as_zero_and_others_are_left_alone(tmp_path):
    weight = np.full((4, 3, 112, 56), 0.25, dtype=np.float32)
    weight[0, 0, 0, :3] = (1e-40, -1e-31, 1e-29)
    graph = read_recogniser(write_recogniser(tmp_path / "teacher.onnx", weight=weight)).graph
    kept = numpy_helper.to_array(onnx.load_from_string(graph).graph.initializer[0])
    assert kept[0, 0, 0, :4].tolist() == [0.0, 0.0, np.float32(1e-29), 0.25]
