"""A mitigation report: balance narrows what was planted, normalised scores narrow it too and turn more people away."""

from __future__ import annotations

from typing import Any

from countenance.assessment.mitigation import FIGURES

UNIT = "EUR per 1,000 transactions"
VALUES = {
    "as it comes": (3.4, 0.0325, 1.06, 0.468, 0.56, 1089.0, 1607.0),
    "balanced": (1.7, 0.027, 1.16, 0.461, 0.59, 1020.0, 1550.0),
    "as it comes, normalised": (2.2, 0.033, 1.86, 0.728, 0.52, 1167.0, 1560.0),
    "balanced, normalised": (1.2, 0.023, 1.48, 0.655, 0.51, 1175.0, 1629.0),
}
WORST = {"as it comes, normalised": ["lighter", "lighter", "darker"]}


def seeded(value: float | None, spread: float, unit: str = "proportion") -> dict[str, Any]:
    if value is None:
        return {"value": None, "low": None, "high": None, "by_seed": [None] * 3, "unit": unit, "note": "no false match"}
    seeds = [value - spread / 4, value, value + spread / 4]
    return {"value": value, "low": value - spread, "high": value + spread, "by_seed": seeds, "unit": unit, "note": ""}


def system(name: str) -> dict[str, Any]:
    first, own = VALUES["as it comes"], VALUES[name]
    units = [unit or UNIT for unit in FIGURES.values()]
    figures = {key: seeded(value, 0.2 * value, unit) for key, value, unit in zip(FIGURES, own, units, strict=True)}
    changes = {
        key: seeded(value - before, 0.1 * before, unit)
        for key, value, before, unit in zip(FIGURES, own, first, units, strict=True)
    }
    rates = {"fmr": seeded(own[1], 0.005), "fnmr": seeded(own[3], 0.05)}
    light = {"fmr": seeded(own[1] / own[0] ** 2, 0.0005), "fnmr": seeded(own[3] / own[2] ** 2, 0.05)}
    first_light = first[1] / first[0] ** 2
    for rates_of, before in ((rates, first[1]), (light, first_light)):
        changed = rates_of["fmr"]["value"] - before
        known = name != "as it comes"
        rates_of["fmr_difference"] = seeded(changed, 0.0005) if known else None
        rates_of["fnmr_difference"] = seeded(0.01, 0.05) if known else None
    failing = {"verdict": "FAIL" if name == "as it comes" else "PASS", "warning": ""}
    return {
        "figures": figures,
        "differences": None if name == "as it comes" else changes,
        "groups": {"darker": rates, "lighter": light},
        "worst_group": WORST.get(name, ["darker"] * 3),
        "gates": {"FMR disparity": [failing, failing, {"verdict": "PASS", "warning": "look at the groups"}]},
    }


def mitigation(**changes: Any) -> dict[str, Any]:
    people = {"people": 178, "kept": 9, "others": 191}
    return {
        "attribute": "skin_tone",
        "far": 0.01,
        "level": 0.95,
        "unit": UNIT,
        "reference": "as it comes",
        "groups": ["darker", "lighter"],
        "people": 150,
        "cohort": 90,
        "seeds": [7, 101, 102],
        "systems": {name: system(name) for name in VALUES},
        "steps": 250,
        "rare": {"attribute": "skin_tone", "group": "darker", "kept": 0.05, "people": people},
        "balance": {"strength": 1.0, "most": 8.0},
        "neighbours": 20,
        "runs": [],
    } | changes
