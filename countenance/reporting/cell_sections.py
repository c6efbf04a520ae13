"""Identity errors of one- and two-way cells as a table: what is shown, what is few, and what is kept back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from countenance.reporting.wording import rate

Names = Mapping[str, str]


def cell_section(bias: Mapping[str, Any], names: Names) -> list[dict[str, Any]]:
    """A table for each attribute and each two crossed: every cell with its people, status and both rates a model."""
    shown = {model: bias[model]["cells"] for model in names if bias.get(model, {}).get("cells")}
    attributes = dict.fromkeys(attribute for cells in shown.values() for attribute in cells)
    return [
        {
            "attribute": attribute.replace("_", " ").replace(" x ", " and "),
            "models": [
                {"name": names[model], "cells": [_cell(item) for item in cells[attribute]["differential"]["groups"]]}
                for model, cells in shown.items()
                if attribute in cells
            ],
        }
        for attribute in attributes
    ]


def _cell(item: Mapping[str, Any]) -> dict[str, Any]:
    hidden = item["status"] == "suppressed"
    return {
        "cell": item["group"],
        "status": item["status"],
        "people": "" if item["subjects"] is None else f"{item['subjects']:,}",
        "fmr": None if hidden else rate(item["fmr"]),
        "fnmr": None if hidden else rate(item["fnmr"]),
    }


def optimum_section(bias: Mapping[str, Any], names: Names) -> list[dict[str, Any]]:
    """For each model the cheapest common threshold under the cap, on the validation people, and whose cap binds."""
    rows = []
    for model, name in names.items():
        found = bias.get(model, {}).get("optimum")
        if found is None:
            continue
        reached = found["threshold"] is not None
        rows.append(
            {
                "name": name,
                "now": f"{bias[model]['differential']['threshold']:.4f}",
                "threshold": f"{found['threshold']:.4f}" if reached else "none",
                "cost": f"{found['cost']:,.2f} {found['unit']}" if reached else found["note"],
                "capped_by": found["capped_by"] or "nobody",
                "groups": [
                    f"{group['group']}: FMR {group['fmr'] * 100:.2f} % (at most {group['fmr_high'] * 100:.2f}), "
                    f"FNMR {group['fnmr'] * 100:.1f} %"
                    for group in found["groups"]
                ],
            }
        )
    return rows
