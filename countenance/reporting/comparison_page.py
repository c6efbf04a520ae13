"""The comparison page: candidate, champion, teacher and published figures in one table, with plots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from countenance.reporting.comparison_anchors import Anchors, anchors_of, known_benchmark
from countenance.reporting.comparison_plots import comparison_plots
from countenance.reporting.comparison_reports import (
    CHAMPION,
    TEACHER,
    ComparedModel,
    ComparedProtocol,
    GivenReport,
    compared,
)
from countenance.reporting.comparison_tables import ComparisonTable, comparison_table, shared_headings
from countenance.reporting.comparison_words import headline_words
from countenance.reporting.plots import Series, series_of

HEADINGS: Final = {
    "templates": "templates, as IJB reports them",
    "pairs": "pairs of photos",
    "attributes": "attributes",
    "detection": "detection",
}
_CAPTIONS: Final = {
    "det": "DET: the lower, the better. Markers stand at the FARs of the table, with their intervals.",
    "roc": "ROC: the higher, the better. Markers stand at the FARs of the table, with their intervals.",
    "cmc": "CMC: how many mated probes find their mate within a rank, over all galleries.",
}
_CROSSES: Final = " Crosses are published figures, numbered as in the table as far as there is room."


@dataclass(frozen=True, kw_only=True, eq=False)
class ComparisonSection:
    """A protocol on the page.

    Attributes:
        key: its id on the page.
        heading: of the section.
        table: all figures.
        groups: headings that its columns share, with how many share them.
        published_groups: likewise of the columns of published figures.
        figures: plot and caption each.
    """

    key: str
    heading: str
    table: ComparisonTable
    groups: tuple[tuple[str, int], ...]
    published_groups: tuple[tuple[str, int], ...]
    figures: tuple[tuple[Markup, str], ...]


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Reports put together with what was published, ready for the page and for the terminal.

    Attributes:
        protocols: with the figures published on each, and its table.
    """

    protocols: tuple[tuple[ComparedProtocol, Anchors, ComparisonTable], ...]


def compare(reports: Sequence[GivenReport], *, benchmark: str | None = None) -> Comparison:
    """Put reports together with what was published.

    Args:
        reports: of any kind and number of models.
        benchmark: whose published figures to show with a protocol whose own name doesn't tell.

    Raises:
        AssessmentError: reports don't fit together, or nothing was published on the benchmark.
    """
    chosen = None if benchmark is None else known_benchmark(benchmark)
    found = []
    for table in compared(reports):
        anchors = anchors_of(table, chosen)
        found.append((table, anchors, comparison_table(table, anchors)))
    return Comparison(protocols=tuple(found))


def render_comparison(comparison: Comparison, *, title: str) -> str:
    """Render the page: the same reports give the same bytes, and nothing in it asks the network for anything."""
    environment = Environment(
        loader=PackageLoader("countenance.reporting"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source, _, _ = PackageLoader("countenance.reporting").get_source(environment, "report.css")
    sections = [
        _section(*protocol, key=f"{protocol[0].kind}-{number}")
        for number, protocol in enumerate(comparison.protocols, start=1)
    ]
    lead = [headline_words(table, figures.title) for table, _, figures in comparison.protocols]
    return environment.get_template("comparison.html.jinja").render(
        title=title, style=Markup(source), sections=sections, lead=[words for words in lead if words]
    )


def _section(
    table: ComparedProtocol,
    anchors: Anchors,
    figures: ComparisonTable,
    *,
    key: str,
    looks: Mapping[str, Series] | None = None,
) -> ComparisonSection:
    measured = table.kind in ("templates", "pairs")
    plots = comparison_plots(table, anchors, name=key, looks=looks) if measured else {}
    crosses = {
        "det": any(anchor.tars for anchor in anchors.methods) and anchors.same_protocol,
        "cmc": any(anchor.ranks for anchor in anchors.methods) and anchors.same_protocol,
    }
    crosses["roc"] = crosses["det"]
    return ComparisonSection(
        key=key,
        heading=f"{figures.title}: {HEADINGS[table.kind]}",
        table=figures,
        groups=shared_headings(figures.columns),
        published_groups=shared_headings(figures.published_columns),
        figures=tuple(
            (plot, _CAPTIONS[name] + (_CROSSES if crosses[name] else ""))
            for name, plot in plots.items()
            if plot is not None
        ),
    )


def template_section(
    reports: Mapping[str, Any], names: Mapping[str, str], roles: Mapping[str, str], champion: str | None
) -> ComparisonSection | None:
    """The report page's section on templates; None without any report.

    Args:
        reports: ``models``: a template report by model, all on one protocol, as the evaluation room writes them.
        names: heading by model, in the order of the rows; other models are not shown.
        roles: of the models, such as "teacher" and "candidate"; the champion's is told by ``champion``.
        champion: the model that is in charge; None before there is one.

    Raises:
        AssessmentError: the reports are not of one protocol, or of another version.
    """
    models = reports.get("models", {})
    given = [
        GivenReport(label=model, source=f"the report of {name}", values={**models[model], "model": name})
        for model, name in names.items()
        if model in models
    ]
    if not given:
        return None
    (found,) = compared(given)
    told = {**roles, **({champion: CHAMPION} if champion is not None else {})}
    table = ComparedProtocol(
        kind=found.kind,
        protocol=found.protocol,
        models=tuple(
            ComparedModel(label=model.label, heading=model.heading, role=_role(model, told), report=model.report)
            for model in found.models
        ),
    )
    anchors = anchors_of(table)
    looks = series_of(names, champion)
    return _section(table, anchors, comparison_table(table, anchors), key="template-report", looks=looks)


def _role(model: ComparedModel, roles: Mapping[str, str]) -> str:
    role = roles.get(model.label, "")
    return "" if role == TEACHER and TEACHER in model.heading else role
