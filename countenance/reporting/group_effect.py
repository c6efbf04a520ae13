"""What distillation does to each group of people: one line that judges the worst group, and the rates behind it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from countenance.reporting.seeded_words import gained, seeded
from countenance.reporting.wording import heading, many

Names = Mapping[str, str]
_TONES: Final = {"kept": "good", "worse": "bad", "open": "open"}
_SAID: Final = {
    "kept": "shown to be no worse",
    "worse": "shown to be worse",
    "open": "not shown to be worse or no worse",
}


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
        "verdict": _verdict(groups, names),
        "tone": "open" if worst is None else _TONES[worst["verdict"]],
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
        "fnmr": (seeded(old["fnmr"]), seeded(new["fnmr"]), gained(new["fnmr_difference"])),
        "fmr": (seeded(old["fmr"]), seeded(new["fmr"]), gained(new["fmr_difference"])),
    }


def _verdict(groups: Mapping[str, Any], names: Names) -> str:
    worst, limits = groups["rows"][groups["headline"]]["worst"], groups["limits"]
    if worst is None:
        return "No group is large enough to be shown."
    fnmr, fmr = gained(worst["fnmr"]), gained(worst["fmr_ratio"])
    misses = (
        f"its FNMR changes by {fnmr.value} ({fnmr.interval or 'no interval'}; "
        f"{limits['fnmr_increase'] * 100:+g} allowed)"
    )
    matches = (
        f"its FMR is {fmr.value} that of the {heading(names, groups['reference'])} "
        f"({fmr.interval or 'no interval'}; {limits['fmr_ratio']:g} allowed)"
    )
    return (
        f"The worst group, {_SAID[worst['verdicts']['fnmr']]} in false non-matches: {misses}; "
        f"{_SAID[worst['verdicts']['fmr']]} in false matches: {matches}."
    )
