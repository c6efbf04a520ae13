"""Class centres that the teacher gives once: the mean of what it says of each class's faces."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import torch
from torch import Tensor
from torch.nn import functional as F

from countenance.errors import ModelError
from countenance.learning.batches import FaceDataset
from countenance.learning.labels import subjects_of
from countenance.learning.methods.header_table import read_header
from countenance.learning.methods.taught_rows import has_direction

_FACES_AT_ONCE: Final = 65536
"""A table of millions of features is a memory map, and its classes' sums are all that is held of it."""


def class_means(blocks: Iterable[tuple[Tensor, Tensor]], classes: int, dimension: int) -> Tensor:
    """[C, D]: the sum of each class's features, each made unit-norm before; only its direction means anything.

    Args:
        blocks: teacher features [M, D] with their int64 classes [M]; -1 for a face without one, which is left out.
        classes: C.
        dimension: D.

    Raises:
        ModelError: a class has no feature, a feature is zero or not finite, or those of a class cancel out.
    """
    sums, counts = torch.zeros(classes, dimension), torch.zeros(classes, dtype=torch.int64)
    for features, labels in blocks:
        labelled = labels >= 0
        features, labels = features[labelled], labels[labelled]
        if not bool(has_direction(features).all()):
            raise ModelError("A feature of the teacher is zero or not finite: check the teacher.")
        sums.index_add_(0, labels, F.normalize(features))
        counts += torch.bincount(labels, minlength=classes)
    missing = int((counts == 0).sum())
    if missing:
        raise ModelError(
            f"{missing} of {classes} classes have no teacher feature: "
            "give one feature at least for every training class."
        )
    cancelled = int((~has_direction(sums)).sum())
    if cancelled:
        raise ModelError(f"The teacher's features of {cancelled} of {classes} classes cancel out: check the teacher.")
    return sums


def class_means_of(dataset: FaceDataset, face_ids: Sequence[str]) -> Tensor:
    """[C, D]: the class means of what a data set's teacher says of the identity stream's faces and mirror images.

    Args:
        dataset: with a teacher.
        face_ids: of the rows that the data set was made from.

    Raises:
        ModelError: the data set has no teacher, or as :func:`class_means`.
    """
    if dataset.teacher is None:
        raise ModelError("The class centres are to be the teacher's, but there is none: name a teacher.")
    return class_means(_blocks(dataset, face_ids), dataset.labels.classes, dataset.teacher.dimension)


def fixed_centres_of(dataset: FaceDataset, rows: pd.DataFrame, header: Path | None) -> Tensor:
    """[C, D]: the class means, in which the named people have the teacher's own class weights where those are given.

    Args:
        dataset: with a teacher.
        rows: that the data set was made from.
        header: the table of the class weights, or None.

    Raises:
        ModelError: as :func:`class_means_of`, or :func:`~countenance.learning.methods.header_table.read_header`.
    """
    means = class_means_of(dataset, rows["face_id"].astype(str).tolist())
    if header is None:
        return means
    named = read_header(header, subjects_of(rows), means.shape[1])
    return torch.cat([named, means[len(named) :]])


def _blocks(dataset: FaceDataset, face_ids: Sequence[str]) -> Iterator[tuple[Tensor, Tensor]]:
    teacher = dataset.teacher
    rows = dataset.streams.rows.get("identity", np.array([], dtype=np.int64))
    if teacher is None:
        return
    found = teacher.rows_of([face_ids[row] for row in rows])
    for start in range(0, len(rows), _FACES_AT_ONCE):
        part = slice(start, start + _FACES_AT_ONCE)
        labels = torch.from_numpy(dataset.labels.identity[rows[part]])
        for mirrored in (0, 1):
            yield torch.from_numpy(teacher.take(found[part], mirrored)), labels
