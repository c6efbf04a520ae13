"""A MobileFaceNet as an ONNX file: its graph walked in order, its weights told by our names.

Exporters fold a batch normalisation into the convolution before it. Ours then becomes one that adds the bias and
changes nothing else: statistics 0 and 1, a gain of sqrt(1 + eps).
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import numpy_helper
from torch import Tensor, nn

from countenance.errors import ModelError
from countenance.network.allinone import AllInOneNetwork
from countenance.network.layers import ParametricReLU
from countenance.network.trunks.mobilefacenet import InvertedResidual

SHAPERS = ("Identity", "Dropout", "Flatten", "Reshape", "Squeeze")
"""Nodes that move no number: the walk passes over them."""


def read_recogniser_graph(network: AllInOneNetwork, path: Path) -> dict[str, Tensor]:
    """The weights of a MobileFaceNet's ONNX file, by our names; ``network`` has the trunk ``mobilefacenet``.

    The tensors have the file's shapes, which the caller compares with the network's.

    Raises:
        ModelError: the file isn't a readable ONNX model, or its graph isn't this chain of layers.
    """
    try:
        model = onnx.load(path)
    except Exception as error:
        # protobuf and onnx raise unrelated types for a bad file; all mean the same to the user.
        raise ModelError(f"The recogniser {path.name} is not a readable ONNX model: fetch it again.") from error
    walk = _Walk(model.graph, path.name)
    walk.read(network.trunk, "trunk")
    walk.read(network.identity, "identity")
    walk.finish()
    return walk.found


class _Walk:
    """A place in the graph, and what was found on the way to it.

    Our modules are registered in the order in which they run, and an exporter writes nodes in that order, too.
    """

    def __init__(self, graph: onnx.GraphProto, file: str) -> None:
        self.file = file
        self.arrays = {each.name: numpy_helper.to_array(each) for each in graph.initializer}
        self.nodes: list[onnx.NodeProto] = []
        self.same: dict[str, str] = {}
        for node in graph.node:
            if node.op_type == "Constant":
                self.arrays[node.output[0]] = numpy_helper.to_array(node.attribute[0].t)
            elif node.op_type in SHAPERS:
                self.same[node.output[0]] = self._source(node.input[0])
            else:
                self.nodes.append(node)
        # Old files list their weights among the inputs.
        self.here = next((each.name for each in graph.input if each.name not in self.arrays), "")
        self.end = graph.output[0].name if graph.output else ""
        self.place = 0
        self.bias: NDArray[np.float32] | None = None
        self.found: dict[str, Tensor] = {}

    def read(self, module: nn.Module, name: str) -> None:
        """Find a module's weights, or those of its parts."""
        if isinstance(module, nn.Conv2d):
            self._convolution(module, name)
        elif isinstance(module, nn.Linear):
            self._linear(name)
        elif isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            self._normalisation(module, name)
        elif isinstance(module, ParametricReLU):
            slope = self._weights(self._next(name, "PRelu"))[0]
            self._keep(f"{name}.slope", slope.reshape(-1, 1, 1))
        else:
            before = self.here
            for child_name, child in module.named_children():
                self.read(child, f"{name}.{child_name}")
            if isinstance(module, InvertedResidual) and module.adds_input:
                node = self._next(name, "Add")
                if before not in [self._source(each) for each in node.input]:
                    raise self._unfit(f"the sum at the end of {name} does not take its beginning")

    def finish(self) -> None:
        """Check that nothing is left.

        Raises:
            ModelError: the graph goes on behind our last layer.
        """
        if self.place != len(self.nodes) or self._source(self.end) != self.here:
            raise self._unfit(f"{len(self.nodes) - self.place} of its nodes come behind the last layer")

    def _convolution(self, layer: nn.Conv2d, name: str) -> None:
        node = self._next(name, "Conv")
        given: dict[str, Any] = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        padding = [int(side) for side in layer.padding] * 2
        ours = {"group": layer.groups, "strides": list(layer.stride), "pads": padding, "dilations": [1, 1]}
        usual = {"group": 1, "strides": [1, 1], "pads": [0, 0, 0, 0], "dilations": [1, 1]}
        for what, value in ours.items():
            if given.get(what, usual[what]) != value:
                raise self._unfit(f"the {what} of {name} are {given.get(what, usual[what])}, not {value}")
        self._keep_weight(name, *self._weights(node))

    def _linear(self, name: str) -> None:
        node = self._next(name, "Gemm", "MatMul", "Conv")
        weight, *bias = self._weights(node)
        given = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        if any(given.get(factor, 1.0) != 1.0 for factor in ("alpha", "beta")) or given.get("transA", 0):
            raise self._unfit(f"{name} is scaled or transposed")
        if node.op_type == "Conv":
            weight = weight.reshape(weight.shape[0], -1)
        elif not given.get("transB", 0):
            weight = weight.T
        self._keep_weight(name, weight, *bias)

    def _keep_weight(self, name: str, weight: NDArray[np.float32], bias: NDArray[np.float32] | None = None) -> None:
        self._keep(f"{name}.weight", weight)
        self.bias = np.zeros(len(weight), np.float32) if bias is None else bias

    def _normalisation(self, layer: nn.BatchNorm1d | nn.BatchNorm2d, name: str) -> None:
        bias = self.bias if self.bias is not None else np.zeros(layer.num_features, np.float32)
        following = self.nodes[self.place] if self.place < len(self.nodes) else None
        if following is not None and following.op_type == "BatchNormalization":
            gain, shift, mean, variance = self._weights(self._next(name, "BatchNormalization"))
            attributes = {each.name: onnx.helper.get_attribute_value(each) for each in following.attribute}
            mean = mean - bias
            variance = variance + np.float32(attributes.get("epsilon", 1e-5) - layer.eps)
        else:
            gain, shift = np.full(len(bias), math.sqrt(1.0 + layer.eps), np.float32), bias
            mean, variance = np.zeros(len(bias), np.float32), np.ones(len(bias), np.float32)
        values = {"weight": gain, "bias": shift, "running_mean": mean, "running_var": variance}
        for part, array in values.items():
            self._keep(f"{name}.{part}", array)

    def _next(self, name: str, *kinds: str) -> onnx.NodeProto:
        node = self.nodes[self.place] if self.place < len(self.nodes) else None
        if node is None or node.op_type not in kinds:
            found = "the end" if node is None else node.op_type
            raise self._unfit(f"{found} stands where {name} needs {' or '.join(kinds)}")
        if self.here not in [self._source(each) for each in node.input]:
            raise self._unfit(f"the {node.op_type} of {name} does not take what comes before it")
        self.place += 1
        self.here = node.output[0]
        return node

    def _weights(self, node: onnx.NodeProto) -> list[NDArray[np.float32]]:
        arrays = [self.arrays[each].astype(np.float32) for each in node.input if each in self.arrays]
        needed = {"PRelu": 1, "BatchNormalization": 4}.get(node.op_type, 1)
        if len(arrays) < needed:
            raise self._unfit(f"a {node.op_type} has no weights of its own")
        return arrays

    def _keep(self, name: str, array: NDArray[np.float32]) -> None:
        self.found[name] = torch.from_numpy(np.array(array))

    def _source(self, name: str) -> str:
        return self.same.get(name, name)

    def _unfit(self, reason: str) -> ModelError:
        return ModelError(
            f"The recogniser {self.file} is not the chain of layers that the trunk 'mobilefacenet' is: {reason}; "
            "distil it as a teacher instead."
        )
