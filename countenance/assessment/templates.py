"""The template protocol: many samples of a subject become one unit vector.

Each embedding is weighted by its detector score, averaged within its medium (all frames of one video count
once), summed over the media of the template, and scaled to unit length. Source: IJB-B (Whitelam et al., CVPRW
2017) and IJB-C (Maze et al., ICB 2018), with the detector score as in the public ArcFace evaluation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import sparse

from countenance.assessment.arrays import AnyArray, FloatArray, codes_of, is_null, refuse_rows, same_length
from countenance.assessment.results import Result
from countenance.errors import AssessmentError

# Below this share of the added lengths, a sum of opposite embeddings is rounding and has no direction.
CANCELLATION = 1e-6


@dataclass(frozen=True, eq=False)
class Templates(Result):
    """Templates, one a row.

    Attributes:
        ids: template identifiers, [T], sorted.
        features: unit vectors, [T, D] float32.
    """

    ids: AnyArray
    features: FloatArray


def aggregate_templates(
    embeddings: FloatArray,
    template_ids: ArrayLike,
    media_ids: ArrayLike,
    *,
    detector_scores: ArrayLike | None = None,
) -> Templates:
    """Aggregate sample embeddings into templates.

    Args:
        embeddings: one embedding a sample, [N, D] float32; a sample in two templates is two rows.
        template_ids: the template of each row, [N].
        media_ids: the medium (photo or video) of each row, [N]; read within its template only.
        detector_scores: the weight of each row, [N], not negative; all ones when None.

    Raises:
        AssessmentError: rows do not match, or a row is NaN, zero or has a negative weight, or a template
            adds up to nothing; the text names the row or the template's position.
    """
    rows = _checked_embeddings(embeddings)
    templates, ids = codes_of(template_ids)
    media, _ = codes_of(media_ids)
    same_length(embeddings=len(rows), template_ids=len(templates), media_ids=len(media))
    refuse_rows(templates < 0, "the template is missing")
    refuse_rows(media < 0, "the medium is missing")
    weights = _checked_weights(detector_scores, len(rows))

    _, medium_of_row, size = np.unique(
        np.column_stack([templates, media]), axis=0, return_inverse=True, return_counts=True
    )
    share = (weights / size[medium_of_row.reshape(-1)]).astype(rows.dtype)
    averaging = sparse.csr_array((share, (templates, np.arange(len(rows)))), shape=(len(ids), len(rows)))
    summed = np.asarray(averaging @ rows)
    lengths = np.linalg.norm(summed, axis=1)
    added = np.asarray(averaging @ np.linalg.norm(rows, axis=1))
    empty = lengths <= CANCELLATION * added
    if empty.any():
        position = int(np.argmax(empty))
        first = int(np.argmax(templates == position))
        raise AssessmentError(
            f"The template that starts in row {first} adds up to a zero vector: "
            "its weights are all zero or its embeddings cancel; drop the template."
        )
    return Templates(ids=ids, features=(summed / lengths[:, None]).astype(np.float32))


def _checked_embeddings(embeddings: FloatArray) -> FloatArray:
    rows = np.asarray(embeddings)
    if rows.ndim != 2:
        raise AssessmentError(f"The embeddings have shape {rows.shape}: give [samples, dimensions].")
    if rows.dtype not in (np.float32, np.float64):
        raise AssessmentError(f"The embeddings are {rows.dtype}: give float32.")
    refuse_rows(~np.isfinite(rows).all(axis=1), "the embedding holds a value that is not a finite number")
    refuse_rows(~rows.any(axis=1), "the embedding is a zero vector")
    return rows


def _checked_weights(detector_scores: ArrayLike | None, count: int) -> FloatArray:
    if detector_scores is None:
        return np.ones(count)
    refuse_rows(is_null(detector_scores), "the detector score is missing")
    weights = np.asarray(detector_scores, dtype=np.float64)
    same_length(embeddings=count, detector_scores=len(weights))
    refuse_rows(~np.isfinite(weights) | (weights < 0), "the detector score is not a number of zero or more")
    return weights
