"""The suite: every expectation of the configuration on its table, one report, and what stops the run."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import pandas as pd

from countenance.errors import ConfigurationError, CountenanceError, DataError
from pipelines.validation.checking import BAD_DATA, BROKEN_CHECK, NOT_CHECKED, Absent, Checker
from pipelines.validation.configuration import PROTECTED, ValidationConfiguration

_NO_EMBEDDINGS: Final = Absent(
    "no embeddings were given: where a model exists, name them as 'known.embeddings' in parameters_validation.yml"
)
_NO_SCORES: Final = Absent(
    "no detector scores were given: where there are any, name them as 'known.detector_scores' in "
    "parameters_validation.yml"
)
OPTIONAL_FACTS: Final = {
    "embedding_norm": _NO_EMBEDDINGS,
    "likeness_to_own_name": _NO_EMBEDDINGS,
    "people_under_name": _NO_EMBEDDINGS,
    "likeness_to_other_name": _NO_EMBEDDINGS,
    "other_name": _NO_EMBEDDINGS,
    "detector_score": _NO_SCORES,
}
"""Facts that a face has only where somebody gave them."""

_UNITS: Final = {"faces": "faces", "coverage": "groups", PROTECTED: "groups", "drift": "columns"}


def run_expectations(
    tables: dict[str, pd.DataFrame | Absent], configuration: ValidationConfiguration, *, rows: int
) -> dict[str, Any]:
    """Run every expectation that is written for one of the tables.

    A check that can't run is a finding of its own: the others run nevertheless, and the report is whole.

    Args:
        tables: by name, rows numbered from 0, or why there is none.
        configuration: the suite.
        rows: how many faces there are.

    Returns:
        ``passed`` (no critical finding and no broken check), counts, and the findings, as
        :meth:`pipelines.validation.checking.Checker.finding` tells them.
    """
    checker = Checker(tables, optional=OPTIONAL_FACTS, named_rows=configuration.named_rows)
    findings = [
        checker.finding(name, expectation)
        for name, expectation in configuration.expectations.items()
        if expectation.table in tables
    ]
    critical = _named(findings, BAD_DATA, ("critical",))
    broken = _named(findings, BROKEN_CHECK)
    return {
        "passed": not critical and not broken,
        "faces": rows,
        "expectations": len(findings),
        "critical_failures": len(critical),
        "warnings": len(_named(findings, BAD_DATA, ("warning",))),
        "broken_checks": len(broken),
        "not_checked": len(_named(findings, NOT_CHECKED)),
        "findings": findings,
    }


def require_passed(report: dict[str, Any]) -> None:
    """Stop on critical findings and on broken checks; a check that didn't run is no check, however mild it is.

    Raises:
        DataError: the data are bad; one sentence naming the first finding and the rows that break it.
        ConfigurationError: nothing critical was found, but a check is broken.
    """
    critical = _named(report["findings"], BAD_DATA, ("critical",))
    broken = _named(report["findings"], BROKEN_CHECK)
    if critical:
        raise _bad_data(critical, broken)
    if broken:
        more = f"; {len(broken) - 1} more can't either" if len(broken) > 1 else ""
        raise ConfigurationError(
            f"Check '{broken[0]['name']}' could not run, which says nothing of the data: {broken[0]['problem']}{more}; "
            "mend it in parameters_validation.yml."
        )


def _bad_data(critical: list[dict[str, Any]], broken: list[dict[str, Any]]) -> CountenanceError:
    first = critical[0]
    unit = _UNITS[first["table"]]
    named = [f"{item['id']} in row {item['row']}" for item in first["first_rows"][:3]]
    what = f"{first['broken']} of {first['checked']} {unit} break it" if first["broken"] else _observed(first)
    where = f" ({unit} {', '.join(named)})" if named else ""
    more = f"; {len(critical) - 1} more critical expectations fail" if len(critical) > 1 else ""
    besides = f"; besides, {len(broken)} checks could not run" if broken else ""
    return DataError(
        f"Validation failed: {first['why']}, but {what}{where}{more}{besides}: "
        "mend the source and run the ingestion pipeline again; validation_report.json names the rows."
    )


def _observed(finding: dict[str, Any]) -> str:
    return "it is not so" if finding["observed"] is None else f"it is {finding['observed']}"


def _named(
    findings: list[dict[str, Any]], status: str, severities: Collection[str] = ("critical", "warning")
) -> list[dict[str, Any]]:
    return [finding for finding in findings if finding["status"] == status and finding["severity"] in severities]
