"""What the methods have in common that add a term of the teacher's to the student's own margin softmax."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from countenance.learning.identity_header import IdentityHeader, MarginSoftmaxHeader
from countenance.learning.methods.taught_rows import TaughtRows, agreement, taught_rows
from countenance.network.margin import MarginConfiguration


class BesideSoftmaxHeader(IdentityHeader):
    """Loss = margin softmax with learned class weights, over named people + a distillation term over all taught rows.

    An unnamed face that joined as a class of its own (:attr:`BatchConfiguration.unnamed_as_classes`) is in the
    distillation term alone: a class weight that is learned from one photo would know nothing of the person.

    Args:
        classes: named people; a label from there on is an unnamed face's.
        dimension: length of the embedding.
        margin: of the softmax.
        generator: of the first class weights.
    """

    same_space = True

    def __init__(self, classes: int, dimension: int, margin: MarginConfiguration, generator: torch.Generator) -> None:
        super().__init__()
        self.classes = classes
        self.softmax = MarginSoftmaxHeader(classes, dimension, margin, generator)

    @abstractmethod
    def distillation_term(self, rows: TaughtRows) -> Tensor:
        """What the teacher asks of the rows, times its weight."""

    def forward(self, embedding: Tensor, labels: Tensor, teacher: Tensor | None) -> Tensor | None:
        """See :class:`IdentityHeader`.

        Raises:
            ModelError: the teacher's features are missing, damaged or of another length.
        """
        rows = taught_rows(embedding, labels, teacher, same_space=self.same_space)
        if rows is None:
            return None
        term = self.distillation_term(rows)
        named = torch.where(labels < self.classes, labels, -1)
        classification: Tensor | None = self.softmax(embedding, named, None)
        self.curves = {"distillation_term": float(term.detach())}
        if self.same_space:
            self.curves["teacher_agreement"] = agreement(rows.student, rows.teacher)
        if classification is None:
            return term
        self.curves |= {"classification_term": float(classification.detach()), **self.softmax.curves}
        return term + classification
