"""MarginDistillation: the surer a teacher is of a photo, the larger its margin (Svitov, Alyamkin, arXiv 2003.02586).

The class centres are the teacher's and stay. A photo whose feature lies close to its centre is an easy one for the
teacher, and the student is asked for more of it:

    c_i     = cos(t_i, w_y)                                          t: teacher, w_y: centre, both unit norm
    m_i     = m_min + (m_max - m_min) * max(c_i, 0) / max_j c_j      j: the rows of the batch
    logit_y = s * cos(theta_y + m_i),  the others s * cos(theta)     m_min = 0.2, m_max = 0.5, s = 64

as in the authors' code. Of ours: the centres are the class means of the teacher's features, since a teacher in a file
comes without its class weights (theirs are those weights); negative cosines count as 0, so that no margin falls below
the smallest; and cos(theta + m) goes on falling beyond pi, as everywhere in this library.
"""

from __future__ import annotations

from typing import Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn import functional as F

from countenance.configuration import Configuration
from countenance.learning.identity_header import IdentityHeader
from countenance.learning.methods.taught_rows import agreement, taught_rows
from countenance.network.margin import sine_of

_SMALLEST_COSINE = 1e-6


class MarginDistillation(Configuration):
    """Margins from the teacher's angles.

    Attributes:
        name: ``margin_distillation``.
        smallest_margin: radians, where the teacher's feature is at a right angle to its centre or beyond.
        largest_margin: radians, where it is closest.
        scale: what the cosines are multiplied by before the softmax.
    """

    name: Literal["margin_distillation"] = "margin_distillation"
    smallest_margin: float = Field(default=0.2, ge=0.0, lt=1.5)
    largest_margin: float = Field(default=0.5, ge=0.0, lt=1.5)
    scale: float = Field(default=64.0, gt=0.0)

    @model_validator(mode="after")
    def _margins_are_in_order(self) -> MarginDistillation:
        if self.smallest_margin > self.largest_margin:
            raise ValueError("smallest_margin must not be above largest_margin")
        return self


class MarginDistillationHeader(IdentityHeader):
    """Margin softmax on the teacher's class means with a margin for each row; formulas at the top of the file.

    Faces without a name: each is a class of its own; its centre is what the teacher says of it, so its margin is the
    largest or close to it.

    Args:
        centres: [C, D] class means of the teacher's features, of any length.
        configuration: margins and scale.
    """

    centres: Tensor

    def __init__(self, centres: Tensor, configuration: MarginDistillation) -> None:
        super().__init__()
        self.configuration = configuration
        self.register_buffer("centres", F.normalize(centres))

    def forward(self, embedding: Tensor, labels: Tensor, teacher: Tensor | None) -> Tensor | None:
        """See :class:`IdentityHeader`.

        Raises:
            ModelError: the teacher's features are missing, damaged or of another length.
        """
        rows = taught_rows(embedding, labels, teacher)
        if rows is None:
            return None
        own_centres = self.centres[rows.labels]
        margins = self.margins_of((rows.teacher * own_centres).sum(dim=1))
        cosines = rows.student @ self.centres.T
        own = cosines.gather(1, rows.labels[:, None])
        logits = cosines.scatter_add(1, rows.labels[:, None], penalised(own, margins[:, None]) - own)
        self.curves = {
            "teacher_agreement": agreement(rows.student, rows.teacher),
            "centre_agreement": agreement(rows.student, own_centres),
            "margin": float(margins.mean()),
        }
        return F.cross_entropy(self.configuration.scale * logits, rows.labels)

    def margins_of(self, cosines: Tensor) -> Tensor:
        """[n] cosines between the teacher's features and their centres -> [n] margins in radians."""
        least, most = self.configuration.smallest_margin, self.configuration.largest_margin
        sure = cosines.clamp(min=0.0)
        return least + (most - least) * sure / sure.max().clamp(min=_SMALLEST_COSINE)


def penalised(cosine: Tensor, margin: Tensor) -> Tensor:
    """cos(theta + m) for a margin a row, falling on beyond pi; shapes broadcast. See ``network/margin.py``."""
    beyond = cosine - margin.sin() * margin
    return torch.where(cosine > -margin.cos(), cosine * margin.cos() - sine_of(cosine) * margin.sin(), beyond)
