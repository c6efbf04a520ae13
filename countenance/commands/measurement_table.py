"""Measurements as a table of text, and the options that every evaluation of them has."""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from countenance.commands.arguments import number
from countenance.commands.report_output import add_level, add_output_options

if TYPE_CHECKING:
    from countenance.assessment.intervals import Resampling
    from countenance.assessment.results import Measurement

LINE_WIDTH: Final = 100

_LENGTHS: Final = ("distance", "square root", "inter-ocular")
_SHORT: Final = {"years": "years", "degrees": "degrees"}


def add_report_options(parser: argparse.ArgumentParser, plots: str) -> None:
    """Add where the report goes, and how its intervals are drawn; ``plots`` says what is drawn."""
    add_output_options(parser)
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help=f"draw {plots} as .svg and .png")
    intervals = parser.add_argument_group("intervals")
    intervals.add_argument(
        "--resamples",
        type=number(int, least=1),
        default=1000,
        metavar="N",
        help="of people, or of photos where nobody is named; default: 1000",
    )
    add_level(intervals)
    intervals.add_argument("--seed", type=number(int, least=0), default=0, metavar="N", help="default: 0")


def resampling_of(arguments: argparse.Namespace) -> Resampling:
    """How intervals are drawn, as the options say."""
    from countenance.assessment.intervals import Resampling

    return Resampling(resamples=arguments.resamples, seed=arguments.seed, level=arguments.level)


def measurement_lines(groups: Mapping[str, Mapping[str, Measurement]], level: float) -> list[str]:
    """A line a figure: title, value, interval, how many faces it rests on; notes below, each once.

    Args:
        groups: by heading, which may be empty, by title.
        level: of the intervals.
    """
    width = max((len(title) for figures in groups.values() for title in figures), default=0) + 2
    notes: dict[str, int] = {}
    lines = [f"{'':<{width}}  {'value':>12}  {f'{100 * level:g} % interval':>18}  {'faces':>9}"]
    for heading, figures in groups.items():
        lines += [heading] if heading else []
        for title, figure in figures.items():
            mark = f"  [{notes.setdefault(figure.note, len(notes) + 1)}]" if figure.note else ""
            cells = f"{_value(figure):>12}  {_interval(figure):>18}  {figure.count:>9,}"
            lines.append(f"{'  ' * bool(heading) + title:<{width}}  {cells}{mark}")
    for note, at in notes.items():
        lines += textwrap.wrap(f"[{at}] {note}", LINE_WIDTH, subsequent_indent="    ")
    return lines


def _scale(unit: str) -> tuple[float, int, str]:
    """A factor, digits, and the unit's short form."""
    if unit == "proportion" or unit.startswith(_LENGTHS):
        return 100.0, 2, "%"
    if unit in _SHORT:
        return 1.0, 2, _SHORT[unit]
    return 1.0, 4, ""


def _value(figure: Measurement) -> str:
    if figure.value is None:
        return "-"
    factor, digits, unit = _scale(figure.unit)
    return f"{figure.value * factor:.{digits}f} {unit}".rstrip()


def _interval(figure: Measurement) -> str:
    if figure.value is None or figure.low is None or figure.high is None:
        return "-"
    factor, digits, _ = _scale(figure.unit)
    return f"{figure.low * factor:.{digits}f} to {figure.high * factor:.{digits}f}"
