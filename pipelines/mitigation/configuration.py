"""Parameters of the mitigation room."""

from __future__ import annotations

from pydantic import model_validator

from countenance.assessment.balanced_sampling import BalanceConfiguration
from countenance.assessment.score_normalisation import NormalisationConfiguration
from countenance.configuration import Configuration
from countenance.data.rare_group import RareGroup
from countenance.learning.balanced_training import BalancedTraining


class MitigationConfiguration(Configuration):
    """What is tried, and on whom.

    Attributes:
        attribute: whose groups are balanced, a protected attribute.
        rare: a group that is made rare to train on first; None tries the training people as they are.
        balance: how far groups are balanced.
        training: of both students.
        normalisation: of scores.
    """

    attribute: str
    rare: RareGroup | None = None
    balance: BalanceConfiguration = BalanceConfiguration()
    training: BalancedTraining
    normalisation: NormalisationConfiguration = NormalisationConfiguration()

    @model_validator(mode="after")
    def _balances_what_is_rare(self) -> MitigationConfiguration:
        if self.rare is not None and self.rare.attribute != self.attribute:
            raise ValueError(f"a group of '{self.rare.attribute}' is made rare, but '{self.attribute}' is balanced")
        return self
