"""An exported candidate before it may be gated: it loads, it answers as the network did, it is timed and weighed."""

from __future__ import annotations

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import torch

from countenance.errors import ModelError
from countenance.learning.views import to_network_input
from countenance.network.allinone import AllInOneNetwork
from countenance.network.costs import count_multiply_adds, count_parameters
from countenance.network.export import OUTPUT_NAMES, UnitEmbedding, export_onnx, export_proposals_onnx
from countenance.serving.engine import Engine

GOLDEN_PROBES: Final = 16
LARGEST_DIFFERENCE: Final = 1e-3
"""Of any output against the network's own, relative to the larger of 1 and that output's largest value."""


class Qualified(NamedTuple):
    """An exported candidate.

    Attributes:
        model: ONNX bytes that read crops of faces.
        proposals: ONNX bytes that look for faces in photos.
        measured: ``model_bytes``, ``parameters``, ``multiply_adds``, ``inference`` (see
            :class:`~countenance.serving.engine.InferenceTime`) and ``golden_probe_difference``.
    """

    model: bytes
    proposals: bytes
    measured: dict[str, Any]


def qualify(network: AllInOneNetwork, *, seed: int, threads: int = 1) -> Qualified:
    """Export a network, check the export against it on golden probes, and measure it.

    Args:
        network: the candidate.
        seed: of the probes, which are noise: they exercise every weight and show nobody.
        threads: of the engine while it is timed.

    Raises:
        ModelError: the network does identity alone, an answer is not finite, or the export answers differently from the
            network.
    """
    if network.configuration.tasks != "all":
        raise ModelError("The network does identity alone and a release does all tasks: set 'network.tasks' to 'all'.")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export_onnx(network, path)
        model = path.read_bytes()
        export_proposals_onnx(network, path)
        proposals = path.read_bytes()
    engine = Engine(model, threads=threads)
    difference = _largest_difference(network, engine, seed)
    if not difference <= LARGEST_DIFFERENCE:
        raise ModelError(
            f"The exported model differs from its network by {difference:.2g} on golden probes (at most "
            f"{LARGEST_DIFFERENCE:g} is allowed): don't release it, and check the versions of torch and onnxscript."
        )
    measured = {
        "input_size": network.configuration.input_size,
        "embedding_dimension": network.configuration.embedding_dimension,
        "model_bytes": len(model),
        "parameters": count_parameters(network),
        "multiply_adds": count_multiply_adds(network, network.configuration.input_size),
        "inference": asdict(engine.measure_inference_time()),
        "golden_probe_difference": difference,
    }
    return Qualified(model, proposals, measured)


def _largest_difference(network: AllInOneNetwork, engine: Engine, seed: int) -> float:
    size = network.configuration.input_size
    probes = np.random.default_rng(seed).integers(0, 256, (GOLDEN_PROBES, size, size, 3), dtype=np.uint8)
    with torch.inference_mode():
        said = UnitEmbedding(network.eval())(to_network_input(probes))
    expected = dict(zip(OUTPUT_NAMES, said, strict=True))
    answered = engine.run(probes)
    for name, values in expected.items():
        # Said before any difference is taken: infinity less infinity is no number, and max passes over that.
        if not (bool(torch.isfinite(values).all()) and np.isfinite(answered[name]).all()):
            raise ModelError(f"The model's {name} is not finite on golden probes: don't release it, train it again.")
    return max(
        float(np.abs(answered[name] - values.numpy()).max() / max(1.0, float(values.abs().max())))
        for name, values in expected.items()
    )
