"""What the section on the student search says: every student that was tried, and the front that none beats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from countenance.reporting.plots import MUTED, PAPER, SERIES, drawing, finished, legend_below, panels
from countenance.reporting.wording import Shown, listed, many, measurement, percent

_FRONT: Final = SERIES[1]
_ROOM: Final = 1.4
"""The axis of costs goes so many times beyond the students, so that one of its labels is always within."""
_TICKS: Final = (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
_LIMIT_WORDS: Final = {
    "parameters": ("parameters", "{:,}"),
    "multiply_adds": ("multiply-adds an image", "{:,}"),
    "milliseconds": ("ms an image", "{:g}"),
}


def search_section(search: Mapping[str, Any]) -> dict[str, Any] | None:
    """The search in words, a row a student with the best first, and the best one's configuration."""
    if not search:
        return None
    rows = sorted(search["students"], key=_order)
    best = next((row for row in rows if row["number"] == search["best"]), None)
    counts = search["counts"]
    return {
        "summary": _summary(search, best),
        "how": (
            f"{many(counts['proposed'], 'student')} proposed: {_counted(counts)}. Those within the budget were "
            f"distilled for {search['steps']:,} steps of {search['batch_size']} crops, unless they were given up on "
            "the way, and scored on people set apart; the test people took no part. Milliseconds are the "
            f"median of the exported network on {many(search['threads'], 'thread')} of a processor."
        ),
        "budget": _budget(search["budget"]),
        "rows": [_row(row, is_best=row is best) for row in rows],
        "level": percent(search["level"], 0),
        "far": f"{search['headline_far']:g}",
    }


def _order(row: Mapping[str, Any]) -> tuple[bool, float, int]:
    score = row["score"]
    return (score is None, 0.0 if score is None else -score["value"], row["number"])


def _counted(counts: Mapping[str, int]) -> str:
    words = [f"{count:,} {outcome}" for outcome, count in counts.items() if outcome != "proposed" and count]
    return listed(words) if words else "none yet"


def _summary(search: Mapping[str, Any], best: Mapping[str, Any] | None) -> str:
    if best is None:
        return "No student of the budget was trained to the end."
    return (
        f"The best is student {best['number']}, {_layout(best['network'])}: TAR {percent(best['score']['value'])} at "
        f"FAR {search['headline_far']:g} with {best['parameters']:,} parameters and {best['multiply_adds'] / 1e6:,.1f} "
        "million multiply-adds."
    )


def _budget(budget: Mapping[str, Any]) -> str:
    limits = [
        f"{words.format(budget[name])} {unit}"
        for name, (unit, words) in _LIMIT_WORDS.items()
        if budget.get(name) is not None
    ]
    return f"At most {listed(limits)}." if limits else "There was no limit."


def _layout(network: Mapping[str, Any]) -> str:
    parts = [f"{network['trunk']} on {network['input_size']} x {network['input_size']} pixels"]
    if "width_multiplier" in network:
        parts.append(f"width {network['width_multiplier']:g}")
    for name in ("widths", "depths", "blocks"):
        if name in network:
            parts.append(f"{name} {'-'.join(str(number) for number in network[name])}")
    return ", ".join(parts)


def _row(row: Mapping[str, Any], *, is_best: bool) -> dict[str, Any]:
    looks: Mapping[str, float] = row["looks"]
    last = list(looks.items())[-1:] if row["score"] is None else []
    on_the_way = "".join(f"{percent(score)} after {step} steps" for step, score in last)
    return {
        "number": row["number"],
        "layout": _layout(row["network"]),
        "outcome": row["outcome"],
        "tone": "good" if is_best else "open" if row["outcome"] == "trained" else "bad",
        "mark": "best" if is_best else "on the front" if row["front"] else "",
        "note": row["reason"] or on_the_way,
        "score": Shown("not measured") if row["score"] is None else _score(row["score"]),
        "parameters": f"{row['parameters']:,}",
        "multiply_adds": f"{row['multiply_adds'] / 1e6:,.1f} M",
        "milliseconds": "not measured" if row["milliseconds"] is None else f"{row['milliseconds']:.2f}",
    }


def _score(score: Mapping[str, Any]) -> Shown:
    shown = measurement(score)
    return Shown(shown.value, shown.interval)


def front_plot(search: Mapping[str, Any]) -> Markup | None:
    """TAR over multiply-adds, a dot a student with its interval; the front is a line. None where nobody was trained.

    Students on the front are filled squares, the others open circles, so that the plot reads without colour.
    """
    trained = [row for row in search.get("students", ()) if row["score"] is not None]
    if not trained:
        return None
    with drawing():
        figure, (axis,) = panels(8.6, 4.2)
        front = sorted((row for row in trained if row["front"]), key=lambda row: row["multiply_adds"])
        beaten = [row for row in trained if not row["front"]]
        _students(axis, beaten, colour=MUTED, marker="o", filled=False, label="beaten")
        axis.plot(*_places(front), color=_FRONT, linewidth=1.5, drawstyle="steps-post")
        _students(axis, front, colour=_FRONT, marker="s", filled=True, label="beaten by none")
        for row in trained:
            (cost,), (value,) = _places([row])
            axis.annotate(str(row["number"]), (cost, value), (6, 4), textcoords="offset points", fontsize=8.5)
        axis.set(
            xscale="log",
            xlabel="multiply-adds an image, million",
            ylabel=f"TAR at FAR {search['headline_far']:g}, %",
            title="What a student costs and what it is worth",
        )
        costs, _ = _places(trained)
        axis.set_xlim(min(costs) / _ROOM, max(costs) * _ROOM)
        axis.xaxis.set_major_locator(LogLocator(subs=_TICKS))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_minor_formatter(NullFormatter())
        legend_below(figure, axis)
        alt = "True accept rate over multiply-adds, a dot a student; the numbers are in the table below."
        return finished(figure, name="search", alt=alt)


def _places(rows: Sequence[Mapping[str, Any]]) -> tuple[list[float], list[float]]:
    return [row["multiply_adds"] / 1e6 for row in rows], [row["score"]["value"] * 100 for row in rows]


def _students(
    axis: Axes, rows: Sequence[Mapping[str, Any]], *, colour: str, marker: str, filled: bool, label: str
) -> None:
    if not rows:
        return
    costs, values = _places(rows)
    for row, cost in zip(rows, costs, strict=True):
        if row["score"]["low"] is not None and row["score"]["high"] is not None:
            axis.vlines(cost, row["score"]["low"] * 100, row["score"]["high"] * 100, color=colour, alpha=0.4)
    axis.plot(costs, values, marker, color=colour, markerfacecolor=colour if filled else PAPER, label=label)
