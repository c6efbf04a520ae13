"""Names put onto the lines of a plot, so that they are told apart without a legend and without colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes

from countenance.assessment.arrays import FloatArray
from countenance.reporting.plots import INK, PAPER

_PLACES: Final = np.linspace(0.06, 0.8, 24)
_LETTER: Final = 0.0125
"""How wide a letter is, as a share of the axes' width; labels are about so much longer than that."""
_HEIGHT: Final = 0.075
_APART: Final = 0.032


@dataclass(frozen=True, eq=False)
class Line:
    """A line as drawn.

    Attributes:
        name: to be put on it.
        colour: of the line.
        xs: rising, [K].
        ys: [K].
    """

    name: str
    colour: str
    xs: FloatArray
    ys: FloatArray


def label_lines(axis: Axes, lines: Sequence[Line]) -> None:
    """Put each name onto its line, where the others are farthest away and no name stands yet.

    The axes must have their scales and limits.
    """
    axis.autoscale_view()  # limits that follow the data are otherwise found only when the axes are drawn
    within = [_within(axis, line.xs, line.ys) for line in lines]
    taken: list[tuple[float, float, float]] = []
    for at, line in enumerate(lines):
        xs, ys = within[at]
        others = [other for position, other in enumerate(within) if position != at]
        length = _LETTER * len(line.name)
        x = max(_PLACES, key=lambda place: _room(float(place), xs, ys, length, others, taken))
        y = float(np.interp(x + length / 2, xs, ys))
        taken.append((float(x), y, length))
        axis.text(
            float(x) + length / 2,
            min(max(y, _HEIGHT / 2), 1.0 - _HEIGHT / 2),
            line.name,
            transform=axis.transAxes,
            color=INK,
            fontsize=9,
            ha="center",
            va="center",
            bbox={"facecolor": PAPER, "edgecolor": line.colour, "linewidth": 1.2, "boxstyle": "round,pad=0.2"},
        )


def _within(axis: Axes, xs: FloatArray, ys: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Points as shares of the axes."""
    points = axis.transAxes.inverted().transform(axis.transData.transform(np.column_stack([xs, ys])))
    order = np.argsort(points[:, 0], kind="stable")
    return points[order, 0], points[order, 1]


def _room(
    place: float, xs: FloatArray, ys: FloatArray, length: float, others: Sequence[Any], taken: Sequence[Any]
) -> float:
    """How far the nearest other line is along a label at ``place``; negative where the label can't stand."""
    if place < xs[0] - length / 2 or place + length > min(float(xs[-1]) + length / 2, 1.0):
        return -2.0
    along = np.linspace(place, place + length, 5)
    here = np.interp(along, xs, ys)
    middle = float(here[2])
    for x, y, other in taken:
        if place < x + other + 0.02 and x < place + length + 0.02 and abs(middle - y) < _HEIGHT:
            return -1.0
    gaps = [float(np.abs(np.interp(along, *line) - here).min()) for line in others]
    return min([*gaps, 0.2])


def label_marks(axis: Axes, marks: Sequence[tuple[float, float, str]]) -> None:
    """Write the words of each mark (x, y, words) beside it, from the highest down, as far as there is room."""
    axis.autoscale_view()
    last: dict[float, float] = {}
    for x, y, words in sorted(marks, key=lambda mark: -mark[1]):
        height = float(_within(axis, np.array([x]), np.array([y]))[1][0])
        if last.get(x, 2.0) - height >= _APART:
            axis.annotate(words, (x, y), (5, 0), textcoords="offset points", fontsize=7, va="center", color=INK)
            last[x] = height
