"""Nodes of the validation room."""

from __future__ import annotations

from typing import Any

import pandas as pd


def gather_facts(manifest: pd.DataFrame, crops: Any) -> pd.DataFrame:
    """One row a face with everything that an expectation may ask."""
    from countenance.data.checks import face_facts

    return face_facts(manifest, crops)


def check_expectations(facts: pd.DataFrame, parameters: dict[str, Any]) -> dict[str, Any]:
    """Run the suite; the report is written even when it says that the data are bad."""
    from countenance.configuration import narrow
    from pipelines.validation.expectations import ValidationConfiguration, run_expectations

    configuration = narrow(ValidationConfiguration, parameters, where="parameters_validation.yml")
    return run_expectations(facts, configuration)


def stop_on_critical(report: dict[str, Any]) -> dict[str, Any]:
    """Give the seal that training asks for, or stop the run."""
    from pipelines.validation.expectations import require_passed

    require_passed(report)
    return {"passed": True, "faces": report["faces"], "warnings": report["warnings"]}
