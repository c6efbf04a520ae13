import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

from countenance.errors import ModelError
from countenance.network.allinone import AllInOneNetwork
from countenance.network.configuration import NetworkConfiguration
from countenance.network.pretrained import load_recognition
from tests.conftest import picture

SIDE, D = 32, 8
CONFIGURATION = NetworkConfiguration(
    trunk="mobilefacenet", input_size=SIDE, width_multiplier=0.125, embedding_dimension=D
)
NARROW, WIDE, INSIDE, LAST = 8, 16, {128: 16, 256: 32, 512: 64}, 64


class Chain:
    """Writes a MobileFaceNet of an eighth of the width as exporters do: every normalisation folded."""

    def __init__(self, *, ending="conv", seed=0):
        self.random = np.random.default_rng(seed)
        self.nodes, self.weights, self.flow = [], [], "input"
        self.convolution(NARROW, 3, 3, stride=2)
        self.convolution(NARROW, NARROW, 3, groups=NARROW)
        self.block(NARROW, 128, NARROW, 2)
        for _ in range(4):
            self.block(NARROW, 128, NARROW, 1)
        self.block(NARROW, 256, WIDE, 2)
        for _ in range(6):
            self.block(WIDE, 256, WIDE, 1)
        self.block(WIDE, 512, WIDE, 2)
        for _ in range(2):
            self.block(WIDE, 256, WIDE, 1)
        self.convolution(LAST, WIDE, 1)
        self.convolution(LAST, LAST, SIDE // 16, groups=LAST, activated=False, padding=0)
        getattr(self, ending)()

    def array(self, values):
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values, np.float32), name))
        return name

    def node(self, kind, *inputs, **attributes):
        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [name], **attributes))
        self.flow = name
        return name

    def convolution(self, outputs, inputs, kernel, *, stride=1, groups=1, activated=True, padding=None):
        padding = kernel // 2 if padding is None else padding
        size = (outputs, inputs // groups, kernel, kernel)
        weight = self.random.normal(0, (2 / np.prod(size[1:])) ** 0.5, size)
        bias = self.random.normal(0, 0.2, outputs)
        self.node(
            "Conv", self.flow, self.array(weight), self.array(bias),
            kernel_shape=[kernel, kernel], strides=[stride, stride], pads=[padding] * 4, group=groups,
        )  # fmt: skip
        if activated:
            self.node("PRelu", self.flow, self.array(self.random.uniform(-0.2, 0.6, (outputs, 1, 1))))

    def block(self, inputs, inside, outputs, stride):
        before, inside = self.flow, INSIDE[inside]
        self.convolution(inside, inputs, 1)
        self.convolution(inside, inside, 3, stride=stride, groups=inside)
        self.convolution(outputs, inside, 1, activated=False)
        if stride == 1:
            self.node("Add", *self.random.permutation([before, self.flow]).tolist())

    def conv(self):
        self.convolution(D, LAST, 1, activated=False)
        self.node("Reshape", self.flow, "shape")

    def gemm(self):
        self.node("Flatten", self.flow)
        weight, bias = self.random.normal(0, 0.2, (D, LAST)), self.random.normal(0, 1, D)
        self.node("Gemm", self.flow, self.array(weight), self.array(bias), transB=1)

    def matmul_and_normalisation(self):
        self.node("Constant", value=helper.make_tensor("value", TensorProto.INT64, [2], [-1, LAST]))
        self.node("Reshape", self.nodes[-2].output[0], self.flow)
        self.node("MatMul", self.flow, self.array(self.random.normal(0, 0.2, (LAST, D))))
        gain, shift, mean = self.random.normal(1, 0.2, (3, D))
        variance = self.random.uniform(0.5, 2, D)
        self.node("BatchNormalization", self.flow, *map(self.array, (gain, shift, mean, variance)), epsilon=1e-3)

    def write(self, path):
        shape = numpy_helper.from_array(np.array([-1, D], np.int64), "shape")
        graph = helper.make_graph(
            self.nodes,
            "recogniser",
            [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, SIDE, SIDE])],
            [helper.make_tensor_value_info(self.flow, TensorProto.FLOAT, ["n", D])],
            [*self.weights, shape],
        )
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), path)
        return path


def embed(network, images):
    with torch.inference_mode():
        return network.identity(network.trunk(images).final)


def fresh(**update):
    torch.manual_seed(2)
    return AllInOneNetwork(CONFIGURATION.model_copy(update=update)).eval()


