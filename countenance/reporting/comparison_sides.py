"""Compared models side by side, a column each: by group of people, or figure by figure of attributes and detection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from countenance.assessment import attribute_report, detection_report
from countenance.reporting.comparison_reports import ComparedProtocol
from countenance.reporting.comparison_words import power_words
from countenance.reporting.wording import NOT_MEASURABLE, Shown, between, direction, finite, many, percent

_NOT_MEASURED = Shown("not measured")


@dataclass(frozen=True)
class SideTable:
    """Models in columns.

    Attributes:
        title: above it; empty where the protocol's own is enough.
        what: how to read it; empty where there is nothing to say.
        first: heading of the first column.
        models: headings of the others.
        rows: name, what is said below it, and a cell a model.
    """

    title: str
    what: str
    first: str
    models: tuple[str, ...]
    rows: tuple[tuple[str, str, tuple[Shown, ...]], ...]


def side_table(table: ComparedProtocol) -> SideTable | None:
    """Groups of a protocol of pairs, figures of attributes or detection; None where there is neither."""
    if table.kind == "pairs":
        return _groups(table)
    return _figures(table) if table.kind in ("attributes", "detection") else None


def _groups(table: ComparedProtocol) -> SideTable | None:
    models = [model for model in table.models if model.report.get("groups")]
    if not models:
        return None
    names = sorted({name for model in models for name in model.report["groups"]})
    at = models[0].report["options"].get("common_far")
    threshold = f"the one threshold that FAR {power_words(at)} over all pairs gives" if at else "one threshold for all"
    return SideTable(
        "By group",
        f"Accuracy is at each group's own best thresholds; FMR and FNMR are each model's at {threshold}.",
        "Group",
        tuple(model.heading for model in models),
        tuple(
            (
                name,
                _counts(next(found for model in models if (found := model.report["groups"].get(name)))),
                tuple(_group_cell(model.report["groups"].get(name)) for model in models),
            )
            for name in names
        ),
    )


def _counts(group: Mapping[str, Any]) -> str:
    return f"{many(group['pairs'], 'pair')}, {group['mated_pairs']:,} mated"


def _group_cell(group: Mapping[str, Any] | None) -> Shown:
    if group is None:
        return _NOT_MEASURED
    rates = [
        f"{name} {percent(found['value'], 2)}"
        for name, found in (("FMR", group.get("fmr")), ("FNMR", group.get("fnmr")))
        if found and found["value"] is not None
    ]
    accuracy = group["accuracy"]
    if accuracy["mean"] is None:
        return Shown(NOT_MEASURABLE, note=", ".join(rates))
    interval = between(accuracy["low"], accuracy["high"], 100.0)
    return Shown(percent(accuracy["mean"], 2), interval, ", ".join(rates))


def _figures(table: ComparedProtocol) -> SideTable:
    named = [model.report["figures"] for model in table.models]
    names = dict.fromkeys(name for figures in named for name in figures)
    measured = [name for name in names if any(finite(_value(figures.get(name))) is not None for figures in named)]
    return SideTable(
        "",
        "Figures that no model has are left out.",
        "Figure",
        tuple(f"{model.heading} ({model.role})" if model.role else model.heading for model in table.models),
        tuple(
            (
                _title(table.kind, name),
                _hint(next(figures[name] for figures in named if name in figures)),
                tuple(_figure_cell(figures.get(name)) for figures in named),
            )
            for name in measured
        ),
    )


def _value(figure: Mapping[str, Any] | None) -> Any:
    return None if figure is None else figure["value"]


def _title(kind: str, name: str) -> str:
    if kind == "detection":
        return detection_report.figure_title(name)
    heading, title = attribute_report.figure_title(name)
    return f"{heading}: {title}" if heading else title


def _hint(figure: Mapping[str, Any]) -> str:
    unit = {"proportion": "%", "average precision": ""}.get(figure["unit"], str(figure["unit"]))
    if _is_share(figure["unit"]) and unit != "%":
        unit = f"% of {unit}"
    return ", ".join(part for part in (unit, direction(figure)) if part)


def _is_share(unit: str) -> bool:
    """Whether figures of a unit are told in percent: proportions, and errors over a length of the face."""
    return unit == "proportion" or unit.startswith(("distance", "square root", "inter-ocular"))


def _figure_cell(figure: Mapping[str, Any] | None) -> Shown:
    if figure is None:
        return _NOT_MEASURED
    if figure["value"] is None:
        words, _, more = str(figure["note"]).partition(": ")
        return Shown(words or NOT_MEASURABLE, note=more)
    factor, digits = (100.0, 2) if _is_share(figure["unit"]) else (1.0, 2)
    if figure["unit"] == "average precision":
        digits = 4
    interval = between(figure["low"], figure["high"], factor, digits)
    return Shown(f"{figure['value'] * factor:,.{digits}f}", interval, f"of {figure['count']:,}")
