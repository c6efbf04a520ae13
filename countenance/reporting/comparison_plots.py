"""DET, ROC and CMC curves of compared models in one figure each, with published figures as marks.

Every line has a dash, a marker and its name on it, so that the plots read without colour.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from countenance.reporting.comparison_anchors import Anchors, title_of
from countenance.reporting.comparison_reports import TEACHER, ComparedModel, ComparedProtocol
from countenance.reporting.comparison_words import power_words
from countenance.reporting.line_labels import Line, label_lines, label_marks
from countenance.reporting.plots import INK, Series, drawing, finished, legend_below, panels, series_of

_ASIDE: Final = 1.09
"""Intervals of different models at one FAR stand beside each other, so many times further right each."""


def comparison_plots(
    table: ComparedProtocol, anchors: Anchors, *, name: str, looks: Mapping[str, Series] | None = None
) -> dict[str, Markup | None]:
    """``det``, ``roc`` and ``cmc`` of a table; None for what wasn't measured.

    Args:
        table: of templates or pairs.
        anchors: published figures; they are drawn where they are on the same protocol.
        name: what the ids within the drawings begin with.
        looks: of each model, by its label; None gives each its own.
    """
    drawn = _looks(table) if looks is None else looks
    marks = anchors if anchors.same_protocol else Anchors(None, False, ())
    return {
        "det": error_plot(table, drawn, marks, name=f"{name}-det", missed=True),
        "roc": error_plot(table, drawn, marks, name=f"{name}-roc", missed=False),
        "cmc": cmc_plot(table, drawn, marks, name=f"{name}-cmc"),
    }


def _looks(table: ComparedProtocol) -> dict[str, Series]:
    """A look a model; the first one, which is grey, is the teacher's."""
    ordered = sorted(table.models, key=lambda model: model.label != TEACHER)
    first = {} if ordered[0].label == TEACHER else {TEACHER: ""}
    names = {model.label: f"{model.heading} ({model.role})" if model.role else model.heading for model in ordered}
    return series_of(first | names, None)


def error_plot(
    table: ComparedProtocol, looks: Mapping[str, Series], marks: Anchors, *, name: str, missed: bool
) -> Markup | None:
    """The DET curve (``missed``: what is missed over FAR, both logarithmic) or the ROC curve (what is accepted).

    None where no model has both mated and non-mated comparisons.
    """
    with drawing():
        figure, (axis,) = panels(8.6, 4.6)
        lines = []
        for at, model in enumerate(table.models):
            fars, tars = _points(model.report["roc"], missed=missed)
            if len(fars):
                look = looks[model.label]
                heights = 100.0 * (1.0 - tars if missed else tars)
                axis.plot(fars, heights, color=look.colour, linestyle=look.dash, linewidth=_width(model))
                lines.append(Line(model.heading, look.colour, fars, heights))
                _operating_points(axis, model, look, _ASIDE ** (at - (len(table.models) - 1) / 2), missed=missed)
        if not lines:
            return None
        published = _published(axis, marks, missed=missed)
        _error_axes(axis, title_of(table, marks), missed=missed)
        label_marks(axis, published)
        label_lines(axis, lines)
        legend_below(figure, axis, columns=3)
        title, what = ("DET", "share of mated comparisons missed") if missed else ("ROC", "true accept rate")
        alt = f"{title} curves on {title_of(table, marks)}: {what} over the false accept rate, a line each for "
        alt += f"{', '.join(line.name for line in lines)}; the numbers are in the table."
        return finished(figure, name=name, alt=alt)


def _points(roc: Mapping[str, Any] | None, *, missed: bool) -> tuple[Any, Any]:
    """FAR and TAR of what can be drawn on logarithmic axes: where there is a false accept and, for DET, a miss."""
    if not roc or not roc["mated"] or not roc["non_mated"]:
        return np.empty(0), np.empty(0)
    false, true = np.asarray(roc["false_accepts"]), np.asarray(roc["true_accepts"])
    kept = (false > 0) & ((true < roc["mated"]) if missed else np.True_)
    return false[kept] / roc["non_mated"], true[kept] / roc["mated"]


