"""A moving average of a network's weights, which judges better than the last weights alone."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import get_ema_multi_avg_fn


class WeightAverage:
    """Exponential moving average of all weights and of the normalisation's running statistics.

    average <- d average + (1 - d) value, with d = min(decay, (1 + n) / (10 + n)) at the n-th update, so that the random
    weights of the beginning are soon forgotten. Running statistics belong to weights near those that they were measured
    on; averaged in the same way they go with the averaged weights, all the more as the learning rate ends at zero.

    Args:
        network: whose weights are averaged.
        decay: d in the long run; 0.999 looks back over about a thousand steps.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.updates = 0
        self._live = {name: tensor for name, tensor in network.state_dict().items() if tensor.is_floating_point()}
        self._average = {name: tensor.detach().clone() for name, tensor in self._live.items()}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the network's present weights."""
        decay = min(self.decay, (1 + self.updates) / (10 + self.updates))
        average = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        average(list(self._average.values()), list(self._live.values()), self.updates)
        self.updates += 1

    @torch.no_grad()
    def put_into_network(self) -> None:
        """Give the network the averaged weights."""
        for name, tensor in self._live.items():
            tensor.copy_(self._average[name])

    def state_dict(self) -> dict[str, Tensor]:
        """The averages by their names in the network."""
        return dict(self._average)

    @torch.no_grad()
    def load_state_dict(self, state: dict[str, Tensor], *, updates: int) -> None:
        """Go on from a saved average that had so many updates."""
        for name, tensor in self._average.items():
            tensor.copy_(state[name])
        self.updates = updates
