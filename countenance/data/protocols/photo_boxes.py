"""What a detection set is made of, whichever files it came from: photos with labelled faces, and what was found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Regions = tuple[NDArray[np.float64], ...]
"""For each photo [F, 4] boxes (x, y, width, height) or [F, 5] ellipses (major and minor radius, angle in radians,
centre x and y), in pixels."""


@dataclass(frozen=True, eq=False)
class LabelledRegions:
    """The labelled faces of a detection set.

    Attributes:
        photos: names, [P].
        regions: of each photo.
        subsets: by name, for each photo which of its faces count, [F] bool; empty where the set has no subsets.
    """

    photos: tuple[str, ...]
    regions: Regions
    subsets: Mapping[str, tuple[NDArray[np.bool_], ...]]

    @property
    def faces(self) -> int:
        """How many faces are labelled."""
        return sum(len(regions) for regions in self.regions)


@dataclass(frozen=True, eq=False)
class FoundRegions:
    """What a detector found, row-aligned with the photos of a :class:`LabelledRegions`.

    Attributes:
        regions: of each photo.
        scores: of each photo, [D].
    """

    regions: Regions
    scores: tuple[NDArray[np.float64], ...]
