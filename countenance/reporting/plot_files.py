"""Plots as files of their own, for whoever needs no page: SVG for the web, PNG for slides."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from countenance.errors import DataError
from countenance.reporting.plots import drawing, panels
from countenance.storage import write_aside

Draw = Callable[[Axes], None]

KINDS: Final = ("svg", "png")
LINES: Final = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00")
"""Colours of Okabe and Ito, which colour-blind readers can tell apart."""

# Outside of the report's page there are no variables to colour the drawing by.
_INK, _MUTED, _GRID = "#1b1b1b", "#5f5f5f", "#dcdcdc"
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


def write_plots(plots: Mapping[str, Draw | None], folder: Path) -> tuple[Path, ...]:
    """Write a set of plots, each as .svg and .png, aside and renamed; the same drawing gives the same bytes.

    Args:
        plots: by file name without ending, what draws it; None where there is nothing to draw. An earlier file of such
            a plot is then removed, since it would be taken for part of this set.
        folder: is made where it isn't there; files of these names are replaced.

    Returns:
        the files that were written.

    Raises:
        DataError: the folder can't be written to.
    """
    written = []
    try:
        for name, draw in plots.items():
            paths = [folder / f"{name}.{kind}" for kind in KINDS]
            if draw is None:
                for path in paths:
                    path.unlink(missing_ok=True)
                continue
            figure = _drawn(draw)
            for path in paths:
                _write(figure, path)
            written += paths
    except OSError as error:
        raise DataError(f"The plots can't be written to {folder} ({error.strerror}): name another folder.") from error
    return tuple(written)


def _drawn(draw: Draw) -> Figure:
    with drawing(), matplotlib.rc_context(_STYLE):
        figure, (axis,) = panels(6.4, 4.4)
        figure.set_facecolor("white")
        draw(axis)
    return figure


def _write(figure: Figure, path: Path) -> None:
    drawn = io.BytesIO()
    kind = path.suffix.removeprefix(".")
    nameless = dict.fromkeys(("Date", "Creator")) if kind == "svg" else {"Software": None}
    with drawing(), matplotlib.rc_context(_STYLE):
        figure.savefig(drawn, format=kind, dpi=_DOTS_PER_INCH, metadata=nameless)
    with write_aside(path) as aside:
        aside.write_bytes(drawn.getvalue())
