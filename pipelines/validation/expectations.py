"""Great Expectations: a suite written in YAML, run on the faces' facts, and read back as plain findings."""

from __future__ import annotations

import re
from typing import Any, Literal

import pandas as pd
from pydantic import Field

from countenance.configuration import Configuration
from countenance.errors import ConfigurationError, DataError

_SHOWN_FACES = 5


class Expectation(Configuration):
    """One expectation: its Great Expectations type and arguments, how bad a failure is, and why it is asked."""

    type: str
    arguments: dict[str, Any]
    severity: Literal["critical", "warning"]
    why: str
    only: dict[str, Any] = Field(default_factory=dict)
    """Restricts the expectation to rows with these column values, e.g. ``{is_face: true}``."""


class ValidationConfiguration(Configuration):
    """Parameters of the validation room."""

    expectations: tuple[Expectation, ...]


def run_expectations(facts: pd.DataFrame, configuration: ValidationConfiguration) -> dict[str, Any]:
    """Run every expectation on the facts.

    Returns:
        ``passed`` (no critical finding), counts, and one finding an expectation: what was expected and why, whether it
        holds, how many faces break it and the ids of the first.

    Raises:
        ConfigurationError: an expectation is broken (unknown type, column or argument); that says nothing of the data.
    """
    batch_definition = _batch_definition()
    findings = [_run(expectation, facts, batch_definition) for expectation in configuration.expectations]
    failed = [finding for finding in findings if not finding["holds"]]
    return {
        "passed": all(finding["severity"] != "critical" for finding in failed),
        "faces": len(facts),
        "expectations": len(findings),
        "critical_failures": sum(finding["severity"] == "critical" for finding in failed),
        "warnings": sum(finding["severity"] == "warning" for finding in failed),
        "findings": findings,
    }


def require_passed(report: dict[str, Any]) -> None:
    """Stop on critical findings.

    Raises:
        DataError: one sentence naming the first finding and the rows that break it.
    """
    critical = [item for item in report["findings"] if not item["holds"] and item["severity"] == "critical"]
    if critical:
        first = critical[0]
        faces = f" (faces {', '.join(first['first_faces'])})" if first["first_faces"] else ""
        more = f"; {len(critical) - 1} more critical expectations fail" if len(critical) > 1 else ""
        raise DataError(
            f"Validation failed: {first['why']}, but {first['broken']} of {first['checked']} faces break it"
            f"{faces}{more}: mend the source and run the ingestion pipeline again."
        )


def _run(expectation: Expectation, facts: pd.DataFrame, batch_definition: Any) -> dict[str, Any]:
    rows = facts
    for column, value in expectation.only.items():
        if column not in facts.columns:
            raise ConfigurationError(f"Expectation '{expectation.type}' restricts to unknown column '{column}'.")
        rows = rows[rows[column] == value]
    result = _validate(expectation, rows, batch_definition)
    details = result.get("result", {})
    broken = [str(item["face_id"]) for item in details.get("unexpected_index_list") or []]
    return {
        "expectation": expectation.type,
        "column": expectation.arguments.get("column"),
        "why": expectation.why,
        "severity": expectation.severity,
        "holds": bool(result["success"]),
        "checked": len(rows),
        "broken": int(details.get("unexpected_count") or 0),
        "observed": _plain(details.get("observed_value")),
        "first_faces": broken[:_SHOWN_FACES],
    }


def _batch_definition() -> Any:
    import great_expectations as gx

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    asset = context.data_sources.add_pandas("faces").add_dataframe_asset("faces")
    return asset.add_batch_definition_whole_dataframe("all")


def _validate(expectation: Expectation, rows: pd.DataFrame, batch_definition: Any) -> dict[str, Any]:
    import great_expectations as gx

    name = "".join(part.capitalize() for part in expectation.type.split("_"))
    kind = getattr(gx.expectations, name, None)
    if kind is None:
        raise ConfigurationError(f"Expectation '{expectation.type}' is unknown to Great Expectations: check its name.")
    try:
        check = kind(**expectation.arguments)
    except (TypeError, ValueError) as error:
        raise ConfigurationError(
            f"Expectation '{expectation.type}' has wrong arguments: {_first_line(error)}."
        ) from error
    batch = batch_definition.get_batch({"dataframe": rows})
    result = batch.validate(
        check, result_format={"result_format": "COMPLETE", "unexpected_index_column_names": ["face_id"]}
    )
    plain: dict[str, Any] = result.to_json_dict()
    _require_no_exception(expectation, plain)
    return plain


def _require_no_exception(expectation: Expectation, result: dict[str, Any]) -> None:
    """A check that could not run is broken; it must not read as bad data."""
    information = result.get("exception_info") or {}
    raised = [information] if "raised_exception" in information else list(information.values())
    for item in raised:
        if item.get("raised_exception"):
            message = re.sub(r"\s+", " ", str(item.get("exception_message")))
            raise ConfigurationError(f"Expectation '{expectation.type}' could not run: {message}")


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]


def _plain(value: Any) -> Any:
    return value if value is None or isinstance(value, int | float | str | bool) else str(value)
