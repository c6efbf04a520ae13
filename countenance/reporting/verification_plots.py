"""DET and ROC curves of one report as files of their own."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from countenance.reporting.plot_files import LINES, Draw, write_plots

_LINE: Final = LINES[0]


def write_verification_plots(report: Mapping[str, Any], folder: Path) -> tuple[Path, ...]:
    """Write ``det`` and ``roc``, each as .svg and .png, and return the paths.

    A curve of which no point can be drawn isn't written, and an earlier one in the folder is removed: none without
    mated and non-mated pairs, and no DET curve where nothing is missed.

    Args:
        report: of templates or of pairs, as its ``to_dict`` gives it.
        folder: is made where it isn't there.

    Raises:
        DataError: the folder can't be written to.
    """
    plots: dict[str, Draw | None] = {"det": None, "roc": None}
    if report["roc"] is not None:
        far, tar = _rates(report["roc"])
        if (tar < 1.0).any():
            plots["det"] = functools.partial(_draw_det, report=report)
        if len(far):
            plots["roc"] = functools.partial(_draw_roc, report=report)
    return write_plots(plots, folder)


def _title(name: str, report: Mapping[str, Any]) -> str:
    return f"{name} of {report['model'] or 'the embeddings'} on {report['protocol']['name']}"


def _draw_roc(axis: Axes, report: Mapping[str, Any]) -> None:
    far, tar = _rates(report["roc"])
    axis.plot(far, 100 * tar, color=_LINE)
    _mark(axis, report, lambda tar: tar)
    axis.set(title=_title("ROC", report), xscale="log", xlabel="false accept rate (FAR)")
    axis.set(ylabel="true accept rate (TAR), %")
    _plain_numbers(axis)


def _draw_det(axis: Axes, report: Mapping[str, Any]) -> None:
    """Both axes logarithmic: what is missed over what is falsely accepted, without points where nothing is."""
    far, tar = _rates(report["roc"])
    axis.plot(far, 100 * np.where(tar < 1.0, 1.0 - tar, np.nan), color=_LINE)
    _mark(axis, report, lambda tar: 1.0 - tar)
    axis.set(title=_title("DET", report), xscale="log", xlabel="false accept rate (FAR)")
    axis.set(yscale="log", ylabel="mated comparisons missed (1 - TAR), %")
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
