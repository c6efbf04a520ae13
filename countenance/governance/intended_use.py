"""What a model is for, as a declaration that other rooms hold it to.

Measuring identification (:mod:`countenance.assessment.identification`, ``countenance evaluate ijb``) needs no
declaration: the people of a protocol's gallery and probes are known beforehand, nobody is looked for, and nothing is
decided about anyone. How a model for 1:1 would do in a search is worth knowing to whoever judges what misuse could do.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

from pydantic import Field, model_validator

from countenance.configuration import Configuration
from countenance.errors import ModelError
from countenance.governance.statements import Statement, Statements

Comparison = Literal["verification", "identification"]
Setting = Literal["research_only", "commercial"]

COMPARISON_TITLES: Final[Mapping[Comparison, str]] = {
    "verification": "1:1 verification",
    "identification": "1:N identification, and 1:1 verification",
}
SETTING_TITLES: Final[Mapping[Setting, str]] = {
    "research_only": "research, development and demonstration only",
    "commercial": "commercial use, research included",
}
RESEARCH_PURPOSES: Final = ("research",)
"""Purposes of data that can't carry a commercial use, whatever the licence of the pictures says."""


class IntendedUse(Configuration):
    """What a model is for and what not, declared by whoever answers for it.

    Attributes:
        purpose: what it is used for, in a sentence or two.
        comparison: ``verification`` (1:1, is this the person that they say they are?) or ``identification`` (1:N, who
            of many is this?), which includes verification. What isn't declared is refused.
        domains: where it is used.
        out_of_scope: uses that it isn't for.
        affected: people whom its answers concern, or whose data it was made of.
        setting: ``research_only`` or ``commercial``. Licences are held against it.
        data_purposes: purposes, as the manifest's column ``purpose`` has them, of data that may serve this use.
    """

    purpose: Statement
    comparison: Comparison = "verification"
    domains: Statements
    out_of_scope: Statements
    affected: Statements
    setting: Setting
    data_purposes: tuple[Statement, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _research_is_not_sold(self) -> IntendedUse:
        lent = [purpose for purpose in self.data_purposes if purpose in RESEARCH_PURPOSES]
        if self.setting == "commercial" and lent:
            raise ValueError(
                f"data for {lent[0]} can't serve a commercial use; take '{lent[0]}' out of 'data_purposes', "
                "or set 'setting' to research_only"
            )
        return self

    def accepts(self, data_purpose: str | None) -> bool:
        """Whether data of this purpose may serve this use; data without a purpose isn't judged here."""
        return data_purpose is None or data_purpose in self.data_purposes


def require_identification(use: IntendedUse | None, *, release: str) -> None:
    """Refuse to search a gallery (1:N) with a release that wasn't declared for it. Serving asks before every search.

    Args:
        use: as ``release.json`` carries it; None of a unit that is older than the declaration.
        release: its id, for the sentence.

    Raises:
        ModelError: identification isn't declared.
    """
    if use is not None and use.comparison == "identification":
        return
    declared = (
        "declares no intended use" if use is None else f"is declared for {COMPARISON_TITLES[use.comparison]} only"
    )
    raise ModelError(
        f"Release {release} {declared}, so it doesn't search for people among others (1:N): set "
        "'intended_use.comparison' to identification in parameters_registration.yml if that is what it is for, "
        "and register it again."
    )
