"""A bias report as tables of text."""

from __future__ import annotations

from collections.abc import Mapping

from countenance.assessment.bias_report import IdentityBias, TaskBias
from countenance.assessment.intervals import Rate
from countenance.assessment.results import Measurement


def bias_tables(group: str, identity: Mapping[str, IdentityBias], tasks: Mapping[str, TaskBias]) -> str:
    """Return the report as text, tables under one another; ``identity`` by the way that scores were made."""
    lines: list[str] = []
    for way, found in identity.items():
        heading = [f"{way}:"] if len(identity) > 1 else []
        lines += [""] * bool(lines) + heading + _identity(group, found)
    for name, task in tasks.items():
        lines += [""] * bool(lines) + _task(group, name, task)
    if len(identity) > 1:
        lines += ["", *_beside(identity)]
    return "\n".join(lines)


def _beside(identity: Mapping[str, IdentityBias]) -> list[str]:
    lines = [f"{'worst / geometric mean':<36}{'FMR':>24}{'FNMR':>24}{'highest FNMR':>24}"]
    for way, found in identity.items():
        differential = found.cells.differential
        rates = [item.fnmr for item in differential.shown if item.fnmr is not None and item.fnmr.value is not None]
        worst = max(rates, key=lambda rate: rate.value or 0.0) if rates else None
        lines.append(
            f"{way:<36}{_measured(differential.fmr_disparity):>24}{_measured(differential.fnmr_disparity):>24}"
            f"{_rate(worst):>24}"
        )
    return lines


def _identity(group: str, found: IdentityBias) -> list[str]:
    differential, matrix = found.cells.differential, found.cells.matrix
    at = "as given" if found.rate is None else f"FMR {found.rate:g} over all comparisons"
    lines = [
        f"{found.samples:,} faces of {found.subjects:,} people, every pair; common threshold "
        f"{differential.threshold:.4f} ({at}); 95 % intervals over people",
        "",
        f"{'identity by ' + group:<24}{'people':>8}{'FMR':>30}{'FNMR':>28}{'not extracted':>15}",
    ]
    for item in differential.groups:
        people = "too few" if item.subjects is None else f"{item.subjects:,}"
        failed = found.failures.get(item.group, 0)
        mark = " *" if item.status == "insufficient" else ""
        lines.append(
            f"{item.group + mark:<24}{people:>8}{_rate(item.fmr):>30}{_rate(item.fnmr):>28}"
            + (f"{failed:>15,}" if item.subjects is not None else f"{'':>15}")
        )
    if any(item.status == "insufficient" for item in differential.groups):
        lines.append("* fewer people than an answer needs")
    if found.ungrouped:
        lines.append(f"{found.ungrouped:,} people are in no group that is known, and in no row")
    lines += [
        "",
        f"{'worst / geometric mean':<24}{'':>8}{_measured(differential.fmr_disparity):>30}"
        f"{_measured(differential.fnmr_disparity):>28}",
        f"{'Gini':<24}{'':>8}{_number(differential.fmr_gini):>30}{_number(differential.fnmr_gini):>28}",
        "",
        "FMR between groups",
        f"{'':<24}" + "".join(f"{name[:14]:>16}" for name in matrix.groups),
    ]
    for name, rates in zip(matrix.groups, matrix.rates, strict=True):
        lines.append(f"{name:<24}" + "".join(f"{_number(rate.value):>16}" for rate in rates))
    if found.cost is not None:
        lines += ["", f"{'cost by ' + group:<24}{found.cost.overall.unit}"]
        for priced in found.cost.groups:
            shown = "too few people to show" if priced.cost is None else _measured(priced.cost)
            lines.append(f"{priced.group:<24}{shown}")
        lines.append(f"{'worst / mean':<24}{_measured(found.cost.bias_index)}")
        if found.cost.worst_group is not None:
            lines.append(f"{'worst group':<24}{found.cost.worst_group}, light {found.cost.light}")
    lines.append("")
    lines += [f"{gate.verdict:<14}{gate.name}: {gate.reason}" for gate in found.gates]
    return lines


def _task(group: str, name: str, found: TaskBias) -> list[str]:
    overall = found.measured.overall
    lines = [
        f"{name + ' by ' + group:<24}{'people':>8}{overall.unit:>30}",
        f"{'everybody':<24}{'':>8}{_measured(overall):>30}",
    ]
    for item in found.measured.groups:
        people = "too few" if item.subjects is None else f"{item.subjects:,}"
        shown = "" if item.measurement is None else _measured(item.measurement)
        lines.append(f"{item.group:<24}{people:>8}{shown:>30}")
    lines.append(f"{'gap':<24}{'':>8}{_measured(found.gap):>30}")
    if found.adjusted is not None:
        held = " and ".join(found.adjusted.covariates)
        lines.append(f"{'gap, adjusted':<24}{'':>8}{_measured(found.adjusted.gap):>30}  {held} held equal")
    return lines


def _rate(rate: Rate | None) -> str:
    if rate is None or rate.value is None:
        return "-"
    if rate.low is None or rate.high is None:
        return _number(rate.value)
    return f"{_number(rate.value)} [{_number(rate.low)}, {_number(rate.high)}]"


def _measured(found: Measurement) -> str:
    if found.value is None:
        return "-"
    if found.low is None or found.high is None:
        return _number(found.value)
    return f"{_number(found.value)} [{_number(found.low)}, {_number(found.high)}]"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}" if value >= 0.001 or value == 0.0 else f"{value:.2e}"
