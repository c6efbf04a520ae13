"""Do the tasks help or hinder each other? Their gradients on weights that all of them share say so."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn
from torch.nn import functional as F

SumOverProcesses = Callable[[Sequence[Tensor]], None]


class GradientStatistics:
    """Length of each task's gradient on a shared layer, and the cosine between those of every two tasks.

    The layer is the trunk's last convolution that the losses of all tasks depend on, as far as they are in the first
    batch that is looked at: the deepest shared layer, where a look costs least.
    """

    def __init__(self, trunk: nn.Module) -> None:
        kernels = [module.weight for module in trunk.modules() if isinstance(module, nn.Conv2d)]
        self._candidates = [weight for weight in kernels if weight.requires_grad]
        self._shared: Tensor | None = None

    def __call__(self, weighted: dict[str, Tensor], add_up: SumOverProcesses) -> dict[str, float]:
        """Look at one batch; the graph behind the losses is kept.

        Args:
            weighted: task losses times their weights.
            add_up: adds up tensors over the processes, in place.

        Returns:
            ``gradient/<task>`` and ``gradient_cosine/<task>/<later task>``, by the order of ``weighted``.
        """
        tasks = {task: loss for task, loss in weighted.items() if loss.requires_grad}
        layer = self._layer(tasks)
        if layer is None:
            return {}
        found = {task: torch.autograd.grad(loss, layer, retain_graph=True, allow_unused=True)[0]
                 for task, loss in tasks.items()}  # fmt: skip
        gradients = {task: gradient for task, gradient in found.items() if gradient is not None}
        add_up(list(gradients.values()))
        rows = torch.stack([gradient.flatten() for gradient in gradients.values()])
        lengths = rows.norm(dim=1).tolist()
        unit = F.normalize(rows)
        cosines = (unit @ unit.T).tolist()
        values = {f"gradient/{task}": length for task, length in zip(gradients, lengths, strict=True)}
        for (one, left), (two, right) in itertools.combinations(enumerate(gradients), 2):
            if lengths[one] > 0 and lengths[two] > 0:
                values[f"gradient_cosine/{left}/{right}"] = cosines[one][two]
        return values

    def _layer(self, tasks: dict[str, Tensor]) -> Tensor | None:
        if self._shared is None and self._candidates:
            reached = [
                [gradient is not None for gradient in torch.autograd.grad(
                    loss, self._candidates, retain_graph=True, allow_unused=True)]
                for loss in tasks.values()
            ]  # fmt: skip
            common = [place for place in range(len(self._candidates)) if all(row[place] for row in reached)]
            self._shared = self._candidates[common[-1]] if reached and common else None
        return self._shared


def interference_table(curves: Mapping[str, Sequence[float]] | pd.DataFrame) -> pd.DataFrame:
    """How the gradients of every two tasks agreed over a training run.

    Args:
        curves: of the training record, or the table that :func:`countenance.learning.tables.curves_table` makes of it.

    Returns:
        One row a pair of tasks, those that hinder each other most first: ``task``, ``other``, ``cosine`` (mean),
        ``opposed`` (share of the looks in which the cosine was negative), ``length_ratio`` (median length of the
        task's gradient, times its weight, over that of the other) and ``looks``. No row without gradient statistics.
    """
    rows = []
    for name in map(str, curves):
        if not name.startswith("gradient_cosine/"):
            continue
        _, task, other = name.split("/")
        cosines = np.array(curves[name], dtype=np.float64)
        cosines = cosines[~np.isnan(cosines)]
        lengths, others = (np.array(curves[f"gradient/{each}"], dtype=np.float64) for each in (task, other))
        both = (lengths > 0) & (others > 0)
        ratio = np.median(lengths[both] / others[both])
        rows.append((task, other, cosines.mean(), (cosines < 0).mean(), ratio, len(cosines)))
    columns = ["task", "other", "cosine", "opposed", "length_ratio", "looks"]
    return pd.DataFrame(rows, columns=columns).sort_values("cosine", kind="stable", ignore_index=True)
