"""What a network costs: trained scalars and multiply-adds."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle


def count_parameters(network: nn.Module) -> int:
    """Number of trained scalars."""
    return sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad)


def count_multiply_adds(network: nn.Module, input_size: int) -> int:
    """Multiply-adds of all convolutions and linear layers for one image of ``input_size`` squared."""
    total = 0

    def count(module: nn.Module, _inputs: object, output: Tensor) -> None:
        nonlocal total
        if isinstance(module, nn.Conv2d):
            total += module.weight[0].numel() * output[0].numel()
        elif isinstance(module, nn.Linear):
            total += module.weight.numel()

    handles: list[RemovableHandle] = [module.register_forward_hook(count) for module in network.modules()]
    was_training = network.training
    device = next(network.parameters()).device
    try:
        network.eval()
        with torch.inference_mode():
            network(torch.zeros(1, 3, input_size, input_size, device=device))
    finally:
        network.train(was_training)
        for handle in handles:
            handle.remove()
    return total
