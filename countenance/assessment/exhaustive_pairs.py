"""Every sample against every other: which comparisons score highest, and where a given share of them would match.

Errors by group need comparisons within every group, of which a draw from all pairs holds few. Here none is left out:
float32 matrix products in blocks, of which only scores above a floor are kept; where rounding could decide, scores are
computed again in float64. Counts are those of float64 throughout, memory does not grow with the number of pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from countenance.assessment.arrays import AnyArray, BoolArray, FloatArray, IntArray, codes_of, same_length
from countenance.assessment.pairs import mated_pairs
from countenance.assessment.score_normalisation import CohortNormalisation
from countenance.assessment.template_scores import FLOAT32_ROUNDING, float32_error_bound, gathered_scores
from countenance.assessment.verification import allowed_false_accepts
from countenance.errors import AssessmentError

# Rows of a block: 16 MB of scores, which stay in the processor's cache.
BLOCK_ROWS: Final = 2048
# Rows whose comparisons say roughly where the threshold will be.
PROBED_ROWS: Final = 1500
# Of kept scores, 600 MB; a floor that keeps more is refused.
KEPT_LIMIT: Final = 50_000_000


@dataclass(frozen=True, eq=False)
class Samples:
    """Samples that are compared with one another.

    Attributes:
        features: unit vectors, [N, D] float64; zeros where extraction failed.
        subject: subject code of each, [N].
        subjects: the distinct subjects, [S], sorted; codes index it.
        failed: where nothing could be extracted, [N]: such a sample matches nobody, its own subject included.
        scale: a score is the cosine times ``scale[i] + scale[j]``, [N]; a half each leaves it as it is.
        shift: plus ``shift[i] + shift[j]``, [N].
    """

    features: FloatArray
    subject: IntArray
    subjects: AnyArray
    failed: BoolArray
    scale: FloatArray
    shift: FloatArray

    @classmethod
    def of(cls, embeddings: ArrayLike, subjects: ArrayLike) -> Samples:
        """Take embeddings [N, D] of any length and the subject of each, [N].

        A row of zeros, or with a number that is not finite, stands for a failure to extract.

        Raises:
            AssessmentError: wrong shapes, or a sample without a subject.
        """
        rows = np.asarray(embeddings, dtype=np.float64)
        if rows.ndim != 2:
            raise AssessmentError(f"The embeddings have shape {rows.shape}: give [samples, dimensions].")
        codes, names = codes_of(subjects)
        same_length(embeddings=len(rows), subjects=len(codes))
        if (codes < 0).any():
            row = int(np.flatnonzero(codes < 0)[0])
            raise AssessmentError(f"Sample {row} has no subject: leave it out, nobody can say what it should match.")
        length = np.linalg.norm(rows, axis=1)
        failed = ~np.isfinite(length) | (length == 0.0)
        unit = np.divide(rows, length[:, None], out=np.zeros_like(rows), where=~failed[:, None])
        return cls(unit, codes, names, np.asarray(failed), np.full(len(rows), 0.5), np.zeros(len(rows)))

    def normalised(self, normalisation: CohortNormalisation) -> Samples:
        """Return the samples with their scores made comparable by a cohort of strangers."""
        scale, shift = normalisation.scale_and_shift(self.features)
        return replace(self, scale=scale, shift=shift)

    def scores(self, first: IntArray, second: IntArray) -> FloatArray:
        """Return the float64 score of each pair of rows, [P]."""
        cosines = gathered_scores(self.features, self.features, first, second)
        return np.asarray(cosines * (self.scale[first] + self.scale[second]) + (self.shift[first] + self.shift[second]))

    @property
    def rounding(self) -> float:
        """How far a score in float32 may be from the one in float64."""
        of_cosines = float32_error_bound(self.features.shape[1])
        steps = 4.0 * FLOAT32_ROUNDING
        return 2.0 * ((of_cosines + steps) * float(self.scale.max()) + steps * float(np.abs(self.shift).max()))

    @property
    def lowest(self) -> float:
        """A number under every score."""
        return -2.0 * (float(self.scale.max()) + float(np.abs(self.shift).max())) - 1.0

    @property
    def usable(self) -> IntArray:
        """How many samples of each subject could be extracted, [S]."""
        return np.bincount(self.subject[~self.failed], minlength=len(self.subjects))

    @property
    def non_mated(self) -> int:
        """How many comparisons of samples of two subjects there are, failures to extract left out."""
        return int(pair_total(self.usable))

    def mated_scores(self) -> tuple[IntArray, FloatArray]:
        """Return the subject code and the score of every mated comparison, [M]; minus infinity where one failed."""
        first, second = mated_pairs(self.subject)
        scores = self.scores(first, second)
        scores[self.failed[first] | self.failed[second]] = -np.inf
        return self.subject[first], scores


def pair_total(counts: ArrayLike) -> float:
    """Return the sum of ``counts[i] * counts[j]`` over all pairs i < j; the counts may be weighted."""
    values = np.asarray(counts, dtype=np.float64)
    return float((values.sum() ** 2 - (values**2).sum()) / 2.0)


@dataclass(frozen=True, eq=False)
class HighScores:
    """Every non-mated comparison that scores above a floor.

    Attributes:
        samples: what was compared.
        floor: scores above it are here, all of them; a threshold below it cannot be judged.
        first: row of one side, [K].
        second: row of the other side, [K]; above ``first``.
        scores: [K] float32, each within :func:`float32_error_bound` of its float64 value.
    """

    samples: Samples
    floor: float
    first: IntArray
    second: IntArray
    scores: FloatArray

    @classmethod
    def above(cls, samples: Samples, floor: float) -> HighScores:
        """Compare every sample with every other and keep what scores above ``floor``.

        Raises:
            AssessmentError: the floor is so low that too many comparisons are above it.
        """
        kept = np.flatnonzero(~samples.failed).astype(np.int32)
        rows = samples.features[kept].astype(np.float32)
        # What rounds to just under the floor may be above it.
        lowest = np.float32(floor - samples.rounding)
        scale, shift = (column[kept].astype(np.float32) for column in (samples.scale, samples.shift))
        block = np.empty((min(BLOCK_ROWS, len(rows)),) * 2, dtype=np.float32)
        found: list[tuple[IntArray, IntArray, FloatArray]] = []
        count = 0
        for down in range(0, len(rows), BLOCK_ROWS):
            for across in range(down, len(rows), BLOCK_ROWS):
                part = _above(rows, scale, shift, down, across, lowest, block)
                first, second = kept[part[0]], kept[part[1]]
                strangers = samples.subject[first] != samples.subject[second]
                found.append((first[strangers], second[strangers], part[2][strangers]))
                count += len(found[-1][0])
                if count > KEPT_LIMIT:
                    raise AssessmentError(
                        f"More than {KEPT_LIMIT:,} comparisons score above {floor:.4g}: ask for a lower false match "
                        "rate, or hand in fewer samples."
                    )
        empty = (np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32))
        columns = [np.concatenate(column) for column in zip(*(found or [empty]), strict=True)]
        return cls(samples, float(floor), *columns)

    @classmethod
    def for_rate(cls, samples: Samples, rate: float) -> HighScores:
        """Keep enough of the highest scores to know the threshold at which ``rate`` of all comparisons match.

        Raises:
            AssessmentError: the rate is not measurable on so few comparisons.
        """
        total = samples.non_mated
        needed = allowed_false_accepts(rate, total) + 1
        if needed == 1:
            raise AssessmentError(
                f"A false match rate of {rate:g} is below 1 in {total:,} non-mated comparisons: give more samples or "
                "a higher rate."
            )
        share = 2.0 * rate
        while True:
            high = cls.above(samples, _floor_for(samples, share))
            if share >= 1.0 or int((high.scores > high.floor + samples.rounding).sum()) >= needed:
                return high
            share *= 4.0

    def threshold_at(self, rate: float) -> float:
        """Return the (k+1)-th largest non-mated score in float64, k = floor(rate x comparisons), as everywhere here.

        Raises:
            AssessmentError: the rate is not measurable, or the threshold may lie under the floor.
        """
        total = self.samples.non_mated
        allowed = allowed_false_accepts(rate, total)
        if allowed == 0:
            raise AssessmentError(f"A false match rate of {rate:g} is below 1 in {total:,} non-mated comparisons.")
        if allowed >= len(self.scores):
            raise AssessmentError(f"The threshold at {rate:g} lies under the floor {self.floor:.4g}: lower the floor.")
        near = float(np.partition(self.scores, len(self.scores) - 1 - allowed)[len(self.scores) - 1 - allowed])
        scores = self._decided(near, 2.0 * self.samples.rounding)
        threshold = float(np.partition(scores, len(scores) - 1 - allowed)[len(scores) - 1 - allowed])
        if threshold < self.floor:
            raise AssessmentError(f"The threshold at {rate:g} lies under the floor {self.floor:.4g}: lower the floor.")
        return threshold

    def matches(self, threshold: float) -> tuple[IntArray, IntArray]:
        """Return the rows of both sides of every false match at ``threshold``: float64 score > threshold.

        Raises:
            AssessmentError: the threshold is under the floor.
        """
        if threshold < self.floor:
            raise AssessmentError(
                f"The threshold {threshold:.4g} is under the floor {self.floor:.4g}: lower the floor."
            )
        accepted = self._decided(threshold, self.samples.rounding) > threshold
        return self.first[accepted], self.second[accepted]

    def _decided(self, threshold: float, margin: float) -> FloatArray:
        """The scores, in float64 where they are within ``margin`` of ``threshold``."""
        scores = self.scores.astype(np.float64)
        unsure = np.flatnonzero(np.abs(scores - threshold) <= margin)
        scores[unsure] = self.samples.scores(self.first[unsure], self.second[unsure])
        return scores


def _above(
    rows: FloatArray,
    scale: FloatArray,
    shift: FloatArray,
    down: int,
    across: int,
    lowest: np.float32,
    block: FloatArray,
) -> tuple[IntArray, IntArray, FloatArray]:
    left, right = rows[down : down + BLOCK_ROWS], rows[across : across + BLOCK_ROWS]
    scores = block[: len(left), : len(right)]
    np.matmul(left, right.T, out=scores)
    if (scale != 0.5).any() or shift.any():
        scores *= scale[down : down + BLOCK_ROWS, None] + scale[across : across + BLOCK_ROWS]
        scores += shift[down : down + BLOCK_ROWS, None] + shift[across : across + BLOCK_ROWS]
    first, second = np.nonzero(scores > lowest)
    if down == across:
        upper = first < second
        first, second = first[upper], second[upper]
    return first + down, second + across, scores[first, second]


def _floor_for(samples: Samples, share: float) -> float:
    """Roughly the score that ``share`` of the non-mated comparisons exceed, from evenly spread samples."""
    usable = np.flatnonzero(~samples.failed)
    probed = usable[np.unique(np.linspace(0, len(usable) - 1, min(PROBED_ROWS, len(usable))).astype(np.int64))]
    strangers = np.nonzero(np.triu(samples.subject[probed][:, None] != samples.subject[probed][None, :]))
    if len(strangers[0]) == 0 or share >= 1.0:
        return samples.lowest
    rows, scale, shift = (each[probed].astype(np.float32) for each in (samples.features, samples.scale, samples.shift))
    scores = (rows @ rows.T) * (scale[:, None] + scale) + (shift[:, None] + shift)
    return float(np.quantile(scores[strangers], 1.0 - share))
