"""AdaDistill: class centres that come from the teacher (Boutros et al., ECCV 2024)."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from countenance.configuration import Configuration
from countenance.errors import ModelError
from countenance.learning.class_shards import ClassShard
from countenance.learning.identity_header import INITIAL_STD, IdentityHeader
from countenance.network.margin import MarginConfiguration

SMALLEST_ALPHA = 1e-6
SMALLEST_LENGTH = 1e-12


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

    A class that no row has shown yet keeps the random direction that it started from and stays in the softmax, as in
    the published algorithm: it is one more wrong answer, nearly at right angles to every face, and the loss of a step
    depends on nothing but the centres and the batch. A class of a single image has the teacher's feature of that image
    (and of its mirror image) as its centre. A student's feature that isn't finite moves no centre; its loss is NaN.

    ``curves`` are ``alpha`` (but for fixed centres), ``teacher_agreement`` (cosine of student and teacher) and
    ``centre_agreement`` (cosine of student and own centre, after the update), as means over the rows with a class.

    Args:
        classes: C, of all processes together.
        dimension: D of the teacher's features and the student's embeddings.
        configuration: how.
        generator: gives the first centres; the same ones however they are shared out.
        shard: the classes to hold, or None for all.

    Attributes:
        centres: [C, D] of the classes that are held here; in states they are whole.
    """

    of_classes = ("centres",)
    centres: Tensor
    inverse_lengths: Tensor

    def __init__(
        self,
        classes: int,
        dimension: int,
        configuration: AdaDistillConfiguration,
        generator: torch.Generator,
        *,
        shard: ClassShard | None = None,
    ) -> None:
        super().__init__()
        self.configuration = configuration
        self._centres_are_fixed = False
        self._measured: tuple[int, int] | None = None
        self.register_buffer("centres", INITIAL_STD * torch.randn(classes, dimension, generator=generator))
        self.register_buffer("inverse_lengths", torch.empty(0), persistent=False)
        if shard is not None:
            self.share_out(shard.rank, shard.world)

    def forward(self, embedding: Tensor, labels: Tensor, teacher: Tensor | None) -> Tensor | None:
        """See :class:`IdentityHeader`; fixed centres need no teacher, which then only serves the curves.

        Raises:
            ModelError: there is no teacher, its features have another length than the embeddings or have no direction,
                or the centres are to be fixed but weren't. No centre has been moved then.
        """
        self.curves = {}
        rows = (labels >= 0).nonzero().squeeze(1)
        if len(rows) == 0:
            return None
        moving = self.configuration.alpha != "fixed"
        if not moving and not self._centres_are_fixed:
            raise ModelError("The class centres are to be fixed but were never set: call fix_centres first.")
        student, chosen = F.normalize(embedding[rows]), labels[rows]
        told: dict[str, Tensor] = {}
        if moving or teacher is not None:
            features = self._features(teacher, embedding, rows)
            self._measure()
            if moving:
                told["alpha"] = self._move_centres(student.detach(), features, chosen)
            told["teacher_agreement"] = agreement_of(student.detach(), features)
        self._measure()
        found = self.margin_softmax(student, self.centres, chosen, self.configuration.margin, self.inverse_lengths)
        told["centre_agreement"] = found.own_cosines.mean()
        self.curves = dict(zip(told, torch.stack(list(told.values())).tolist(), strict=True))
        return found.loss

    def fix_centres(self, features: Tensor, labels: Tensor) -> None:
        """Set every centre to the sum of its class's unit-norm teacher features: the "fixed centres" mode.

        Args:
            features: [M, D] teacher features.
            labels: [M] int64 class, or -1 for a row without one, which is left out; every class must occur.

        Raises:
            ModelError: a class has no feature, or one that has no direction.
        """
        classes = len(self.centres) if self.shard is None else self.shard.classes
        features, labels = features[labels >= 0], labels[labels >= 0]
        missing = int((torch.bincount(labels, minlength=classes) == 0).sum())
        if missing:
            raise ModelError(
                f"{missing} of {classes} classes have no teacher feature: "
                "give one feature at least for every training class."
            )
        sums = torch.zeros(classes, features.shape[1], dtype=features.dtype, device=features.device)
        self.fix_centres_at(sums.index_add_(0, labels, F.normalize(features)))

    @torch.no_grad()
    def fix_centres_at(self, header: Tensor) -> None:
        """Set the centres to the class weights of a teacher's own header: the paper's "fixed centres".

        Args:
            header: [C, D], of any length; row-aligned with the classes.

        Raises:
            ModelError: it has other dimensions than the centres, or a row without direction.
        """
        classes = len(self.centres) if self.shard is None else self.shard.classes
        if header.shape != (classes, self.centres.shape[1]):
            raise ModelError(
                f"The centres to be fixed are [{', '.join(map(str, header.shape))}] numbers, but there are {classes} "
                f"classes and embeddings of {self.centres.shape[1]}: give one row a training class."
            )
        if not bool(_has_direction(header).all()):
            raise ModelError(
                f"{int((~_has_direction(header)).sum())} of {classes} class centres to be fixed are zero or not "
                "finite: check the teacher."
            )
        self.centres.copy_(header if self.shard is None else self.shard.own(header))
        self._centres_are_fixed = True

    def _features(self, teacher: Tensor | None, embedding: Tensor, rows: Tensor) -> Tensor:
        """[n, D] unit-norm teacher features of the rows with a class."""
        if teacher is None:
            raise ModelError("AdaDistill was given no teacher features: put a feature table into the data set.")
        if teacher.shape != embedding.shape:
            raise ModelError(
                f"The teacher's features have {teacher.shape[1]} numbers but the student's embeddings have "
                f"{embedding.shape[1]}: set the student's embedding_dimension to {teacher.shape[1]}."
            )
        features = teacher[rows]
        pointing = _has_direction(features)
        if not bool(pointing.all()):
            raise ModelError(
                f"The teacher's features of {int((~pointing).sum())} of {len(rows)} faces of a batch are zero or not "
                "finite: check the teacher and compute its features again."
            )
        return F.normalize(features)

    @torch.no_grad()
    def _move_centres(self, student: Tensor, teacher: Tensor, labels: Tensor) -> Tensor:
        """Move the centres that are held here; returns the mean alpha over all rows."""
        count = len(labels)
        if self.shard is not None:
            labels = self.shard.rows(labels)
            here = (labels >= 0).nonzero().squeeze(1)
            student, teacher, labels = student[here], teacher[here], labels[here]
        agreement = (student * teacher).sum(dim=1)
        if self.configuration.alpha == "weighted":
            own = self.centres[labels] * self.inverse_lengths[labels, None]
            agreement = agreement * (own * teacher).sum(dim=1).clamp(SMALLEST_ALPHA, 1.0)
        alpha = agreement.clamp(SMALLEST_ALPHA, 1.0).nan_to_num(nan=1.0)
        keep, take = fold_weights(alpha, labels)
        touched, place = torch.unique(labels, return_inverse=True)
        # One product rather than sums in place: on a GPU these are added in any order, differently in every process.
        weights = take.new_zeros(len(touched), len(labels))
        weights[place, torch.arange(len(labels), device=labels.device)] = take
        kept = take.new_empty(len(touched)).scatter_(0, place, keep)  # equal for all rows of a class
        moved = kept[:, None] * self.centres[touched] + weights @ teacher
        self.centres.index_copy_(0, touched, moved)
        self.inverse_lengths.index_copy_(0, touched, _inverse_lengths(moved))
        self._measured = _state_of(self.centres)
        total = alpha.sum()
        if self.shard is not None:
            total = torch.stack(list(self.shard.gather(total))).sum()
        return total / count

    @torch.no_grad()
    def _measure(self) -> None:
        """Measure all centres if anything but :meth:`_move_centres` has written to them since they were measured."""
        if self._measured != _state_of(self.centres):
            self.inverse_lengths = _inverse_lengths(self.centres)
            self._measured = _state_of(self.centres)


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
    order = labels.argsort(stable=True)
    chosen, logarithm = labels[order], alpha.double().log()[order]
    until = torch.cat([logarithm.new_zeros(1), logarithm.cumsum(dim=0)])
    begin = torch.searchsorted(chosen, chosen)
    end = torch.searchsorted(chosen, chosen, right=True)
    back = order.argsort()
    keep = (until[end] - until[begin]).exp()[back].to(alpha.dtype)
    later = (until[end] - until[1:]).exp()[back].to(alpha.dtype)
    return keep, (1.0 - alpha) * later


def _has_direction(rows: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(rows, dim=1)
    return torch.isfinite(lengths) & (lengths > SMALLEST_LENGTH)  # a shorter one can't be normalised


def _inverse_lengths(rows: Tensor) -> Tensor:
    lengths: Tensor = torch.linalg.vector_norm(rows, dim=1)
    return lengths.clamp(min=SMALLEST_LENGTH).reciprocal()


def _state_of(tensor: Tensor) -> tuple[int, int]:
    """Another one after every write to a tensor, and for every other tensor."""
    return tensor.data_ptr(), tensor._version
