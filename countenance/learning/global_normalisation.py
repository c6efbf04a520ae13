"""Batch normalisation over the whole batch, when several processes share it; on CPUs and GPUs alike.

:class:`torch.nn.SyncBatchNorm` needs GPUs, and a test of it too.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch import distributed as dist

from countenance.network.fused_normalisation import FusedNormalisation, Moments, follow_statistics


class BatchOfAllProcesses:
    """Every process has a share of the rows; see :class:`countenance.network.fused_normalisation.SharedBatch`."""

    def moments(self, own: Moments) -> Moments:
        """Of all shares together, in float64, alike in every process."""
        mean, square, count = own
        packed = torch.cat([mean, square, mean.new_tensor([count])]).double()
        both, channels = torch.stack(self.gathered(packed)), len(mean)
        means, squares, counts = both[:, :channels], both[:, channels:-1], both[:, -1:]
        total = counts.sum()
        # Chan et al., 1979: about each share's own mean first, which doesn't cancel as E[x^2] - E[x]^2 does.
        whole = (means * counts).sum(dim=0) / total
        return whole, (squares + counts * (means - whole).square()).sum(dim=0), float(total)

    def gathered(self, own: Tensor) -> list[Tensor]:
        """The tensors of all processes."""
        every = [torch.empty_like(own) for _ in range(dist.get_world_size())]
        dist.all_gather(every, own)
        return every

    def sums(self, own: Tensor) -> Tensor:
        """Added up over the processes."""
        sums = own.clone()
        dist.all_reduce(sums)
        return sums


BATCH_OF_ALL_PROCESSES: Final = BatchOfAllProcesses()


@contextmanager
def normalised_over_processes(network: nn.Module, world: int) -> Iterator[None]:
    """Within it, the network's batch normalisations take their statistics from the shares of all processes.

    Fused ones (:func:`countenance.network.acceleration.accelerated`) stay fused. Weights and running statistics stay
    the network's own; afterwards it is as it was. With one process nothing happens.
    """
    replaced: list[tuple[nn.Module, str, nn.Module]] = []
    if world > 1:
        for parent in list(network.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.BatchNorm1d | nn.BatchNorm2d | FusedNormalisation):
                    replaced.append((parent, name, child))
                    setattr(parent, name, _shared(child))
    try:
        yield
    finally:
        for parent, name, child in replaced:
            # On a GPU the statistics moved there are other tensors than those that were given.
            for statistic, values in getattr(parent, name).named_buffers():
                setattr(child, statistic, values)
            child.train(parent.training)
            setattr(parent, name, child)


def _shared(norm: nn.BatchNorm1d | nn.BatchNorm2d | FusedNormalisation) -> nn.Module:
    shared = GlobalBatchNorm(norm)
    if isinstance(norm, FusedNormalisation):
        return FusedNormalisation(shared, norm.activation, batch=BATCH_OF_ALL_PROCESSES)
    return shared


class GlobalBatchNorm(nn.Module):
    """What :class:`torch.nn.BatchNorm2d` computes, with mean and variance over the rows of all processes."""

    running_mean: Tensor | None
    running_var: Tensor | None
    num_batches_tracked: Tensor | None

    def __init__(self, like: nn.BatchNorm1d | nn.BatchNorm2d | FusedNormalisation) -> None:
        super().__init__()
        self.weight, self.bias = like.weight, like.bias
        for name in ("running_mean", "running_var", "num_batches_tracked"):
            self.register_buffer(name, getattr(like, name))
        self.eps, self.momentum = like.eps, like.momentum
        self.train(like.training)

    def forward(self, features: Tensor) -> Tensor:
        """[N, C, ...] -> the same shape, dtype and memory format."""
        if not self.training:
            return nn.functional.batch_norm(
                features, self.running_mean, self.running_var, self.weight, self.bias, False, 0.0, self.eps
            )
        with torch.no_grad():
            mean, square, count = BATCH_OF_ALL_PROCESSES.moments(_moments(features))
            if self.running_mean is not None:
                follow_statistics(self, (mean, square, count))
            precise = single_at_least(features).dtype
            mean, inverse = mean.to(precise), torch.rsqrt(square / count + self.eps).to(precise)
        normalised: Tensor = _Normalise.apply(features, mean, inverse, self.weight, self.bias, count)  # type: ignore[no-untyped-call]
        return normalised


def _others(features: Tensor) -> list[int]:
    return [0, *range(2, features.dim())]


def single_at_least(values: Tensor) -> Tensor:
    """The values in float32, or as they are where they have more digits: sums over a batch need them."""
    return values.to(torch.promote_types(values.dtype, torch.float32))


def _shaped(values: Tensor, features: Tensor) -> Tensor:
    return values.view(1, -1, *[1] * (features.dim() - 2))


def _moments(features: Tensor) -> Moments:
    """Of this process's share."""
    count, values = features.numel() // features.shape[1], single_at_least(features)
    if not count:
        return values.new_zeros(features.shape[1]), values.new_zeros(features.shape[1]), 0.0
    variance, mean = torch.var_mean(values, dim=_others(features), correction=0)
    return mean, variance * count, float(count)


class _Normalise(torch.autograd.Function):
    """(x - mean) / std * weight + bias, whose mean and std depend on the rows of every process."""

    @staticmethod
    def forward(
        ctx: Any, features: Tensor, mean: Tensor, inverse: Tensor, weight: Tensor, bias: Tensor, count: float
    ) -> Tensor:
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(features, mean, inverse, weight)
        ctx.count = count
        scale = inverse * weight
        shift = bias - mean * scale
        return (features * _shaped(scale, features) + _shaped(shift, features)).to(features.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> tuple[Tensor | None, ...]:
        if gradient is None:
            return (None,) * 6
        features, mean, inverse, weight = ctx.saved_tensors
        gradient, unit = single_at_least(gradient), single_at_least(features)
        unit = (unit - _shaped(mean, features)) * _shaped(inverse, features)
        own = torch.stack([gradient.sum(dim=_others(features)), (gradient * unit).sum(dim=_others(features))])
        # The weight's and bias's gradients stay this process's part: all weights' are added up later, at once.
        straight, along = (BATCH_OF_ALL_PROCESSES.sums(own) / ctx.count).unbind()
        centred = gradient - _shaped(straight, features) - unit * _shaped(along, features)
        to_features = centred * _shaped(inverse * weight, features)
        return to_features.to(features.dtype), None, None, own[1], own[0], None
