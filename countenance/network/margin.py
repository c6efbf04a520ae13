"""Margin softmax: ArcFace (Deng et al., CVPR 2019, equation 3) and CosFace (Wang et al., CVPR 2018, equation 4)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from countenance.configuration import Configuration

SMALLEST_SINE = 1e-3
"""Nearer to cos = 1 and -1, where the derivative of sin(theta) by cos(theta) has no end, none is taken."""


class MarginConfiguration(Configuration):
    """How strict the identity softmax is.

    Attributes:
        kind: ``"arcface"`` adds the margin to the angle, ``"cosface"`` takes it from the cosine.
        margin: in radians for ArcFace, in units of the cosine for CosFace.
        scale: what the cosines are multiplied by before the softmax.
    """

    kind: Literal["arcface", "cosface"] = "arcface"
    margin: float = Field(default=0.45, ge=0.0, lt=math.pi / 2)
    scale: float = Field(default=64.0, gt=0.0)


def margin_logits(cosines: Tensor, labels: Tensor, configuration: MarginConfiguration) -> Tensor:
    """Scaled logits with the margin taken from each row's own class: the readable form, by automatic differentiation.

    :mod:`countenance.network.fused_margin` computes the same loss for many classes.

    Args:
        cosines: [N, C] cosines between N embeddings and C class centres.
        labels: [N] int64 class of each row, 0..C-1; rows without a class don't belong here.

    Returns:
        [N, C] logits. Values and gradients are finite for cosines of exactly 1 and -1.
    """
    own = cosines.gather(1, labels[:, None])
    penalised = with_margin(own, configuration)
    # A difference added at the targets, rather than a copy overwritten there, keeps one gradient path a logit.
    return configuration.scale * cosines.scatter_add(1, labels[:, None], penalised - own)


def with_margin(cosine: Tensor, configuration: MarginConfiguration) -> Tensor:
    """What the margin makes of the cosines of the own classes, of any shape: cos(theta + m), or cos(theta) - m."""
    margin = configuration.margin
    if configuration.kind == "cosface":
        return cosine - margin
    # cos(theta + m) falls as theta grows only while theta + m <= pi. Beyond that insightface's fall-back line
    # (easy_margin = False) goes on falling, so that no angle pays for being wrong.
    penalised = cosine * math.cos(margin) - sine_of(cosine) * math.sin(margin)
    beyond = cosine - math.sin(math.pi - margin) * margin
    return torch.where(_below_half_a_turn(cosine, margin), penalised, beyond)


def slope_with_margin(cosine: Tensor, configuration: MarginConfiguration) -> Tensor:
    """The derivative of :func:`with_margin`, of the same shape; finite everywhere."""
    flat = torch.ones_like(cosine)
    if configuration.kind == "cosface":
        return flat
    margin = configuration.margin
    square = 1.0 - cosine * cosine
    bent = torch.where(square > SMALLEST_SINE**2, cosine * square.clamp(min=SMALLEST_SINE**2).rsqrt(), 0.0)
    slope = math.cos(margin) + bent * math.sin(margin)
    return torch.where(_below_half_a_turn(cosine, margin), slope, flat)


def sine_of(cosine: Tensor) -> Tensor:
    """sin(theta) of cos(theta), of any shape: exact everywhere, with a finite slope."""
    square = 1.0 - cosine * cosine
    smooth = square.clamp(min=SMALLEST_SINE**2).sqrt()
    return torch.where(square > SMALLEST_SINE**2, smooth, square.detach().clamp(min=0.0).sqrt())


def _below_half_a_turn(cosine: Tensor, margin: float) -> Tensor:
    return cosine > math.cos(math.pi - margin)
