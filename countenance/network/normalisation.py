"""Batch normalisations that were loaded without statistics are given some, and no output changes."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from countenance.network.allinone import AllInOneNetwork

_NORMALISATIONS = (nn.BatchNorm1d, nn.BatchNorm2d)


def settle_normalisation(network: AllInOneNetwork, batches: Iterable[Tensor]) -> None:
    """Give the trunk's and identity branch's normalisations the statistics of ``batches``; no output changes.

    A recogniser from an ONNX file has lost its statistics. In evaluation that changes nothing, but in training a
    normalisation uses its batch's own, and the function that was loaded would be gone with the first step. Gains and
    shifts take up what the new statistics change. A few hundred images are enough.

    Args:
        network: the network; it is left in the mode that it was in.
        batches: images [N, 3, S, S] in [-1, 1], as identity is trained on.
    """
    sums: dict[nn.Module, tuple[Tensor, ...]] = {}

    def observe(layer: nn.Module, inputs: tuple[Tensor, ...], _output: Tensor) -> None:
        values = inputs[0].double().transpose(0, 1).flatten(1)
        new = (torch.full_like(values[:, 0], values.shape[1]), values.sum(dim=1), values.square().sum(dim=1))
        sums[layer] = (
            tuple(left + right for left, right in zip(sums[layer], new, strict=True)) if layer in sums else new
        )

    layers = [each for part in (network.trunk, network.identity) for each in part.modules()]
    handles = [each.register_forward_hook(observe) for each in layers if isinstance(each, _NORMALISATIONS)]
    was_training = network.training
    network.eval()
    try:
        with torch.no_grad():
            for images in batches:
                network.identity(network.trunk(images).final)
            for layer, (count, total, squares) in sums.items():
                if isinstance(layer, _NORMALISATIONS):
                    mean = total / count
                    _restate(layer, mean, (squares / count - mean.square()).clamp_min(0.0))
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()


def _restate(layer: nn.BatchNorm1d | nn.BatchNorm2d, mean: Tensor, variance: Tensor) -> None:
    if layer.running_mean is None or layer.running_var is None:
        return
    slope = layer.weight.double() / (layer.running_var.double() + layer.eps).sqrt()
    layer.bias.add_(slope * (mean - layer.running_mean.double()))
    layer.running_mean.copy_(mean)
    # A frozen gain can't take up another variance.
    if layer.weight.requires_grad:
        layer.weight.copy_(slope * (variance + layer.eps).sqrt())
        layer.running_var.copy_(variance)
