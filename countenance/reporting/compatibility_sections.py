"""What the section on embedding compatibility says: whose probes go with whose templates, and what crossing costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from countenance.reporting.measured_sections import tar_cell
from countenance.reporting.plots import MUTED, PAPER, SERIES, drawing, finished, panels
from countenance.reporting.wording import Shown, between, heading, percent, rate

Names = Mapping[str, str]
_ACROSS: Final = SERIES[1]
_LONGEST: Final = 24
"""Letters of a name beside the plot, which would otherwise leave no room for it."""


def compatibility_section(evaluation: Mapping[str, Any], names: Names) -> list[dict[str, Any]]:
    """For each pair of models the four kinds of comparisons, and what may be concluded for an exchange of models."""
    return [_pair(found, names) for found in evaluation.get("compatibility", ())]


def _pair(found: Mapping[str, Any], names: Names) -> dict[str, Any]:
    model, other = heading(names, found["model"]), heading(names, found["other"])
    entries: Sequence[Mapping[str, Any]] = found["comparisons"]
    return {
        "title": f"{model} on templates of {other}",
        "note": found["note"],
        "fars": [f"{entry['at']['far']:g}" for entry in entries[0]["tar"]] if entries else [],
        "rows": [(_sides(entry, names), [_cell(cell, entry) for cell in entry["tar"]]) for entry in entries],
        "agreement": _agreement(found["agreement"]) if entries else None,
        "sentences": _sentences(found, model, other) if entries else [],
        "kept": _kept(found["kept_threshold"]),
    }


def _sides(entry: Mapping[str, Any], names: Names) -> str:
    return f"{heading(names, entry['probes'])} → {heading(names, entry['references'])}"


def _cell(cell: Mapping[str, Any], entry: Mapping[str, Any]) -> Shown:
    """TAR with its counts; at the headline FAR with its interval, too."""
    shown, headline = tar_cell(cell), entry["headline"]
    if cell["tar"] is None or f"FAR={cell['at']['far']:g}," not in headline["note"]:
        return shown
    counts = f"{shown.interval}; {shown.note}"
    return Shown(shown.value, f"{between(headline['low'], headline['high'], 100.0, 1)} %", counts)


def _sentences(found: Mapping[str, Any], model: str, other: str) -> list[str]:
    keeping = _difference(
        found["over_other"],
        f"With probes of {model} on the kept templates of {other}, TAR changes by {{}} against {other} alone",
        ("the exchange without enrolling again is shown to gain", "it is shown to lose", "no difference is shown"),
    )
    renewing = _difference(
        found["under_own"],
        f"Against enrolling everybody again with {model}, that is {{}}",
        ("crossing is shown to be better", "enrolling again is shown to gain", "no difference is shown"),
    )
    return [keeping, renewing]


def _agreement(values: Mapping[str, Any]) -> Shown:
    return Shown(f"{values['value']:.2f}", between(values["low"], values["high"]))


def _difference(values: Mapping[str, Any], words: str, verdicts: tuple[str, str, str]) -> str:
    difference, low, high = values["difference"], values["low"], values["high"]
    if difference is None:
        return f"{words.format('not measurable')}: {values['note']}."
    points = f"{difference * 100:+.1f} points"
    if low is None or high is None:
        return f"{words.format(points)}; there is no interval."
    better, worse, open_ = verdicts
    verdict = better if low > 0 else worse if high < 0 else open_
    return f"{words.format(points)} ({low * 100:+.1f} to {high * 100:+.1f}): {verdict}."


def _kept(kept: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if kept is None:
        return None
    return {"threshold": f"{kept['threshold']:.4f}", "fmr": rate(kept["fmr"]), "fnmr": rate(kept["fnmr"])}


def compatibility_plot(evaluation: Mapping[str, Any], names: Names) -> Markup | None:
    """A panel a pair of models: TAR at the headline FAR within and across them, with intervals; None without any.

    What crosses is a filled square, what doesn't an open one, so that the plot reads without colour.
    """
    shown = [
        found
        for found in evaluation.get("compatibility", ())
        if any(entry["headline"]["value"] is not None for entry in found["comparisons"])
    ]
    if not shown:
        return None
    with drawing():
        figure, axes = panels(8.6, 0.35 + 1.75 * len(shown), rows=len(shown))
        for axis, found in zip(axes, shown, strict=True):
            _panel(axis, found, names)
        axes[-1].set_xlabel(f"true accept rate (TAR) at FAR {evaluation['headline_far']:g}, %")
        alt = (
            "True accept rates within two models and across them, with intervals; the numbers are in the tables below."
        )
        return finished(figure, name="compatibility", alt=alt)


def _panel(axis: Axes, found: Mapping[str, Any], names: Names) -> None:
    entries = found["comparisons"]
    for place, entry in enumerate(entries):
        measured, crosses = entry["headline"], entry["probes"] != entry["references"]
        colour = _ACROSS if crosses else MUTED
        if measured["value"] is None:
            axis.text(0.5, place, "not measurable", transform=axis.get_yaxis_transform(), va="center", ha="center")
            continue
        if measured["low"] is not None and measured["high"] is not None:
            axis.hlines(place, measured["low"] * 100, measured["high"] * 100, color=colour, linewidth=2.4)
        axis.plot(
            measured["value"] * 100,
            place,
            "s",
            color=colour,
            markersize=8,
            markerfacecolor=colour if crosses else PAPER,
        )
        axis.annotate(
            percent(measured["value"]), (measured["value"] * 100, place), (0, 7), textcoords="offset points",
            ha="center", fontsize=8.5,
        )  # fmt: skip
    axis.set(title=f"{heading(names, found['model'])} and {heading(names, found['other'])}")
    axis.set_ylim(len(entries) - 0.4, -0.8)
    shortened = {key: name if len(name) <= _LONGEST else f"{name[: _LONGEST - 1]}…" for key, name in names.items()}
    axis.set_yticks(range(len(entries)), [_sides(entry, shortened) for entry in entries])
    axis.tick_params(axis="y", length=0)
    axis.xaxis.set_major_locator(MaxNLocator(6))
    axis.grid(visible=False, axis="y")
