"""How the published face recognisers name their weights, one table a layout, in terms of our own names.

Layouts: insightface's ``recognition/arcface_torch`` for IResNet and MobileFaceNet; the MobileFaceNet of AdaDistill
(``fdbtrs/AdaDistill``), whose last normalisation has no gain; and that of ``TreB1eN/InsightFace_Pytorch``, whose
output layer lies one level higher.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from countenance.network.configuration import TrunkName


@dataclass(frozen=True)
class Layout:
    """One way of naming a recogniser's weights.

    Attributes:
        title: what to call it in a message.
        trunks: the trunks that it can belong to.
        marker: how a name begins that only this layout has.
        name_of: our name of a weight in a network's ``trunk`` or ``identity`` -> theirs.
    """

    title: str
    trunks: tuple[TrunkName, ...]
    marker: str
    name_of: Callable[[str], str]


@dataclass(frozen=True)
class _BlockNames:
    """How a MobileFaceNet layout names what our blocks are made of.

    Attributes:
        places: our blocks by name -> theirs.
        stage: what stands between a stage's name and a block's number.
        inside: their names of an inverted residual block's ``expand``, ``depthwise`` and ``project``.
        parts: their names of a block's convolution, normalisation and PReLU.
    """

    places: dict[str, str]
    stage: str
    inside: tuple[str, str, str]
    parts: tuple[str, str, str]

    def name_of(self, ours: str) -> str:
        """``trunk.stage1.0.expand.2.slope`` -> their name."""
        root, block, *rest = ours.split(".")
        theirs = [self.places[f"{root}.{block}"]]
        if block.startswith("stage"):
            theirs += [self.stage, rest.pop(0)]
        inside = dict(zip(("expand", "depthwise", "project"), self.inside, strict=True))
        parts = dict(zip(("0", "1", "2"), self.parts, strict=True)) | {"slope": "weight"}
        return ".".join([*theirs, *((inside | parts).get(part, part) for part in rest)])


def _iresnet(ours: str) -> str:
    return ours.split(".", 1)[1].replace("prelu.slope", "prelu.weight")


def _numbered(*blocks: str) -> dict[str, str]:
    return {f"trunk.{block}": f"layers.{number}" for number, block in enumerate(blocks)}


_ARCFACE_TORCH: Final = _BlockNames(
    places=_numbered("stem", "spread", "down1", "stage1", "down2", "stage2", "down3", "stage3")
    | {
        "trunk.widen": "conv_sep",
        "identity.pool": "features.layers.0",
        "identity.project": "features.layers.2",
        "identity.normalise": "features.layers.3",
    },
    stage="layers",
    inside=("layers.0", "layers.1", "layers.2"),
    parts=("layers.0", "layers.1", "layers.2"),
)


def _numbered_by_stage(output: str) -> _BlockNames:
    return _BlockNames(
        places={
            "trunk.stem": "conv1",
            "trunk.spread": "conv2_dw",
            "trunk.down1": "conv_23",
            "trunk.stage1": "conv_3",
            "trunk.down2": "conv_34",
            "trunk.stage2": "conv_4",
            "trunk.down3": "conv_45",
            "trunk.stage3": "conv_5",
            "trunk.widen": "conv_6_sep",
            "identity.pool": f"{output}conv_6_dw",
            "identity.project": f"{output}linear",
            "identity.normalise": f"{output}bn",
        },
        stage="model",
        inside=("conv", "conv_dw", "project"),
        parts=("conv", "bn", "prelu"),
    )


LAYOUTS: Final = (
    Layout("insightface's IResNet", ("iresnet18", "iresnet50", "iresnet100"), "layer4.", _iresnet),
    Layout("insightface's MobileFaceNet", ("mobilefacenet",), "conv_sep.", _ARCFACE_TORCH.name_of),
    Layout(
        "AdaDistill's MobileFaceNet",
        ("mobilefacenet",),
        "output_layer.",
        _numbered_by_stage("output_layer.").name_of,
    ),
    Layout("InsightFace_Pytorch's MobileFaceNet", ("mobilefacenet",), "conv_6_dw.", _numbered_by_stage("").name_of),
)
"""The layouts that can be read."""
