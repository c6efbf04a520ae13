"""Where names and faces disagree: one subject under two names, two subjects under one, by a model's embeddings."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

_SUBJECTS_AT_ONCE: Final = 1024
_MOST_FACES: Final = 1000
"""Of a subject, compared with one another; evenly chosen where there are more."""
_UNIT: Final = 1e-3

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


def identity_facts(embeddings: Floats, subjects: Rows, *, same_person: float) -> pd.DataFrame:
    """Hold the names of faces against what a model sees.

    Args:
        embeddings: [N, D], any length; NaN for a face without one.
        subjects: [N] number of the face's subject, -1 where nobody is named.
        same_person: cosine from which on the model is sure that two faces are of one person.

    Returns:
        [N] rows numbered from 0, null where there is no embedding or nothing to compare with:

        - ``embedding_norm``, null for all where the embeddings were scaled to unit length;
        - ``likeness_to_own_name``: the largest cosine with another face of the same subject;
        - ``people_under_name``: into how many sets of two faces or more the subject's faces fall, if faces are tied
          that are surely of one person: 2 says that two people share a name;
        - ``likeness_to_other_name``: the largest cosine of the subject's mean with that of another subject: near 1 says
          that one person has two names. ``other_name`` is the row of a face of that subject.
    """
    known = np.asarray(np.isfinite(embeddings).all(axis=1), dtype=np.bool_)
    norms = np.linalg.norm(np.where(known[:, None], embeddings, 0), axis=1)
    known &= norms > 0
    unit = np.zeros_like(embeddings)
    unit[known] = embeddings[known] / norms[known, None]
    scaled = bool(known.any()) and bool((np.abs(norms[known] - 1) < _UNIT).all())
    facts = pd.DataFrame({"embedding_norm": np.where(known & (not scaled), norms, np.nan)})
    named = known & (subjects >= 0)
    own, people = _within(unit, np.where(named, subjects, -1), same_person)
    likeness, other = _between(unit, np.where(named, subjects, -1))
    facts["likeness_to_own_name"], facts["people_under_name"] = own, people
    facts["likeness_to_other_name"] = likeness
    facts["other_name"] = pd.Series(other).astype("Int64").mask(pd.Series(other < 0))
    return facts


def _within(unit: Floats, subjects: Rows, same_person: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    own, people = np.full(len(subjects), np.nan), np.full(len(subjects), np.nan)
    order = np.argsort(subjects, kind="stable")
    order = order[np.searchsorted(subjects[order], 0) :]
    _, starts = np.unique(subjects[order], return_index=True)
    for rows in np.split(order, starts[1:]):
        if len(rows) < 2:
            continue
        chosen = rows[:: -(-len(rows) // _MOST_FACES)]
        cosines = unit[chosen] @ unit[chosen].T
        np.fill_diagonal(cosines, -1)
        own[chosen] = cosines.max(axis=1)
        tied = csr_array((cosines >= same_person).astype(np.int8))
        _, part = connected_components(tied, directed=False)
        people[rows] = max(1, int((np.bincount(part) >= 2).sum()))
    return own, people


def _between(unit: Floats, subjects: Rows) -> tuple[NDArray[np.float64], Rows]:
    """Of each row's subject: the largest cosine with another subject's mean, and a row of that subject."""
    likeness, other = np.full(len(subjects), np.nan), np.full(len(subjects), -1, dtype=np.int64)
    rows = np.flatnonzero(subjects >= 0)
    names, first, number = np.unique(subjects[rows], return_index=True, return_inverse=True)
    if len(names) < 2:
        return likeness, other
    means = np.zeros((len(names), unit.shape[1]), dtype=np.float32)
    np.add.at(means, number, unit[rows])
    means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    best, nearest = np.empty(len(names), dtype=np.float32), np.empty(len(names), dtype=np.int64)
    for start in range(0, len(names), _SUBJECTS_AT_ONCE):
        cosines = means[start : start + _SUBJECTS_AT_ONCE] @ means.T
        here = np.arange(len(cosines))
        cosines[here, start + here] = -2
        nearest[start : start + len(cosines)] = cosines.argmax(axis=1)
        best[start : start + len(cosines)] = cosines.max(axis=1)
    likeness[rows], other[rows] = best[number], rows[first][nearest[number]]
    return likeness, other
