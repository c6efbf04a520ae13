"""Where in a photo faces may be: what the proposal head says, and how a cell's numbers become a box.

A cell speaks of the face whose centre lies nearest to the cell's own. Sizes are told as logarithms relative to a
reference size, shifts in units of it (as in Girshick et al., arXiv 1311.2524, appendix C).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

LARGEST_LOG = 2.0
"""Sizes are clamped to e^2 times the reference, so that an untrained head gives no infinite box."""


class Proposals(NamedTuple):
    """What the head says of every cell.

    Attributes:
        logit: [N, h, w]; positive = there is a face.
        box: [N, h, w, 4]; shift of the face's centre from the cell's (x, y) in units of the reference size,
            logarithm of its width and height relative to it.
    """

    logit: Tensor
    box: Tensor


def cell_centres(height: int, width: int, *, stride: int, offset: float, device: torch.device | str = "cpu") -> Tensor:
    """[h, w, 2] centres (x, y) of a grid's cells, in input pixels."""
    y = offset + stride * torch.arange(height, device=device, dtype=torch.float32)
    x = offset + stride * torch.arange(width, device=device, dtype=torch.float32)
    return torch.stack([x[None, :].expand(height, width), y[:, None].expand(height, width)], dim=2)


def decode_proposals(box: Tensor, *, stride: int, offset: float, reference_px: float) -> Tensor:
    """The boxes (x, y, width, height) in input pixels that [N, h, w, 4] numbers stand for; the same shape."""
    centres = cell_centres(box.shape[1], box.shape[2], stride=stride, offset=offset, device=box.device)
    centre = centres + box[..., :2] * reference_px
    size = box[..., 2:].clamp(-LARGEST_LOG, LARGEST_LOG).exp() * reference_px
    return torch.cat([centre - size / 2, size], dim=-1)


def encode_box(box_xywh: Tensor, centres: Tensor, *, reference_px: float) -> Tensor:
    """What a cell is to say of a box: the inverse of :func:`decode_proposals`.

    Args:
        box_xywh: [..., 4] boxes in input pixels.
        centres: [..., 2] centres of their cells.
        reference_px: the reference size.
    """
    shift = (box_xywh[..., :2] + box_xywh[..., 2:] / 2 - centres) / reference_px
    return torch.cat([shift, (box_xywh[..., 2:] / reference_px).log()], dim=-1)
