import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from countenance.errors import ModelError
from countenance.learning.teacher import TeacherFeatures, embed_with_network, embed_with_onnx
from countenance.network.allinone import AllInOneNetwork
from tests.learning.faces import NETWORK, pattern

FACES = [f"face-{index}" for index in range(5)]
CROPS = [pattern(index) for index in range(5)]


def crop(index):
    return CROPS[index]


def write_recogniser(path, *, batch=1, side=112, weight=None):
    """A recogniser that averages each quarter of each channel's left half: 512 weights at most, easily checked."""
    weight = np.zeros((4, 3, 112, 56), dtype=np.float32) if weight is None else weight
    if not weight.any():
        for quarter in range(4):
            weight[quarter, :, quarter * 28 : (quarter + 1) * 28] = 1 / (28 * 56 * 3)
    nodes = [
        helper.make_node("Conv", ["input", "weight"], ["map"], strides=[112, 112]),
        helper.make_node("Flatten", ["map"], ["output"]),
    ]
    graph = helper.make_graph(
        nodes,
        "recogniser",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, [batch, 3, side, side])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, [batch, 4])],
        [numpy_helper.from_array(weight, "weight")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8), path)
    return path


def expected_features(images):
    halves = (np.stack(images).astype(np.float64)[:, :, :56] - 127) / 128
    quarters = halves.reshape(len(images), 4, 28, 56, 3).mean(axis=(2, 3, 4))
    return quarters / np.linalg.norm(quarters, axis=1, keepdims=True)


@pytest.mark.parametrize("batch", [1, 2, "n"])
def test_an_onnx_teacher_sees_each_crop_and_its_mirror_image_whatever_its_batch_size(tmp_path, batch):
    path = write_recogniser(tmp_path / "teacher.onnx", batch=batch)
    table = embed_with_onnx(path, FACES, crop, threads=1)
    assert table.face_ids == tuple(FACES)
    np.testing.assert_allclose(table.features[:, 0], expected_features(CROPS), atol=1e-4)
    np.testing.assert_allclose(table.features[:, 1], expected_features([c[:, ::-1] for c in CROPS]), atol=1e-4)


def test_a_teacher_file_that_is_not_there_no_model_or_of_another_shape_is_refused(tmp_path):
    with pytest.raises(ModelError, match="teacher.onnx is not there"):
        embed_with_onnx(tmp_path / "teacher.onnx", FACES, crop)
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelError, match="text.onnx is not a readable ONNX model"):
        embed_with_onnx(tmp_path / "text.onnx", FACES, crop)
    with pytest.raises(ModelError, match="it must take one"):
        embed_with_onnx(write_recogniser(tmp_path / "large.onnx", side=224), FACES, crop)


def test_a_teacher_that_says_nan_is_refused(tmp_path):
    weight = np.full((4, 3, 112, 56), np.nan, dtype=np.float32)
    with pytest.raises(ModelError, match="NaN or infinite features for 5 of 5 faces"):
        embed_with_onnx(write_recogniser(tmp_path / "nan.onnx", weight=weight), FACES, crop)


def test_our_own_network_is_a_teacher_of_unit_norm_features():
    torch.manual_seed(0)
    network = AllInOneNetwork(NETWORK)
    table = embed_with_network(network, FACES, crop, batch_size=2)
    assert table.features.shape == (5, 2, 16)
    assert table.dimension == 16
    np.testing.assert_allclose(np.linalg.norm(table.features, axis=2), 1.0, atol=1e-5)
    twice = embed_with_network(network, FACES, lambda index: CROPS[index][:, ::-1], batch_size=5)
    np.testing.assert_allclose(twice.features[:, ::-1], table.features, atol=1e-4)


def test_rows_are_found_by_face_and_strangers_are_minus_one():
    table = TeacherFeatures(("a", "b"), np.ones((2, 2, 3), dtype=np.float32))
    assert table.rows_of(["b", "c", "a"]).tolist() == [1, -1, 0]


def test_a_table_of_the_wrong_shape_is_refused():
    with pytest.raises(ModelError, match=r"shape \(2, 3\), not \(2, 2, D\)"):
        TeacherFeatures(("a", "b"), np.ones((2, 3), dtype=np.float32))


def test_the_real_recogniser_tells_its_people_apart(real_faces):
    import cv2
    import pandas as pd

    from countenance.data.alignment import align

    rows = pd.read_csv(real_faces / "lfw" / "faces.csv")
    rows = rows.groupby("subject_id").head(2).groupby("subject_id").filter(lambda some: len(some) == 2).head(8)
    points = rows[[f"{axis}{number}" for number in range(1, 6) for axis in "xy"]].to_numpy(np.float32).reshape(-1, 5, 2)
    photos = [cv2.imread(str(real_faces / "lfw" / "photos" / name), cv2.IMREAD_COLOR_RGB) for name in rows["photo"]]
    crops = [align(photo, each) for photo, each in zip(photos, points, strict=True)]
    faces = [str(index) for index in range(8)]
    table = embed_with_onnx(real_faces / "teacher" / "fr_feature.onnx", faces, crops.__getitem__, threads=1)
    cosines = table.features[:, 0] @ table.features[:, 0].T
    same = np.equal.outer(rows["subject_id"].to_numpy(), rows["subject_id"].to_numpy())
    np.fill_diagonal(same, False)
    apart = cosines[~same & ~np.eye(8, dtype=bool)]
    assert cosines[same].mean() > apart.max()
