"""Where crops come from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from countenance.learning.views import StoredView


class CropReader(Protocol):
    """Where crops come from; :class:`countenance.data.crop_store.CropStore` is one."""

    def rows(self, crops: Sequence[str]) -> NDArray[np.int64]:
        """Storage row of each crop key."""
        ...

    def encoded(self, row: int, view: StoredView) -> object | None:
        """The stored view of a row, or None where there is no such view."""
        ...

    def read_row(self, row: int, view: StoredView) -> NDArray[np.uint8]:
        """The decoded RGB view of a row: [112, 112, 3], a scene [H, W, 3]."""
        ...
