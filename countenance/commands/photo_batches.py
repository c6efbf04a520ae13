"""Photo files through an analyzer, a few at a time, so that any number of them fits in memory."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from countenance.analysis.analyzer import AnalyzedFace, FaceAnalyzer
from countenance.data.photographs import decode_photo, read_photo_bytes
from countenance.errors import DataError
from countenance.progress import track

PHOTOS_AT_A_TIME: Final = 16
PIXELS_AT_A_TIME: Final = 24_000_000
MANY: Final = 8
"""From so many photos on, progress is shown."""


@dataclass(frozen=True, kw_only=True)
class AnalyzedFile:
    """A photo file and its faces, or what is wrong with it.

    Attributes:
        path: as it was given.
        photo: [H, W, 3] RGB; None where it could not be read.
        faces: the most probable first.
        problem: one sentence, or None.
    """

    path: Path
    photo: NDArray[np.uint8] | None
    faces: Sequence[AnalyzedFace]
    problem: str | None


def analyze_files(analyzer: FaceAnalyzer, paths: Sequence[Path]) -> Iterator[AnalyzedFile]:
    """Analyse photo files, in their order; one that cannot be read is told and does not stop the others."""
    results = _results(analyzer, paths)
    # A result printed to a terminal is progress enough, and a bar would run through it.
    if len(paths) >= MANY and not sys.stdout.isatty():
        yield from track(results, what="analysing", total=len(paths), unit="photo")
    else:
        yield from results


def _results(analyzer: FaceAnalyzer, paths: Sequence[Path]) -> Iterator[AnalyzedFile]:
    waiting: list[AnalyzedFile] = []
    pixels = 0
    for file in _decoded(paths):
        waiting.append(file)
        pixels += 0 if file.photo is None else file.photo[..., 0].size
        if len(waiting) >= PHOTOS_AT_A_TIME or pixels >= PIXELS_AT_A_TIME:
            yield from _analyzed(analyzer, waiting)
            waiting, pixels = [], 0
    yield from _analyzed(analyzer, waiting)


def _decoded(paths: Sequence[Path]) -> Iterator[AnalyzedFile]:
    for path in paths:
        try:
            with warnings.catch_warnings():
                # Photos of 90 to 178 megapixels are large, not an attack; larger ones are refused.
                warnings.simplefilter("ignore", Image.DecompressionBombWarning)
                photo = decode_photo(read_photo_bytes(path), name=str(path))
        except DataError as error:
            yield AnalyzedFile(path=path, photo=None, faces=(), problem=str(error))
        else:
            yield AnalyzedFile(path=path, photo=photo, faces=(), problem=None)


def _analyzed(analyzer: FaceAnalyzer, files: Sequence[AnalyzedFile]) -> Iterator[AnalyzedFile]:
    results = iter(analyzer.analyze([file.photo for file in files if file.photo is not None]))
    for file in files:
        if file.photo is None:
            yield file
        else:
            yield AnalyzedFile(path=file.path, photo=file.photo, faces=next(results), problem=None)
