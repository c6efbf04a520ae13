"""Margin softmax: ArcFace (Deng et al., CVPR 2019, equation 3) and CosFace (Wang et al., CVPR 2018, equation 4)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor

from countenance.configuration import Configuration

# sin(theta) is kept above this so that its derivative cos/sin stays finite where cos = +-1.
SMALLEST_SINE = 1e-3


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
    """Scaled logits with the margin taken from each row's own class.

    Args:
        cosines: [N, C] cosines between N embeddings and C class centres.
        labels: [N] int64 class of each row, 0..C-1; rows without a class don't belong here.

    Returns:
        [N, C] logits. Values and gradients are finite for cosines of exactly 1 and -1.
    """
    own = cosines.gather(1, labels[:, None])
    margin = configuration.margin
    penalised = _add_angle(own, margin) if configuration.kind == "arcface" else own - margin
    # A difference added at the targets, rather than a copy overwritten there, keeps one gradient path a logit.
    return configuration.scale * cosines.scatter_add(1, labels[:, None], penalised - own)


def _add_angle(cosine: Tensor, margin: float) -> Tensor:
    # cos(theta + m) falls as theta grows only while theta + m <= pi. Beyond that insightface's fall-back line
    # (easy_margin = False) goes on falling, so that no angle pays for being wrong.
    sine = (1.0 - cosine * cosine).clamp(min=SMALLEST_SINE**2).sqrt()
    penalised = cosine * math.cos(margin) - sine * math.sin(margin)
    beyond = cosine - math.sin(math.pi - margin) * margin
    return torch.where(cosine > math.cos(math.pi - margin), penalised, beyond)