def _width(model: ComparedModel) -> float:
    return 2.4 if model.is_champion else 1.5


def _operating_points(axis: Axes, model: ComparedModel, look: Series, aside: float, *, missed: bool) -> None:
    """A marker at each FAR of the table, with its interval."""
    axis.plot(
        [], [], color=look.colour, marker=look.marker, linestyle=look.dash, linewidth=_width(model), label=look.label
    )
    for row in model.report["verification"]:
        value, low, high = (_height(row[key], missed=missed) for key in ("tar", "low", "high"))
        if value is None or (missed and not value):
            continue
        axis.plot(row["far"] * aside, value, look.marker, color=look.colour, markersize=5)
        if low is not None and high is not None:
            axis.vlines(row["far"] * aside, low, high, color=look.colour, linewidth=2.5, alpha=0.45)


def _height(rate: float | None, *, missed: bool) -> float | None:
    return None if rate is None else 100.0 * (1.0 - rate if missed else rate)


def _published(axis: Axes, marks: Anchors, *, missed: bool) -> list[tuple[float, float, str]]:
    places = [
        (far, 100.0 * (1.0 - tar if missed else tar), str(anchor.number))
        for anchor in marks.methods
        for far, tar in anchor.tars.items()
    ]
    if places:
        fars, heights, _ = zip(*places, strict=True)
        axis.plot(fars, heights, "x", color=INK, markersize=5, markeredgewidth=0.9, label="published, by number")
    return places


def _error_axes(axis: Axes, title: str, *, missed: bool) -> None:
    kind = "DET" if missed else "ROC"
    axis.set(title=f"{kind}, {title}", xscale="log", xlabel="false accept rate (FAR)")
    axis.xaxis.set_major_locator(LogLocator(numticks=12))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: power_words(value)))
    axis.xaxis.set_minor_formatter(NullFormatter())
    axis.set_xlim(right=1.0)
    if missed:
        axis.set(yscale="log", ylabel="mated comparisons missed (1 - TAR), %")
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.set_ylim(top=min(125.0, axis.get_ylim()[1]))
    else:
        axis.set(ylabel="true accept rate (TAR), %")
        axis.set_ylim(top=101.0)


def cmc_plot(table: ComparedProtocol, looks: Mapping[str, Series], marks: Anchors, *, name: str) -> Markup | None:
    """The share of mated probes found within a rank, over the ranks that were measured; None without any."""
    with drawing():
        figure, (axis,) = panels(8.6, 3.6)
        drawn = []
        for model in table.models:
            points = _found_within(model)
            if points:
                ranks, rates = (np.asarray(values, dtype=np.float64) for values in zip(*points, strict=True))
                look = looks[model.label]
                style = {"color": look.colour, "marker": look.marker, "linestyle": look.dash}
                axis.plot(ranks, rates, linewidth=_width(model), label=look.label, **style)
                drawn.append(model.heading)
        if not drawn:
            return None
        published = [
            (float(rank), 100.0 * rate, str(anchor.number))
            for anchor in marks.methods
            for rank, rate in anchor.ranks.items()
        ]
        if published:
            places, heights, _ = zip(*published, strict=True)
            axis.plot(places, heights, "x", color=INK, markersize=5, label="published, by number")
        axis.set(title=f"CMC, {title_of(table, marks)}", xlabel="rank", ylabel="found within it, %")
        axis.xaxis.set_major_locator(MaxNLocator(integer=True))
        label_marks(axis, published)
        # So few ranks are measured that names on the lines would cover one another.
        legend_below(figure, axis, columns=3)
        alt = f"CMC curves on {title_of(table, marks)}: share of mated probes found within a rank, a line each for "
        alt += f"{', '.join(drawn)}; the numbers are in the table."
        return finished(figure, name=name, alt=alt)


def _found_within(model: ComparedModel) -> list[tuple[float, float]]:
    searched = model.report.get("identification")
    found: Sequence[Mapping[str, Any]] = searched["ranks"] if searched else ()
    return [(one["rank"], 100.0 * one["rate"]) for one in found if one["rate"] is not None]
