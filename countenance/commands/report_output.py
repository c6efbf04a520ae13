"""What ``countenance evaluate`` writes and prints, whatever it evaluates: light to import."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from countenance.commands.arguments import number

NOTHING_TO_DRAW: Final = "Nothing to draw: no curve is measurable."
_NOTHING: Final = "-"


def add_output_options(parser: argparse.ArgumentParser) -> None:
    """Add ``--out``, ``--json`` and ``--name``."""
    output = parser.add_argument_group("output")
    output.add_argument("--out", type=Path, metavar="FILE", help="write the whole report there, as JSON")
    output.add_argument("--json", action="store_true", help="print the report as JSON in place of tables")
    output.add_argument("--name", metavar="MODEL", help="what the report calls the model; default: what is known of it")


def add_level(options: argparse._ActionsContainer) -> None:
    """Add ``--level``, of all intervals of a report."""
    options.add_argument(
        "--level",
        type=number(float, least=0.5, most=0.9999),
        default=0.95,
        metavar="P",
        help="of intervals; default: .95",
    )


def write_report(report: Mapping[str, Any], out: Path | None) -> None:
    """Write a report as JSON, aside and then renamed; without a path nothing is written.

    Raises:
        DataError: it can't be written there.
    """
    if out is None:
        return
    from countenance.commands.output_paths import write_text

    write_text(out, _json(report))


def print_report(report: Mapping[str, Any], lines: Iterable[str], *, as_json: bool) -> None:
    """Print a report: as JSON, or the lines that tell it."""
    sys.stdout.write(_json(report) if as_json else "".join(f"{line}\n" for line in lines))


def _json(report: Mapping[str, Any]) -> str:
    return json.dumps(report, indent=1, ensure_ascii=False) + "\n"


def plot_lines(drawn: Sequence[Path]) -> list[str]:
    """The line that tells which plots were written."""
    return ["", f"Drawn: {', '.join(str(path) for path in drawn)}" if drawn else NOTHING_TO_DRAW]


def table(
    titles: Sequence[str], rows: Sequence[Sequence[str]], *, spread: Mapping[int, str] | None = None
) -> list[str]:
    """Lines of a table: the first column to the left, all others to the right.

    Args:
        titles: of the columns.
        rows: of texts; shorter rows end early.
        spread: by row number, a text that takes the place of all columns but the first.
    """
    widths = [max(len(row[at]) for row in (titles, *rows) if at < len(row)) for at in range(len(titles))]
    lines = [_line(titles, widths)]
    for at, row in enumerate(rows):
        told = (spread or {}).get(at)
        lines.append(_line(row, widths) if told is None else f"{row[0]:<{widths[0]}}  {told}")
    return lines


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(
        f"{text:<{width}}" if at == 0 else f"{text:>{width}}"
        for at, (text, width) in enumerate(zip(row, widths, strict=False))
    ).rstrip()


def verification_lines(rows: Sequence[Mapping[str, Any]], level: float) -> list[str]:
    """The table of TAR at FAR with all counts, and notes below it.

    Args:
        rows: of the report's ``verification``.
        level: of the intervals, e.g. 0.95.
    """
    titles = ["FAR", "TAR", f"{100 * level:g} % interval", "accepted", "of mated", "false", "of non-mated", "threshold"]
    texts, spread, notes = [], {}, []
    for at, row in enumerate(rows):
        texts.append(_verification_texts(row))
        if row["tar"] is None:
            spread[at] = row["note"]
        elif row["note"]:
            notes.append(f"FAR {row['far']:g}: {row['note']}.")
    return [*table(titles, texts, spread=spread), *_once(notes)]


def _verification_texts(row: Mapping[str, Any]) -> list[str]:
    far = f"{row['far']:g}"
    if row["tar"] is None:
        return [far]
    ends = [_NOTHING if row[end] is None else f"{100 * row[end]:.2f}" for end in ("low", "high")]
    interval = _NOTHING if row["high"] is None else " to ".join(ends)
    counts = [f"{row[name]:,}" for name in ("accepted", "mated", "false_accepts", "non_mated")]
    return [far, percent(row["tar"]), interval, *counts, f"{row['threshold']:.4f}"]


def _once(notes: Sequence[str]) -> list[str]:
    """Notes that say the same of several rates are put together."""
    rates: dict[str, list[str]] = {}
    for note in notes:
        rate, _, said = note.partition(": ")
        rates.setdefault(said, []).append(rate.removeprefix("FAR "))
    return [f"FAR {', '.join(at)}: {said}" for said, at in rates.items()]


def failure_line(failures: Mapping[str, int]) -> str:
    """How much could not be extracted, e.g. "Failures to extract: 3 samples, 1 template, 20 pairs."."""
    if not any(failures.values()):
        return "Failures to extract: none."
    return f"Failures to extract: {', '.join(counted(count, what) for what, count in failures.items())}."


def counted(count: int, things: str) -> str:
    """A number with its noun, given in the plural that ends in -s."""
    return f"{count:,} {things.removesuffix('s') if count == 1 else things}"


def percent(share: float | None) -> str:
    """A share in percent with two decimals; a dash where there is none."""
    return _NOTHING if share is None else f"{100 * share:.2f} %"
