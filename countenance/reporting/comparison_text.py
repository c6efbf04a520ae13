"""The table of compared models for the terminal, and as JSON."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from countenance.reporting.comparison_sides import SideTable
from countenance.reporting.comparison_tables import Column, ComparisonTable, Row, shared_headings
from countenance.reporting.wording import Shown

_WIDTH: Final = 110
_NAME: Final = 44
_CELL: Final = 17
_GAP: Final = "  "


def comparison_text(table: ComparisonTable) -> str:
    """The table as lines of text: a block of rows for every group of columns, then what must be known."""
    lines = [table.title, *textwrap.wrap(table.what, _WIDTH), ""]
    rows = [*table.rows, *(table.published if table.same_protocol else ())]
    for group, places in _blocks(table.columns):
        lines += [*_block(group, table.columns, places, rows), ""]
    lines += _beside(table.side)
    lines += _published_apart(table)
    for sentence in table.words:
        lines += textwrap.wrap(sentence, _WIDTH)
    for number, source in enumerate(table.sources, start=1):
        lines += textwrap.wrap(f"[{number}] {source}", _WIDTH, subsequent_indent="    ")
    return "\n".join(lines) + "\n"


def _blocks(columns: Sequence[Column]) -> list[tuple[str, list[int]]]:
    return [
        (group, [at for at, column in enumerate(columns) if column.group == group])
        for group, _ in shared_headings(columns)
    ]


def _beside(side: SideTable | None) -> list[str]:
    if side is None:
        return []
    cells = [[model] for model in side.models]
    rows = [(_name(name, hint), [_lines(shown) for shown in shown_cells]) for name, hint, shown_cells in side.rows]
    lines = [*([side.title] if side.title else []), *textwrap.wrap(side.what, _WIDTH), ""]
    return [*lines, *_aligned([([side.first], cells), *rows]), ""]


def _published_apart(table: ComparisonTable) -> list[str]:
    if not table.published or table.same_protocol:
        return []
    lines = [f"Published on {table.benchmark}, another protocol: not comparable with the figures above"]
    for group, places in _blocks(table.published_columns):
        lines += [*_block(group, table.published_columns, places, table.published), ""]
    return lines


def _block(group: str, columns: Sequence[Column], places: Sequence[int], rows: Sequence[Row]) -> list[str]:
    shown = [(row, [_lines(row.cells[at]) for at in places]) for row in rows]
    shown = [(row, cells) for row, cells in shown if row.source is None or any(cells)]
    headings = [[columns[at].heading, *textwrap.wrap(columns[at].hint, _CELL)] for at in places]
    return _aligned(
        [(_name(group, ""), headings), *((_name(_told_name(row), row.about), cells) for row, cells in shown)]
    )


def _aligned(rows: Sequence[tuple[Sequence[str], Sequence[Sequence[str]]]]) -> list[str]:
    """Rows of a name and cells, both of several lines; names to the left, cells to the right."""
    width = max(len(line) for name, _ in rows for line in name)
    count = len(rows[0][1])
    widths = [max((len(line) for _, cells in rows for line in cells[at]), default=0) for at in range(count)]
    return [line for name, cells in rows for line in _printed(name, cells, width, widths)]


def _told_name(row: Row) -> str:
    tag = f" ({row.tag})" if row.tag else ""
    return f"{row.name}{tag} [{row.source}]" if row.source is not None else f"{row.name}{tag}"


def _name(first: str, about: str) -> list[str]:
    """A name in lines; what is too long goes on in the next one."""
    lines = textwrap.wrap(first, _NAME, subsequent_indent="  ")
    return lines + textwrap.wrap(about, _NAME, initial_indent="  ", subsequent_indent="  ")


def _printed(name: Sequence[str], cells: Sequence[Sequence[str]], width: int, widths: Sequence[int]) -> list[str]:
    """A row of cells of several lines each."""
    lines = []
    for at in range(max(len(name), *(len(cell) for cell in cells))):
        parts = [f"{_at(cell, at):>{place}}" for cell, place in zip(cells, widths, strict=True)]
        lines.append(_GAP.join([f"{_at(name, at):<{width}}", *parts]).rstrip())
    return lines


def _at(lines: Sequence[str], place: int) -> str:
    return lines[place] if place < len(lines) else ""


def _lines(shown: Shown) -> list[str]:
    return [line for words in (shown.value, shown.interval, shown.note) for line in textwrap.wrap(words, _CELL)]


def comparison_json(table: ComparisonTable) -> dict[str, Any]:
    """The table as JSON types; figures as they are shown, each with the column that it is in."""

    def told(row: Row, columns: Sequence[Column]) -> dict[str, Any]:
        figures = [
            {"what": column.what, "at": column.at, **asdict(cell)}
            for column, cell in zip(columns, row.cells, strict=True)
            if cell.value
        ]
        return {"name": row.name, "tag": row.tag, "about": row.about, "source": row.source, "figures": figures}

    side = table.side
    return {
        "title": table.title,
        "what": table.what,
        "words": list(table.words),
        "models": [told(row, table.columns) for row in table.rows],
        "published": {
            "benchmark": table.benchmark,
            "same_protocol": table.same_protocol,
            "methods": [told(row, table.published_columns) for row in table.published],
            "sources": list(table.sources),
        },
        "side_by_side": []
        if side is None
        else [
            {
                "name": name,
                "about": about,
                "figures": {model: asdict(cell) for model, cell in zip(side.models, cells, strict=True)},
            }
            for name, about, cells in side.rows
        ],
    }
