"""How every plot of the report is drawn: matplotlib without global state, written as SVG that the page can colour.

Colours are stand-ins while matplotlib draws; in the SVG they become CSS variables, so that one drawing serves the
light scheme, the dark one and print. The series colours are those of Okabe and Ito, which colour-blind readers can
tell apart; each series has a marker and a dash of its own, too.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from typing import Any, Final

import matplotlib
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

INK: Final = "#010101"
MUTED: Final = "#010102"
GRID: Final = "#010103"
LIMIT: Final = "#010104"
BAND: Final = "#010105"
PAPER: Final = "#010106"
SERIES: Final = tuple(f"#01020{number}" for number in range(6))

_VARIABLES: Final = {
    INK: "var(--ink)",
    MUTED: "var(--muted)",
    GRID: "var(--grid)",
    LIMIT: "var(--limit)",
    BAND: "var(--band)",
    PAPER: "var(--paper)",
    **{colour: f"var(--series-{number})" for number, colour in enumerate(SERIES)},
}
_MARKERS: Final = ("o", "s", "D", "^", "v", "P")
_DASHES: Final = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (8, 2)))
_STYLE: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 10,
    "axes.titlesize": 10.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.facecolor": "none",
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
}


@dataclass(frozen=True)
class Series:
    """How one model is drawn everywhere: its heading, colour, marker and dash."""

    heading: str
    colour: str
    marker: str
    dash: Any
    champion: bool

    @property
    def label(self) -> str:
        """The heading, with the champion marked."""
        return f"{self.heading} (champion)" if self.champion else self.heading


def series_of(names: Mapping[str, str], champion: str | None) -> dict[str, Series]:
    """The look of each model, in the order of ``names``."""
    return {
        model: Series(name, SERIES[at % 6], _MARKERS[at % 6], _DASHES[at % 6], model == champion)
        for at, (model, name) in enumerate(names.items())
    }


@contextmanager
def drawing() -> Iterator[None]:
    """Draw in the report's style; matplotlib's own settings come back afterwards."""
    with matplotlib.rc_context(_STYLE):
        yield


def panels(width: float, height: float, rows: int = 1, columns: int = 1, **options: Any) -> tuple[Figure, list[Axes]]:
    """A figure of ``width`` x ``height`` inches and its axes, row by row."""
    figure = Figure(figsize=(width, height), layout="constrained", facecolor="none")
    axes = figure.subplots(rows, columns, squeeze=False, **options)
    return figure, list(axes.ravel())


def finished(figure: Figure, *, name: str, alt: str) -> Markup:
    """Write a figure as SVG to be put into a page.

    Args:
        figure: drawn within :func:`drawing`.
        name: unique on the page; the ids within the SVG follow from it.
        alt: what the plot shows, in words.
    """
    written = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(written, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return Markup(_for_page(written.getvalue(), alt))


def _for_page(svg: str, alt: str) -> str:
    """The ``svg`` element alone, without sizes, ids of groups, metadata or fonts of its own."""
    svg = svg[svg.index("<svg") :].strip()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    found = re.search(r'viewBox="([^"]*)"', svg)
    view = found.group(1) if found else ""
    opening = f'<svg viewBox="{view}" role="img" aria-label="{escape(alt, quote=True)}">'
    svg = opening + svg[svg.index(">") + 1 :]
    svg = svg.replace("'DejaVu Sans'", "system-ui, sans-serif")
    for stand_in, variable in _VARIABLES.items():
        svg = svg.replace(stand_in, variable)
    return svg


def legend_below(figure: Figure, axis: Axes, columns: int = 4) -> None:
    """One legend for the whole figure, under the panels."""
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=columns)
