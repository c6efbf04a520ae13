"""Vanilla distillation on features: the student's embedding is to be the teacher's feature.

The row "vanilla KD" of AdaDistill's tables (Boutros et al., ECCV 2024): the student's own margin softmax, plus the
mean squared distance between its embedding and the teacher's feature (FitNets' hint, Romero et al., ICLR 2015, at the
last layer). On vectors of equal length a squared distance is twice a cosine distance, so the two kinds here differ in
what they ask of the length:

    l2:     1 / (n D) sum_i |e_i - sqrt(D) t_i|^2       e: the raw embedding, t: the teacher's unit-norm feature
    cosine: 1 / n     sum_i (1 - cos(e_i, t_i))

sqrt(D) is the length of D numbers of unit variance, which the batch normalisation at the end of every embedding gives.
The teacher's own lengths aren't known to a table of unit-norm features; this is what we use in their place.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional as F

from countenance.configuration import Configuration
from countenance.learning.methods.beside_softmax import BesideSoftmaxHeader
from countenance.learning.methods.taught_rows import TaughtRows
from countenance.network.margin import MarginConfiguration


class FeatureRegression(Configuration):
    """Vanilla distillation on features, beside the student's own margin softmax.

    Attributes:
        name: ``feature_l2`` or ``feature_cosine``.
        weight: of the distance, beside the softmax.
        margin: of the softmax.
    """

    name: Literal["feature_l2", "feature_cosine"]
    weight: float = Field(default=10.0, gt=0.0)
    margin: MarginConfiguration = MarginConfiguration()


class FeatureRegressionHeader(BesideSoftmaxHeader):
    """Margin softmax plus the distance between embeddings and the teacher's features; formulas at the top of the file.

    Faces without a name: in the distance alone.
    """

    def __init__(
        self, classes: int, dimension: int, configuration: FeatureRegression, generator: torch.Generator
    ) -> None:
        super().__init__(classes, dimension, configuration.margin, generator)
        self.configuration = configuration

    def distillation_term(self, rows: TaughtRows) -> Tensor:
        """The weighted mean distance of the rows."""
        if self.configuration.name == "feature_l2":
            distance = F.mse_loss(rows.embedding, math.sqrt(rows.teacher.shape[1]) * rows.teacher)
        else:
            distance = (1.0 - (rows.student * rows.teacher).sum(dim=1)).mean()
        return self.configuration.weight * distance
