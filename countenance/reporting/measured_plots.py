"""Plots of what was measured: identity, attribute tasks, groups, training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from countenance.reporting.plots import INK, Series, drawing, finished, legend_below, panels
from countenance.reporting.wording import TASK_TITLES, direction, scale_of


def identity_plot(evaluation: Mapping[str, Any], series: Mapping[str, Series]) -> Markup | None:
    """TAR over FAR, face to face, the interval at the headline FAR; None where nothing is measurable."""
    shown = {model: look for model, look in series.items() if model in evaluation["models"]}
    with drawing():
        figure, (axis,) = panels(8.6, 3.9)
        for at, (model, look) in enumerate(shown.items()):
            _tar_line(axis, evaluation["models"][model]["tar"], look)
            # Side by side, as intervals of different models overlap.
            far = evaluation["headline_far"] * 1.06 ** (at - (len(shown) - 1) / 2)
            _headline_interval(axis, evaluation["models"][model]["tasks"]["identity"], far, look)
        if not axis.lines:
            return None
        axis.set(xscale="log", xlabel="false accept rate (FAR)", ylabel="true accept rate (TAR), %")
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        legend_below(figure, axis)
        alt = "True accept rate over false accept rate, a line a model; the numbers are in the table below."
        return finished(figure, name="identity", alt=alt)


def _tar_line(axis: Axes, entries: Sequence[Mapping[str, Any]], look: Series) -> None:
    points = [(entry["at"]["far"], entry["tar"] * 100) for entry in entries if entry["tar"] is not None]
    if points:
        fars, tars = zip(*points, strict=True)
        width = 2.6 if look.champion else 1.5
        axis.plot(
            fars, tars, color=look.colour, marker=look.marker, linestyle=look.dash, linewidth=width, label=look.label
        )


def _headline_interval(axis: Axes, measured: Mapping[str, Any], far: float, look: Series) -> None:
    if measured["value"] is None or measured["low"] is None or measured["high"] is None:
        return
    low, high = measured["low"] * 100, measured["high"] * 100
    axis.vlines(far, low, high, color=look.colour, linewidth=3.5, alpha=0.4)


def task_plot(evaluation: Mapping[str, Any], series: Mapping[str, Series]) -> Markup | None:
    """A panel a task, a dot with its interval a model; None where no task has a number."""
    models = {model: look for model, look in series.items() if model in evaluation["models"]}
    measured = {
        task: {model: evaluation["models"][model]["tasks"].get(task) for model in models}
        for task in TASK_TITLES
        if task != "identity"
    }
    measured = {task: found for task, found in measured.items() if any(_has_value(item) for item in found.values())}
    if not measured:
        return None
    rows = -(-len(measured) // 2)
    with drawing():
        figure, axes = panels(8.6, rows * (1.1 + 0.27 * len(models)), rows=rows, columns=2, sharey=True)
        for axis, (task, found) in zip(axes, measured.items(), strict=False):
            _dots(axis, [(look, found[model]) for model, look in models.items()])
            first = next(item for item in found.values() if item is not None and item["value"] is not None)
            axis.set(title=TASK_TITLES[task], xlabel=f"{scale_of(first['unit'])[2]}, {direction(first)}")
        for axis in axes[len(measured) :]:
            axis.set_visible(False)
        alt = "Each task by model, with intervals; the numbers are in the KPI sheet above."
        return finished(figure, name="tasks", alt=alt)


def _has_value(measured: Mapping[str, Any] | None) -> bool:
    return measured is not None and measured["value"] is not None


def _dots(axis: Axes, rows: Sequence[tuple[Series, Mapping[str, Any] | None]]) -> None:
    places = np.arange(len(rows))[::-1]
    for place, (look, measured) in zip(places, rows, strict=True):
        if measured is None or measured["value"] is None:
            words = "not measured" if measured is None else str(measured["note"]).partition(":")[0]
            axis.text(0.02, place, words, transform=axis.get_yaxis_transform(), va="center", style="italic")
            continue
        factor = scale_of(measured["unit"])[0]
        _dot(axis, place, measured, look, factor)
    axis.set_yticks(places, [look.label for look, _ in rows])
    axis.set_ylim(-0.6, len(rows) - 0.4)
    axis.grid(visible=False, axis="y")


def _dot(axis: Axes, place: float, measured: Mapping[str, Any], look: Series, factor: float, **options: Any) -> None:
    if measured["low"] is not None and measured["high"] is not None:
        axis.hlines(place, measured["low"] * factor, measured["high"] * factor, color=look.colour, linewidth=2)
    size = 8 if look.champion else 6.5
    axis.plot(
        measured["value"] * factor, place, look.marker, color=look.colour, markersize=size, linestyle="none", **options
    )


def group_plot(bias: Mapping[str, Any], series: Mapping[str, Series]) -> Markup | None:
    """FMR, FNMR and money by group, a dot with its interval a model; None where no group is shown."""
    models = {model: look for model, look in series.items() if model in bias}
    names = sorted({item["group"] for model in models for item in bias[model]["differential"]["groups"] if item["fmr"]})
    if not names:
        return None
    unit = next(bias[model]["cost"]["overall"]["unit"] for model in models)
    with drawing():
        figure, axes = panels(9.2, 1.5 + len(names) * (0.25 + 0.17 * len(models)), columns=3, sharey=True)
        for at, (model, look) in enumerate(models.items()):
            offset = 0.36 - 0.72 * (at + 0.5) / len(models)
            _group_dots(axes, bias[model], look, names, offset)
        places = np.arange(len(names))[::-1]
        axes[0].set_yticks(places, names)
        axes[0].set_ylim(-0.55, len(names) - 0.45)
        for axis, title in zip(axes, ("False match rate, %", "False non-match rate, %", unit), strict=True):
            axis.set_title(title)
            axis.set_xlim(left=-0.03 * axis.get_xlim()[1])
            axis.grid(visible=False, axis="y")
            for line in places[:-1]:
                axis.axhline(line - 0.5, color=axis.xaxis.get_gridlines()[0].get_color(), linewidth=0.8)
        legend_below(figure, axes[0])
        alt = "Error rates and money by group and model, with intervals; the numbers are in the table below."
        return finished(figure, name="groups", alt=alt)


def _group_dots(
    axes: Sequence[Axes], fairness: Mapping[str, Any], look: Series, names: Sequence[str], offset: float
) -> None:
    costs = {item["group"]: item["cost"] for item in fairness["cost"]["groups"]}
    labelled = False
    for item in fairness["differential"]["groups"]:
        if item["group"] not in names:
            continue
        place = len(names) - 1 - list(names).index(item["group"]) + offset
        for axis, measured, factor in (
            (axes[0], item["fmr"], 100.0),
            (axes[1], item["fnmr"], 100.0),
            (axes[2], costs.get(item["group"]), 1.0),
        ):
            if measured is not None and measured["value"] is not None:
                label = look.label if axis is axes[0] and not labelled else None
                _dot(axis, place, measured, look, factor, label=label)
                labelled = labelled or label is not None


def curves_plot(curves: Mapping[str, pd.DataFrame], series: Mapping[str, Series]) -> Markup | None:
    """Loss over steps; where something was distilled, alpha and the similarities to teacher and class centre, too.

    None without curves.
    """
    shown = {model: table for model, table in curves.items() if model in series and len(table)}
    if not shown:
        return None
    distilled = {model: table for model, table in shown.items() if "teacher_agreement" in table.columns}
    with drawing():
        figure, axes = panels(9.6 if distilled else 8.6, 3.6, columns=3 if distilled else 1)
        for model, table in shown.items():
            _curve(axes[0], table, "loss", series[model], dash=series[model].dash, label=series[model].label)
        axes[0].set(title="Loss (sum of all tasks)", xlabel="step", yscale="log")
        axes[0].yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes[0].yaxis.set_minor_formatter(FuncFormatter(lambda value, _: f"{value:g}" if value >= 1 else ""))
        if distilled:
            _distillation_panels(axes[1], axes[2], distilled, series)
        legend_below(figure, axes[0])
        alt = "Training loss over steps for " + ", ".join(series[model].heading for model in shown) + "."
        return finished(figure, name="curves", alt=alt)


def _distillation_panels(
    alpha: Axes, similarity: Axes, distilled: Mapping[str, pd.DataFrame], series: Mapping[str, Series]
) -> None:
    similarities = (("teacher_agreement", "to the teacher", "-"), ("centre_agreement", "to the own class centre", ":"))
    for model, table in distilled.items():
        _curve(alpha, table, "alpha", series[model], dash=series[model].dash)
        for column, _, dash in similarities:
            _curve(similarity, table, column, series[model], dash=dash)
    alpha.set(title="Alpha: weight of the old centre", xlabel="step", ylim=(0, 1))
    similarity.set(title="Similarity of the student", xlabel="step")
    for _, words, dash in similarities:
        similarity.plot([], [], color=INK, linestyle=dash, label=words)
    similarity.legend(loc="best")


def _curve(axis: Axes, table: pd.DataFrame, column: str, look: Series, *, dash: Any, label: str | None = None) -> None:
    if column in table.columns:
        points = table[["step", column]].dropna()
        axis.plot(points["step"], points[column], color=look.colour, linestyle=dash, linewidth=1.9, label=label)
