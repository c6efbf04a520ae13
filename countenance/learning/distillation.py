"""AdaDistill: class centres that come from the teacher (Boutros et al., ECCV 2024)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from countenance.configuration import Configuration
from countenance.errors import ModelError
from countenance.learning.identity_header import INITIAL_STD, IdentityHeader
from countenance.network.margin import MarginConfiguration, margin_logits

SMALLEST_ALPHA = 1e-6


class AdaDistillConfiguration(Configuration):
    """How the class centres follow the teacher.

    Attributes:
        margin: margin softmax on top of the centres.
        alpha: ``"weighted"`` (the paper's best: student-teacher agreement times centre-teacher agreement),
            ``"plain"`` (student-teacher agreement alone) or ``"fixed"`` (centres are set once and stay).
    """

    margin: MarginConfiguration = MarginConfiguration()
    alpha: Literal["weighted", "plain", "fixed"] = "weighted"


class AdaDistillHeader(IdentityHeader):
    """Margin softmax whose class centres are moved towards the teacher's features, never by a gradient.

    Before the logits of a step, for every row i with class y, student s, teacher t and centre w (all unit norm):

        a_i = clamp(cos(s_i, t_i) clamp(cos(w_y, t_i), 1e-6, 1), 1e-6, 1)
        w_y <- a_i w_y + (1 - a_i) t_i

    Several rows of one class fold in row order, with every a from the centre as it was when the step began:
    w <- (prod_j a_j) w + sum_j (1 - a_j) (prod_{l > j} a_l) t_j. Without a repeated class this is the published
    update. The centres start as N(0, 0.01), are a buffer, and are normalised only where they are used.
    """

    centres: Tensor

    def __init__(
        self, classes: int, dimension: int, configuration: AdaDistillConfiguration, generator: torch.Generator
    ) -> None:
        super().__init__()
        self.configuration = configuration
        self._centres_are_fixed = False
        self.register_buffer("centres", INITIAL_STD * torch.randn(classes, dimension, generator=generator))

    def forward(self, embedding: Tensor, labels: Tensor, teacher: Tensor | None) -> Tensor | None:
        """See :class:`IdentityHeader`.

        Raises:
            ModelError: there is no teacher, its features have another length than the embeddings, or the centres
                are to be fixed but :meth:`fix_centres` wasn't called.
        """
        rows = (labels >= 0).nonzero().squeeze(1)
        if len(rows) == 0:
            return None
        features = self._checked(teacher, embedding)[rows]
        chosen = labels[rows]
        student = F.normalize(embedding[rows])
        if self.configuration.alpha == "fixed":
            if not self._centres_are_fixed:
                raise ModelError("The class centres are to be fixed but were never set: call fix_centres first.")
        else:
            self._move_centres(student.detach(), F.normalize(features), chosen)
        cosines = student @ F.normalize(self.centres).T
        return F.cross_entropy(margin_logits(cosines, chosen, self.configuration.margin), chosen)

    @torch.no_grad()
    def fix_centres(self, features: Tensor, labels: Tensor) -> None:
        """Set every centre to the sum of its class's unit-norm teacher features: the "fixed centres" mode.

        Args:
            features: [M, D] teacher features.
            labels: [M] int64 class; every class must occur.

        Raises:
            ModelError: a class has no feature.
        """
        sums = torch.zeros_like(self.centres).index_add_(0, labels, F.normalize(features))
        missing = torch.bincount(labels, minlength=len(self.centres)) == 0
        if bool(missing.any()):
            raise ModelError(
                f"{int(missing.sum())} of {len(self.centres)} classes have no teacher feature: "
                "give one feature at least for every training class."
            )
        self.centres.copy_(sums)
        self._centres_are_fixed = True

    def _checked(self, teacher: Tensor | None, embedding: Tensor) -> Tensor:
        if teacher is None:
            raise ModelError("AdaDistill was given no teacher features: put a feature table into the data set.")
        if teacher.shape != embedding.shape:
            raise ModelError(
                f"The teacher's features have {teacher.shape[1]} numbers but the student's embeddings have "
                f"{embedding.shape[1]}: set the student's embedding_dimension to {teacher.shape[1]}."
            )
        return teacher

    @torch.no_grad()
    def _move_centres(self, student: Tensor, teacher: Tensor, labels: Tensor) -> None:
        agreement = (student * teacher).sum(dim=1)
        if self.configuration.alpha == "weighted":
            own = F.normalize(self.centres[labels])
            agreement = agreement * (own * teacher).sum(dim=1).clamp(SMALLEST_ALPHA, 1.0)
        alpha = agreement.clamp(SMALLEST_ALPHA, 1.0)
        keep, take = fold_weights(alpha, labels)
        touched, first, place = _first_rows(labels)
        moved = self.centres[touched] * keep[first, None]
        moved.index_add_(0, place, take[:, None] * teacher)
        self.centres[touched] = moved
        self.curves = {"alpha": float(alpha.mean()), "teacher_agreement": float(agreement_of(student, teacher))}


def agreement_of(student: Tensor, teacher: Tensor) -> Tensor:
    """Mean cosine between row-aligned unit-norm [N, D] student and teacher features."""
    return (student * teacher).sum(dim=1).mean()


def fold_weights(alpha: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Weights of the ordered fold of a batch into its class centres.

    Args:
        alpha: [N] in (0, 1].
        labels: [N] int64.

    Returns:
        ``keep`` [N], the product of all alphas of the row's class, and ``take`` [N], (1 - a_j) times the product of
        the alphas of later rows of the same class.
    """
    logarithm = alpha.double().log()
    same = labels[:, None] == labels[None, :]
    later = same.triu(diagonal=1)
    keep = (same * logarithm).sum(dim=1).exp()
    take = (1.0 - alpha) * (later * logarithm).sum(dim=1).exp()
    return keep.to(alpha.dtype), take.to(alpha.dtype)


def _first_rows(labels: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    touched, place = torch.unique(labels, return_inverse=True)
    order = torch.arange(len(labels), device=labels.device)
    first = torch.full((len(touched),), len(labels), device=labels.device).scatter_reduce(0, place, order, "amin")
    return touched, first, place
