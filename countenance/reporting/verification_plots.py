"""DET and ROC curves of one report as files of their own: SVG for the web, PNG for slides."""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullFormatter

from countenance.errors import AssessmentError
from countenance.reporting.plots import drawing, panels
from countenance.storage import write_aside

# Outside of the report's page there are no variables to colour the drawing by; the line is blue of Okabe and Ito.
_INK, _MUTED, _GRID, _LINE = "#1b1b1b", "#5f5f5f", "#dcdcdc", "#0072b2"
_STYLE: Final[dict[Any, Any]] = {
    "axes.edgecolor": _MUTED,
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "grid.color": _GRID,
    "text.color": _INK,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "xtick.labelcolor": _INK,
    "ytick.labelcolor": _INK,
    "svg.hashsalt": "countenance",
}
_DOTS_PER_INCH: Final = 160


def write_verification_plots(report: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """Write ``det`` and ``roc``, each as .svg and .png, and return the paths.

    Args:
        report: of templates or of pairs, as its ``to_dict`` gives it; its ``roc`` must be there.
        folder: is made where it isn't there; files of these names are replaced.

    Raises:
        AssessmentError: the report has no curve.
    """
    if report["roc"] is None:
        raise AssessmentError("Pairs of one kind only have no curve: give mated and non-mated ones.")
    paths = []
    for name, draw in (("det", _draw_det), ("roc", _draw_roc)):
        with drawing(), matplotlib.rc_context(_STYLE):
            figure, (axis,) = panels(6.4, 4.4)
            figure.set_facecolor("white")
            draw(axis, report)
            axis.set_title(f"{name.upper()} of {report['model'] or 'the embeddings'} on {report['protocol']['name']}")
            for kind in ("svg", "png"):
                paths.append(_written(figure, folder / f"{name}.{kind}"))
    return tuple(paths)


def _written(figure: Figure, path: Path) -> Path:
    drawn = io.BytesIO()
    kind = path.suffix.removeprefix(".")
    nameless = dict.fromkeys(("Date", "Creator")) if kind == "svg" else {"Software": None}
    figure.savefig(drawn, format=kind, dpi=_DOTS_PER_INCH, metadata=nameless)
    with write_aside(path) as aside:
        aside.write_bytes(drawn.getvalue())
    return path


def _draw_roc(axis: Axes, report: Mapping[str, Any]) -> None:
    far, tar = _rates(report["roc"])
    axis.plot(far, 100 * tar, color=_LINE)
    _mark(axis, report, lambda tar: tar)
    axis.set(xscale="log", xlabel="false accept rate (FAR)", ylabel="true accept rate (TAR), %")
    _plain_numbers(axis)


def _draw_det(axis: Axes, report: Mapping[str, Any]) -> None:
    """Both axes logarithmic: what is missed over what is falsely accepted, without points where nothing is."""
    far, tar = _rates(report["roc"])
    axis.plot(far, 100 * np.where(tar < 1.0, 1.0 - tar, np.nan), color=_LINE)
    _mark(axis, report, lambda tar: 1.0 - tar)
    axis.set(xscale="log", xlabel="false accept rate (FAR)", ylabel="mated comparisons missed (1 - TAR), %")
    if (tar < 1.0).any():
        axis.set_yscale("log")
    _plain_numbers(axis)


def _rates(roc: Mapping[str, Any]) -> tuple[Any, Any]:
    """FAR and TAR of the points at which something is falsely accepted: a logarithmic axis has no zero."""
    false, true = np.asarray(roc["false_accepts"]), np.asarray(roc["true_accepts"])
    return false[false > 0] / roc["non_mated"], true[false > 0] / roc["mated"]


def _mark(axis: Axes, report: Mapping[str, Any], height: Any) -> None:
    """The rates of the table, with their intervals."""
    for row in report["verification"]:
        if row["tar"] is None or not height(row["tar"]):
            continue
        axis.plot(row["far"], 100 * height(row["tar"]), "o", color=_LINE, markersize=5)
        if row["low"] is not None:
            axis.vlines(row["far"], *sorted(100 * height(row[end]) for end in ("low", "high")), color=_LINE, alpha=0.5)


def _plain_numbers(axis: Axes) -> None:
    for side in (axis.xaxis, axis.yaxis):
        side.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        side.set_minor_formatter(NullFormatter())