@pytest.mark.parametrize("ending", ["conv", "gemm", "matmul_and_normalisation"])
def test_the_loaded_network_says_what_the_graph_says(ending, tmp_path):
    path = Chain(ending=ending).write(tmp_path / "recogniser.onnx")
    network = fresh()
    assert load_recognition(network, path) == "a MobileFaceNet's ONNX graph"
    images = torch.randn(3, 3, SIDE, SIDE)
    expected = onnxruntime.InferenceSession(path).run(None, {"input": images.numpy()})[0]
    np.testing.assert_allclose(embed(network, images).numpy(), expected, atol=1e-4, rtol=1e-4)


def test_a_folded_normalisation_becomes_one_that_only_adds_the_bias(tmp_path):
    chain = Chain()
    network = fresh()
    load_recognition(network, chain.write(tmp_path / "recogniser.onnx"))
    bias = torch.from_numpy(numpy_helper.to_array(chain.weights[4]).copy())  # weight, bias and slope of the stem first
    layer = network.trunk.spread[1]
    given = torch.randn(2, NARROW, 3, 3)
    torch.testing.assert_close(layer(given), given + bias[:, None, None])
    assert torch.equal(layer.bias.detach(), bias)


def test_an_identity_node_and_weights_among_the_inputs_change_nothing(tmp_path):
    chain = Chain(ending="gemm")
    path = chain.write(tmp_path / "recogniser.onnx")
    model = onnx.load(path)
    first = model.graph.initializer[0]
    model.graph.input.insert(0, helper.make_tensor_value_info(first.name, TensorProto.FLOAT, list(first.dims)))
    second = model.graph.node[1]
    model.graph.node.insert(1, helper.make_node("Identity", [second.input[0]], ["again"]))
    second.input[0] = "again"
    onnx.save(model, path)
    load_recognition(fresh(), path)


def more(graph):
    graph.node.append(helper.make_node("Sigmoid", [graph.node[-1].output[0]], ["more"]))


def other_stride(graph):
    next(each for each in graph.node[0].attribute if each.name == "strides").ints[:] = [1, 1]


def other_activation(graph):
    graph.node[1].op_type = "Relu"
    del graph.node[1].input[1]


def shortcut_from_elsewhere(graph):
    place, add = next((place, each) for place, each in enumerate(graph.node) if each.op_type == "Add")
    add.input[:] = [graph.node[0].output[0], graph.node[place - 1].output[0]]


def cut_short(graph):
    del graph.node[-2:]


@pytest.mark.parametrize(("change", "message"), [
    (more, "1 of its nodes come behind the last layer"),
    (other_stride, r"the strides of trunk.stem.0 are \[1, 1\], not \[2, 2\]"),
    (other_activation, "Relu stands where trunk.stem.2 needs PRelu"),
    (shortcut_from_elsewhere, "the sum at the end of trunk.stage1.0 does not take its beginning"),
    (cut_short, "the end stands where identity.project needs"),
])  # fmt: skip
def test_another_graph_is_refused_with_the_first_place_where_it_differs(change, message, tmp_path):
    path = Chain().write(tmp_path / "recogniser.onnx")
    model = onnx.load(path)
    change(model.graph)
    onnx.save(model, path)
    with pytest.raises(ModelError, match=message):
        load_recognition(fresh(), path)


def test_another_dimension_size_or_trunk_is_refused(tmp_path):
    path = Chain().write(tmp_path / "recogniser.onnx")
    with pytest.raises(ModelError, match="have 8 numbers and the network's 9"):
        load_recognition(fresh(embedding_dimension=9), path)
    with pytest.raises(ModelError, match=r"input size 64.*wrong shape for identity.pool.0.weight"):
        load_recognition(fresh(input_size=64), path)
    with pytest.raises(ModelError, match="set trunk to mobilefacenet"):
        load_recognition(fresh(trunk="residual"), path)


def test_the_real_recogniser_becomes_the_trunk(real_faces):
    path = real_faces / "teacher" / "fr_feature.onnx"
    if not path.is_file():
        pytest.skip("no fr_feature.onnx in the folder of real photographs")
    torch.manual_seed(0)
    network = AllInOneNetwork(NetworkConfiguration(trunk="mobilefacenet", input_size=112, embedding_dimension=512))
    load_recognition(network.eval(), path, input_mean=127.0, input_scale=128.0)
    noise = np.random.default_rng(0).integers(0, 256, (2, 112, 112, 3), dtype=np.uint8)
    pixels = np.stack([*noise, *(picture(112, 112, seed) for seed in range(3))]).transpose(0, 3, 1, 2)
    pixels = pixels.astype(np.float32)
    session = onnxruntime.InferenceSession(path)
    expected = np.concatenate([session.run(None, {"input": (each[None] - 127) / 128})[0] for each in pixels])
    given = embed(network, torch.from_numpy((pixels - 127.5) / 127.5)).numpy()
    lengths = np.linalg.norm(given, axis=1) * np.linalg.norm(expected, axis=1)
    assert ((given * expected).sum(axis=1) / lengths).min() > 0.9999
