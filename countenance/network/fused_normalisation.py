"""Batch normalisation and PReLU as one operation in training, on a CPU.

PyTorch writes three maps for the two layers, keeps them for the backward pass and goes through all of them several
times. Here one is written and one kept, and the backward pass computes the normalised values anew. The formulas are
those of Ioffe and Szegedy, arXiv 1502.03167, section 3, and He et al., arXiv 1502.01852, equation 1.
"""

from __future__ import annotations

from typing import Any, Final, Protocol

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from countenance.network.feature_maps import FeatureMap, dense
from countenance.network.layers import Activation, slope_of

Moments = tuple[Tensor, Tensor, float]
"""Mean [C], sum of squared differences from it [C], number of values a channel."""


class SharedBatch(Protocol):
    """How what is summed over this process's rows becomes what is summed over the rows of all."""

    def moments(self, own: Moments) -> Moments:
        """The whole batch's moments from those of this process's rows."""

    def sums(self, own: Tensor) -> Tensor:
        """The sum of a tensor over all processes; the given one isn't changed."""


class WholeBatch:
    """This process has all rows."""

    def moments(self, own: Moments) -> Moments:
        """As they are."""
        return own

    def sums(self, own: Tensor) -> Tensor:
        """As they are."""
        return own


WHOLE_BATCH: Final = WholeBatch()


class FusedNormalisation(nn.Module):
    """What a batch normalisation and the PReLU behind it compute; in the normalisation's place.

    Weight, bias and running statistics are the normalisation's own, under the same names; the slopes stay registered
    where they are, see :class:`AppliedActivation`. All but training in float32 (evaluation, export, other precisions)
    is done by the two modules that it stands for. On a CPU only.

    Args:
        norm: a batch normalisation, or what computes the same over the rows of several processes.
        activation: behind it.
        batch: over whose rows the statistics are taken.
    """

    running_mean: Tensor
    running_var: Tensor
    num_batches_tracked: Tensor

    def __init__(self, norm: Any, activation: Activation, *, batch: SharedBatch = WHOLE_BATCH) -> None:
        super().__init__()
        self.weight, self.bias = norm.weight, norm.bias
        for name, buffer in norm.named_buffers():
            self.register_buffer(name, buffer)
        self.eps, self.momentum = norm.eps, norm.momentum
        self._batch = batch
        # Modules in a tuple aren't registered, so that every parameter keeps its one name.
        self._ordinary: tuple[nn.Module, Activation] = (norm, activation)
        self.train(norm.training)

    @property
    def activation(self) -> Activation:
        """The PReLU that is applied, too."""
        return self._ordinary[1]

    def forward(self, features: Tensor) -> Tensor:
        """[N, C, H, W] -> the same shape and memory format.

        Raises:
            ValueError: there is but one value a channel, which has no variance; as from torch.
        """
        if features.dtype != torch.float32:
            return self._by_ordinary_modules(features)
        if not self.training:
            return self._evaluated(features)
        compact = dense(features)
        own = (*FeatureMap(compact).moments(), float(compact.numel() // compact.shape[1]))
        mean, square, count = self._batch.moments(own)
        if count < 2:
            return self._by_ordinary_modules(features)
        with torch.no_grad():
            follow_statistics(self, (mean, square, count))
            inverse = torch.rsqrt(square / count + self.eps)
        slope = slope_of(self.activation).expand_as(self.bias)
        out: Tensor = NormaliseAndActivate.apply(  # type: ignore[no-untyped-call]
            compact, self.weight, self.bias, slope, mean, inverse, count, self._batch
        )
        return out

    def _evaluated(self, features: Tensor) -> Tensor:
        """By the running statistics; in one pass where no gradient is asked for, as in layers that are kept."""
        slope = slope_of(self.activation)
        if torch.is_grad_enabled() and any(each.requires_grad for each in (features, self.weight, self.bias, slope)):
            return self._by_ordinary_modules(features)
        with torch.no_grad():
            mean, inverse = self.running_mean.double(), torch.rsqrt(self.running_var.double() + self.eps)
            scale, shift = _line(self.weight, self.bias, mean, inverse)
            return FeatureMap(dense(features)).outputs(scale, shift, slope.expand_as(self.bias))

    def _by_ordinary_modules(self, features: Tensor) -> Tensor:
        for module in self._ordinary:
            features = module.train(self.training)(features)
        return features


class AppliedActivation(nn.Module):
    """Stands for an activation that the normalisation in front of it applies, too; keeps its slopes registered."""

    def __init__(self, activation: Activation) -> None:
        super().__init__()
        for name, parameter in activation.named_parameters():
            self.register_parameter(name, parameter)

    def forward(self, features: Tensor) -> Tensor:
        """As they are."""
        return features


def follow_statistics(norm: Any, batch: Moments) -> None:
    """Let a normalisation's running statistics follow a batch as torch does, the variance without its bias.

    Args:
        norm: has ``running_mean``, ``running_var``, ``num_batches_tracked`` and ``momentum``.
        batch: its moments.
    """
    mean, square, count = batch
    norm.num_batches_tracked.add_(1)
    rate = norm.momentum if norm.momentum is not None else 1.0 / int(norm.num_batches_tracked)
    norm.running_mean.lerp_(mean.to(norm.running_mean.dtype), rate)
    norm.running_var.lerp_((square / max(count - 1.0, 1.0)).to(norm.running_var.dtype), rate)


class NormaliseAndActivate(torch.autograd.Function):
    """y = z where z > 0, slope z elsewhere; z = weight (x - mean) inverse + bias, mean and inverse depending on x.

    x is [N, C, H, W], dense in one of the two memory formats, float32 or float64; what is one a channel is [C].
    """

    @staticmethod
    def forward(
        ctx: Any,
        features: Tensor,
        weight: Tensor,
        bias: Tensor,
        slope: Tensor,
        mean: Tensor,
        inverse: Tensor,
        count: float,
        batch: SharedBatch,
    ) -> Tensor:
        """The outputs y; mean, inverse standard deviation (float64) and count are those of the whole batch."""
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(features, weight, bias, slope, mean, inverse)
        ctx.count, ctx.batch = count, batch
        return FeatureMap(features).outputs(*_line(weight, bias, mean, inverse), slope)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor | None) -> tuple[Tensor | None, ...]:
        """The gradients of features, weight, bias and slope."""
        if gradient is None:
            return (None,) * 8
        features, weight, bias, slope, mean, inverse = ctx.saved_tensors
        values = FeatureMap(features)
        gradients = values.alike(gradient)
        scale, shift = _line(weight, bias, mean, inverse)
        own = values.sums(gradients, mean, scale, shift, slope)
        own[1] *= inverse
        # dx = scale (dz - mean of dz - unit x times mean of dz unit x), as scale dz + a line in x.
        straight, along = ctx.batch.sums(own[:2]) / ctx.count
        tilt = -scale * inverse * along
        result = values.gradients(gradients, scale, shift, slope, tilt, -scale * straight - tilt * mean)
        # The weight's and bias's gradients stay this process's part: all weights' are added up later, at once.
        to_bias, to_weight, to_slope = own.to(features.dtype)
        return result, to_weight, to_bias, to_slope, None, None, None, None


def _line(weight: Tensor, bias: Tensor, mean: Tensor, inverse: Tensor) -> tuple[Tensor, Tensor]:
    """Scale and shift of z = scale x + shift, in float64."""
    scale = weight * inverse
    return scale, bias - mean * scale
