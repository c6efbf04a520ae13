"""IJB evaluation as a plain script does it: loops over templates and media, every score and every sort in float64.

It is what the fast way is measured beside and checked against, and nothing else calls it. Written after the description
of the protocol and the steps that public scripts take, without their arrays that nobody reads.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from countenance.assessment.arrays import BoolArray, FloatArray, IntArray
from countenance.assessment.verification import allowed_false_accepts

GATHERED_PAIRS = 100_000


def plain_templates(
    embeddings: FloatArray, template_ids: IntArray, media_ids: IntArray, detector_scores: FloatArray
) -> tuple[IntArray, NDArray[np.float64]]:
    """Return template ids [T] and unit vectors [T, D] of embeddings [N, D]."""
    weighted = embeddings * detector_scores.astype(np.float64)[:, None]
    ids = np.unique(template_ids)
    features = np.zeros((len(ids), embeddings.shape[1]))
    for number, template in enumerate(ids):
        rows = np.flatnonzero(template_ids == template)
        images, media = weighted[rows], media_ids[rows]
        for medium in np.unique(media):
            features[number] += images[media == medium].mean(axis=0)
    return ids, features / np.linalg.norm(features, axis=1, keepdims=True)


def plain_scores(
    features: NDArray[np.float64], ids: IntArray, first: IntArray, second: IntArray
) -> NDArray[np.float64]:
    """Return the cosine of each pair of template ids, [P], from two gathered rows each."""
    position = np.zeros(int(ids.max()) + 1, dtype=np.int64)
    position[ids] = np.arange(len(ids))
    scores = np.zeros(len(first))
    for start in range(0, len(first), GATHERED_PAIRS):
        part = slice(start, start + GATHERED_PAIRS)
        scores[part] = np.sum(features[position[first[part]]] * features[position[second[part]]], axis=-1)
    return scores


def plain_roc_curve(
    mated: BoolArray, scores: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Return FAR, TAR and threshold of the points at which the ROC curve turns, from strict to lax.

    The steps of scikit-learn's ``roc_curve``, which this library doesn't depend on, without its checks.
    """
    order = np.argsort(scores, kind="mergesort")[::-1]
    ordered, truth = scores[order], mated[order]
    last = np.append(np.flatnonzero(np.diff(ordered)), len(ordered) - 1)
    true_accepts = np.cumsum(truth, dtype=np.float64)[last]
    false_accepts = 1.0 + last - true_accepts
    if len(last) > 2:
        turns = np.concatenate([[True], (np.diff(false_accepts, 2) != 0) | (np.diff(true_accepts, 2) != 0), [True]])
        false_accepts, true_accepts, last = false_accepts[turns], true_accepts[turns], last[turns]
    false_accepts, true_accepts = (np.append(0.0, counts) for counts in (false_accepts, true_accepts))
    thresholds = np.append(np.inf, ordered[last])
    return false_accepts / false_accepts[-1], true_accepts / true_accepts[-1], thresholds


def plain_tars(mated: BoolArray, scores: NDArray[np.float64], fars: Sequence[float]) -> list[float]:
    """Return TAR at the ROC point nearest to each FAR."""
    far, tar, _ = plain_roc_curve(mated, scores)
    far, tar = far[::-1], tar[::-1]
    return [float(tar[np.argmin(np.abs(far - target))]) for target in fars]


def plain_identification(
    gallery: NDArray[np.float64],
    gallery_subjects: IntArray,
    probes: NDArray[np.float64],
    probe_subjects: IntArray,
    *,
    ranks: Sequence[int],
    fpirs: Sequence[float],
) -> tuple[list[int], list[int | None]]:
    """Return how many mated probes find their mate within each rank, and how many are identified at each FPIR.

    None where the FPIR is below one in the non-mated probes.

    Args:
        gallery: unit vectors of one gallery, [G, D].
        gallery_subjects: of each, [G].
        probes: unit vectors, [Q, D].
        probe_subjects: of each, [Q].
        ranks: to report.
        fpirs: targets.
    """
    scores = probes @ gallery.T
    nearest = np.argsort(-scores, axis=1)
    said = gallery_subjects[nearest]
    inside = np.isin(probe_subjects, gallery_subjects)
    highest = np.sort(scores[~inside].max(axis=1))
    hits = said[inside] == probe_subjects[inside][:, None]
    found = [int(hits[:, :rank].any(axis=1).sum()) for rank in ranks]
    best = scores[inside, nearest[inside, 0]]
    identified: list[int | None] = []
    for fpir in fpirs:
        allowed = allowed_false_accepts(fpir, len(highest))
        above = best > highest[len(highest) - 1 - allowed]
        identified.append(int((hits[:, 0] & above).sum()) if allowed else None)
    return found, identified
