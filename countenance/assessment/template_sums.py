"""The template protocol: many samples of a subject become one unit vector.

Each embedding is weighted by its detector score, averaged within its medium (all frames of one video count
once), summed over the media of the template, and scaled to unit length. Source: IJB-B (Whitelam et al., CVPRW
2017) and IJB-C (Maze et al., ICB 2018), with the detector score as in the public ArcFace evaluation.

How many rows each medium has is known from the ids alone, so that every row can be added with its final weight as it
comes: the memory needed is that of the templates, however many embeddings there are.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from countenance.assessment.arrays import (
    AnyArray,
    BoolArray,
    FloatArray,
    IntArray,
    RowError,
    codes_of,
    is_null,
    refuse_rows,
    same_length,
)
from countenance.assessment.sample_failures import ReadAgain, SampleFailures
from countenance.assessment.templates import DEFAULT_OPTIONS, TemplateOptions, Templates
from countenance.errors import AssessmentError

# Below this share of the added lengths, a sum of opposite embeddings is rounding and has no direction.
CANCELLATION = 1e-6
# Rows turned into float64 at a time: few enough that they stay in the processor's cache.
CHUNK_ROWS = 1024


class TemplateSums:
    """Templates in the making: embeddings are added in blocks, in any order, each row once.

    Sums are kept in float64, [T, D]; the embeddings themselves are not kept.

    Args:
        template_ids: the template of each row, [N].
        media_ids: the medium (photo or video) of each row, [N]; read within its template only.
        weights: detector score of each row, [N], not negative; all ones when None.
        options: what happens to an embedding before it is averaged.
        failed: rows that are known to have no embedding, [N]; more may be told as blocks are added.

    Raises:
        AssessmentError: rows do not match, an id is missing or a weight is negative; the text names the row.
    """

    def __init__(
        self,
        template_ids: ArrayLike,
        media_ids: ArrayLike,
        weights: ArrayLike | None = None,
        options: TemplateOptions = DEFAULT_OPTIONS,
        failed: ArrayLike | None = None,
    ) -> None:
        self._templates, self._ids = _numbered(template_ids)
        media, names = pd.factorize(np.asarray(media_ids))
        same_length(template_ids=len(self._templates), media_ids=len(media))
        refuse_rows(self._templates < 0, "the template is missing")
        refuse_rows(media < 0, "the medium is missing")
        medium_of_row, _ = pd.factorize(self._templates * np.int64(max(len(names), 1)) + media)
        self._failures = SampleFailures(np.asarray(medium_of_row), failed)
        share = self._failures.shares()
        if weights is not None and options.weigh_by_detector_score:
            share *= _checked_weights(weights, len(share))
        self._shares = share
        self._options = options
        self._waiting = np.ones(len(share), dtype=np.bool_)
        self._sums: NDArray[np.float64] | None = None
        # The length each template would have if all its embeddings pointed one way.
        self._straight = np.zeros(len(self._ids))
        self._finished = False

    def add(self, first_row: int, block: FloatArray, failed: ArrayLike | None = None) -> None:
        """Add the embeddings of some rows in a row.

        Args:
            first_row: row of the block's first embedding.
            block: [B, D] float32, or [B, 2, D] of images and their mirror images.
            failed: which of them could not be embedded, [B]; what the block holds there is not looked at.

        Raises:
            AssessmentError: an embedding is NaN, infinite or zero, or its row was added before or isn't there (the
                text names the row); the block's shape or type is wrong.
        """
        block = np.asarray(block)  # a mapped file is a slower kind of array
        self._refuse_unfit(first_row, block)
        block = self._without_failures(first_row, block, failed)
        if self._sums is None:
            self._sums = np.zeros((len(self._ids), block.shape[-1]))
        buffer = np.empty((min(CHUNK_ROWS, len(block)), block.shape[-1]))
        for start in range(0, len(block), CHUNK_ROWS):
            part = block[start : start + CHUNK_ROWS]
            rows = buffer[: len(part)]
            if part.ndim == 3 and self._options.flip == "sum":
                with np.errstate(all="ignore"):
                    samples = np.add(part[:, 0], part[:, 1], out=rows, dtype=np.float64)
            else:
                samples = part if part.ndim == 2 else part[:, 0]
                rows[...] = samples
            lengths = self._lengths(first_row + start, samples, rows)
            self._add_chunk(first_row + start, rows, lengths, self._sums)

    def finish(self, read_again: ReadAgain | None = None) -> Templates:
        """Return the templates when every row was added; nothing can be added from then on.

        Args:
            read_again: gives some rows once more; needed where failures were told along the way, for the other rows
                of the same media.

        Raises:
            AssessmentError: a row was never added, or a template adds up to nothing; the text names the row.
        """
        missing = np.flatnonzero(self._waiting)
        if len(missing):
            more = f" and {len(missing) - 1:,} more" if len(missing) > 1 else ""
            raise AssessmentError(f"Row {missing[0]}{more} was never added: add the embedding of every row.")
        self._refuse_finished()
        self._add_missing_shares(read_again)
        sums = np.zeros((0, 0)) if self._sums is None else self._sums
        self._finished, self._sums = True, None
        failed = self._failures.without_any_left(self._templates, len(self._ids))
        lengths, features = np.empty(len(sums)), np.empty(sums.shape, dtype=np.float32)
        for start in range(0, len(sums), CHUNK_ROWS):
            part = slice(start, start + CHUNK_ROWS)
            lengths[part] = np.sqrt(np.vecdot(sums[part], sums[part]))
            with np.errstate(all="ignore"):
                sums[part] /= lengths[part, None]
                features[part] = sums[part]
        empty = lengths <= CANCELLATION * self._straight
        if failed is not None:
            empty &= ~failed
            sums[failed], features[failed] = 0.0, 0.0
        if empty.any():
            _refuse_empty(empty, self._templates)
        return Templates(self._ids, features, sums, failed, self._failures.count)

    def _without_failures(self, first_row: int, block: FloatArray, failed: ArrayLike | None) -> FloatArray:
        """The block with any numbers that are fit in place of those of failed rows, whose share is nothing."""
        if failed is not None:
            same_length(block=len(block), failed=len(np.asarray(failed)))
            self._shares[self._failures.tell(first_row, failed)] = 0.0
        unusable = self._failures.failed[first_row : first_row + len(block)]
        if unusable.any():
            block = block.copy()
            block[unusable] = 1.0
        return block

    def _add_missing_shares(self, read_again: ReadAgain | None) -> None:
        for rows, missing, block in self._failures.read_again(read_again, CHUNK_ROWS):
            samples = (block if block.ndim == 2 else block[:, 0]).astype(np.float64)
            if block.ndim == 3 and self._options.flip == "sum":
                samples += block[:, 1]
            lengths, shares = np.sqrt(np.vecdot(samples, samples)), self._shares[rows] * missing
            if self._options.normalise_samples:
                shares, lengths = shares / lengths, np.ones(len(rows))
            assert self._sums is not None
            np.add.at(self._sums, self._templates[rows], shares[:, None] * samples)
            np.add.at(self._straight, self._templates[rows], shares * lengths)

    def _refuse_unfit(self, first_row: int, block: FloatArray) -> None:
        self._refuse_finished()
        if not (block.ndim == 2 or (block.ndim == 3 and block.shape[1] == 2)):
            raise AssessmentError(
                f"The embeddings have shape {block.shape}: give [samples, dimensions], or "
                "[samples, 2, dimensions] of images and their mirror images."
            )
        if not block.shape[-1]:
            raise AssessmentError(
                f"The embeddings have shape {block.shape}, which holds no number: give at least one dimension."
            )
        if block.dtype not in (np.float32, np.float64):
            raise AssessmentError(f"The embeddings are {block.dtype}: give float32.")
        if self._sums is not None and block.shape[-1] != self._sums.shape[1]:
            raise AssessmentError(
                f"The embeddings from row {first_row} on have {block.shape[-1]} dimensions, those before them "
                f"{self._sums.shape[1]}: give all rows from one model."
            )
        end = first_row + len(block)
        if first_row < 0 or end > len(self._waiting):
            raise AssessmentError(
                f"Embeddings of rows {first_row} to {end - 1} were added, but the protocol has {len(self._waiting):,} "
                "rows: give embeddings row by row as in the protocol."
            )
        again = np.flatnonzero(~self._waiting[first_row:end])
        if len(again):
            raise AssessmentError(f"Row {first_row + int(again[0])} was added twice: add every row once.")

    def _refuse_finished(self) -> None:
        if self._finished:
            raise AssessmentError("These templates are finished already: start new sums.")

    def _lengths(self, first_row: int, samples: FloatArray, rows: NDArray[np.float64]) -> FloatArray:
        """The length of each embedding; in float64 where it matters, else in float32, which is read twice as fast."""
        counted = rows if self._options.normalise_samples else samples
        with np.errstate(all="ignore"):
            squares = np.vecdot(counted, counted)
            if not (np.isfinite(squares).all() and squares.all()):
                # Perhaps the squares were only too large or too small for float32.
                squares = np.vecdot(rows, rows)
        if not (np.isfinite(squares).all() and squares.all()):
            before = np.zeros(first_row, dtype=np.bool_)
            wrong = np.append(before, ~np.isfinite(squares))
            refuse_rows(wrong, "the embedding holds a value that is not a finite number")
            refuse_rows(np.append(before, squares == 0.0), "the embedding is a zero vector")
        return np.asarray(np.sqrt(squares))

    def _add_chunk(
        self, first_row: int, rows: NDArray[np.float64], lengths: FloatArray, sums: NDArray[np.float64]
    ) -> None:
        shares = self._shares[first_row : first_row + len(rows)]
        if self._options.normalise_samples:
            shares, lengths = shares / lengths, np.ones(len(rows))
        templates = self._templates[first_row : first_row + len(rows)]
        order = np.argsort(templates, kind="stable")
        by_template = templates[order]
        starts = np.flatnonzero(np.diff(by_template, prepend=-1))
        present = by_template[starts]
        averaging = sparse.csr_array(
            (shares[order], order, np.append(starts, len(rows))), shape=(len(present), len(rows))
        )
        sums[present] += averaging @ rows
        self._straight[present] += averaging @ lengths
        self._waiting[first_row : first_row + len(rows)] = False


def aggregate_templates(
    embeddings: FloatArray,
    template_ids: ArrayLike,
    media_ids: ArrayLike,
    *,
    detector_scores: ArrayLike | None = None,
    options: TemplateOptions = DEFAULT_OPTIONS,
    failed: ArrayLike | None = None,
) -> Templates:
    """Aggregate sample embeddings into templates.

    Args:
        embeddings: one embedding a sample, [N, D] float32, or two, [N, 2, D], of the image and its mirror image; a
            sample in two templates is two rows.
        template_ids: the template of each row, [N].
        media_ids: the medium (photo or video) of each row, [N]; read within its template only.
        detector_scores: the weight of each row, [N], not negative; all ones when None.
        options: what happens to an embedding before it is averaged.
        failed: which samples could not be embedded, [N]; see :mod:`countenance.assessment.sample_failures`.

    Raises:
        AssessmentError: rows do not match, or a row is NaN, zero or has a negative weight, or a template
            adds up to nothing; the text names the row or the template's position.
    """
    rows = np.asarray(embeddings)
    same_length(embeddings=len(rows), template_ids=len(np.asarray(template_ids)), media_ids=len(np.asarray(media_ids)))
    sums = TemplateSums(template_ids, media_ids, detector_scores, options, failed)
    sums.add(0, rows)
    return sums.finish()


def _refuse_empty(empty: BoolArray, templates: IntArray) -> None:
    """Name the first row of a template that adds up to nothing, and how many more such templates there are."""
    first, more = int(np.argmax(empty[templates])), int(np.count_nonzero(empty)) - 1
    others = f", as {'does' if more == 1 else 'do'} {more:,} more," if more else ""
    raise RowError(
        f"The template that starts in row {first}{others} adds up to a zero vector: "
        "its weights are all zero or its embeddings cancel; drop the template.",
        row=first,
        problem="the template that starts here adds up to a zero vector, as its detector scores are all zero "
        "or its embeddings cancel",
        more=more,
    )


def _numbered(labels: ArrayLike) -> tuple[IntArray, AnyArray]:
    """Like :func:`codes_of`, but whole numbers stay whole numbers, which are looked up much faster."""
    values = np.asarray(labels)
    if values.dtype.kind not in "iu":
        return codes_of(labels)
    codes, ids = pd.factorize(values, sort=True)
    return np.asarray(codes, dtype=np.int64), np.asarray(ids)


def _checked_weights(weights: ArrayLike, count: int) -> FloatArray:
    refuse_rows(is_null(weights), "the detector score is missing")
    scores = np.asarray(weights, dtype=np.float64)
    same_length(embeddings=count, detector_scores=len(scores))
    refuse_rows(~np.isfinite(scores) | (scores < 0), "the detector score is not a number of zero or more")
    return scores
