"""Plots of groups: who is taken for whom, both error rates and money over all thresholds, and how unequal groups are.

Shades carry numbers, and every line has a dash, a marker and a name, so that all of it reads in black and white.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from countenance.reporting.plots import INK, LIMIT, PAPER, SERIES, Series, drawing, finished, legend_below, panels

_MARKERS: Final = ("o", "s", "D", "^", "v", "P")
_DASHES: Final = ("-", "--", "-.", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)), ":")
_ROW: Final = 3
"""Panels beside each other."""


def matrix_plot(bias: Mapping[str, Any], series: Mapping[str, Series]) -> Markup | None:
    """A heat map a model: FMR within and between the smallest cells, in percent, the shade its logarithm.

    None where fewer than two cells are shown.
    """
    found = {model: _finest(bias[model]) for model in series if model in bias}
    shown = {model: matrix for model, matrix in found.items() if matrix is not None}
    if not shown:
        return None
    size = max(len(matrix["groups"]) for matrix in shown.values())
    scale = _shades([rate["value"] for matrix in shown.values() for row in matrix["rates"] for rate in row])
    with drawing():
        figure, axes = _panels(len(shown), each=(3.3, 1.1 + 0.5 * size), sharey=True)
        for place, (axis, (model, matrix)) in enumerate(zip(axes, shown.items(), strict=False)):
            _heat(axis, matrix, scale, names=place % _ROW == 0)
            axis.set_title(series[model].heading)
        alt = "False match rate between every two cells, a matrix a model, with the numbers in percent."
        return finished(figure, name="cross-group", alt=alt)


def _finest(fairness: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The matrix of the attribute, or of the two crossed, that cuts people into the most shown cells."""
    matrices = [cells["matrix"] for cells in fairness.get("cells", {}).values()]
    largest: Mapping[str, Any] | None = max(matrices, key=lambda matrix: len(matrix["groups"]), default=None)
    return largest if largest is not None and len(largest["groups"]) > 1 else None


def _shades(values: Sequence[float | None]) -> tuple[float, float]:
    """The logarithms between which shades run: those of the smallest and the largest rate above zero."""
    logs = [math.log10(value) for value in values if value]
    return (min(logs), max(logs)) if logs else (0.0, 0.0)


def _heat(axis: Axes, matrix: Mapping[str, Any], scale: tuple[float, float], *, names: bool) -> None:
    groups, (low, high) = matrix["groups"], scale
    for row, rates in enumerate(matrix["rates"]):
        for column, rate in enumerate(rates):
            value = rate["value"]
            place = (column - 0.5, row - 0.5)
            if value:
                depth = (math.log10(value) - low) / (high - low) if high > low else 1.0
                axis.add_patch(Rectangle(place, 1, 1, facecolor=(INK, 0.03 + 0.5 * depth), edgecolor="none"))
            if row == column:
                axis.add_patch(Rectangle(place, 1, 1, facecolor="none", edgecolor=INK, linewidth=1.2))
            label = axis.text(column, row, _short(value), ha="center", va="center", fontsize=9)
            label.set_bbox({"facecolor": (PAPER, 0.8), "edgecolor": "none", "pad": 1.2})
    places = range(len(groups))
    axis.set(xlim=(-0.5, len(groups) - 0.5), ylim=(len(groups) - 0.5, -0.5))
    axis.set_xticks(places, groups, rotation=35, ha="right")
    axis.set_yticks(places, groups)
    axis.tick_params(length=0, labelleft=names)
    axis.grid(visible=False)
    for spine in axis.spines.values():
        spine.set_visible(False)


def _short(value: float | None) -> str:
    """A rate in percent with two digits that tell something: ``3.6``, ``0.19``, ``0.004``."""
    if value is None:
        return "–"
    return "0" if value == 0.0 else f"{float(f'{value * 100:.2g}'):g}"


