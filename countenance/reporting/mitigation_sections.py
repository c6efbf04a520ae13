"""What was tried for a group that is let down: every way beside the student as it comes, in one table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from countenance.reporting.plots import INK, MUTED, PAPER, SERIES, drawing, finished, legend_below, panels
from countenance.reporting.seeded_words import told_apart
from countenance.reporting.wording import NOT_MEASURABLE, Shown, between, listed, many, percent

_TITLES: Final = {
    "as it comes": "as it comes",
    "balanced": "group-balanced sampling",
    "as it comes, normalised": "scores normalised",
    "balanced, normalised": "both",
}
_FIGURES: Final = {
    "fmr_disparity": "FMR, worst / geometric mean",
    "worst_fmr": "worst group's FMR",
    "fnmr_disparity": "FNMR, worst / geometric mean",
    "worst_fnmr": "worst group's FNMR",
    "tar": "TAR at the same FMR",
    "cost": "cost",
    "worst_cost": "worst group's cost",
}
_TONES: Final = {"better": "good", "worse": "bad", "not told apart": "open"}
_RATES: Final = {"fmr": "False match rate, %", "fnmr": "False non-match rate, %"}
_MARKERS: Final = ("o", "s", "D", "^", "v", "P")


def mitigation_section(report: Mapping[str, Any]) -> dict[str, Any] | None:
    """The table's rows, what was done to whom, and a sentence that says what helped; None where it wasn't run."""
    if not report:
        return None
    systems = report["systems"]
    return {
        "summary": _summary(report),
        "how": _how(report),
        "far": f"{report['far']:g}",
        "level": f"{report['level'] * 100:g} %",
        "unit": report["unit"],
        "reference": _title(report["reference"]),
        "worst": [_worst(found["worst_group"]) for found in systems.values()],
        "rows": [
            *((words, [_cell(key, found) for found in systems.values()]) for key, words in _FIGURES.items()),
            *(
                (f"{group}: {error.upper()}", [_group_cell(group, error, found) for found in systems.values()])
                for group in report["groups"]
                for error in _RATES
            ),
        ],
        "gates": [
            (gate, [_verdicts(found["gates"].get(gate, ())) for found in systems.values()]) for gate in _gates(report)
        ],
        "titles": [_title(name) for name in systems],
        "groups": report["groups"],
        "people": many(report["people"], "person", "people"),
    }


def _cell(key: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """A figure of a way, how it changed, and whether that is better or worse; the last two None of the reference."""
    changed = None if found["differences"] is None else _change(found["differences"][key])
    return {"value": _value(found["figures"][key]), "change": changed, "verdict": _verdict(key, found)}


def _group_cell(group: str, error: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a group's own rate, of which more is worse."""
    rates = found["groups"][group]
    change = rates[f"{error}_difference"]
    shown = (None, None) if change is None else (_change(change), _word(-told_apart(change)))
    return {"value": _value(rates[error]), "change": shown[0], "verdict": shown[1]}


def _worst(names: list[str]) -> str:
    counted = Counter(names)
    return ", ".join(
        name if len(counted) == 1 else f"{name} ({times} of {len(names)})" for name, times in counted.items()
    )


def _value(found: Mapping[str, Any]) -> Shown:
    if found["value"] is None:
        return Shown(NOT_MEASURABLE, note=found["note"])
    factor, digits, sign = _scale(found["unit"])
    value = percent(found["value"], digits) if sign else f"{found['value']:,.{digits}f}"
    seeds = [NOT_MEASURABLE if each is None else f"{each * factor:,.{digits}f}" for each in found["by_seed"]]
    note = f"seeds: {', '.join(seeds)}" if len(seeds) > 1 else ""
    return Shown(value, between(found["low"], found["high"], factor, digits), note)


def _change(found: Mapping[str, Any]) -> Shown:
    if found["value"] is None:
        return Shown(NOT_MEASURABLE, note=found["note"])
    factor, digits, sign = _scale(found["unit"])
    ends = ""
    if found["low"] is not None and found["high"] is not None:
        ends = f"{found['low'] * factor:+,.{digits}f} to {found['high'] * factor:+,.{digits}f}"
    return Shown(f"{found['value'] * factor:+,.{digits}f}" + (" points" if sign else ""), ends)


def _scale(unit: str) -> tuple[float, int, bool]:
    """A factor, digits after the point, and whether the unit is a percentage."""
    if unit == "proportion":
        return 100.0, 2, True
    return (1.0, 2, False) if unit == "ratio" else (1.0, 0, False)


def _verdict(key: str, found: Mapping[str, Any]) -> tuple[str, str] | None:
    if found["differences"] is None:
        return None
    told = told_apart(found["differences"][key]) * (1 if key == "tar" else -1)
    return _word(told)


def _word(told: int) -> tuple[str, str]:
    word = {1: "better", -1: "worse", 0: "not told apart"}[told]
    return word, _TONES[word]


def _gates(report: Mapping[str, Any]) -> list[str]:
    return list(dict.fromkeys(gate for found in report["systems"].values() for gate in found["gates"]))


def _verdicts(by_seed: Sequence[Mapping[str, str]]) -> list[tuple[str, str]]:
    """Each verdict with how many seeds it was and how many of those were warned of, the worst first."""
    told = []
    for verdict in ("FAIL", "INCONCLUSIVE", "PASS"):
        of_kind = [gate for gate in by_seed if gate["verdict"] == verdict]
        warned = sum(bool(gate["warning"]) for gate in of_kind)
        if of_kind:
            words = f"{len(of_kind)} of {many(len(by_seed), 'seed')}"
            told.append((verdict, f"{words}, {warned} with a warning" if warned and verdict == "PASS" else words))
    return told


