"""The dataset sheet of a release, after Gebru et al., Datasheets for Datasets (CACM 2021), with a head for the hub.

What people must say comes from the configuration, numbers come from the manifest and the reports. A blank field is an
error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from countenance.data.manifest import LABEL_COLUMNS
from countenance.governance.configuration import GovernanceConfiguration
from countenance.governance.dataset_facts import derived_gaps, size_category
from countenance.governance.intended_use import SETTING_TITLES
from countenance.governance.licenses import OTHER, LicenseTable
from countenance.reporting.documents import render_document

HUB_TASKS: Final = ("image-classification", "image-feature-extraction", "keypoint-detection", "object-detection")
_ORIGINAL: Final = "original"
_EXTENDED: Final = "extended"
_OWN_DATA: Final = ("embedded",)
"""Sources that this project makes by itself; all others are extensions of sets that were there before."""


def render_dataset_sheet(
    title: str,
    *,
    facts: Mapping[str, Any],
    governance: GovernanceConfiguration,
    provenance: Mapping[str, Any],
    validation: Mapping[str, Any],
    quarantined: Mapping[str, Any],
) -> str:
    """Render the sheet of a release's data.

    Args:
        title: of the data, e.g. the model's name.
        facts: see :func:`countenance.governance.dataset_facts.dataset_facts`.
        governance: what people declare.
        provenance: ``dataset_sha256``, and ``dvc``: hashes by name.
        validation: the validation report.
        quarantined: how many records were put aside, in all, by source and by reason.

    Raises:
        ConfigurationError: nothing is stated of a source.
        ModelError: a field is blank.
    """
    table = governance.license_table
    licenses = sorted({license_ for found in facts["sources"].values() for license_ in found["licenses"]})
    statements = {source: governance.statement_on(source) for source in facts["sources"]}
    fields = {
        "title": title,
        "hub": {
            "licenses": sorted({table.hugging_face_id([license_]) for license_ in licenses}),
            "license_name": "+".join(licenses).lower(),
            "size": size_category(facts["rows"]),
            "annotators": sorted({stated.annotators for stated in statements.values()}),
            "origins": sorted({_ORIGINAL if source in _OWN_DATA else _EXTENDED for source in statements}),
            "tasks": HUB_TASKS,
        },
        "license_is_other": any(table.hugging_face_id([license_]) == OTHER for license_ in licenses),
        "use": {
            "purpose": governance.intended_use.purpose,
            "setting": SETTING_TITLES[governance.intended_use.setting],
            "data_purposes": governance.intended_use.data_purposes,
        },
        "rows": facts["rows"],
        "tasks": tuple(LABEL_COLUMNS),
        "sources": [
            _source(name, found, statements[name].model_dump(), table, quarantined.get(name, 0))
            for name, found in facts["sources"].items()
        ],
        "splits": facts["splits"],
        "shared": facts["shared"],
        "coverage": facts["coverage"],
        "gaps": [f"{name}: {gap}" for name, stated in statements.items() for gap in stated.known_gaps]
        + derived_gaps(facts),
        "checks": _checks(validation),
        "quarantined": quarantined["records"],
        "dataset_sha256": provenance["dataset_sha256"],
        "dvc": provenance["dvc"],
    }
    return render_document("dataset_sheet.md.jinja", f"dataset sheet of '{title}'", fields)


def _source(
    name: str, found: Mapping[str, Any], stated: Mapping[str, Any], table: LicenseTable, quarantined: int
) -> dict[str, Any]:
    return {
        "name": name,
        **found,
        **stated,
        "quarantined": quarantined,
        "license_words": [_license(license_, table) for license_ in found["licenses"]],
        "consents": f"{found['with_consent_id']:,} of {found['faces']:,} faces carry the id of a consent, "
        f"{found['with_expiry']:,} a day on which it ends.",
    }


def _license(license_id: str, table: LicenseTable) -> str:
    license_ = table.find(license_id)
    return f"{license_id}: {'nobody knows what it allows' if license_ is None else license_.title}"


def _checks(validation: Mapping[str, Any]) -> str:
    verdict = "passed" if validation["passed"] else "stopped"
    return (
        f"{validation['expectations']} expectations on {validation['faces']:,} rows {verdict}, with "
        f"{validation['critical_failures']} critical findings, {validation['warnings']} warnings and "
        f"{validation['broken_checks']} checks that could not run."
    )
