"""Published figures beside our own: which belong to a protocol, and how they are told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from countenance.assessment.published_anchors import PublishedFigure, benchmarks, published_figures
from countenance.errors import AssessmentError
from countenance.reporting.comparison_reports import ComparedProtocol, plain_name

PUBLISHED_SIZES: Final[dict[str, dict[str, int]]] = {
    "IJB-B": {"samples": 227_630, "templates": 12_115, "pairs": 8_010_270, "mated_pairs": 10_270},
    "IJB-C": {"samples": 469_375, "templates": 23_124, "pairs": 15_658_489, "mated_pairs": 19_557},
    "LFW": {"pairs": 6_000, "mated_pairs": 3_000},
    "CFP-FP": {"pairs": 7_000, "mated_pairs": 3_500},
    "AgeDB": {"pairs": 6_000, "mated_pairs": 3_000},
    "CALFW": {"pairs": 6_000, "mated_pairs": 3_000},
    "CPLFW": {"pairs": 6_000, "mated_pairs": 3_000},
}
"""How large the published protocols are: what has other counts is another protocol, whatever its name.

Source: the published lists themselves; IJB-B (Whitelam et al., CVPRW 2017) and IJB-C (Maze et al., ICB 2018).
"""

_OTHER_NAMES: Final = {"agedb30": "AgeDB"}
_TAR, _RANK, _ACCURACY = "TAR@FAR=", "rank-", "accuracy"
_WANTED: Final = {"templates": (_TAR, _RANK), "pairs": (_TAR, _ACCURACY)}


@dataclass(frozen=True, eq=False)
class Anchor:
    """What somebody published of one method.

    Attributes:
        number: by which table and plots know it, from 1.
        name: the method's, with its training data where another row has the same.
        figure: any of its figures: what is known of the method.
        tars: proportion by FAR.
        ranks: proportion by rank.
        accuracy: proportion, where published.
    """

    number: int
    name: str
    figure: PublishedFigure
    tars: Mapping[float, float]
    ranks: Mapping[int, float]
    accuracy: float | None

    @property
    def about(self) -> str:
        """Training data and size, as far as they were published."""
        found = self.figure
        parts = [f"trained on {found.training_data}"] if found.training_data else []
        if found.parameters_millions is not None:
            parts.append(f"{found.parameters_millions:g} M parameters")
        if found.mega_operations is not None:
            parts.append(f"{found.mega_operations:g} M operations")
        return "; ".join([*parts, *([found.note] if found.note else [])])


@dataclass(frozen=True, eq=False)
class Anchors:
    """The published figures that go with a protocol.

    Attributes:
        benchmark: what they are on; None where nothing was published that could go with it.
        same_protocol: whether ours is the published protocol: its name, or the user's word, and all its counts.
        methods: best first.
        figures: on attributes and detection, one by one.
    """

    benchmark: str | None
    same_protocol: bool
    methods: tuple[Anchor, ...]
    figures: tuple[PublishedFigure, ...] = ()


def known_benchmark(name: str) -> str:
    """The published benchmark that ``name`` means.

    Raises:
        AssessmentError: nothing is known of such a benchmark.
    """
    found = _benchmark_named(name)
    if found is None:
        raise AssessmentError(f"There are no published figures on '{name}': take one of {', '.join(benchmarks())}.")
    return found


def anchors_of(table: ComparedProtocol, benchmark: str | None = None) -> Anchors:
    """The published figures that stand beside a table or, where the protocol is another, apart from it.

    Args:
        table: what was measured.
        benchmark: whose figures to take where the protocol's own name doesn't tell; it has a part only in tables
            that show what was published on it.
    """
    by_name = _benchmark_named(table.name)
    wanted = _WANTED.get(table.kind)
    if wanted is None:
        found = by_name or benchmark
        figures = () if found is None else _single_figures(found)
        return Anchors(found if figures else None, False, (), figures)
    for chosen in (by_name, benchmark):
        methods = () if chosen is None else _methods(chosen, wanted)
        if methods:
            same = _same_counts(str(chosen), table.protocol)
            return Anchors(chosen, same, methods)
    return Anchors(None, False, ())


def title_of(table: ComparedProtocol, anchors: Anchors) -> str:
    """What a protocol is headed by: the benchmark's own name where it is that one."""
    return anchors.benchmark if anchors.same_protocol and anchors.benchmark else table.name


def _benchmark_named(name: str) -> str | None:
    plain = plain_name(name)
    by_name = {plain_name(benchmark): benchmark for benchmark in benchmarks()} | _OTHER_NAMES
    return by_name.get(plain)


def _single_figures(benchmark: str) -> tuple[PublishedFigure, ...]:
    """Figures that aren't of identity."""
    of_identity = (_TAR, _RANK, _ACCURACY)
    return tuple(
        figure for figure in published_figures(benchmark=benchmark) if not figure.metric.startswith(of_identity)
    )


def _same_counts(benchmark: str, protocol: Mapping[str, Any]) -> bool:
    sizes = PUBLISHED_SIZES.get(benchmark)
    return sizes is not None and all(protocol.get(what) == count for what, count in sizes.items())


def _methods(benchmark: str, wanted: tuple[str, ...]) -> tuple[Anchor, ...]:
    """Methods of a benchmark; figures of one method that differ in training data or size are two."""
    grouped: dict[tuple[object, ...], list[PublishedFigure]] = {}
    for figure in published_figures(benchmark=benchmark):
        if figure.metric.startswith(wanted):
            key = (figure.method, figure.training_data, figure.parameters_millions, figure.source, figure.mark)
            grouped.setdefault(key, []).append(figure)
    ordered = sorted(grouped.values(), key=lambda figures: max(_worth(figure) for figure in figures), reverse=True)
    return tuple(
        Anchor(
            number,
            _name(figures[0], [others[0] for others in ordered]),
            figures[0],
            {float(one.metric.removeprefix(_TAR)): one.comparable for one in figures if one.metric.startswith(_TAR)},
            {int(one.metric.removeprefix(_RANK)): one.comparable for one in figures if one.metric.startswith(_RANK)},
            next((one.comparable for one in figures if one.metric == _ACCURACY), None),
        )
        for number, figures in enumerate(ordered, start=1)
    )


def _name(figure: PublishedFigure, all_figures: list[PublishedFigure]) -> str:
    twins = sum(other.method == figure.method for other in all_figures)
    return f"{figure.method}, on {figure.training_data}" if twins > 1 and figure.training_data else figure.method


def _worth(figure: PublishedFigure) -> float:
    return figure.comparable if figure.higher_is_better else -figure.comparable
