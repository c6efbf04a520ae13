"""The rows of a batch that teach identity, with what the teacher says of them: where every method begins."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from countenance.errors import ModelError


class TaughtRows(NamedTuple):
    """n rows with a class.

    Attributes:
        embedding: [n, D] raw embeddings of the student.
        student: [n, D] the same, unit norm.
        teacher: [n, T] unit-norm teacher features.
        labels: [n] int64 class.
    """

    embedding: Tensor
    student: Tensor
    teacher: Tensor
    labels: Tensor


def taught_rows(
    embedding: Tensor, labels: Tensor, teacher: Tensor | None, *, same_space: bool = True
) -> TaughtRows | None:
    """Those rows of a batch that have a class; None where there is none.

    Args:
        embedding: [N, D] raw embeddings of the student.
        labels: [N] int64 class, or -1.
        teacher: [N, T] teacher features of the same rows.
        same_space: the method compares students' embeddings with teachers' features, so T must be D.

    Raises:
        ModelError: there are no teacher features, they have another length, or one is zero or not finite.
    """
    rows = (labels >= 0).nonzero().squeeze(1)
    if len(rows) == 0:
        return None
    if teacher is None:
        raise ModelError("The distillation was given no teacher features: put a feature table into the data set.")
    if same_space and teacher.shape != embedding.shape:
        raise ModelError(
            f"The teacher's features have {teacher.shape[1]} numbers but the student's embeddings have "
            f"{embedding.shape[1]}: set the student's embedding_dimension to {teacher.shape[1]}."
        )
    features = teacher[rows]
    damaged = int((~has_direction(features)).sum())
    if damaged:
        raise ModelError(
            f"The teacher's features of {damaged} of {len(rows)} faces of a batch are zero or not finite: "
            "check the teacher and compute its features again."
        )
    taught = embedding[rows]
    return TaughtRows(taught, F.normalize(taught), F.normalize(features), labels[rows])


@torch.no_grad()
def agreement(one: Tensor, other: Tensor) -> float:
    """Mean cosine between row-aligned unit-norm [n, D] vectors."""
    return float((one * other).sum(dim=1).mean())


def has_direction(rows: Tensor) -> Tensor:
    """[n] whether each of the rows [n, D] is finite and not zero."""
    lengths = torch.linalg.vector_norm(rows, dim=1)
    pointing: Tensor = torch.isfinite(lengths) & (lengths > 0)
    return pointing
