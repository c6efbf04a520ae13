"""Plots of ways to distil: accuracy of each with its interval, and how close the students come to their teacher."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes

from countenance.reporting.method_sections import title_of
from countenance.reporting.plots import INK, MUTED, PAPER, SERIES, drawing, finished, legend_below, panels
from countenance.reporting.seeded_words import told_apart

_PANELS: Final = {"accuracy": "1:1 accuracy, %", "tar": "TAR, %"}
_CURVES: Final = {
    "alpha": "Alpha: weight of the old centre",
    "teacher_agreement": "Similarity to the teacher",
    "centre_agreement": "Similarity to the own centre",
}
_DASHES: Final = ("-", "--", ":", "-.")


def method_plot(comparison: Mapping[str, Any]) -> Markup | None:
    """A dot a row for accuracy and for TAR, with its interval; the seeds as small ticks, the teacher as a line.

    A filled dot is told apart from the reference, an open one isn't, so that the plot reads without colour.
    """
    rows = comparison.get("rows", {})
    if not any(found["accuracy"]["value"] is not None for found in rows.values()):
        return None
    with drawing():
        figure, axes = panels(8.6, 0.9 + 0.34 * len(rows), columns=2, sharey=True)
        places = np.arange(len(rows))[::-1]
        for axis, (metric, title) in zip(axes, _PANELS.items(), strict=True):
            for place, found in zip(places, rows.values(), strict=True):
                _dot(axis, float(place), found[metric], told_apart(found[f"{metric}_gain"]))
            teacher = comparison["teacher"]
            if teacher is not None and teacher[metric]["value"] is not None:
                axis.axvline(teacher[metric]["value"] * 100, color=INK, linewidth=1.0, linestyle=":", label="teacher")
            axis.set(title=title if metric == "accuracy" else f"TAR at FAR {comparison['headline_far']:g}, %")
            axis.grid(visible=False, axis="y")
        axes[0].set_yticks(places, [title_of(row) for row in rows])
        axes[0].set_ylim(-0.6, len(rows) - 0.4)
        if axes[0].get_legend_handles_labels()[0]:
            legend_below(figure, axes[0])
        alt = "1:1 accuracy and TAR of every way to distil, with intervals; the numbers are in the table below."
        return finished(figure, name="methods", alt=alt)


def _dot(axis: Axes, place: float, found: Mapping[str, Any], told: int) -> None:
    if found["value"] is None:
        axis.text(0.02, place, "not measurable", transform=axis.get_yaxis_transform(), va="center", style="italic")
        return
    colour = {1: SERIES[1], -1: SERIES[2], 0: MUTED}[told]
    if found["low"] is not None and found["high"] is not None:
        axis.hlines(place, found["low"] * 100, found["high"] * 100, color=colour, linewidth=2)
    seeds = [value * 100 for value in found["by_seed"] if value is not None]
    if len(seeds) > 1:
        axis.plot(seeds, [place] * len(seeds), "|", color=INK, markersize=6, markeredgewidth=1.0)
    axis.plot(found["value"] * 100, place, "o", color=colour, markersize=7, markerfacecolor=colour if told else PAPER)


def method_curves_plot(comparison: Mapping[str, Any]) -> Markup | None:
    """Alpha and similarities over the steps, a line a row that has them; None where no row has."""
    curves = comparison.get("curves", {})
    shown = {name: [row for row in curves if _points(curves[row], name)] for name in _CURVES}
    rows = [row for row in curves if any(row in having for having in shown.values())]
    if not rows:
        return None
    look = {row: (SERIES[at % len(SERIES)], _DASHES[at // len(SERIES) % len(_DASHES)]) for at, row in enumerate(rows)}
    with drawing():
        figure, axes = panels(9.6, 4.2, columns=3)
        for axis, (name, title) in zip(axes, _CURVES.items(), strict=True):
            for row in shown[name]:
                steps, values = zip(*_points(curves[row], name), strict=True)
                colour, dash = look[row]
                axis.plot(steps, values, color=colour, linestyle=dash, linewidth=1.6)
            axis.set(title=title, xlabel="step")
        for row in rows:
            axes[0].plot([], [], color=look[row][0], linestyle=look[row][1], label=title_of(row))
        legend_below(figure, axes[0], columns=3)
        alt = "Alpha, similarity to the teacher and to the own class centre over the steps, a line a way to distil."
        return finished(figure, name="method-curves", alt=alt)


def _points(curves: Mapping[str, Any], name: str) -> list[tuple[float, float]]:
    if name not in curves:
        return []
    return [(step, value) for step, value in zip(curves["step"], curves[name], strict=True) if value is not None]
