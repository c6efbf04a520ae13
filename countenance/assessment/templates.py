"""Templates: the stored unit vectors of subjects, and what happens to embeddings before they are averaged.

:mod:`countenance.assessment.template_sums` makes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from countenance.assessment.arrays import AnyArray, BoolArray, FloatArray
from countenance.assessment.results import Result
from countenance.configuration import Configuration


class TemplateOptions(Configuration):
    """What happens to an embedding before it is averaged.

    Attributes:
        flip: for rows of two embeddings, of the image and of its mirror image: "sum" adds them, "first" takes the
            image's alone.
        normalise_samples: scale each embedding (after the sum of the two) to unit length, so that its norm, which
            follows image quality, doesn't weigh.
        weigh_by_detector_score: multiply each embedding by its detector score where there are any.
    """

    flip: Literal["sum", "first"] = "sum"
    normalise_samples: bool = False
    weigh_by_detector_score: bool = True


DEFAULT_OPTIONS: Final = TemplateOptions()


@dataclass(frozen=True, eq=False)
class Templates(Result):
    """Templates, one a row.

    Attributes:
        ids: template identifiers, [T], sorted.
        features: unit vectors, [T, D] float32.
        features64: the same before rounding, [T, D] float64; scores near a threshold are decided by them.
        failed: templates without a usable sample, [T], whose features are zeros and whose scores are minus infinity;
            None where there is none.
        failed_samples: how many samples could not be embedded.
    """

    ids: AnyArray
    features: FloatArray
    features64: FloatArray
    failed: BoolArray | None = None
    failed_samples: int = 0
