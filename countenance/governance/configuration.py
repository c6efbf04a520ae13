"""What people declare of a project: its intended use, its data and the networks of others that it builds on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from countenance.configuration import Configuration
from countenance.errors import ConfigurationError
from countenance.governance.intended_use import IntendedUse
from countenance.governance.licenses import License, LicenseTable
from countenance.governance.materials import PretrainedStatement
from countenance.governance.statements import Statement, Statements


class SourceStatement(Configuration):
    """What a datasheet asks of a source, and only people can say (Gebru et al., Datasheets for Datasets, CACM 2021).

    Attributes:
        title: what it is.
        motivation: for what it was made, and by whom.
        collection: how the photos came about.
        labelling: how the labels came about.
        annotators: the hub's word for that.
        consent: what the people in the photos agreed to, as far as one knows.
        license_stated_by: who says which licence it has.
        known_gaps: what it doesn't show.
    """

    title: Statement
    motivation: Statement
    collection: Statement
    labelling: Statement
    annotators: Literal["crowdsourced", "expert-generated", "found", "machine-generated", "no-annotation"]
    consent: Statement
    license_stated_by: Statement
    known_gaps: Statements


class GovernanceConfiguration(Configuration):
    """The declarations, as ``parameters_registration.yml`` has them under ``governance``.

    Attributes:
        model_summary: what the model does, in a sentence or two.
        intended_use: what it is for.
        sources: by source of the manifest; statements on sources that aren't there do no harm.
        pretrained: by file name.
        licenses: the project's own, beside the table that is built in.
    """

    model_summary: Statement
    intended_use: IntendedUse
    sources: Mapping[str, SourceStatement] = Field(default_factory=dict)
    pretrained: Mapping[str, PretrainedStatement] = Field(default_factory=dict)
    licenses: Mapping[str, License] = Field(default_factory=dict)

    @property
    def license_table(self) -> LicenseTable:
        """All licences that are known."""
        return LicenseTable(self.licenses)

    def statement_on(self, source: str) -> SourceStatement:
        """What was said of a source.

        Raises:
            ConfigurationError: nothing.
        """
        if source not in self.sources:
            raise ConfigurationError(
                f"Nothing is stated of the source '{source}', so its dataset sheet would be blank: add "
                f"'governance.sources.{source}' to parameters_registration.yml."
            )
        return self.sources[source]
