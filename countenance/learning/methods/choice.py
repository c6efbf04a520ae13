"""Which way a student is distilled: a name and its settings in the configuration, an identity header out.

===================  ==========================================================  =====================================
name                 what the student learns                                     faces without a name
===================  ==========================================================  =====================================
alone                its own margin softmax, without a teacher                   left out
feature_l2           its own margin softmax + squared distance to the teacher    in the distance alone
feature_cosine       the same with the cosine distance                           in the distance alone
refo                 the distance alone, in the teacher's space                  like all others
margin_distillation  margin softmax on the teacher's class means, a margin a     a class of its own each
                     photo by the teacher's angle
relational           its own margin softmax + distances and angles of the batch  in the relations alone
fixed_centres        margin softmax on the teacher's class means or its header   a class of its own each
adaptive             AdaDistill, alpha = agreement of student and teacher        a class of its own each
weighted             AdaDistill, that times agreement of centre and teacher      a class of its own each
===================  ==========================================================  =====================================
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Final, Literal

import torch
from pydantic import Field, model_validator
from torch import Tensor

from countenance.configuration import Configuration
from countenance.learning.distillation import AdaDistillConfiguration, AdaDistillHeader
from countenance.learning.identity_header import IdentityHeader, MarginSoftmaxHeader
from countenance.learning.methods.feature_regression import FeatureRegression, FeatureRegressionHeader
from countenance.learning.methods.margin_distillation import MarginDistillation, MarginDistillationHeader
from countenance.learning.methods.refo import RefoStyle, RefoStyleHeader
from countenance.learning.methods.relational import RelationalDistillation, RelationalHeader
from countenance.network.margin import MarginConfiguration


class Alone(Configuration):
    """No teacher: margin softmax with learned class weights.

    Attributes:
        name: ``alone``.
        margin: of the softmax.
    """

    name: Literal["alone"] = "alone"
    margin: MarginConfiguration = MarginConfiguration()


class AdaDistill(Configuration):
    """Class centres from the teacher, under a margin softmax; see :mod:`countenance.learning.distillation`.

    Attributes:
        name: ``weighted`` and ``adaptive`` move the centres by the weighted or the plain alpha, ``fixed_centres`` sets
            them once to the class means of the teacher's features, or to its own class weights.
        margin: of the softmax.
        centres: of ``fixed_centres``: a table of the teacher's own class weights, see
            :mod:`countenance.learning.methods.header_table`; None: its class means.
    """

    name: Literal["fixed_centres", "adaptive", "weighted"] = "weighted"
    margin: MarginConfiguration = MarginConfiguration()
    centres: Path | None = None

    @model_validator(mode="after")
    def _only_fixed_centres_are_given(self) -> AdaDistill:
        if self.centres is not None and self.name != "fixed_centres":
            raise ValueError(f"the centres of '{self.name}' follow the teacher's features: leave 'centres' away")
        return self


DistillationMethod = Annotated[
    Alone | FeatureRegression | RefoStyle | MarginDistillation | RelationalDistillation | AdaDistill,
    Field(discriminator="name"),
]
"""One way to distil, told apart by its ``name``."""

ALPHA_OF: Final[dict[str, Literal["fixed", "plain", "weighted"]]] = {
    "fixed_centres": "fixed",
    "adaptive": "plain",
    "weighted": "weighted",
}


def given_centres(method: DistillationMethod) -> Path | None:
    """The table of the teacher's own class weights that a method is to take its centres from, if any."""
    return method.centres if isinstance(method, AdaDistill) else None


def needs_no_look(method: DistillationMethod) -> bool:
    """Whether nothing that a teacher says of a batch is learned: it would serve the curves alone."""
    return isinstance(method, Alone) or method.name == "fixed_centres"


@dataclass(frozen=True)
class TrainingClasses:
    """How many classes the training faces have.

    Attributes:
        named: people with a name; their classes come first.
        every: those and the unnamed faces that are classes of their own.
    """

    named: int
    every: int


def method_header(
    method: DistillationMethod,
    classes: TrainingClasses,
    dimension: int,
    generator: torch.Generator,
    *,
    class_means: Callable[[], Tensor],
) -> IdentityHeader:
    """The identity header of a method.

    Args:
        method: which, with its settings.
        classes: of the training faces.
        dimension: length of the embedding.
        generator: of whatever the header begins with at random.
        class_means: gives the class means [C, D] of the teacher's features; asked only where the centres are those.

    Raises:
        ModelError: a class has no feature where each needs one.
    """
    if isinstance(method, Alone):
        return MarginSoftmaxHeader(classes.named, dimension, method.margin, generator)
    if isinstance(method, FeatureRegression):
        return FeatureRegressionHeader(classes.named, dimension, method, generator)
    if isinstance(method, RelationalDistillation):
        return RelationalHeader(classes.named, dimension, method, generator)
    if isinstance(method, RefoStyle):
        return RefoStyleHeader(method)
    if isinstance(method, MarginDistillation):
        return MarginDistillationHeader(class_means(), method)
    alpha = AdaDistillConfiguration(alpha=ALPHA_OF[method.name], margin=method.margin)
    header = AdaDistillHeader(classes.every, dimension, alpha, generator)
    return with_fixed_centres(header, class_means) if alpha.alpha == "fixed" else header


def with_fixed_centres(header: AdaDistillHeader, class_means: Callable[[], Tensor]) -> AdaDistillHeader:
    """The header with its centres set to the class means, for good.

    Raises:
        ModelError: a class has no mean.
    """
    header.fix_centres_at(class_means())
    return header
