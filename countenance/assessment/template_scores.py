"""Scores of many pairs of templates: float32 matrix products for all of them, float64 for those that decide.

The pairs of a protocol are a part of a grid: at IJB-C's size 15.7 million of the 69 million cells that 3,531 gallery
and 19,593 probe templates span. Multiplying the whole grid in blocks and picking the wanted cells takes a small
part of the time that gathering two rows of 512 numbers for every pair does, which is bound by memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from countenance.assessment.arrays import AnyArray, BoolArray, FloatArray, IntArray, refuse_rows, same_length
from countenance.assessment.score_grid import STEP, on_grid
from countenance.assessment.templates import Templates
from countenance.errors import AssessmentError

# Of the grid that is held at a time, 300 MB: as much as IJB-C needs, so that its pairs need not be put in order.
BLOCK_CELLS: Final = 75_000_000
# Pairs handled at a time where a copy of all would take more memory than their scores do; so few that the copies stay
# in the cache.
PART: Final = 16_384
# Pairs whose rows are gathered at a time: with many more they fall out of the processor's cache.
GATHERED_PAIRS: Final = 1024
# A gathered pair costs about as much as this many cells of a matrix product (512 dimensions, one core).
CELLS_PER_GATHERED_PAIR: Final = 64
# Ids are looked up in a table where the highest is at most this many times the number of templates.
TABLE_SPAN: Final = 64

FLOAT32_ROUNDING: Final = 2.0**-24
# Covers lengths that are 1 but for float64 rounding, the rounding of the float64 scores themselves, and underflow:
# all of them below a 1e-8 of the bound.
SLACK: Final = 1.0 + 1e-6
# Of a squared length; within what the slack covers.
UNIT_TOLERANCE: Final = 1e-9


def float32_error_bound(dimension: int) -> float:
    """Return how far a float32 score of unit vectors may be from its float64 score, whatever the vectors.

    Rounding a component to float32 changes it by a factor within 1 +- u, u = 2**-24, and a sum of D products in any
    order, fused or not, is within gamma = D u / (1 - D u) of the sum of the products' magnitudes (Higham, "Accuracy
    and Stability of Numerical Algorithms", 2002, section 3.1), which is at most 1 for unit vectors. Together
    (1 + u)**2 (1 + gamma) - 1: 3.1e-5 at 512 dimensions. What is seen is a hundredth of it, but nothing is assumed
    about the order in which a library adds, only that it multiplies and adds in float32. The float64 score stands on
    the grid of :mod:`countenance.assessment.score_grid`, at most half a step from where it was.

    Args:
        dimension: D, components of a vector.
    """
    gamma = dimension * FLOAT32_ROUNDING / (1.0 - dimension * FLOAT32_ROUNDING)
    return ((1.0 + FLOAT32_ROUNDING) ** 2 * (1.0 + gamma) - 1.0) * SLACK + STEP / 2.0


def gathered_scores(rows: FloatArray, others: FloatArray, first: IntArray, second: IntArray) -> FloatArray:
    """Return the cosine of each pair from its two rows, a pair's score the same whichever pairs are beside it.

    In float64 they stand on the grid of :mod:`countenance.assessment.score_grid`.

    Args:
        rows: unit vectors, [T, D] float32 or float64, which is the type that is computed in.
        others: unit vectors, [U, D] of the same type.
        first: row of ``rows`` of each pair, [P].
        second: row of ``others`` of each pair, [P].
    """
    scores = np.empty(len(first), dtype=rows.dtype)
    for start in range(0, len(first), GATHERED_PAIRS):
        part = slice(start, start + GATHERED_PAIRS)
        scores[part] = np.einsum("pd,pd->p", rows[first[part]], others[second[part]])
    return on_grid(scores) if scores.dtype == np.float64 else scores


def float32_scores(rows: FloatArray, others: FloatArray, first: IntArray, second: IntArray) -> NDArray[np.float32]:
    """Return the cosine of each pair, [P], within :func:`float32_error_bound` of its float64 value.

    Args:
        rows: unit vectors, [T, D] float32.
        others: unit vectors, [U, D] float32.
        first: row of ``rows`` of each pair, [P], in any order.
        second: row of ``others`` of each pair, [P].

    Raises:
        AssessmentError: an index is out of range.
    """
    refuse_outside(first, len(rows))
    refuse_outside(second, len(others))
    down, across = _used(first, len(rows)), _used(second, len(others))
    if len(first) * CELLS_PER_GATHERED_PAIR < len(down.kept) * len(across.kept):
        return gathered_scores(rows, others, first, second)
    return _multiplied_scores(rows, others, first, second, down, across)


def template_positions(ids: AnyArray, wanted: ArrayLike) -> NDArray[np.int32]:
    """Return the row of each wanted template, [P].

    Args:
        ids: template ids, [T], each once.
        wanted: ids, [P], in any order; may be memory-mapped.

    Raises:
        AssessmentError: a wanted id is not there; the text names the row of ``wanted``.
    """
    names = np.asarray(wanted)
    whole = names.dtype.kind in "iu" and ids.dtype.kind in "iu" and len(ids)
    if not whole or ids.min() < 0 or ids.max() >= TABLE_SPAN * len(ids):
        positions = pd.Index(ids).get_indexer(pd.Index(names)).astype(np.int32)
    else:
        # The last cell is that of all ids beyond; ids below zero are read in the first.
        table = np.full(int(ids.max()) + 2, -1, dtype=np.int32)
        table[ids] = np.arange(len(ids))
        positions = np.empty(len(names), dtype=np.int32)
        for start in range(0, len(names), PART):
            part = names[start : start + PART]
            positions[start : start + PART] = table.take(part, mode="clip")
            if table[0] >= 0 and part.min() < 0:
                positions[start : start + PART][part < 0] = -1
    if len(positions) and positions.min() < 0:
        refuse_rows(positions < 0, "the template is not one of those that were made")
    return positions


def _multiplied_scores(
    rows: FloatArray, others: FloatArray, first: IntArray, second: IntArray, down: _Used, across: _Used
) -> NDArray[np.float32]:
    scores = np.empty(len(first), dtype=np.float32)
    width = max(1, len(across.kept))
    height = max(1, min(len(down.kept), BLOCK_CELLS // width))
    left, right = rows[down.kept], others[across.kept]
    buffer = np.empty((height, width), dtype=np.float32)
    for top, pairs in _slabs(down, first, height):
        slab = np.matmul(left[top : top + height], right.T, out=buffer[: len(left) - top])
        row_start = (down.code - top) * width
        for piece in _pieces(pairs):
            # NumPy looks 64-bit numbers up twice as fast as any others.
            cells = row_start.take(first[piece].astype(np.intp))
            cells += across.code.take(second[piece].astype(np.intp))
            scores[piece] = slab.reshape(-1).take(cells)
    return scores


@dataclass(frozen=True, eq=False)
class TemplatePairScores:
    """The comparisons of a protocol with their scores.

    Attributes:
        templates: what is compared.
        first: row of one template of each pair, [P].
        second: row of the other, [P].
        mated: whether both are of one subject, [P].
        scores: cosines, [P] float32; minus infinity where either template failed.
    """

    templates: Templates
    first: IntArray
    second: IntArray
    mated: BoolArray
    scores: NDArray[np.float32]

    @classmethod
    def of(cls, templates: Templates, first: IntArray, second: IntArray, mated: ArrayLike) -> TemplatePairScores:
        """Score the pairs.

        Args:
            templates: T of them.
            first: row of one template of each pair, [P]; see :func:`template_positions`.
            second: row of the other, [P].
            mated: whether both are of one subject, [P].

        Raises:
            AssessmentError: lengths differ, a row is not there, or a template is not of unit length.
        """
        truth = np.asarray(mated, dtype=np.bool_)
        same_length(first=len(first), second=len(second), mated=len(truth))
        refuse_not_unit(templates)
        scores = float32_scores(templates.features, templates.features, first, second)
        if templates.failed is not None:
            for start in range(0, len(scores), PART):
                part = slice(start, start + PART)
                scores[part][templates.failed[first[part]] | templates.failed[second[part]]] = -np.inf
        return cls(templates, first, second, truth, scores)

    @cached_property
    def error_bound(self) -> float:
        """How far any score may be from its float64 value."""
        return float32_error_bound(self.templates.features.shape[1])

    def exact(self, pairs: IntArray) -> NDArray[np.float64]:
        """Return the float64 scores of some of the pairs."""
        features = self.templates.features64
        scores = gathered_scores(features, features, self.first[pairs], self.second[pairs]).astype(
            np.float64, copy=False
        )
        if self.templates.failed is not None:
            scores[np.isneginf(self.scores[pairs])] = -np.inf
        return scores


def refuse_outside(index: IntArray, count: int) -> None:
    """Raise an AssessmentError when a pair names a row that is not one of ``count`` features."""
    if len(index) and (index.min() < 0 or index.max() >= count):
        raise AssessmentError(f"A pair names a row outside the {count:,} features: use the same row order.")


def refuse_not_unit(templates: Templates) -> None:
    """Raise an AssessmentError unless all templates are unit vectors, of which the float32 ones are the rounded ones.

    Those that failed are zero vectors, and no score of theirs is ever read.

    The bound on the error of a score rests on it.
    """
    exact = templates.features64
    if exact.shape != templates.features.shape or len(templates.ids) != len(exact):
        raise AssessmentError(
            f"Of {len(templates.ids)} templates there are features {templates.features.shape} in float32 and "
            f"{exact.shape} in float64: give both of every template."
        )
    lengths = np.einsum("td,td->t", exact, exact)
    if templates.failed is not None:
        same_length(templates=len(lengths), failed=len(templates.failed))
        refuse_rows(templates.failed & (lengths != 0.0), "the template has failed, yet it is not a zero vector")
        lengths[templates.failed] = 1.0
    refuse_rows(~(np.abs(lengths - 1.0) < UNIT_TOLERANCE), "the template is not a unit vector")
    same = np.empty(len(exact), dtype=np.bool_)
    for start in range(0, len(exact), GATHERED_PAIRS):
        part = slice(start, start + GATHERED_PAIRS)
        same[part] = (exact[part].astype(np.float32) == templates.features[part]).all(axis=1)
    refuse_rows(~same, "the float32 template is not the rounded float64 one")


class _Used(NamedTuple):
    """The rows that any pair has, [K] in order, and the number that each row has among them, [T]."""

    kept: IntArray
    code: NDArray[np.int64]


def _used(index: IntArray, count: int) -> _Used:
    used = np.zeros(count, dtype=np.bool_)
    for start in range(0, len(index), PART):
        used[index[start : start + PART].astype(np.intp)] = True
    return _Used(np.flatnonzero(used), np.cumsum(used) - 1)


def _slabs(down: _Used, first: IntArray, height: int) -> list[tuple[int, slice | IntArray]]:
    """Tell the first row of each slab of ``height`` rows and its pairs; a slice where they lie side by side."""
    count = -(-len(down.kept) // height)
    if count <= 1:
        return [(0, slice(0, len(first)))] if len(first) else []
    slab_of_row: IntArray = down.code // height
    if count <= 2**16:
        slab_of_row = slab_of_row.astype(np.uint16)  # which NumPy sorts by radix
    slab = slab_of_row[first]
    ends = np.append(0, np.cumsum(counts_of(slab, count)))
    in_order = bool((slab[1:] >= slab[:-1]).all())
    order = None if in_order else np.argsort(slab, kind="stable")
    found: list[tuple[int, slice | IntArray]] = []
    for number in range(count):
        pairs = slice(int(ends[number]), int(ends[number + 1]))
        found.append((number * height, pairs if order is None else order[pairs]))
    return found


def counts_of(values: IntArray, size: int) -> IntArray:
    """Return how often each whole number of [0, ``size``) is there, in parts: bincount copies into eight bytes each."""
    counts = np.zeros(size, dtype=np.int64)
    for start in range(0, len(values), PART):
        counts += np.bincount(values[start : start + PART], minlength=size)
    return counts


def _pieces(pairs: slice | IntArray) -> list[slice | IntArray]:
    if isinstance(pairs, slice):
        return [slice(start, min(start + PART, pairs.stop)) for start in range(pairs.start, pairs.stop, PART)]
    return [pairs[start : start + PART] for start in range(0, len(pairs), PART)]