def _how(report: Mapping[str, Any]) -> str:
    balance, rare = report["balance"], report["rare"]
    words = ""
    if rare is not None:
        people = rare["people"]
        words = (
            f"Of {people['people']:,} training people of the group {rare['group']}, {people['kept']:,} were left, "
            f"beside {people['others']:,} others; the people held out stayed as they were. "
        )
    return words + (
        f"Two students of one recipe, {report['steps']:,} steps each from {many(len(report['seeds']), 'seed')}, one on "
        f"faces as they come, one with groups balanced (strength {balance['strength']:g}, no face more than "
        f"{balance['most']:g} times as often): training is given a number a face, never a group. Scores are normalised "
        f"by the {report['neighbours']} nearest of {report['cohort']:,} validation people: nobody's group is asked in "
        "a decision."
    )


def _summary(report: Mapping[str, Any]) -> str:
    """What was found as it comes, and which ways narrow the FMR's disparity, with their numbers."""
    systems = report["systems"]
    before = systems[report["reference"]]
    value = before["figures"]["fmr_disparity"]
    attribute = report["attribute"].replace("_", " ")
    if value["value"] is None:
        return f"As it comes, how unequal false matches are by {attribute} could not be measured."
    said = (
        f"As it comes, the worst group by {attribute}, {_worst(before['worst_group'])}, has "
        f"{_with_ends(value)} times the geometric mean of false matches."
    )
    others = {name: found for name, found in systems.items() if found["differences"] is not None}
    narrowed = {name: found for name, found in others.items() if _told(found) < 0}
    widened = [_title(name) for name, found in others.items() if _told(found) > 0]
    ways = [f"{_title(name)} to {_with_ends(found['figures']['fmr_disparity'])}" for name, found in narrowed.items()]
    said += f" Narrowed by {listed(ways)}." if ways else " Nothing that was tried is shown to narrow it."
    said += f" Widened by {listed(widened)}." if widened else ""
    prices = {name: _worse(found) for name, found in others.items()}
    paid = [f"{_title(name)}: {listed(worse)}" for name, worse in prices.items() if worse]
    return said + (f" Shown to be worse than before, with {'; with '.join(paid)}." if paid else "")


def _told(found: Mapping[str, Any]) -> int:
    return told_apart(found["differences"]["fmr_disparity"])


def _worse(found: Mapping[str, Any]) -> list[str]:
    """What a way makes worse beside the FMR's disparity, each group's own rates included."""
    figures = [
        words
        for key, words in _FIGURES.items()
        if key != "fmr_disparity" and (_verdict(key, found) or ("", ""))[0] == "worse"
    ]
    return figures + [
        f"{error.upper()} of {group}"
        for group, rates in found["groups"].items()
        for error in _RATES
        if told_apart(rates[f"{error}_difference"]) > 0
    ]


def _with_ends(found: Mapping[str, Any]) -> str:
    return f"{found['value']:.2f} ({between(found['low'], found['high'])})"


def _title(name: str) -> str:
    return _TITLES.get(name, name)


def mitigation_plot(report: Mapping[str, Any]) -> Markup | None:
    """Both rates of every group, a row a way, with intervals; a group has a marker and an offset of its own."""
    if not report:
        return None
    systems, groups = report["systems"], report["groups"]
    with drawing():
        figure, axes = panels(9.2, 1.3 + 0.2 * len(systems) * (len(groups) + 0.8), columns=2, sharey=True)
        places = np.arange(len(systems))[::-1]
        for axis, (key, title) in zip(axes, _RATES.items(), strict=True):
            for place, found in zip(places, systems.values(), strict=True):
                _group_dots(axis, float(place), {group: found["groups"][group][key] for group in groups})
            axis.set_title(title)
            axis.grid(visible=False, axis="y")
            for line in places[:-1]:
                axis.axhline(line - 0.5, color=MUTED, linewidth=0.4)
        axes[0].set_xscale("log")
        axes[0].axvline(report["far"] * 100, color=INK, linewidth=1.0, linestyle=":", label="of all comparisons")
        axes[0].xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
        axes[0].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes[0].xaxis.set_minor_formatter(NullFormatter())
        for at, group in enumerate(groups):
            axes[0].plot([], [], **_look(at), linestyle="none", label=group)
        axes[0].set_yticks(places, [_title(name) for name in systems])
        axes[0].set_ylim(-0.55, len(systems) - 0.45)
        legend_below(figure, axes[0])
        alt = "Both error rates of every group before and after, with intervals; the numbers are in the table below."
        return finished(figure, name="mitigation", alt=alt)


def _look(at: int) -> dict[str, Any]:
    colour = SERIES[(at + 1) % len(SERIES)]
    face = colour if at % 2 == 0 else PAPER
    return {"marker": _MARKERS[at % 6], "color": colour, "markerfacecolor": face, "markersize": 7}


def _group_dots(axis: Axes, place: float, rates: Mapping[str, Mapping[str, Any]]) -> None:
    for at, found in enumerate(rates.values()):
        if found["value"] is None:
            continue
        height = place + 0.32 - 0.64 * (at + 0.5) / len(rates)
        if found["low"] is not None and found["high"] is not None:
            axis.hlines(
                height, found["low"] * 100, found["high"] * 100, color=SERIES[(at + 1) % len(SERIES)], linewidth=2
            )
        axis.plot(found["value"] * 100, height, linestyle="none", **_look(at))
