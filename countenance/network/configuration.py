"""What a network is built from: the trunk, the branches and the heads, as one configuration."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, NonNegativeInt, model_validator

from countenance.configuration import Configuration

LandmarkScheme = Literal["5", "21", "68"]
TrunkName = Literal["residual", "allinone", "iresnet18", "iresnet50", "iresnet100", "mobilefacenet"]
AgeHead = Literal["scalar", "distribution"]
Tasks = Literal["all", "identity"]

AGE_CLASSES: Final = 101
"""The distribution head speaks of the ages 0, 1, ... 100 years."""

PROPOSAL_REFERENCE: Final = 0.4
"""A proposal's size is told relative to a face whose longer side is so much of the input's side."""

PROPOSAL_RANGE: Final = (0.25, 0.6)
"""Longer sides of the faces that the proposal head is taught to see, as shares of the input's side."""

_EXACT_SIDES: Final[dict[str, tuple[int, ...]]] = {"allinone": (65, 119, 227)}


class NetworkConfiguration(Configuration):
    """What an :class:`~countenance.network.allinone.AllInOneNetwork` is built from.

    Attributes:
        tasks: ``all`` seven, or ``identity`` alone: then there is nothing but the trunk and the embedding, and batches
            should hold aligned crops of the identity stream only.
        trunk: the shared convolutions: ``residual`` (dense 3x3, quickest for its accuracy on a CPU), ``allinone`` (the
            paper's layer table), ``iresnet18``, ``iresnet50``, ``iresnet100`` or ``mobilefacenet``.
        input_size: side S of the square input in pixels; a multiple of 16, for the paper's trunk 65, 119 or 227.
        widths: of ``residual``: channels of the four stages, on squares of side S/2, S/4, S/8 and S/16.
        depths: of ``residual``: residual blocks (two 3x3 convolutions each) in each of the four stages.
        width_multiplier: of ``allinone`` and ``mobilefacenet``: what the published channels are multiplied with.
        blocks: of ``mobilefacenet``: inverted residual blocks in each of the three stages; the default is as published.
        closing_gain: of ``mobilefacenet``: whether the normalisation behind the embedding has a gain and a shift, as
            insightface's has and AdaDistill's hasn't.
        embedding_dimension: length D of the identity embedding; a student's equals its teacher's.
        identity_width: of ``residual``: channels of the 1x1 convolution in front of the identity pooling.
        fused_width: channels of each local feature map, and of their 1x1 fusion.
        local_width: length of the vector that the local heads share.
        global_width: length of the vector that gender and age share.
        task_width: length of one more vector of each local head's own (512 in the paper); 0: none.
        landmark_scheme: ``"5"``, ``"21"`` (AFLW) or ``"68"`` (iBUG) points.
        age_head: ``scalar`` (one number, the paper's) or ``distribution`` (a probability for every year).
    """

    tasks: Tasks = "all"
    trunk: TrunkName = "residual"
    input_size: int = Field(default=64, ge=32)
    widths: tuple[int, int, int, int] = (16, 32, 64, 128)
    depths: tuple[int, int, int, int] = (0, 1, 1, 1)
    width_multiplier: float = Field(default=1.0, gt=0.0)
    blocks: tuple[NonNegativeInt, NonNegativeInt, NonNegativeInt] = (4, 6, 2)
    closing_gain: bool = True
    embedding_dimension: int = Field(default=128, ge=2)
    identity_width: int = Field(default=256, ge=1)
    fused_width: int = Field(default=32, ge=1)
    local_width: int = Field(default=128, ge=1)
    global_width: int = Field(default=64, ge=1)
    task_width: int = Field(default=0, ge=0)
    landmark_scheme: LandmarkScheme = "5"
    age_head: AgeHead = "scalar"

    @model_validator(mode="after")
    def _side_fits_the_trunk(self) -> NetworkConfiguration:
        sides = _EXACT_SIDES.get(self.trunk)
        if sides is not None and self.input_size not in sides:
            known = ", ".join(str(side) for side in sides)
            raise ValueError(f"input_size must be one of {known} for the trunk '{self.trunk}', not {self.input_size}")
        if sides is None and self.input_size % 16:
            raise ValueError(f"input_size must be a multiple of 16, not {self.input_size}")
        return self

    @property
    def landmark_count(self) -> int:
        """Number K of landmarks."""
        return int(self.landmark_scheme)

    @property
    def age_classes(self) -> int:
        """Number A of age classes; 0 for the scalar head."""
        return AGE_CLASSES if self.age_head == "distribution" else 0

    @property
    def proposal_reference_px(self) -> float:
        """The size in input pixels that proposals are told relative to."""
        return PROPOSAL_REFERENCE * self.input_size
