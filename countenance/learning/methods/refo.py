"""ReFO-style distillation: the student learns the teacher's embedding space from features alone, without a name.

After "Rethinking Feature-based Knowledge Distillation for Face Recognition" (Li et al., CVPR 2023). Its student has no
identity supervision, which spares the class centres: the loss is the distance to the teacher's features,

    1 / n sum_i |s_i - t_i|^2       s: student, t: teacher, both unit norm

What makes it strong there is *reverse distillation*: the teacher is first trained again, close to the features of a
small network (a student trained alone, and in ReFO+ a *student proxy* of a capacity in between), so that its features
become ones that a small network can reach. **That part is left out**: our teachers are files and tables that nobody
trains again. What remains is the paper's "feature-only distillation" baseline in the teacher's space, which it reports
as weaker; hence "style", and its figures aren't to be expected here.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field
from torch import Tensor

from countenance.configuration import Configuration
from countenance.learning.identity_header import IdentityHeader
from countenance.learning.methods.taught_rows import agreement, taught_rows


class RefoStyle(Configuration):
    """Features alone.

    Attributes:
        name: ``refo``.
        weight: of the squared distance; with the learning rate it says how long a step is.
    """

    name: Literal["refo"] = "refo"
    weight: float = Field(default=10.0, gt=0.0)


class RefoStyleHeader(IdentityHeader):
    """The mean squared distance between unit-norm embeddings and teacher features; see the top of the file.

    It has no classes. Faces without a name: like all others.
    """

    def __init__(self, configuration: RefoStyle) -> None:
        super().__init__()
        self.configuration = configuration

    def forward(self, embedding: Tensor, labels: Tensor, teacher: Tensor | None) -> Tensor | None:
        """See :class:`IdentityHeader`.

        Raises:
            ModelError: the teacher's features are missing, damaged or of another length.
        """
        rows = taught_rows(embedding, labels, teacher)
        if rows is None:
            return None
        self.curves = {"teacher_agreement": agreement(rows.student, rows.teacher)}
        distance = (rows.student - rows.teacher).square().sum(dim=1).mean()
        return self.configuration.weight * distance
