"""Searching many probes in one gallery: float32 products for all, float64 for the few that they leave open."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from countenance.assessment.arrays import FloatArray, IntArray
from countenance.assessment.score_grid import on_grid
from countenance.assessment.template_scores import float32_error_bound, gathered_scores
from countenance.assessment.templates import Templates
from countenance.assessment.verification import allowed_false_accepts

# Of scores in a block of probes: 4 MB.
BLOCK_CELLS: Final = 1_048_576
# The rank of a mate where the probe or the mate failed: beyond any that could be asked for.
NEVER_FOUND: Final = int(np.iinfo(np.int64).max)
# More than adding to a score of about 1 rounds away in float32.
SUM_ROUNDING: Final = 2.0**-22


class GallerySearch:
    """All probes against one gallery.

    Args:
        templates: T of them, of unit length.
        gallery: row of each template of the gallery, [G].
        probes: row of each probe, [Q].
        mates: place within the gallery of each probe's mate, [Q]; -1 for a probe without one.
        deepest: ranks down to this one are told exactly.

    Attributes:
        mate_ranks: of each mated probe, [M]: 1 plus the others that score as high as its mate or higher, in float64; of
            one that is beyond the deepest rank, only that it is. A probe that failed, or whose mate did, has
            ``NEVER_FOUND``.
    """

    def __init__(
        self, templates: Templates, gallery: IntArray, probes: IntArray, mates: IntArray, deepest: int
    ) -> None:
        self._templates = templates
        self._deepest = deepest
        self._mated, self._non_mated = probes[mates >= 0], probes[mates < 0]
        self._mates = mates[mates >= 0]
        # Two scores that differ by more than this in float32 are in the same order in float64.
        self._doubt = np.float32(2.0 * float32_error_bound(templates.features.shape[1]) + SUM_ROUNDING)
        self._enrolled, self._enrolled64 = templates.features[gallery], templates.features64[gallery]
        self._failed = templates.failed
        self._enrolled_failed = None if templates.failed is None else np.flatnonzero(templates.failed[gallery])
        self._mate_scores = np.empty(len(self._mated), dtype=np.float32)
        self.mate_ranks: NDArray[np.int64] = self._ranked()
        self._maxima = self._highest()

    def exact_non_mated_maxima(self, fpir: float) -> FloatArray:
        """Return the highest score of each non-mated probe: exact in float64 where the threshold may fall, [N] float64.

        The others are on the right side of the threshold at ``fpir``, which is all that it needs.
        """
        maxima = self._maxima.astype(np.float64)
        allowed = allowed_false_accepts(fpir, len(maxima))
        about = np.sort(maxima)[len(maxima) - 1 - allowed] if allowed else -np.inf
        if np.isfinite(about):
            for number in np.flatnonzero(np.abs(maxima - about) <= self._doubt):
                maxima[number] = self._exact_row(self._non_mated[number]).max()
        return maxima

    def identified_above(self, threshold: float) -> int:
        """Count the mated probes whose mate is at rank 1 and scores above the threshold, in float64."""
        scores = self._mate_scores.astype(np.float64)
        open_ones = np.flatnonzero((np.abs(scores - threshold) <= self._doubt) & (self.mate_ranks == 1))
        scores[open_ones] = gathered_scores(
            self._templates.features64, self._enrolled64, self._mated[open_ones], self._mates[open_ones]
        )
        return int(((scores > threshold) & (self.mate_ranks == 1)).sum())

    def _ranked(self) -> NDArray[np.int64]:
        ranks = np.ones(len(self._mated), dtype=np.int64)
        for part, block in self._blocks(self._mated):
            mate = self._mates[part]
            own = np.arange(len(block)), mate
            scores = self._mate_scores[part] = block[own]
            block[own] = -np.inf
            # Most mates are above all others by far, and nothing needs to be counted.
            near = np.flatnonzero(block.max(axis=1) >= scores - self._doubt)
            others, at = block[near], scores[near, None]
            surely = np.count_nonzero(others > at + self._doubt, axis=1)
            maybe = np.count_nonzero(others >= at - self._doubt, axis=1)
            ranks[part.start + near] = 1 + surely
            for row in near[(surely != maybe) & (surely < self._deepest)]:
                ranks[part.start + row] = self._exact_rank(part.start + row)
        ranks[np.isneginf(self._mate_scores)] = NEVER_FOUND
        return ranks

    def _highest(self) -> NDArray[np.float32]:
        maxima = np.empty(len(self._non_mated), dtype=np.float32)
        for part, block in self._blocks(self._non_mated):
            block.max(axis=1, out=maxima[part])
        return maxima

    def _blocks(self, probes: IntArray) -> Iterator[tuple[slice, NDArray[np.float32]]]:
        height = max(1, BLOCK_CELLS // len(self._enrolled))
        buffer = np.empty((min(height, len(probes)), len(self._enrolled)), dtype=np.float32)
        for start in range(0, len(probes), height):
            part = slice(start, min(start + height, len(probes)))
            block = buffer[: part.stop - start]
            np.matmul(self._templates.features[probes[part]], self._enrolled.T, out=block)
            if self._failed is not None and self._enrolled_failed is not None:
                block[:, self._enrolled_failed] = -np.inf
                block[self._failed[probes[part]]] = -np.inf
            yield part, block

    def _exact_rank(self, number: int) -> int:
        scores, mate = self._exact_row(self._mated[number]), self._mates[number]
        # The mate is as high as itself.
        return int((scores >= scores[mate]).sum())

    def _exact_row(self, probe: int) -> FloatArray:
        row = np.broadcast_to(self._templates.features64[probe], self._enrolled64.shape)
        # As gathered_scores adds, so that a score is the same number whichever way it is reached.
        scores = on_grid(np.einsum("pd,pd->p", row, self._enrolled64))
        if self._enrolled_failed is not None:
            scores[self._enrolled_failed] = -np.inf
        return scores
