"""What each task counts in the loss that is trained on: as configured, or learned."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from countenance.network.losses import MultiTaskWeights


class TaskBalance(nn.Module):
    """Turns the task losses into one.

    ``"fixed"``: sum of w_t L_t, with the configured weights w_t.

    ``"uncertainty"``: sum of w_t L_t / (2 sigma_t^2) + log(1 + sigma_t^2) with one learned sigma_t a task (OpenFace
    3.0; Kendall et al., CVPR 2018, have log sigma_t, which may become negative). A task that stays hard gets less
    weight; none can be dropped for free. It starts at sigma_t^2 = 1/2, where the weights are the configured ones, and
    a task that isn't in the batch, or whose w_t is 0, takes no part.
    """

    def __init__(self, weights: MultiTaskWeights, kind: Literal["fixed", "uncertainty"]) -> None:
        super().__init__()
        self.kind = kind
        self._configured = {task: float(weight) for task, weight in weights.model_dump().items()}
        self._place = {task: place for place, task in enumerate(sorted(self._configured))}
        self.log_variance: nn.Parameter | None = None
        if kind == "uncertainty":
            self.log_variance = nn.Parameter(torch.full((len(self._place),), math.log(0.5)))

    def weighted(self, losses: dict[str, Tensor]) -> dict[str, Tensor]:
        """Each task's loss times its present weight; the learned factors get their gradient through it."""
        return {task: self._weight(task) * loss for task, loss in losses.items()}

    def forward(self, weighted: dict[str, Tensor]) -> Tensor:
        """The sum that is trained on, from what :meth:`weighted` gave."""
        terms = list(weighted.values())
        if self.log_variance is not None:
            terms += [
                F.softplus(self.log_variance[self._place[task]]) for task in weighted if self._configured[task] > 0
            ]
        return torch.stack(terms).sum()

    def curves(self) -> dict[str, float]:
        """The learned weights, as ``weight/<task>``; nothing while they are fixed."""
        if self.log_variance is None:
            return {}
        factors = (0.5 * torch.exp(-self.log_variance.detach())).tolist()
        return {
            f"weight/{task}": self._configured[task] * factors[place]
            for task, place in self._place.items()
            if self._configured[task] > 0
        }

    def _weight(self, task: str) -> Tensor | float:
        if self.log_variance is None:
            return self._configured[task]
        return self._configured[task] * 0.5 * torch.exp(-self.log_variance[self._place[task]])
