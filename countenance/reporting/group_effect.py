"""What distillation does to each group of people: one line that judges the worst group, and the rates behind it.

The worst group is whichever has the most errors; a group that fares better than that may nevertheless lose by
distillation, so that each is held against itself, too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from countenance.reporting.seeded_words import gained, seeded, told_apart
from countenance.reporting.wording import NOT_MEASURABLE, Shown, heading, listed, many

Names = Mapping[str, str]
_TONES: Final = {"kept": "good", "worse": "bad", "open": "open"}
_SAID: Final = {
    "kept": "shown to be no worse",
    "worse": "shown to be worse",
    "open": "not shown to be worse or no worse",
}
_ERRORS: Final = {"fnmr": "false non-matches", "fmr": "false matches"}
_CHANGED: Final = {1: ("more", "bad"), -1: ("fewer", "good"), 0: ("not told apart", "open")}


def effect_section(groups: Mapping[str, Any], names: Names) -> dict[str, Any] | None:
    """Error rates of the distilled student beside those of the student alone; None where they weren't measured.

    Args:
        groups: as :func:`countenance.assessment.method_groups.assess_method_groups` gives them.
        names: titles of its rows.
    """
    if not groups:
        return None
    rows, headline, reference = groups["rows"], groups["headline"], groups["reference"]
    shown = [group["group"] for group in groups["groups"] if group["subjects"] is not None]
    worst = rows[headline]["worst"]
    return {
        "attribute": groups["attribute"].replace("_", " "),
        "far": f"{groups['far']:g}",
        "verdict": _verdict(groups, names),
        "tone": "open" if worst is None else _TONES[worst["verdict"]],
        "harmed": _harmed(shown, groups, names),
        "headline": heading(names, headline),
        "reference": heading(names, reference),
        "one_training": len(rows[headline]["groups"][shown[0]]["fnmr"]["by_seed"]) < 2 if shown else False,
        "hidden": len(groups["groups"]) - len(shown),
        "rows": [_group_row(name, groups) for name in shown],
        "others": [
            {"title": heading(names, row), "fnmr": gained(found["worst"]["fnmr"]),
             "fmr": gained(found["worst"]["fmr_ratio"]), "verdict": found["worst"]["verdict"],
             "tone": _TONES[found["worst"]["verdict"]]}
            for row, found in rows.items() if row != reference and found["worst"] is not None
        ],
    }  # fmt: skip


def _group_row(name: str, groups: Mapping[str, Any]) -> dict[str, Any]:
    new, old = (groups["rows"][groups[which]]["groups"][name] for which in ("headline", "reference"))
    group = next(group for group in groups["groups"] if group["group"] == name)
    return {
        "group": name,
        "people": many(group["subjects"], "person", "people") + ("" if group["status"] == "sufficient" else ", few"),
        **{
            error: (seeded(old[error]), seeded(new[error]), gained(new[f"{error}_difference"]))
            for error in _ERRORS
        },
        **{f"{error}_changed": _CHANGED[told_apart(new[f"{error}_difference"])] for error in _ERRORS},
    }  # fmt: skip


def _harmed(shown: Sequence[str], groups: Mapping[str, Any], names: Names) -> str:
    """Which groups distillation is shown to harm, each held against itself; empty where none is shown."""
    if not shown:
        return ""
    found = groups["rows"][groups["headline"]]["groups"]
    reference = heading(names, groups["reference"])
    harmed = [
        f"{name} ({said})"
        for name in shown
        for error, said in _ERRORS.items()
        if told_apart(found[name][f"{error}_difference"]) > 0
    ]
    if not harmed:
        return f"No group is shown to have more errors of either kind than with the {reference}."
    return f"Shown to have more errors than with the {reference}: {listed(harmed)}."


def _verdict(groups: Mapping[str, Any], names: Names) -> str:
    worst, limits = groups["rows"][groups["headline"]]["worst"], groups["limits"]
    if worst is None:
        return "No group is large enough to be shown."
    fnmr, fmr = gained(worst["fnmr"]), gained(worst["fmr_ratio"])
    misses = _told("its FNMR", f"changes by {fnmr.value}", fnmr, f"{limits['fnmr_increase'] * 100:+g} allowed")
    times = f"is {fmr.value} that of the {heading(names, groups['reference'])}"
    matches = _told("its FMR", times, fmr, f"{limits['fmr_ratio']:g} allowed")
    return (
        f"The worst group, {_SAID[worst['verdicts']['fnmr']]} in false non-matches: {misses}; "
        f"{_SAID[worst['verdicts']['fmr']]} in false matches: {matches}."
    )


def _told(rate: str, change: str, found: Shown, allowed: str) -> str:
    if found.value == NOT_MEASURABLE:
        return f"the change of {rate} is not measurable ({found.note or 'no error to compare with'})"
    return f"{rate} {change} ({found.interval or 'no interval'}; {allowed})"
