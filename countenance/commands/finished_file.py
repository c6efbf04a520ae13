"""A finished file of embeddings as ``countenance evaluate`` takes it, described beside it or not."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from countenance.data.array_files import map_array
from countenance.errors import DataError
from countenance.learning.embedding_plan import description_path, part_folder
from countenance.learning.finished_embeddings import read_embeddings


@dataclass(frozen=True, eq=False)
class FinishedFile:
    """Embeddings, and what is told beside them.

    Attributes:
        values: [N, D], or [N, 2, D] of images and their mirror images, float32 or float64, mapped.
        failed: rows that could not be embedded, [N]; None where nothing is told.
        model: what the model is called, where it is told.
    """

    values: NDArray[Any]
    failed: NDArray[np.bool_] | None
    model: str | None


def finished_file(path: Path, *, unfinished: str = "run the extraction to its end") -> FinishedFile:
    """Open what ``countenance embed`` wrote, or a plain array.

    Args:
        path: of an array. With a description beside it (``E.npy.json``), the failures that it records are known.
        unfinished: what to do about a file that is still being made.

    Raises:
        DataError: it isn't there, isn't finished, or is no such array.
    """
    try:
        if not path.exists() and part_folder(path).exists():
            raise DataError(f"{path} is not finished: {unfinished}.")
        if description_path(path).exists():
            known = read_embeddings(path)
            return FinishedFile(known.values, known.failed(), known.plan.model)
        values = map_array(path)
    except FileNotFoundError as error:
        raise DataError(f"{path} is not there: give the .npy file that countenance embed wrote.") from error
    except OSError as error:
        raise DataError(f"{path} can't be read ({error.strerror}): see to it that it can.") from error
    shaped = values.ndim == 2 or (values.ndim == 3 and values.shape[1] == 2)
    if not shaped or values.dtype not in (np.float32, np.float64):
        raise DataError(
            f"{path} holds {values.shape} {values.dtype} where [photos, D] or [photos, 2, D] float32 belong: write one "
            "embedding a photo, or two, of the photo and of its mirror image."
        )
    return FinishedFile(values, None, None)
