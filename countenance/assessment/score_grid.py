"""The grid of float64 scores: what is equal in exact arithmetic is equal here.

Two templates of the same samples, summed in another order, differ in their last bits, and so do their scores. A rule
that accepts or refuses equal scores together must not tell such scores apart by the noise of rounding, of which there
is about 1e-16 an addition. So every float64 score is rounded to the nearest multiple of 2**-40, about 9e-13: thousands
of times coarser than the noise, and thousands of times finer than the gaps between the scores of 15 million pairs.

Equal scores that lie in the middle between two multiples could still fall to either side: about one in a thousand
scores lies so near to such a middle.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from countenance.assessment.arrays import FloatArray

STEP: Final = 2.0**-40


def on_grid(scores: FloatArray) -> FloatArray:
    """Return float64 scores rounded to multiples of ``STEP``; minus infinity stays.

    Multiples of a power of two are numbers of float64 themselves, up to magnitudes of 4,096: nothing else is rounded.
    """
    return np.asarray(np.rint(scores / STEP) * STEP)
