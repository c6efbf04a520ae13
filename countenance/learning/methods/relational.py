"""Relational distillation: not the teacher's features, but how they lie to one another (Park et al., CVPR 2019).

Beside the student's own margin softmax, over the rows of a batch, with Huber's loss l (delta = 1):

    distances (eq. 5-7):  l( |t_i - t_j| / mu_t , |s_i - s_j| / mu_s )               mu: mean distance of the batch
    angles (eq. 8-10):    l( cos angle(t_i, t_j, t_k) , cos angle(s_i, s_j, s_k) )   at j

each averaged over all pairs i != j, or all triples of different rows. s and t are unit norm; the teacher's dimension
may be another than the student's. The paper weighs distances by 25 and angles by 50 beside a classification loss.
"""

from __future__ import annotations

from typing import Final, Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from countenance.configuration import Configuration
from countenance.learning.methods.beside_softmax import BesideSoftmaxHeader
from countenance.learning.methods.taught_rows import TaughtRows
from countenance.network.margin import MarginConfiguration

SMALLEST_DISTANCE: Final = 1e-3
"""Unit-norm vectors that are closer count as so far apart: between equal ones there is no direction."""


class RelationalDistillation(Configuration):
    """Distances and angles within a batch, beside the student's own margin softmax.

    Attributes:
        name: ``relational``.
        distance_weight: of the distances' loss.
        angle_weight: of the angles' loss.
        relations: at most so many rows of a batch, its first, are held against one another: n rows have n^3 angles.
        margin: of the softmax.
    """

    name: Literal["relational"] = "relational"
    distance_weight: float = Field(default=25.0, ge=0.0)
    angle_weight: float = Field(default=50.0, ge=0.0)
    relations: int = Field(default=128, ge=3)
    margin: MarginConfiguration = MarginConfiguration()


class RelationalHeader(BesideSoftmaxHeader):
    """Margin softmax plus what distances and angles differ by; formulas at the top of the file.

    Of fewer than two rows nothing is asked, of two no angle. Faces without a name: in the relations alone.
    """

    same_space = False

    def __init__(
        self, classes: int, dimension: int, configuration: RelationalDistillation, generator: torch.Generator
    ) -> None:
        super().__init__(classes, dimension, configuration.margin, generator)
        self.configuration = configuration

    def distillation_term(self, rows: TaughtRows) -> Tensor:
        """The weighted losses of distances and angles."""
        count = self.configuration.relations
        student, teacher = rows.student[:count], rows.teacher[:count]
        return self.configuration.distance_weight * distance_loss(
            student, teacher
        ) + self.configuration.angle_weight * angle_loss(student, teacher)


def distance_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Equation 7: Huber's loss between distances, each over its mean; [n, D] and [n, T] unit norm -> scalar."""
    if len(student) < 2:
        return student.sum() * 0.0
    # Each pair once: the loss is symmetric. The gradient of a distance of zero is taken as zero.
    return F.smooth_l1_loss(_over_mean(F.pdist(student)), _over_mean(F.pdist(teacher)))


def angle_loss(student: Tensor, teacher: Tensor) -> Tensor:
    """Equation 10: Huber's loss between the cosines of all angles of three rows; [n, D], [n, T] -> scalar."""
    count = len(student)
    if count < 3:
        return student.sum() * 0.0
    different = ~torch.eye(count, dtype=torch.bool, device=student.device)
    # [j, i, k]: the angle at j between i and k
    triples = different[:, :, None] & different[:, None, :] & different[None, :, :]
    return F.smooth_l1_loss(_cosines(student)[triples], _cosines(teacher)[triples])


def _over_mean(distances: Tensor) -> Tensor:
    return distances / distances.mean().clamp(min=SMALLEST_DISTANCE)


def _cosines(rows: Tensor) -> Tensor:
    """[n, D] -> [n, n, n]: at [j, i, k] the cosine of the angle at j between i and k."""
    between = rows[None, :, :] - rows[:, None, :]
    length = between.square().sum(dim=2, keepdim=True).clamp(min=SMALLEST_DISTANCE**2).sqrt()
    directions = between / length
    return directions @ directions.transpose(1, 2)
