"""Samples whose embedding could not be made, and what that makes of the mean within their medium.

A failure to acquire (ISO/IEC 19795-1): the sample is left out of its template, so that the mean within its medium is
that of the usable samples. Which samples have failed may be known before any embedding is added, or be told along the
way while the embedder is still at work. In the latter case samples of the same medium may have been added already,
with a weight for more samples than there are: the sums of the media are not kept, so those few rows are read again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray

from countenance.assessment.arrays import BoolArray, FloatArray, IntArray, same_length
from countenance.errors import AssessmentError

ReadAgain = Callable[[IntArray], FloatArray]
"""Gives the embeddings of some rows [K], [K, D] or [K, 2, D]."""


class SampleFailures:
    """Which of N rows have failed, as far as it is known.

    Args:
        medium_of_row: code of the medium of each row, [N].
        failed: which rows are known to have failed, [N]; None: of none it is known.

    Attributes:
        failed: which have failed, [N].
        count: how many.

    Raises:
        AssessmentError: rows do not match.
    """

    def __init__(self, medium_of_row: IntArray, failed: ArrayLike | None = None) -> None:
        self._media = medium_of_row
        known = np.zeros(len(medium_of_row), dtype=np.bool_) if failed is None else np.array(failed, dtype=np.bool_)
        same_length(template_ids=len(medium_of_row), failed=len(known))
        self.failed: BoolArray = known
        self.count = int(np.count_nonzero(known))
        self._told_later: list[IntArray] = []

    def shares(self) -> NDArray[np.float64]:
        """The part of its medium's mean that each row is, [N]: 1 / usable rows, and 0 for a failed one."""
        usable = self._usable()
        shares = 1.0 / np.maximum(usable, 1)[self._media]
        if self.count:
            shares[self.failed] = 0.0
        return shares

    def tell(self, first_row: int, failed: ArrayLike) -> IntArray:
        """Note which rows from ``first_row`` on have failed, [B]; return those of which it wasn't known."""
        here = np.asarray(failed, dtype=np.bool_)
        rows = first_row + np.flatnonzero(here & ~self.failed[first_row : first_row + len(here)])
        if len(rows):
            self.failed[rows] = True
            self.count += len(rows)
            self._told_later.append(rows)
        return rows

    def read_again(
        self, reader: ReadAgain | None, most: int
    ) -> Iterator[tuple[IntArray, NDArray[np.float64], FloatArray]]:
        """Yield usable rows of media in which a failure was told later, at most ``most`` at a time.

        Yields:
            rows [K], how much of their share is missing [K], and their embeddings. Where 3 of 4 samples are usable,
            each was added as a fourth: a third of what was added is missing.

        Raises:
            AssessmentError: there are such rows, but nobody to read them.
        """
        if not self._told_later:
            return
        usable = self._usable()
        lost = np.bincount(self._media[np.concatenate(self._told_later)], minlength=len(usable))
        rows = np.flatnonzero((lost[self._media] > 0) & ~self.failed)
        if not len(rows):
            return
        if reader is None:
            raise AssessmentError(
                f"Row {rows[0]} was added before another of its medium was told to have failed: "
                "give a way to read such rows again."
            )
        for start in range(0, len(rows), most):
            part = rows[start : start + most]
            yield part, (lost / np.maximum(usable, 1))[self._media[part]], reader(part)

    def without_any_left(self, templates: IntArray, count: int) -> BoolArray | None:
        """Which of ``count`` templates have no usable row, [T]; None where all have some.

        Args:
            templates: code of the template of each row, [N].
            count: T.
        """
        if not self.count:
            return None
        none_left = np.bincount(templates[~self.failed], minlength=count) == 0
        return np.asarray(none_left) if none_left.any() else None

    def _usable(self) -> IntArray:
        rows = self._media[~self.failed] if self.count else self._media
        return np.bincount(rows, minlength=int(self._media.max(initial=-1)) + 1)
