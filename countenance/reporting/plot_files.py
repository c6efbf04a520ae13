"""ROC and DET curves of one report as files of their own, for whoever needs no page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from countenance.reporting.comparison_anchors import Anchors
from countenance.reporting.comparison_plots import comparison_plots
from countenance.reporting.comparison_reports import GivenReport, compared
from countenance.storage import write_aside

_STYLE: Final = Path(__file__).parent / "templates" / "report.css"
_COLOUR: Final = re.compile(r"(--[a-z0-9-]+): (#[0-9a-f]{6})")
_SPACES: Final = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'


def write_error_plots(report: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw ``det.svg``, ``roc.svg`` and, where 1:N was measured, ``cmc.svg``, each written aside and renamed.

    Args:
        report: of templates or pairs, as its ``to_dict`` gives it.
        folder: made where it is missing.

    Returns:
        the files that were written: none of a curve that was not measurable.
    """
    given = GivenReport(label=str(report["model"] or "model"), source="the report", values=report)
    (table,) = compared([given])
    written = []
    for name, drawn in comparison_plots(table, Anchors(None, False, ()), name="curves").items():
        if drawn is not None:
            path = folder / f"{name}.svg"
            with write_aside(path) as aside:
                aside.write_text(standalone(str(drawn)), encoding="utf-8")
            written.append(path)
    return written


def standalone(svg: str) -> str:
    """A drawing made for a page, such that it stands by itself: with its name spaces, and the page's light colours."""
    colours: dict[str, str] = {}
    for variable, colour in _COLOUR.findall(_STYLE.read_text(encoding="utf-8")):
        colours.setdefault(variable, colour)  # the light scheme comes first
    svg = re.sub(r"var\((--[a-z0-9-]+)\)", lambda found: colours[found[1]], svg)
    return svg.replace("<svg ", f'<svg {_SPACES} style="background: {colours["--paper"]}" ', 1) + "\n"
