"""Every engine gives the same features, whatever batches it works in."""

import numpy as np
import pytest
import torch

from countenance.errors import ModelError
from countenance.learning.teachers.configuration import TeacherConfiguration
from countenance.learning.teachers.opening import open_teacher, teacher_of_network
from countenance.learning.teachers.running import InputRange, fastest_precision
from countenance.learning.views import CANONICAL_WARP, to_network_input
from countenance.network.allinone import AllInOneNetwork
from countenance.network.openvino_runtime import openvino_core
from tests.learning.faces import NETWORK, pattern
from tests.learning.recognisers import expected_features, write_recogniser

CROPS = np.stack([pattern(seed) for seed in range(11)])


def file_teacher(path, **settings):
    return open_teacher(TeacherConfiguration(path=str(path), precision="float32", threads=1, **settings))


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
@pytest.mark.parametrize("batch", [1, 4, "n"])
def test_an_onnx_teacher_gives_the_same_features_whatever_its_batch_size(tmp_path, engine, batch):
    teacher = file_teacher(write_recogniser(tmp_path / "teacher.onnx", batch=batch), engine=engine)
    assert teacher.dimension == 4
    for count in (1, 3, 8, 11):
        np.testing.assert_allclose(teacher.embed(CROPS[:count]), expected_features(CROPS[:count]), atol=1e-4)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_the_input_range_is_the_teachers(tmp_path, engine):
    path = write_recogniser(tmp_path / "teacher.onnx")
    teacher = file_teacher(path, engine=engine, input_mean=10.0, input_scale=50.0)
    np.testing.assert_allclose(teacher.embed(CROPS[:3]), expected_features(CROPS[:3], mean=10.0), atol=1e-4)


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_a_teacher_of_opencvs_pictures_sees_blue_first(tmp_path, engine):
    weight = np.zeros((4, 3, 112, 56), dtype=np.float32)
    weight[range(4), (0, 1, 2, 0)] = 1.0  # says the channels one by one
    path = write_recogniser(tmp_path / "teacher.onnx", weight=weight)
    rgb, bgr = (file_teacher(path, engine=engine, input_order=order).embed(CROPS[:3]) for order in ("rgb", "bgr"))
    swapped = rgb[:, [2, 1, 0, 2]]
    np.testing.assert_allclose(bgr, swapped / np.linalg.norm(swapped, axis=1, keepdims=True), atol=1e-4)


def test_a_mirror_image_that_is_only_a_view_is_embedded_as_it_looks(tmp_path):
    teacher = file_teacher(write_recogniser(tmp_path / "teacher.onnx"))
    mirrored = CROPS[:, :, ::-1]
    assert not mirrored.flags.c_contiguous
    np.testing.assert_allclose(teacher.embed(mirrored), expected_features(mirrored), atol=1e-4)


def by_hand(network):
    views = np.stack([CANONICAL_WARP["aligned"].image(crop, network.configuration.input_size) for crop in CROPS])
    with torch.inference_mode():
        raw = network.eval()(to_network_input(views)).embedding.numpy()
    return raw / np.linalg.norm(raw, axis=1, keepdims=True)


@pytest.mark.parametrize("engine", ["openvino", "torch"])
def test_our_own_network_is_a_teacher_of_the_features_that_it_gives_in_evaluation(engine):
    torch.manual_seed(0)
    network = AllInOneNetwork(NETWORK)
    settings = TeacherConfiguration(engine=engine, precision="float32", threads=1)
    features = teacher_of_network(network, settings).embed(CROPS)
    np.testing.assert_allclose(features, by_hand(network), atol=1e-4)
    np.testing.assert_allclose(np.linalg.norm(features, axis=1), 1.0, atol=1e-5)


def test_bfloat16_by_torch_bends_features_by_less_than_a_thousandth():
    torch.manual_seed(0)
    network = AllInOneNetwork(NETWORK)
    settings = TeacherConfiguration(engine="torch", precision="bfloat16", threads=1)
    cosines = (teacher_of_network(network, settings).embed(CROPS) * by_hand(network)).sum(axis=1)
    assert cosines.min() > 0.999


@pytest.mark.parametrize(("precision", "least"), [("bfloat16", 0.999), ("float16", 0.9999)])
def test_openvino_computes_in_the_precision_asked_for_or_says_that_it_can_not(tmp_path, precision, least):
    path = write_recogniser(tmp_path / "teacher.onnx", batch="n")
    teacher = open_teacher(TeacherConfiguration(path=str(path), precision=precision, threads=1))
    if precision == "bfloat16" and fastest_precision() != "bfloat16":
        return  # emulated or refused, as the CPU has it
    capabilities = openvino_core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    if {"bfloat16": "BF16", "float16": "FP16"}[precision] in capabilities:
        assert (teacher.embed(CROPS) * expected_features(CROPS)).sum(axis=1).min() > least
    else:
        with pytest.raises(ModelError, match=f"This CPU can't run the teacher teacher.onnx in {precision}"):
            teacher.embed(CROPS)


def test_no_crop_gives_no_feature(tmp_path):
    teacher = file_teacher(write_recogniser(tmp_path / "teacher.onnx"))
    assert teacher.embed(CROPS[:0]).shape == (0, 4)


def test_the_fastest_precision_is_one_of_two():
    assert fastest_precision() in ("float32", "bfloat16")


def test_crops_are_brought_to_the_networks_side_as_in_evaluation():
    assert InputRange(side=112, mean=0, scale=1).views(CROPS) is CROPS
    small = InputRange(side=32, mean=0, scale=1).views(CROPS)
    np.testing.assert_array_equal(small[3], CANONICAL_WARP["aligned"].image(CROPS[3], 32))


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU here")
def test_a_gpu_that_is_not_there_is_missed_in_a_sentence():
    settings = TeacherConfiguration(engine="torch", device="cuda")
    with pytest.raises(ModelError, match="this machine has none: set the teacher's 'device' to cpu"):
        teacher_of_network(AllInOneNetwork(NETWORK), settings).embed(CROPS)
