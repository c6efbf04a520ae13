"""For the time of a training on a CPU, a network's normalisations and activations are fused and memory is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise

from torch import nn

from countenance.network.fused_normalisation import Activation, AppliedActivation, FusedNormalisation
from countenance.network.kept_memory import freed_memory_kept
from countenance.network.layers import ParametricReLU


@contextmanager
def accelerated(network: nn.Module, *, enabled: bool = True) -> Iterator[None]:
    """Within it, each BatchNorm2d and the PReLU behind it are one operation when they train in float32.

    A pair are two neighbours in an ``nn.Sequential``, or two modules that a block names in its ``fused_pairs``. Weights
    and running statistics stay the network's own, under their names; afterwards it is as it was. The outputs agree with
    the ordinary modules' to about 1e-6 of their size. The first use on a machine compiles the kernels, which takes
    some seconds. Memory that is freed stays with the process meanwhile (:mod:`countenance.network.kept_memory`).

    Where processes share a batch, :func:`countenance.learning.global_normalisation.normalised_over_processes` belongs
    inside of it.

    Args:
        network: to be trained; it stays on the CPU.
        enabled: False changes nothing, as it has to be where the network trains on a GPU.
    """
    replaced: list[tuple[nn.Module, str, nn.Module]] = []

    def put(parent: nn.Module, name: str, module: nn.Module) -> None:
        replaced.append((parent, name, getattr(parent, name)))
        setattr(parent, name, module)

    if enabled:
        activations = _activations(network)
        for parent, name, norm in _norms(network):
            applied = activations.get(norm)
            put(parent, name, FusedNormalisation(norm, applied and applied[2]))
            if applied is not None:
                put(applied[0], applied[1], AppliedActivation(applied[2]))
    try:
        with freed_memory_kept() if enabled else nullcontext():
            yield
    finally:
        for parent, name, module in replaced:
            module.train(parent.training)
            setattr(parent, name, module)


def _norms(network: nn.Module) -> list[tuple[nn.Module, str, nn.BatchNorm2d]]:
    """Every normalisation that the kernels can do, and where it is."""
    return [
        (parent, name, child)
        for parent in network.modules()
        for name, child in parent.named_children()
        if type(child) is nn.BatchNorm2d and child.affine and child.track_running_stats
    ]


def _activations(network: nn.Module) -> dict[nn.Module, tuple[nn.Module, str, Activation]]:
    """By normalisation: the activation behind it, and where that is."""
    found: dict[nn.Module, tuple[nn.Module, str, Activation]] = {}
    for parent in network.modules():
        names = list(parent._modules) if type(parent) is nn.Sequential else []
        named = getattr(parent, "fused_pairs", ())
        for norm, activation in [*pairwise(names), *named]:
            behind = parent.get_submodule(activation)
            if isinstance(behind, ParametricReLU | nn.PReLU):
                owner, _, name = activation.rpartition(".")
                found[parent.get_submodule(norm)] = (parent.get_submodule(owner), name, behind)
    return found
