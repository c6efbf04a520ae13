"""Plots of learning many tasks at once: what each gains, and how their gradients agree."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, MaxNLocator

from countenance.reporting.multitask_sections import gradient_lengths, loss_title, pairs_of, points_of, tells_apart
from countenance.reporting.plots import INK, MUTED, PAPER, SERIES, drawing, finished, panels
from countenance.reporting.wording import TASK_TITLES, scale_of

_AGREE: Final = SERIES[1]
_OPPOSE: Final = SERIES[2]


def forest_plot(ablation: Mapping[str, Any]) -> Markup | None:
    """A row a task: what learning together gains, with its interval, on a scale of its own around one common zero.

    A filled square is told apart from zero, an open one isn't, so that the plot reads without colour.
    """
    tasks = {
        task: found
        for task in TASK_TITLES
        if (found := ablation.get("tasks", {}).get(task)) is not None and found["gain"] is not None
    }
    if not tasks:
        return None
    with drawing():
        figure, axes = panels(8.6, 0.5 + 0.62 * len(tasks), rows=len(tasks))
        for axis, (task, found) in zip(axes, tasks.items(), strict=True):
            _forest_row(axis, task, found)
        for side, words, place in (("left", "← better alone", 0.0), ("right", "better together →", 1.0)):
            axes[0].text(place, 1.12, words, transform=axes[0].transAxes, ha=side, va="bottom", color=MUTED)
        alt = "What each task gains from learning together, with intervals; the numbers are in the table below."
        return finished(figure, name="ablation", alt=alt)


def _forest_row(axis: Axes, task: str, found: Mapping[str, Any]) -> None:
    factor, _, unit = scale_of(found["unit"])
    gain = found["gain"] * factor
    ends = [end * factor for end in (found["low"], found["high"]) if end is not None]
    reach = max(abs(value) for value in (gain, *ends)) * 1.18 or 1.0
    told = tells_apart(found)
    colour = {1: _AGREE, -1: _OPPOSE, 0: MUTED}[told]
    axis.axvline(0.0, color=INK, linewidth=1.0)
    if len(ends) == 2:
        axis.hlines(0.0, *ends, color=colour, linewidth=2.4)
        axis.plot(ends, [0.0, 0.0], "|", color=colour, markersize=9, markeredgewidth=2.0)
    axis.plot(gain, 0.0, "s", color=colour, markersize=8, markerfacecolor=colour if told else PAPER)
    axis.set(xlim=(-reach, reach), ylim=(-1.0, 1.0))
    axis.set_yticks([0.0], [f"{TASK_TITLES[task]}, {points_of(unit)}"])
    axis.tick_params(axis="y", length=0)
    axis.xaxis.set_major_locator(MaxNLocator(5, symmetric=True))
    axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}" if abs(value) > 1e-12 else "0"))
    axis.grid(visible=False, axis="y")
    for spine in ("left", "top", "right"):
        axis.spines[spine].set_visible(False)


def interference_plot(curves: pd.DataFrame, *, name: str) -> Markup | None:
    """A matrix of mean cosines between the tasks' gradients, and the gradients' lengths; None where none was looked at.

    The number stands in every cell; opposed ones are hatched, so that the matrix reads without colour.
    """
    pairs = pairs_of(curves)
    if pairs.empty:
        return None
    lengths = gradient_lengths(curves)
    tasks = list(lengths)
    cosines = {frozenset((row["task"], row["other"])): row["cosine"] for row in pairs.to_dict("records")}
    with drawing():
        ratios = {"width_ratios": (2.2, 1.0)}
        figure, axes = panels(8.6, 1.3 + 0.42 * len(tasks), columns=2, gridspec_kw=ratios)
        _matrix(axes[0], tasks, cosines)
        places = np.arange(len(tasks))
        axes[1].barh(places, list(lengths.values()), height=0.62, color=MUTED)
        for place, length in zip(places, lengths.values(), strict=True):
            axes[1].annotate(
                f"{length:.2g}", (length, place), (4, 0), textcoords="offset points", va="center", fontsize=9
            )
        axes[1].set(title="Gradient length, weighted", ylim=(len(tasks) - 0.5, -0.5), xticks=[])
        axes[1].set_yticks(places, [""] * len(tasks))
        axes[1].set_xlim(0, max(lengths.values()) * 1.25)
        axes[1].tick_params(axis="y", length=0)
        axes[1].grid(visible=False)
        axes[1].spines["bottom"].set_visible(False)
        alt = "Mean cosine between the gradients of every two tasks, and their lengths."
        return finished(figure, name=name, alt=alt)


def _matrix(axis: Axes, tasks: list[str], cosines: Mapping[frozenset[str], float]) -> None:
    for row, task in enumerate(tasks):
        for column, other in enumerate(tasks[:row]):
            cosine = cosines.get(frozenset((task, other)))
            if cosine is None:
                continue
            colour = _AGREE if cosine >= 0 else _OPPOSE
            strength = min(0.75, abs(cosine))
            axis.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=(colour, strength), edgecolor="none"))
            if cosine < -0.005:
                faint: tuple[str, float] = (colour, 0.55)
                place = (column - 0.5, row - 0.5)
                axis.add_patch(Rectangle(place, 1, 1, facecolor="none", edgecolor=faint, hatch="///", linewidth=0))
            label = axis.text(column, row, f"{cosine:+.2f}", ha="center", va="center", fontsize=9)
            label.set_bbox({"facecolor": (PAPER, 0.65), "edgecolor": "none", "pad": 1.5})
    axis.set(title="Cosine between two tasks' gradients", xlim=(-0.5, len(tasks) - 1.5), ylim=(len(tasks) - 0.5, -0.5))
    axis.set_xticks(range(len(tasks) - 1), [loss_title(task) for task in tasks[:-1]], rotation=35, ha="right")
    axis.set_yticks(range(len(tasks)), [loss_title(task) for task in tasks])
    axis.tick_params(length=0)
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)
