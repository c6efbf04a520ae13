"""What a teacher is: something with an identity that turns aligned crops into unit-norm features."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from countenance.data.alignment import CROP_SIZE
from countenance.errors import ModelError

Crops = NDArray[np.uint8]
"""[n, 112, 112, 3] aligned RGB crops."""

Engine = Callable[[Crops], NDArray[np.float32]]
"""Runs a network: crops -> raw features [n, D]."""

SMALLEST_LENGTH: Final = 1e-12


class Teacher(Protocol):
    """Whoever says what an aligned face looks like.

    Attributes:
        identity: sha256, in hexadecimal digits, of all that its features depend on: weights, input range, engine and
            precision. Features of equal identities may stand in for each other.
        name: what to call it in a message.
    """

    @property
    def identity(self) -> str:
        """See the class."""
        ...

    @property
    def name(self) -> str:
        """See the class."""
        ...

    @property
    def dimension(self) -> int:
        """Length D of a feature.

        Raises:
            ModelError: the teacher can't be run.
        """
        ...

    def embed(self, images: Crops) -> NDArray[np.float32]:
        """[n, 112, 112, 3] uint8 RGB aligned crops -> [n, D] float32 features of unit norm, row by row.

        Raises:
            ModelError: the teacher can't be run, or a feature isn't finite.
        """
        ...


class OpenedTeacher:
    """A teacher whose engine is started when it is first asked: a run whose faces are all cached never starts it.

    It can be sent to another process, which then starts an engine of its own. One thread asks it at a time.

    Args:
        name: what to call it in a message.
        identity: see :class:`Teacher`.
        start: makes the engine; a function that can be sent to another process.
    """

    def __init__(self, name: str, identity: str, start: Callable[[], Engine]) -> None:
        self.name = name
        self.identity = identity
        self._start = start
        self._engine: Engine | None = None
        self._dimension = 0

    @property
    def dimension(self) -> int:
        """See :class:`Teacher`."""
        self._running()
        return self._dimension

    def embed(self, images: Crops) -> NDArray[np.float32]:
        """See :class:`Teacher`."""
        return unit_rows(self.raw_features(images))

    def raw_features(self, images: Crops) -> NDArray[np.float32]:
        """Like :meth:`embed`, but as long as the network gives them: a recogniser's length follows image quality."""
        if images.dtype != np.uint8 or images.shape[1:] != (CROP_SIZE, CROP_SIZE, 3):
            raise ModelError(
                f"A teacher looks at [n, {CROP_SIZE}, {CROP_SIZE}, 3] uint8 crops, not {list(images.shape)} "
                f"{images.dtype}: align the faces first."
            )
        engine = self._running()
        if not len(images):
            return np.zeros((0, self._dimension), dtype=np.float32)
        return self._checked(engine(images))

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_engine": None}

    def _running(self) -> Engine:
        if self._engine is None:
            engine = self._start()
            # A look at an even grey tells the dimension, and a damaged network before hours are spent on it.
            grey = self._checked(engine(np.full((1, CROP_SIZE, CROP_SIZE, 3), 127, dtype=np.uint8)))
            self._engine, self._dimension = engine, grey.shape[1]
        return self._engine

    def _checked(self, raw: NDArray[np.float32]) -> NDArray[np.float32]:
        if raw.ndim != 2:
            raise ModelError(
                f"The teacher {self.name} gives {list(raw.shape[1:])} numbers a crop, not one vector: "
                "use a recogniser that ends in its embedding."
            )
        damaged = int((~np.isfinite(raw)).any(axis=1).sum())
        if damaged:
            raise ModelError(
                f"The teacher {self.name} gave NaN or infinite features for {damaged} of {len(raw)} crops: "
                "use an undamaged teacher."
            )
        return np.asarray(raw, dtype=np.float32)


def unit_rows(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """[..., D] features scaled to unit norm; one of no length stays as it is."""
    lengths = np.linalg.norm(features, axis=-1, keepdims=True)
    return np.asarray(features / np.maximum(lengths, SMALLEST_LENGTH), dtype=np.float32)
