"""The data section's findings: what was expected of the data, what broke it and where, what could not be checked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from countenance.data.manifest import SPLITS
from countenance.reporting.wording import many

_ORDER: Final = ("broken check", "bad data", "not checked", "holds")
_TONES: Final = {"broken check": "bad", "not checked": "open", "holds": "good"}
_UNITS: Final = {"faces": "face", "coverage": "group", "protected_coverage": "group", "drift": "column"}
_NAMED: Final = 5
_FEW: Final = "fewer than 10"


def validation_section(report: Mapping[str, Any], protected: Mapping[str, Any]) -> dict[str, Any] | None:
    """The verdict in words, the findings with those that need somebody first, coverage, and drift.

    Args:
        report: of the validation room; empty where it wasn't run.
        protected: its report on the protected groups; empty where there is none.
    """
    if not report:
        return None
    findings = [*report["findings"], *protected.get("findings", ())]
    return {
        "passed": report["passed"] and protected.get("passed", True),
        "verdict": _verdict(report, findings),
        "findings": [_finding(finding) for finding in sorted(findings, key=_urgency)],
        "coverage": _coverage([*report["coverage"], *protected.get("coverage", ())]),
        "drift": _drift(report["drift"]),
    }


def _verdict(report: Mapping[str, Any], findings: Sequence[Mapping[str, Any]]) -> str:
    def count(status: str, severity: str | None = None) -> int:
        return sum(finding["status"] == status and severity in (None, finding["severity"]) for finding in findings)

    return (
        f"{report['faces']:,} faces were held against {many(len(findings), 'expectation')}: "
        f"{many(count('bad data', 'critical'), 'critical failure')}, {many(count('bad data', 'warning'), 'warning')}, "
        f"{many(count('broken check'), 'broken check')}, {count('not checked')} not checked."
    )


def _urgency(finding: Mapping[str, Any]) -> tuple[int, bool, bool]:
    return _ORDER.index(finding["status"]), finding["severity"] != "critical", finding["broken"] == 0


def _finding(finding: Mapping[str, Any]) -> dict[str, Any]:
    status, severity = finding["status"], finding["severity"]
    bad = "bad" if severity == "critical" else "open"
    return {
        "why": finding["why"],
        "name": finding["name"],
        "status": status,
        "tone": bad if status == "bad data" else _TONES[status],
        "severity": severity,
        "detail": finding["problem"] or _breakage(finding),
        "rows": _rows(finding),
    }


def _rows(finding: Mapping[str, Any]) -> list[str]:
    named = [_row(row) for row in finding["first_rows"][:_NAMED]]
    more = finding["broken"] - len(named)
    return [*named, f"and {more:,} more, in validation_report.json"] if named and more > 0 else named


def _breakage(finding: Mapping[str, Any]) -> str:
    if finding["broken"]:
        unit = _UNITS[finding["table"]]
        return f"{finding['broken']:,} of {many(finding['checked'], unit)}"
    return "" if finding["holds"] or finding["observed"] is None else f"observed {finding['observed']}"


def _row(row: Mapping[str, Any]) -> str:
    value = row["value"]
    shown = "" if value is None else f": {value:.4g}" if isinstance(value, float) else f": {value}"
    return f"{row['id']} (row {row['row']}){shown}"


def _coverage(cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """People by group and split, one row a group."""
    splits = [split for split in SPLITS if any(cell["split"] == split for cell in cells)]
    groups = list(dict.fromkeys((cell["attribute"], cell["group"]) for cell in cells))
    found = {(cell["attribute"], cell["group"], cell["split"]): cell for cell in cells}
    return {
        "splits": splits,
        "groups": [
            (attribute, group, [_people(found.get((attribute, group, split))) for split in splits])
            for attribute, group in groups
        ],
    }


def _people(cell: Mapping[str, Any] | None) -> str:
    if cell is None:
        return ""
    return _FEW if cell["subjects"] is None else f"{cell['subjects']:,}"


def _drift(drift: Mapping[str, Any]) -> dict[str, Any]:
    columns = sorted(drift["columns"], key=lambda column: not column["drifted"])
    drifted = [column["column"] for column in columns if column["drifted"]]
    if drift["last"] is None:
        sentence = f"Nothing to compare with: {drift['reason']}."
    else:
        sentence = (
            f"Version {drift['version']} ({many(drift['faces'], 'face')}) against version {drift['last']} "
            f"({many(drift['last_faces'], 'face')}): {', '.join(drifted) + ' drifted' if drifted else 'no drift'}."
        )
    return {
        "sentence": sentence,
        "columns": [
            {**column, "distance": f"{column['distance']:.3g}", "threshold": f"{column['threshold']:.3g}"}
            for column in columns
        ],
    }
