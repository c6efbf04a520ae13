"""Curves of attributes and found faces as files of their own, for whoever needs no page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from countenance.errors import DataError
from countenance.reporting.plot_files import standalone
from countenance.reporting.plots import drawing, finished, panels, series_of
from countenance.storage import write_aside

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


def write_curve_plot(plot: CurvePlot, folder: Path) -> Path:
    """Draw a plot into ``<folder>/<file>.svg``, written aside and renamed.

    Raises:
        DataError: the folder can't be written to.
    """
    path = folder / f"{plot.file}.svg"
    svg = standalone(_drawn(plot))
    try:
        with write_aside(path) as aside:
            aside.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise DataError(f"The plot {path} cannot be written: choose another folder.") from error
    return path


def _drawn(plot: CurvePlot) -> str:
    with drawing():
        figure, (axis,) = panels(6.4, 4.4)
        looks = series_of({name: name for name in plot.lines}, None)
        for name, (x, y) in plot.lines.items():
            look = looks[name]
            axis.step(x, y, where="post", color=look.colour, linestyle=look.dash, linewidth=1.8, label=look.label)
        axis.set(title=plot.title, xlabel=plot.x_label, ylabel=plot.y_label, ylim=(0, 1.02))
        axis.legend(loc="best")
        alt = f"{plot.title}: {plot.y_label} over {plot.x_label}, a line each for {', '.join(plot.lines)}."
        return str(finished(figure, name=plot.file, alt=alt))
