"""Nodes of the validation room."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pandas as pd


def gather_facts(manifest: pd.DataFrame, crops: Any, parameters: dict[str, Any]) -> pd.DataFrame:
    """One row a face with everything that an expectation may ask."""
    from pipelines.validation.assembly import all_facts

    return all_facts(manifest, crops, parameters, now=datetime.now(UTC))


def check_expectations(
    facts: pd.DataFrame, manifest: pd.DataFrame, parameters: dict[str, Any], versions_folder: str
) -> dict[str, Any]:
    """Run the suite; the report is written even when it says that the data are bad or a check is broken."""
    from pipelines.validation.assembly import checked_data

    return checked_data(facts, manifest, parameters, versions_folder)


def stop_on_critical(report: dict[str, Any]) -> dict[str, Any]:
    """Give the seal that training asks for, or stop the run."""
    from pipelines.validation.expectations import require_passed

    require_passed(report)
    return {"passed": True, "faces": report["faces"], "warnings": report["warnings"]}


def keep_passed_version(
    facts: pd.DataFrame, report: dict[str, Any], parameters: dict[str, Any], versions_folder: str
) -> None:
    """Remember this version if it passed: the next one is compared with it."""
    from pipelines.validation.assembly import keep_passed

    keep_passed(facts, report, parameters, versions_folder)


def check_protected_groups(
    manifest: pd.DataFrame, groups: pd.DataFrame, parameters: dict[str, Any], ingestion: dict[str, Any]
) -> dict[str, Any]:
    """Hold the numbers of people of each protected group against what is expected; nothing trains on the outcome."""
    from pipelines.validation.assembly import checked_groups

    return checked_groups(manifest, groups, parameters, ingestion)


def stop_on_protected_groups(report: dict[str, Any]) -> None:
    """Stop the run where a group is critically rare; the seal itself says nothing of protected groups."""
    from pipelines.validation.expectations import require_passed

    require_passed(report)
