"""A trained network as one ONNX file: dynamic batch, named outputs, the same bytes for the same weights."""

from __future__ import annotations

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from countenance.errors import ModelError
from countenance.network.allinone import AllInOneNetwork, FaceOutputs
from countenance.storage import write_aside

INPUT_NAME = "images"
OUTPUT_NAMES = FaceOutputs._fields
OPSET = 20


class UnitEmbedding(nn.Module):
    """The network with its embedding brought to unit length, as it is released."""

    def __init__(self, network: AllInOneNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> FaceOutputs:
        """[N, 3, S, S] -> outputs whose embedding rows have length 1."""
        outputs: FaceOutputs = self.network(images)
        return outputs._replace(embedding=F.normalize(outputs.embedding, dim=1))


def export_onnx(network: AllInOneNetwork, path: Path) -> None:
    """Write ``network`` as a single ONNX file (opset 20) with input ``images`` [n, 3, S, S] in [-1, 1].

    The outputs are named as the fields of :class:`FaceOutputs`; ``embedding`` is unit-norm. The file holds neither
    paths nor source lines of this machine, so equal weights give equal bytes. It is written aside and renamed.

    Raises:
        ModelError: the network holds a weight that isn't finite.
    """
    damaged = [name for name, tensor in network.state_dict().items() if not bool(torch.isfinite(tensor).all())]
    if damaged:
        raise ModelError(f"The network was not exported to {path.name}: {damaged[0]} is not finite; train it again.")
    was_training = network.training
    network.eval()
    try:
        model = _traced(UnitEmbedding(network), network.configuration.input_size)
    finally:
        network.train(was_training)
    _strip(model)
    onnx.checker.check_model(model)
    with write_aside(path) as aside:
        aside.write_bytes(model.SerializeToString(deterministic=True))


def _traced(module: nn.Module, input_size: int) -> onnx.ModelProto:
    device = next(module.parameters()).device
    # Two images: a batch of one would be taken for a constant.
    example = torch.zeros(2, 3, input_size, input_size, device=device)
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=list(OUTPUT_NAMES),
            dynamic_shapes=({0: torch.export.Dim("n")},),
            external_data=False,
        )
    if program is None:
        raise ModelError("The network was not exported: torch.onnx gave no program; check the torch version.")
    return program.model_proto


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # The exporter prints its progress and warns about torch's own deprecations; failures still raise.
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def _strip(model: onnx.ModelProto) -> None:
    graph = model.graph
    del model.metadata_props[:]
    model.producer_version = ""
    model.doc_string = ""
    graph.name = "countenance"
    graph.doc_string = ""
    del graph.metadata_props[:]
    for part in (*graph.node, *graph.input, *graph.output, *graph.value_info, *graph.initializer):
        part.doc_string = ""
        del part.metadata_props[:]
    for function in model.functions:
        function.doc_string = ""
        del function.metadata_props[:]
        for node in function.node:
            node.doc_string = ""
            del node.metadata_props[:]
