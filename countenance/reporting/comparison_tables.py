"""The table of compared models and published figures: rows of methods, columns of figures, and what must be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from countenance.assessment.verification import allowed_false_accepts
from countenance.reporting.comparison_anchors import Anchor, Anchors, title_of
from countenance.reporting.comparison_differences import has_difference, paired_difference
from countenance.reporting.comparison_reports import ComparedModel, ComparedProtocol
from countenance.reporting.comparison_sides import SideTable, side_table
from countenance.reporting.comparison_words import failure_words, power_words, protocol_words, sentences
from countenance.reporting.wording import NOT_MEASURABLE, Shown, between, percent

NOT_PUBLISHED: Final = Shown("")
_TAR: Final = "1:1, TAR at FAR"
_RANK: Final = "1:N, found within rank"
_TPIR: Final = "1:N, TPIR at FPIR"


@dataclass(frozen=True)
class Column:
    """A column: what stands over it, and how the figure is known within a report.

    Attributes:
        group: the heading that columns share.
        heading: its own.
        hint: below it.
        what: "far", "rank", "fpir", "accuracy" or "difference".
        at: the FAR, rank or FPIR.
    """

    group: str
    heading: str
    hint: str
    what: str
    at: float = 0.0


@dataclass(frozen=True)
class Row:
    """A method with its cells, one a column.

    Attributes:
        name: of the method.
        tag: its role, or how sure a published figure is.
        about: below the name.
        cells: by column; an empty value where nothing was published.
        source: number of its footnote, which tells its source, training data and size; None for what was measured here.
    """

    name: str
    tag: str
    about: str
    cells: tuple[Shown, ...]
    source: int | None = None


@dataclass(frozen=True)
class ComparisonTable:
    """All that is told of one protocol.

    Attributes:
        title: of the protocol.
        what: its counts in words.
        words: sentences on what can be compared and what can't.
        columns: of ``rows``.
        rows: what was measured.
        published_columns: of ``published``: those of ``rows`` where it is the same protocol.
        published: what others published, on this protocol or on another one.
        same_protocol: whether the published figures belong into the same table.
        benchmark: of the published figures; None where there are none.
        sources: footnotes of the published figures.
        side: groups, or the figures of attributes and detection, which have no columns above.
    """

    title: str
    what: str
    words: tuple[str, ...]
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    published_columns: tuple[Column, ...] = ()
    published: tuple[Row, ...] = ()
    same_protocol: bool = False
    benchmark: str | None = None
    sources: tuple[str, ...] = ()
    side: SideTable | None = None


def shared_headings(columns: Sequence[Column]) -> tuple[tuple[str, int], ...]:
    """The headings that columns share, with how many share them."""
    counted: dict[str, int] = {}
    for column in columns:
        counted[column.group] = counted.get(column.group, 0) + 1
    return tuple(counted.items())


def comparison_table(table: ComparedProtocol, anchors: Anchors) -> ComparisonTable:
    """The table of one protocol.

    Args:
        table: what was measured.
        anchors: what others published.
    """
    columns = _columns(table, anchors) if table.kind in ("templates", "pairs") else ()
    published_columns = columns if anchors.same_protocol else _published_columns(anchors)
    sources = tuple(dict.fromkeys(_source(anchor) for anchor in anchors.methods))
    return ComparisonTable(
        title=title_of(table, anchors),
        what=protocol_words(table),
        words=tuple(sentences(table, anchors)),
        columns=columns,
        rows=tuple(_model_row(model, table, columns) for model in table.models),
        published_columns=published_columns,
        published=tuple(_anchor_row(anchor, published_columns, sources) for anchor in anchors.methods),
        same_protocol=anchors.same_protocol,
        benchmark=anchors.benchmark,
        sources=sources,
        side=side_table(table),
    )


def _columns(table: ComparedProtocol, anchors: Anchors) -> tuple[Column, ...]:
    """What was measured and, on the same protocol, published."""
    reports = [model.report for model in table.models]
    columns = []
    if any(report.get("accuracy") for report in reports):
        folds = table.protocol.get("folds")
        columns.append(Column("1:1", "Accuracy", f"mean of {folds} folds" if folds else "", "accuracy"))
        if has_difference(table):
            columns.append(Column("1:1", "Difference to the champion", "paired by fold", "difference"))
    hints = {row["far"]: _allowed(row) for report in reports for row in report["verification"]}
    searched = [report["identification"] for report in reports if report.get("identification")]
    ranks = {one["rank"] for found in searched for one in found["ranks"]}
    for anchor in anchors.methods if anchors.same_protocol else ():
        hints = dict.fromkeys(anchor.tars, "") | hints
        ranks |= set(anchor.ranks)
    fpirs = {one["fpir"] for found in searched for one in found["tpirs"]}
    mated = f", of {table.protocol.get('mated_pairs', 0):,} mated"
    probes = next((f", of {one['probes']:,} probes" for found in searched for one in found["ranks"]), "")
    columns += [Column(_TAR + mated, power_words(far), hints[far], "far", far) for far in sorted(hints)]
    columns += [Column(_RANK + probes, f"{rank}", "", "rank", rank) for rank in sorted(ranks)]
    return (*columns, *(Column(_TPIR + probes, f"{fpir:g}", "", "fpir", fpir) for fpir in sorted(fpirs)))


def _published_columns(anchors: Anchors) -> tuple[Column, ...]:
    methods = anchors.methods
    accuracy = [Column("1:1", "Accuracy", "", "accuracy")] if any(one.accuracy is not None for one in methods) else []
    fars = sorted({far for one in methods for far in one.tars})
    ranks = sorted({rank for one in methods for rank in one.ranks})
    return (
        *accuracy,
        *(Column(_TAR, power_words(far), "", "far", far) for far in fars),
        *(Column(_RANK, f"{rank}", "", "rank", rank) for rank in ranks),
    )


def _allowed(row: Mapping[str, Any]) -> str:
    allowed = allowed_false_accepts(row["far"], row["non_mated"])
    return (
        f"{allowed:,} false {'accept' if allowed == 1 else 'accepts'} allowed" if allowed else "allows no false accept"
    )


def _model_row(model: ComparedModel, table: ComparedProtocol, columns: Sequence[Column]) -> Row:
    return Row(
        model.heading, model.role, failure_words(model), tuple(_cell(model, column, table) for column in columns)
    )


def _cell(model: ComparedModel, column: Column, table: ComparedProtocol) -> Shown:
    report = model.report
    if column.what == "accuracy":
        return _accuracy(report["accuracy"])
    if column.what == "difference":
        return paired_difference(model, table.champion)
    if column.what == "far":
        found = next((row for row in report["verification"] if row["far"] == column.at), None)
        return Shown("not measured") if found is None else _tar(found)
    searched = report.get("identification")
    if not searched:
        return Shown("not measured")
    entries = searched["ranks"] if column.what == "rank" else searched["tpirs"]
    found = next((one for one in entries if one[column.what] == column.at), None)
    return Shown("not measured") if found is None else _search(found, column, searched)


def _accuracy(found: Mapping[str, Any] | None) -> Shown:
    if not found or found.get("mean") is None:
        note = str((found or {}).get("note") or "")
        return Shown(NOT_MEASURABLE, note=note.removeprefix(f"{NOT_MEASURABLE}: "))
    return Shown(percent(found["mean"], 2), between(found["low"], found["high"], 100.0))


def _tar(row: Mapping[str, Any]) -> Shown:
    allowed = allowed_false_accepts(row["far"], row["non_mated"])
    if row["tar"] is None:
        reason = str(row.get("note") or "").removeprefix(f"{NOT_MEASURABLE}: ")
        return Shown(NOT_MEASURABLE, note=reason if allowed else f"below 1 in {row['non_mated']:,}")
    counts = f"{row['accepted']:,} accepted"
    if row["false_accepts"] < allowed:
        counts += f", {row['false_accepts']:,} false"
    elif row["false_accepts"] > allowed:
        counts += f", {row['false_accepts']:,} false: over the FAR"
    return Shown(percent(row["tar"], 2), _interval(row), counts)


def _interval(row: Mapping[str, Any]) -> str:
    if row["low"] is None and row["high"] is not None:
        # Too few false accepts to bound the threshold from above.
        return f"at most {100.0 * row['high']:.2f}"
    return between(row["low"], row["high"], 100.0) or "no interval"


def _search(found: Mapping[str, Any], column: Column, searched: Mapping[str, Any]) -> Shown:
    rate = found["rate" if column.what == "rank" else "tpir"]
    if rate is None:
        return Shown(NOT_MEASURABLE, note=_why(found, searched))
    hits = found["found" if column.what == "rank" else "identified"]
    return Shown(percent(rate, 2), note=f"{hits:,}")


def _why(found: Mapping[str, Any], searched: Mapping[str, Any]) -> str:
    """Why there is no rate: nobody to be found, or too few who shouldn't be."""
    lacking = [one["gallery"] for one in searched["galleries"] if not one["mated_probes"]]
    if lacking:
        return f"no mated probes of gallery {lacking[0]}"
    scarce = [at["non_mated"] for at in found.get("at", ()) if at["threshold"] is None]
    return f"below 1 in {scarce[0]:,}" if scarce else ""


def _source(anchor: Anchor) -> str:
    """Its footnote: where it is published, and of what."""
    about = anchor.about
    return f"{anchor.figure.source}{': ' if about else ''}{about}"


def _anchor_row(anchor: Anchor, columns: Sequence[Column], sources: Sequence[str]) -> Row:
    cells = tuple(_published(anchor, column) for column in columns)
    return Row(f"{anchor.number}. {anchor.name}", anchor.figure.mark, "", cells, sources.index(_source(anchor)) + 1)


def _published(anchor: Anchor, column: Column) -> Shown:
    found: float | None = None
    if column.what == "far":
        found = anchor.tars.get(column.at)
    elif column.what == "rank":
        found = anchor.ranks.get(int(column.at))
    elif column.what == "accuracy":
        found = anchor.accuracy
    return NOT_PUBLISHED if found is None else Shown(percent(found, 2))
