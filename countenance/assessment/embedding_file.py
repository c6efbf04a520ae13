"""Embeddings from a file, a block at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import numpy as np

from countenance.assessment.arrays import FloatArray
from countenance.errors import AssessmentError

BLOCK_ROWS: Final = 8192


def embedding_blocks(path: Path, rows: int = BLOCK_ROWS) -> Iterator[tuple[int, FloatArray]]:
    """Yield the embeddings of a .npy file as (first row, block), in order.

    The file is mapped into memory anew for each block: pages that were read count as memory of this process until they
    are given back, and the file may be larger than the memory there is.

    Args:
        path: of an array [N, D], or [N, 2, D] of images and their mirror images.
        rows: of a block.

    Raises:
        AssessmentError: the file isn't there or isn't such an array.
    """
    count = len(_mapped(path))
    for start in range(0, count, rows):
        yield start, _mapped(path)[start : start + rows]


def read_embeddings(path: Path) -> FloatArray:
    """Return all embeddings of a .npy file, [N, D]; those of an image and its mirror image are added up.

    Raises:
        AssessmentError: the file isn't there or isn't such an array.
    """
    array = _mapped(path)
    return np.array(array) if array.ndim == 2 else np.asarray(array.sum(axis=1))


def _mapped(path: Path) -> FloatArray:
    try:
        array: FloatArray = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        raise AssessmentError(f"{path} cannot be read as a .npy file ({error}): write it with numpy.save.") from error
    if not isinstance(array, np.ndarray) or array.ndim not in (2, 3):
        raise AssessmentError(f"{path} does not hold embeddings [samples, dimensions]: write such an array.")
    return array
