"""Curves of attributes and found faces as files of their own, for whoever needs no page."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.axes import Axes

from countenance.reporting.plot_files import LINES, write_plots
from countenance.reporting.plots import series_of

Line = tuple[Sequence[float], Sequence[float]]


@dataclass(frozen=True, kw_only=True)
class CurvePlot:
    """One plot.

    Attributes:
        file: its name without an ending.
        title: above it.
        x_label: of the horizontal axis.
        y_label: of the vertical axis, which runs from 0 to 1.
        lines: by heading, x and y; from one point to the next the value stays.
    """

    file: str
    title: str
    x_label: str
    y_label: str
    lines: Mapping[str, Line]


def write_curve_plot(plot: CurvePlot, folder: Path) -> tuple[Path, ...]:
    """Draw a plot into ``<folder>/<file>.svg`` and ``.png``; without lines an earlier one is removed.

    Raises:
        DataError: the folder can't be written to.
    """
    return write_plots({plot.file: functools.partial(_draw, plot=plot) if plot.lines else None}, folder)


def _draw(axis: Axes, plot: CurvePlot) -> None:
    looks = series_of({name: name for name in plot.lines}, None)
    for number, (name, (x, y)) in enumerate(plot.lines.items()):
        colour = LINES[number % len(LINES)]
        axis.step(x, y, where="post", color=colour, linestyle=looks[name].dash, linewidth=1.8, label=name)
    axis.set(title=plot.title, xlabel=plot.x_label, ylabel=plot.y_label, ylim=(0, 1.02))
    axis.legend(loc="best")
