"""The dyadic variance of a rate for every number of errors, as a falling threshold makes them one after another."""

from __future__ import annotations

import numpy as np

from countenance.assessment.arrays import FloatArray, IntArray


def growing_dyadic_variances(first: IntArray, second: IntArray, order: IntArray) -> FloatArray:
    """Return the variance after no error, after the first one, and so on: [E + 1].

    Each is that of :func:`countenance.assessment.intervals.dyadic_variance`, from sums that an error changes in a few
    places only, so that all together cost as much as one.

    Args:
        first: subject code of one side of each comparison, [N]; the other side is another subject.
        second: subject code of the other side, [N].
        order: numbers of the comparisons that are decided wrongly, the first of them first, [E].
    """
    total, size = len(first), int(max(first.max(), second.max())) + 1
    keys, dyad, made = np.unique(
        np.minimum(first, second) * np.int64(size) + np.maximum(first, second), return_inverse=True, return_counts=True
    )
    made = made.astype(np.float64)
    taken = np.bincount(keys // size, made, size) + np.bincount(keys % size, made, size)
    one, other, wrong = first[order], second[order], dyad[order]
    # What one more error adds to the sums of squares and products of errors by dyad, and by subject.
    squares = 2.0 * _seen_before(wrong) + 1.0
    of_subjects = _seen_before(np.stack([one, other], axis=1).reshape(-1)).reshape(-1, 2)
    added = np.stack(
        [squares, made[wrong], 2.0 * of_subjects.sum(axis=1) + 2.0, taken[one] + taken[other]],
        axis=1,
    )
    sums = np.concatenate([np.zeros((1, 4)), np.cumsum(added, axis=0)])
    rates = np.arange(len(order) + 1) / total
    alone = sums[:, 0] - 2.0 * rates * sums[:, 1] + rates**2 * (made**2).sum()
    shared = sums[:, 2] - 2.0 * rates * sums[:, 3] + rates**2 * (taken**2).sum() - 2.0 * alone
    return np.asarray((alone + np.maximum(0.0, shared)) / float(total) ** 2)


def _seen_before(codes: IntArray) -> FloatArray:
    """How often each code came earlier, [N]."""
    by_code = np.argsort(codes, kind="stable")
    ordered = codes[by_code]
    starts = np.searchsorted(ordered, ordered, side="left")
    before = np.empty(len(codes))
    before[by_code] = np.arange(len(codes)) - starts
    return before
