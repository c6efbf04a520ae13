"""What every cell of the deep grid is to say: whether a face's centre lies there, and where its box is."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from countenance.network.configuration import PROPOSAL_RANGE, PROPOSAL_REFERENCE, NetworkConfiguration
from countenance.network.trunks import build_trunk

Floats = NDArray[np.float32]

_IGNORED = 1.4
"""Faces up to so many times smaller or larger than :data:`PROPOSAL_RANGE` are neither taught nor denied."""


@dataclass(frozen=True, kw_only=True)
class CellGrid:
    """Where the cells of the deep grid lie in a square of ``size`` pixels; see the trunk's attributes."""

    size: int
    side: int
    stride: int
    offset: float

    def centres(self) -> Floats:
        """[side, side, 2] x, y in pixels of the square."""
        along = self.offset + self.stride * np.arange(self.side, dtype=np.float32)
        return np.stack(np.meshgrid(along, along), axis=2)

    def nothing(self) -> tuple[Floats, Floats]:
        """Targets that teach nothing."""
        shape = (self.side, self.side)
        return np.full(shape, np.nan, dtype=np.float32), np.full((*shape, 4), np.nan, dtype=np.float32)


def cell_grid(configuration: NetworkConfiguration) -> CellGrid:
    """The deep grid of the trunk that a configuration names."""
    with torch.device("meta"):
        trunk = build_trunk(configuration)
    return CellGrid(
        size=configuration.input_size,
        side=trunk.tap_grids[2],
        stride=trunk.cell_stride,
        offset=trunk.cell_offset,
    )


def cells_of(boxes: Floats, shown: Floats, grid: CellGrid) -> tuple[Floats, Floats]:
    """What every cell is to say of the faces in a square.

    Args:
        boxes: [F, 4] x, y, width, height in pixels of the square.
        shown: [F] which share of each box is visible.
        grid: the cells.

    Returns:
        [h, w] 1 where a face is told of, 0 where none is, NaN where it can't be said (a face's rim, a face that is
        hidden or a little too small or large), and [h, w, 4] what is said of its box.
    """
    centres = grid.centres()
    proposal = np.zeros((grid.side, grid.side), dtype=np.float32)
    _, proposal_box = grid.nothing()
    nearest = np.full((grid.side, grid.side), np.inf)
    reference = PROPOSAL_REFERENCE * grid.size
    smallest, largest = (limit * grid.size for limit in PROPOSAL_RANGE)
    for box, share in zip(boxes, shown, strict=True):
        middle, longer = box[:2] + box[2:] / 2, float(box[2:].max())
        if share <= 0.05 or longer < smallest / _IGNORED / 1.3 or longer > largest * _IGNORED * 1.3:
            continue
        distance = np.linalg.norm((centres - middle) / box[2:], axis=2)
        proposal[(distance < 0.5) & (proposal == 0)] = np.nan
        if share < 0.6 or longer < smallest / _IGNORED or longer > largest * _IGNORED:
            continue
        taught = smallest <= longer <= largest
        own = (distance < 0.3) | (distance == distance.min())
        own &= distance < nearest
        nearest[own] = distance[own]
        proposal[own] = 1.0 if taught else np.nan
        proposal_box[own] = np.concatenate(
            [
                (middle - centres[own]) / reference,
                np.broadcast_to(np.log(box[2:] / reference), (int(own.sum()), 2)),
            ],
            axis=1,
        )
    proposal_box[~(proposal == 1.0)] = np.nan
    return proposal, proposal_box
