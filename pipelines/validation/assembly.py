"""What the nodes of the validation room hand on, put together from the library's facts and the suite."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any, Final

import pandas as pd

from countenance.configuration import narrow
from countenance.data.checks import face_facts
from countenance.data.coverage import coverage, protected_coverage
from countenance.data.sources import IngestionConfiguration
from pipelines.validation.configuration import PROTECTED, ValidationConfiguration
from pipelines.validation.drift import compare_with_last
from pipelines.validation.expectations import run_expectations
from pipelines.validation.known import with_known_facts
from pipelines.validation.versions import keep_version, version_of

_FEW: Final = 10
"""People of a protected group, below which a report doesn't say how many they are."""


def all_facts(manifest: pd.DataFrame, crops: Any, parameters: dict[str, Any], *, now: datetime) -> pd.DataFrame:
    """Every fact of every face."""
    configuration = _narrow(parameters)
    facts = face_facts(
        manifest,
        crops,
        now=now,
        declared=configuration.labels,
        consent_needed_for=configuration.consent_needed_for,
        copies=configuration.near_copies,
        workers=configuration.workers,
    )
    return with_known_facts(facts, manifest, crops, configuration.known)


def checked_data(
    facts: pd.DataFrame, manifest: pd.DataFrame, parameters: dict[str, Any], versions_folder: str
) -> dict[str, Any]:
    """The report of the suite, with the coverage of the groups that are labels and the drift since the last version."""
    configuration = _narrow(parameters)
    cells = coverage(manifest, configuration.coverage)
    drift, drift_told = compare_with_last(facts, configuration.drift, Path(versions_folder))
    report = run_expectations({"faces": facts, "coverage": cells, "drift": drift}, configuration, rows=len(facts))
    return {**report, "coverage": cells.to_dict("records"), "drift": drift_told}


def keep_passed(facts: pd.DataFrame, report: dict[str, Any], parameters: dict[str, Any], versions_folder: str) -> None:
    """Keep the version of the data that these facts describe as the last one, if it passed."""
    if not report["passed"]:
        return
    drift = _narrow(parameters).drift
    version = version_of(facts, [*drift.numerical, *drift.categorical], rows=drift.rows)
    keep_version(Path(versions_folder), version, kept=drift.kept)


def checked_groups(
    manifest: pd.DataFrame, groups: pd.DataFrame, parameters: dict[str, Any], ingestion: dict[str, Any]
) -> dict[str, Any]:
    """The report on the coverage of protected groups; of a group of few people it doesn't say how many."""
    configuration = _narrow(parameters)
    secret = narrow(IngestionConfiguration, ingestion, where="parameters_ingestion.yml").subject_secret
    cells = protected_coverage(manifest, groups, configuration.coverage, secret.encode())
    report = run_expectations({PROTECTED: cells}, configuration, rows=len(cells))
    for finding in report["findings"]:
        for row in finding["first_rows"]:
            row["value"] = row["value"] if row["value"] == 0 or (row["value"] or 0) >= _FEW else None
    return {**report, "coverage": [_without_few(row) for row in cells.to_dict("records")]}


def _without_few(row: dict[Any, Any]) -> dict[Any, Any]:
    few = 0 < row["subjects"] < _FEW
    return {**row, "faces": None, "subjects": None} if few else row


def _narrow(parameters: dict[str, Any]) -> ValidationConfiguration:
    return narrow(ValidationConfiguration, parameters, where="parameters_validation.yml")
