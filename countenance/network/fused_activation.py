"""PReLU by the kernels of normalisation, for those that have no normalisation right in front of them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from countenance.network.feature_maps import FeatureMap, dense
from countenance.network.layers import Activation, slope_of


class FusedActivation(nn.Module):
    """What a PReLU over feature maps computes, in its place; its slopes keep their name. On a CPU only.

    All but training in float32 is done by the module that it stands for.

    Args:
        activation: one slope a channel, or one for all.
    """

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        for name, parameter in activation.named_parameters():
            self.register_parameter(name, parameter)
        # In a tuple it isn't registered, so that every parameter keeps its one name.
        self._ordinary = (activation,)
        self.train(activation.training)

    def forward(self, features: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape and memory format."""
        (activation,) = self._ordinary
        if not (self.training and features.dtype == torch.float32 and features.dim() == 4):
            out: Tensor = activation(features)
            return out
        slope = slope_of(activation).expand(features.shape[1])
        activated: Tensor = Activate.apply(dense(features), slope)  # type: ignore[no-untyped-call]
        return activated


class Activate(torch.autograd.Function):
    """y = x where x > 0, slope x elsewhere (He et al., arXiv 1502.01852, equation 1); slope is [C]."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, slope: Tensor) -> Tensor:
        """Features dense in one of the two memory formats, float32 or float64."""
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(features, slope)
        return FeatureMap(features).outputs(torch.ones_like(slope), torch.zeros_like(slope), slope)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor | None) -> tuple[Tensor | None, Tensor | None]:
        """The gradients of features and slope."""
        if gradient is None:
            return None, None
        features, slope = ctx.saved_tensors
        values, one, nothing = FeatureMap(features), torch.ones_like(slope), torch.zeros_like(slope)
        gradients = values.alike(gradient)
        below = values.sums(gradients, nothing, one, nothing, slope)[2]
        return values.gradients(gradients, one, nothing, slope, nothing, nothing), below.to(slope.dtype)
