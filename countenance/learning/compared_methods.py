"""What a comparison of ways to distil is asked to do: its rows, their settings, and who judges them."""

from __future__ import annotations

from typing import Final, Literal

from pydantic import Field, model_validator

from countenance.assessment.method_comparison import TEACHER, MethodAssessment
from countenance.configuration import Configuration
from countenance.learning.methods.choice import Alone, DistillationMethod
from countenance.learning.teachers.configuration import TeacherSees
from countenance.network.configuration import NetworkConfiguration

Setting = Literal["learning_rate", "scale", "margin"]
SETTINGS: Final[tuple[Setting, ...]] = ("learning_rate", "scale", "margin")
"""What is searched for a row, in this order; the margin matters least once the other two fit."""


class ComparedMethod(Configuration):
    """One row of the comparison.

    Attributes:
        method: a way to distil, with its own settings.
        learning_rate: of its own.
        unnamed_as_classes: whether faces without a name join; see :mod:`countenance.learning.methods.choice`.
    """

    method: DistillationMethod
    learning_rate: float = Field(gt=0.0)
    unnamed_as_classes: bool = False

    @model_validator(mode="after")
    def _alone_learns_from_names(self) -> ComparedMethod:
        if isinstance(self.method, Alone) and self.unnamed_as_classes:
            raise ValueError("a student alone learns from names, so faces without one cannot join it")
        return self

    def setting(self, name: Setting) -> float | None:
        """The value of a setting; None where the method has none of that name.

        MarginDistillation's margins are two and follow the teacher, so it has no ``margin``.
        """
        if name == "learning_rate":
            return self.learning_rate
        softmax = getattr(self.method, "margin", self.method)
        value = getattr(softmax, name, None)
        return None if value is None else float(value)

    @property
    def settings(self) -> dict[str, float | None]:
        """Every setting by its name, None where the method has none."""
        return {name: self.setting(name) for name in SETTINGS}

    def with_setting(self, name: Setting, value: float) -> ComparedMethod:
        """The same row with another value of a setting that it has.

        Raises:
            ValidationError: the value isn't one that the method takes.
        """
        asked = self.model_dump()
        within = asked if name == "learning_rate" else asked["method"].get("margin", asked["method"])
        within[name] = value
        return ComparedMethod.model_validate(asked)


class SettingsSearch(Configuration):
    """Gives every row its own best learning rate, scale and margin, by people that the trials aren't trained on.

    One setting after the other: each of its values is tried with the best of the others so far, beginning with the
    row's own, which stands unless another is surely better.

    Attributes:
        steps: of every trial.
        seed: that every trial is trained from.
        people_share: of the training people, set apart for the trials to be judged by beside those for validation.
        sure: in this share of resamples of the people another value must do better, too.
        learning_rate: values to try beside the row's own.
        scale: likewise, of the margin softmax.
        margin: likewise.
    """

    steps: int = Field(ge=1)
    seed: int
    people_share: float = Field(default=0.15, ge=0.0, lt=1.0)
    sure: float = Field(default=0.9, ge=0.5, lt=1.0)
    learning_rate: tuple[float, ...] = ()
    scale: tuple[float, ...] = ()
    margin: tuple[float, ...] = ()

    @model_validator(mode="after")
    def _has_something_to_try(self) -> SettingsSearch:
        if not any(self.values(name) for name in SETTINGS):
            raise ValueError(f"name values to try of one of {', '.join(SETTINGS)}, or leave the search out")
        return self

    def values(self, name: Setting) -> tuple[float, ...]:
        """The values of a setting to be tried."""
        found: tuple[float, ...] = getattr(self, name)
        return found


class MethodComparisonConfiguration(Configuration):
    """Parameters of the method comparison room.

    Attributes:
        steps: of every training.
        seeds: each gives one training a row.
        rows: by name, in the order of the table.
        only: names of the rows that are wanted, such as the few of a longer training; none named: all.
        batch_size: crops a batch; None: as many as the distillation room's.
        network: the student, of which identity alone is built; None: the distillation room's.
        teacher_sees: whether the teacher looks at the crop, once for all rows, or at every crop as it is varied.
        judged: how they are compared. Contrasts between rows that aren't wanted are left out.
        search: finds each row's own settings first; None: they are as the rows say.
    """

    steps: int = Field(ge=1)
    seeds: tuple[int, ...] = Field(min_length=1)
    rows: dict[str, ComparedMethod] = Field(min_length=2)
    only: tuple[str, ...] = ()
    batch_size: int | None = Field(default=None, ge=2)
    network: NetworkConfiguration | None = None
    teacher_sees: TeacherSees = "crop"
    judged: MethodAssessment = MethodAssessment()
    search: SettingsSearch | None = None

    @model_validator(mode="after")
    def _can_be_judged(self) -> MethodComparisonConfiguration:
        # Found out before hours of training rather than after them.
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError("a seed is there twice: training from it again would tell nothing new")
        if TEACHER in self.rows:
            raise ValueError(f"the row '{TEACHER}' is the teacher's own: give it another name")
        for what, named in (("judged", self.judged.named), ("only", set(self.only))):
            unknown = named - set(self.rows)
            if unknown:
                raise ValueError(f"'{what}' names the row '{min(unknown)}', which isn't among the rows")
        left_out = {self.judged.reference, self.judged.headline} - set(self.wanted)
        if left_out:
            raise ValueError(f"'only' leaves out the row '{min(left_out)}', which the others are judged by")
        if self.search is not None:
            self._takes_every_value(self.search)
        return self

    def _takes_every_value(self, search: SettingsSearch) -> None:
        for compared in self.wanted.values():
            for name in SETTINGS:
                for value in search.values(name) if compared.setting(name) is not None else ():
                    compared.with_setting(name, value)

    @property
    def wanted(self) -> dict[str, ComparedMethod]:
        """The rows that are trained, in the order of the table."""
        return {row: compared for row, compared in self.rows.items() if row in self.only or not self.only}

    @property
    def judged_wanted(self) -> MethodAssessment:
        """How the wanted rows are compared."""
        contrasts = tuple(pair for pair in self.judged.contrasts if set(pair) <= set(self.wanted))
        return self.judged.model_copy(update={"contrasts": contrasts})
