"""A trained network as one ONNX file: dynamic batch, named outputs, the same bytes for the same weights."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from countenance.errors import ModelError
from countenance.network.allinone import AllInOneNetwork, FaceOutputs
from countenance.network.proposals import Proposals
from countenance.storage import write_aside

INPUT_NAME = "images"
OUTPUT_NAMES = FaceOutputs._fields[:8]
"""What a released model says: the outputs that serve training alone are left out."""
OPSET = 20
PROPOSAL_GEOMETRY_KEY = "countenance_proposals"
"""Metadata of an exported proposer: what turns its boxes into pixels (see ``decode_proposals``), as JSON."""


class UnitEmbedding(nn.Module):
    """The network with its embedding brought to unit length, as it is released.

    Attributes:
        names: what it says, a name an output: :data:`OUTPUT_NAMES`, or ``embedding`` alone.
    """

    def __init__(self, network: AllInOneNetwork) -> None:
        super().__init__()
        self.network = network
        self.names = OUTPUT_NAMES if network.configuration.tasks == "all" else ("embedding",)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """[N, 3, S, S] -> the outputs of ``names``; the embedding's rows have length 1."""
        outputs: FaceOutputs = self.network(images)
        outputs = outputs._replace(embedding=F.normalize(outputs.embedding, dim=1))
        return tuple(getattr(outputs, name) for name in self.names)


class Proposer(nn.Module):
    """The network's way of looking at whole photos, as a module that can be exported."""

    def __init__(self, network: AllInOneNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, images: Tensor) -> Proposals:
        """[N, 3, H, W] -> proposals."""
        return self.network.propose(images)


def export_onnx(network: AllInOneNetwork, path: Path) -> None:
    """Write ``network`` as a single ONNX file (opset 20) with input ``images`` [n, 3, S, S] in [-1, 1].

    The outputs are named as the fields of :class:`FaceOutputs`; ``embedding`` is unit-norm, and the only output of a
    network that does identity alone. The file holds neither paths nor source lines of this machine, so equal weights
    give equal bytes. It is written aside and renamed.

    Raises:
        ModelError: the network holds a weight that isn't finite.
    """
    with _evaluated(network, path):
        size, released = network.configuration.input_size, UnitEmbedding(network)
        model = _traced(released, size, list(released.names), ({0: torch.export.Dim("n")},))
    _write(model, path)


def export_proposals_onnx(network: AllInOneNetwork, path: Path) -> None:
    """Write the part of ``network`` that looks for faces in photos: ``images`` [n, 3, h, w] -> ``logit``, ``box``.

    The outputs are :class:`~countenance.network.proposals.Proposals`; the file holds the trunk once more, without the
    heads that read crops, and the geometry of its cells as metadata. Otherwise as :func:`export_onnx`.

    Raises:
        ModelError: the network holds a weight that isn't finite.
    """
    with _evaluated(network, path):
        size = 2 * network.configuration.input_size
        free = ({0: torch.export.Dim("n"), 2: torch.export.Dim.DYNAMIC, 3: torch.export.Dim.DYNAMIC},)
        model = _traced(Proposer(network), size, list(Proposals._fields), free)
    geometry = {
        "input_size": network.configuration.input_size,
        "offset": network.trunk.cell_offset,
        "reference_px": network.configuration.proposal_reference_px,
        "stride": network.trunk.cell_stride,
    }
    _write(model, path, {PROPOSAL_GEOMETRY_KEY: json.dumps(geometry)})


@contextlib.contextmanager
def _evaluated(network: AllInOneNetwork, path: Path) -> Iterator[None]:
    damaged = [name for name, tensor in network.state_dict().items() if not bool(torch.isfinite(tensor).all())]
    if damaged:
        raise ModelError(f"The network was not exported to {path.name}: {damaged[0]} is not finite; train it again.")
    was_training = network.training
    network.eval()
    try:
        yield
    finally:
        network.train(was_training)


def _write(model: onnx.ModelProto, path: Path, metadata: dict[str, str] | None = None) -> None:
    _strip(model)
    if metadata:
        onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    with write_aside(path) as aside:
        aside.write_bytes(model.SerializeToString(deterministic=True))


def _traced(
    module: nn.Module, side: int, output_names: list[str], dynamic_shapes: tuple[dict[int, Any], ...]
) -> onnx.ModelProto:
    device = next(module.parameters()).device
    # Two images: a batch of one would be taken for a constant.
    example = torch.zeros(2, 3, side, side, device=device)
    with _quiet():
        program = torch.onnx.export(
            module.eval(),
            (example,),
            dynamo=True,
            opset_version=OPSET,
            input_names=[INPUT_NAME],
            output_names=output_names,
            dynamic_shapes=dynamic_shapes,
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
