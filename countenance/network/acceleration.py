"""While a network trains or reads faces on a CPU, its normalisations and activations are fused and memory is kept."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from itertools import pairwise
from typing import NamedTuple, TypeGuard

from torch import nn

from countenance.network.fused_activation import FusedActivation
from countenance.network.fused_normalisation import AppliedActivation, FusedNormalisation
from countenance.network.kept_memory import freed_memory_kept
from countenance.network.kernel_threads import lock_handed_over_promptly
from countenance.network.layers import Activation, ParametricReLU


@contextmanager
def accelerated(network: nn.Module, *, enabled: bool = True) -> Iterator[None]:
    """Within it, each BatchNorm2d and the PReLU behind it are one operation.

    That is so in float32, in training and in evaluation without gradients; elsewhere the two do their work as ever.

    A pair are two neighbours in an ``nn.Sequential``, or two modules that a block names in its ``fused_pairs``. A PReLU
    alone is done by the same kernels; a normalisation alone isn't, since torch's own is as fast. Weights and running
    statistics stay the network's own, under their names; afterwards it is as it was. The outputs agree with the
    ordinary modules' to about 1e-6 of their size. The first use on a machine compiles the kernels, which takes some
    seconds. Meanwhile memory that is freed stays with the process (:mod:`countenance.network.kept_memory`), and its
    threads switch more often.

    Where processes share a batch, :func:`countenance.learning.global_normalisation.normalised_over_processes` belongs
    inside of it.

    Args:
        network: to be trained or evaluated; it stays on the CPU.
        enabled: False changes nothing, as it has to be where the network trains on a GPU.
    """
    replacements = _replacements(network) if enabled else []
    ordinary = [(place, place.module) for place, _ in replacements]
    for place, module in replacements:
        place.put(module)
    try:
        with ExitStack() as process:
            if enabled:
                process.enter_context(freed_memory_kept())
                process.enter_context(lock_handed_over_promptly())
            yield
    finally:
        for place, module in ordinary:
            module.train(place.parent.training)
            place.put(module)


class _Place(NamedTuple):
    parent: nn.Module
    name: str

    @property
    def module(self) -> nn.Module:
        return self.parent.get_submodule(self.name)

    def put(self, module: nn.Module) -> None:
        setattr(self.parent, self.name, module)


def _replacements(network: nn.Module) -> list[tuple[_Place, nn.Module]]:
    """What comes where."""
    found: list[tuple[_Place, nn.Module]] = []
    paired: set[nn.Module] = set()
    for norm, activation in _pairs(network):
        behind = activation.module
        assert isinstance(behind, Activation)
        found += [(norm, FusedNormalisation(norm.module, behind)), (activation, AppliedActivation(behind))]
        paired.add(behind)
    for parent in network.modules():
        for name, child in parent.named_children():
            if _over_maps(child) and child not in paired:
                found.append((_Place(parent, name), FusedActivation(child)))
    return found


def _pairs(network: nn.Module) -> Iterator[tuple[_Place, _Place]]:
    """Where a normalisation is that the kernels can do, and where the activation behind it."""
    for parent in network.modules():
        names = list(parent._modules) if type(parent) is nn.Sequential else []
        for pair in [*pairwise(names), *getattr(parent, "fused_pairs", ())]:
            norm, behind = (_place(parent, path) for path in pair)
            able = type(norm.module) is nn.BatchNorm2d and norm.module.affine and norm.module.track_running_stats
            if able and _over_maps(behind.module):
                yield norm, behind


def _place(parent: nn.Module, path: str) -> _Place:
    owner, _, name = path.rpartition(".")
    return _Place(parent.get_submodule(owner), name)


def _over_maps(module: nn.Module) -> TypeGuard[Activation]:
    """Whether it is a PReLU that may see feature maps: ours for vectors can't."""
    return isinstance(module, nn.PReLU) or (isinstance(module, ParametricReLU) and module.slope.dim() == 3)