def det_plot(curves: Mapping[str, Any], series: Mapping[str, Series]) -> Markup | None:
    """A DET curve a group and model, both axes logarithmic, the common threshold marked on every line."""
    shown = _with_groups(curves, series)
    if not shown:
        return None
    looks = _looks_of_groups(shown)
    with drawing():
        figure, axes = _panels(len(shown), each=(3.3, 3.6), sharey=True, sharex=True)
        for place, (axis, (model, found)) in enumerate(zip(axes, shown.items(), strict=False)):
            marks = [_det_line(axis, name, found, looks[name]) for name in found["groups"]]
            _name_marks(axis, [(name, x, y) for name, (x, y) in zip(found["groups"], marks, strict=True)])
            axis.set(title=series[model].heading, xscale="log", yscale="log", xlabel="false match rate, %")
            for scale in (axis.xaxis, axis.yaxis):
                scale.set_major_locator(LogLocator(subs=(1.0,), numticks=8))
                scale.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
                scale.set_minor_formatter(NullFormatter())
            if place % _ROW == 0:
                axis.set_ylabel("false non-match rate, %")
        axes[0].plot([], [], "o", color=INK, markersize=8, markerfacecolor=PAPER, label="at the common threshold")
        legend_below(figure, axes[0], columns=5)
        alt = "False non-match rate over false match rate, a line a group, with the common threshold on each."
        return finished(figure, name="group-det", alt=alt)


def _det_line(axis: Axes, name: str, found: Mapping[str, Any], look: Series) -> tuple[float, float]:
    fmr, fnmr = (np.asarray(found["groups"][name][rate]) * 100.0 for rate in ("fmr", "fnmr"))
    drawn = (fmr > 0) & (fnmr > 0)
    axis.plot(fmr[drawn], fnmr[drawn], color=look.colour, linestyle=look.dash, linewidth=1.8, label=name)
    at = int(np.argmin(np.abs(np.asarray(found["thresholds"]) - found["threshold"])))
    if drawn[at]:
        style: dict[str, Any] = {
            "color": look.colour,
            "markerfacecolor": PAPER,
            "markersize": 8,
            "markeredgewidth": 1.8,
        }
        axis.plot(fmr[at], fnmr[at], look.marker, **style)
    return float(fmr[at]), float(fnmr[at])


def _name_marks(axis: Axes, marks: Sequence[tuple[str, float, float]]) -> None:
    """Each line's name beside its mark, on the outer side of the lines where there are two."""
    ordered = sorted((mark for mark in marks if mark[1] > 0 and mark[2] > 0), key=lambda mark: mark[1])
    for place, (name, x, y) in enumerate(ordered):
        left = place < len(ordered) / 2
        offset, align = ((-7, -13), "right") if left else ((7, 7), "left")
        label = axis.annotate(name, (x, y), offset, textcoords="offset points", ha=align, fontsize=9)
        label.set_bbox({"facecolor": (PAPER, 0.75), "edgecolor": "none", "pad": 0.8})


def group_cost_plot(curves: Mapping[str, Any], bias: Mapping[str, Any], series: Mapping[str, Series]) -> Markup | None:
    """Money over the threshold, a line a group and one for everybody; the common threshold and the cheapest allowed."""
    shown = _with_groups(curves, series)
    if not shown:
        return None
    looks = _looks_of_groups(shown)
    with drawing():
        figure, axes = _panels(len(shown), each=(3.3, 3.4), sharey=True)
        for axis, (model, found) in zip(axes, shown.items(), strict=False):
            inside = np.asarray(found["overall"]["fmr"]) <= 0.3
            thresholds = np.asarray(found["thresholds"])[inside]
            for name, curve in found["groups"].items():
                costs, look = np.asarray(curve["cost"])[inside], looks[name]
                axis.plot(thresholds, costs, color=look.colour, linestyle=look.dash, linewidth=1.8, label=name)
                ticks = np.linspace(0, len(costs) - 1, 7).astype(int)[1:-1]
                axis.plot(thresholds[ticks], costs[ticks], look.marker, color=look.colour, markersize=4.5)
            everybody = np.asarray(found["overall"]["cost"])[inside]
            axis.plot(
                thresholds, everybody, color=INK, linewidth=1.0, linestyle=":", label="everybody, all comparisons"
            )
            axis.axvline(found["threshold"], color=INK, linewidth=1.2, label="common threshold")
            cheapest = (bias.get(model, {}).get("optimum") or {}).get("threshold")
            if cheapest is not None:
                label = "cheapest under the cap, on the validation people"
                axis.axvline(cheapest, color=LIMIT, linewidth=1.4, linestyle="--", label=label)
            axis.set(title=series[model].heading, xlabel="threshold", yscale="log")
            axis.xaxis.set_major_locator(MaxNLocator(4))
            axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
            axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
            axis.yaxis.set_minor_formatter(NullFormatter())
        axes[0].set_ylabel(next(iter(shown.values()))["unit"])
        legend_below(figure, axes[0], columns=5)
        alt = "Expected cost over the threshold, a line a group, with the common and the cheapest allowed threshold."
        return finished(figure, name="group-cost", alt=alt)


