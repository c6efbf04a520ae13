"""What was said of found faces, brought to the labelled faces that they are: by photo, and by how far boxes overlap."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from countenance.assessment.arrays import AnyArray, BoolArray, IntArray, is_null
from countenance.assessment.detection import SAME_FACE, box_overlaps
from countenance.errors import AssessmentError


@dataclass(frozen=True, eq=False)
class FoundOfLabelled:
    """Which found face each labelled one is.

    Attributes:
        searched: whether the labelled face's photo was looked through at all, [N].
        found: row of the found face, [N]; -1 where none overlaps enough.
    """

    searched: BoolArray
    found: IntArray


def found_of_labelled(
    labelled_photo: ArrayLike,
    labelled_xywh: AnyArray,
    found_photo: ArrayLike,
    found_xywh: AnyArray,
    *,
    overlap: float = SAME_FACE,
) -> FoundOfLabelled:
    """Take for every labelled face the found one of its photo that it overlaps most.

    The detector's score plays no part: which faces count as found is the detector's own threshold.

    Args:
        labelled_photo: of each labelled face, [N].
        labelled_xywh: its box, [N] objects of [4].
        found_photo: of each found face, [M]; a photo in which nothing was found has a row, too.
        found_xywh: its box, [M] objects of [4]; None for a photo in which nothing was found.
        overlap: intersection over union that is enough.

    Raises:
        AssessmentError: a labelled face has no box.
    """
    unboxed = np.flatnonzero(is_null(labelled_xywh))
    if len(unboxed):
        raise AssessmentError(f"In row {int(unboxed[0])} a labelled face has no box: found faces are joined by boxes.")
    codes, photos = pd.factorize(np.asarray(found_photo, dtype=object))
    at = pd.Index(photos).get_indexer(pd.Index(np.asarray(labelled_photo, dtype=object)))
    # Photos that the labels don't know have no code, nor have labelled photos that nobody looked through.
    real = np.flatnonzero(~is_null(found_xywh) & (codes >= 0))
    by_photo = {code: rows.index.to_numpy() for code, rows in pd.DataFrame(index=real).groupby(codes[real])}
    found = np.full(len(at), -1, dtype=np.int64)
    for face, photo in enumerate(at.tolist()):
        rows = by_photo.get(photo)
        if rows is None:
            continue
        boxes = np.stack([np.asarray(found_xywh[row], dtype=np.float64) for row in rows])
        shared = box_overlaps(boxes, np.asarray(labelled_xywh[face], dtype=np.float64)[None])[:, 0]
        if shared.max() >= overlap:
            found[face] = rows[shared.argmax()]
    return FoundOfLabelled(searched=np.asarray(at >= 0), found=found)