def disparity_plot(bias: Mapping[str, Any], series: Mapping[str, Series]) -> Markup | None:
    """How unequal groups are, a dot with its interval a model: worst over geometric mean of both rates, and Gini."""
    shown = {model: bias[model]["differential"] for model in series if model in bias}
    if not any(found["fmr_disparity"]["value"] for found in shown.values()):
        return None
    with drawing():
        figure, axes = panels(9.6, 1.35 + 0.34 * len(shown), columns=3, sharey=True)
        places = np.arange(len(shown))[::-1]
        for axis, key, title in zip(axes, ("fmr_disparity", "fnmr_disparity"), ("FMR", "FNMR"), strict=False):
            for place, (model, found) in zip(places, shown.items(), strict=True):
                _ratio(axis, float(place), found[key], series[model])
            axis.axvline(1.0, color=INK, linewidth=1.0)
            axis.set_title(f"{title}: worst / geometric mean", fontsize=9.5)
            axis.set(xscale="log")
            axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0), numticks=12))
            axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axis.xaxis.set_minor_formatter(NullFormatter())
        for place, (model, found) in zip(places, shown.items(), strict=True):
            for key, face in (("fmr_gini", series[model].colour), ("fnmr_gini", PAPER)):
                if found[key] is not None:
                    axes[2].plot(found[key], place, "o", color=series[model].colour, markerfacecolor=face, markersize=7)
        axes[2].set_title("Gini coefficient, 0 is equal", fontsize=9.5)
        axes[2].set(xlim=(-0.03, 1.03))
        for face, words in ((INK, "Gini of FMR"), (PAPER, "Gini of FNMR")):
            axes[2].plot([], [], "o", color=INK, markerfacecolor=face, label=words)
        for axis in axes:
            axis.grid(visible=False, axis="y")
        axes[0].set_yticks(places, [series[model].label for model in shown])
        axes[0].set_ylim(-0.6, len(shown) - 0.4)
        legend_below(figure, axes[2])
        alt = "How unequal the groups' error rates are by model, with intervals; the numbers are in the table above."
        return finished(figure, name="disparities", alt=alt)


def _ratio(axis: Axes, place: float, found: Mapping[str, Any], look: Series) -> None:
    if found["value"] is None:
        axis.text(0.02, place, "not measurable", transform=axis.get_yaxis_transform(), va="center", style="italic")
        return
    if found["low"] is not None and found["high"] is not None:
        axis.hlines(place, found["low"], found["high"], color=look.colour, linewidth=2)
    axis.plot(found["value"], place, look.marker, color=look.colour, markersize=8 if look.champion else 6.5)


def _with_groups(curves: Mapping[str, Any], series: Mapping[str, Series]) -> dict[str, Any]:
    return {model: curves[model] for model in series if model in curves and curves[model]["groups"]}


def _looks_of_groups(shown: Mapping[str, Any]) -> dict[str, Series]:
    names = dict.fromkeys(name for found in shown.values() for name in found["groups"])
    return {
        name: Series(name, SERIES[(at + 1) % len(SERIES)], _MARKERS[at % 6], _DASHES[at % 6], False)
        for at, name in enumerate(names)
    }


def _panels(count: int, *, each: tuple[float, float], **options: Any) -> tuple[Any, list[Axes]]:
    """Panels in rows of three at most; what is left over of a row stays empty."""
    columns = min(_ROW, count)
    rows = -(-count // columns)
    figure, axes = panels(0.6 + each[0] * columns, 0.5 + each[1] * rows, rows=rows, columns=columns, **options)
    for axis in axes[count:]:
        axis.set_visible(False)
    return figure, axes
