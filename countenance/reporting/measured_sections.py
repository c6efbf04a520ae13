"""What the sections of measured numbers say: distillation, identity, the operating threshold, groups."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from countenance.reporting.wording import (
    NOT_MEASURABLE,
    Shown,
    measurement,
    percent,
    rate,
    scale_of,
)

Names = Mapping[str, str]


def gain_section(evaluation: Mapping[str, Any]) -> dict[str, str] | None:
    """What distillation gained over the same student alone, with what follows from the interval."""
    gain = evaluation.get("distillation_gain")
    if gain is None:
        return None
    if gain["difference"] is None:
        return {"value": NOT_MEASURABLE, "interval": "", "sentence": gain["note"], "what": gain["what"]}
    factor, digits, _ = scale_of(gain["unit"])
    value, low, high = gain["difference"] * factor, gain["low"], gain["high"]
    sentence = "There is no interval, so the difference may be chance."
    if low is not None and high is not None:
        sentence = "The interval holds zero: a gain is not shown, nor a loss."
        if low > 0 or high < 0:
            sentence = f"The interval is all {'above' if low > 0 else 'below'} zero: the difference is shown."
    ends = "" if low is None or high is None else f"{low * factor:+.{digits}f} to {high * factor:+.{digits}f}"
    both = f"{percent(gain['candidate'])} with AdaDistill, {percent(gain['champion'])} alone."
    return {
        "value": f"{value:+.{digits}f} points",
        "interval": ends,
        "sentence": f"{both} {sentence}",
        "what": gain["what"],
    }


def identity_section(evaluation: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """Face against face: a row a model and a cell a FAR with its counts."""
    models = evaluation.get("models", {})
    shown = [model for model in names if model in models]
    fars = [entry["at"]["far"] for entry in models[shown[0]]["tar"]] if shown else []
    rows = [(names[model], [tar_cell(entry) for entry in models[model]["tar"]]) for model in shown]
    return {"title": "Face to face", "fars": [f"{far:g}" for far in fars], "rows": rows}


def tar_cell(entry: Mapping[str, Any]) -> Shown:
    """A stored :class:`~countenance.assessment.verification.TarAtFar` as shown, with its counts."""
    at = entry["at"]
    if entry["tar"] is None:
        reason = (
            f"below 1 in {at['non_mated']:,} non-mated comparisons"
            if at["threshold"] is None
            else "no mated comparisons"
        )
        return Shown(NOT_MEASURABLE, note=reason)
    counts = f"{entry['accepted']:,} of {entry['mated']:,} mated"
    return Shown(percent(entry["tar"]), counts, f"{at['false_accepts']:,} of {at['non_mated']:,} non-mated")


def operating_section(evaluation: Mapping[str, Any], names: Names) -> list[dict[str, Any]]:
    """The threshold at which each model would decide, and its error rates there."""
    models = evaluation.get("models", {})
    return [
        {
            "model": names[model],
            "threshold": f"{models[model]['operating']['threshold']:.4f}",
            "fmr": rate(models[model]["operating"]["fmr"]),
            "fnmr": rate(models[model]["operating"]["fnmr"]),
            "people": f"{models[model]['subjects']:,}",
            "faces": f"{models[model]['faces']:,}",
        }
        for model in names
        if model in models
    ]


def group_section(bias: Mapping[str, Any], names: Names) -> dict[str, Any]:
    """For each model its groups, disparities and bias index; and the gaps of the attribute tasks, model by model."""
    shown = {model: bias[model] for model in names if model in bias}
    gaps = sorted({name for fairness in shown.values() for name in fairness["gaps"]})
    return {
        "cost_unit": next((fairness["cost"]["overall"]["unit"] for fairness in shown.values()), ""),
        "attribute": next((fairness["identity_attribute"].replace("_", " ") for fairness in shown.values()), ""),
        "models": [_model_groups(names[model], fairness) for model, fairness in shown.items()],
        "gap_columns": [names[model] for model in shown],
        "gaps": [
            (
                name.replace("_", " "),
                [_gap(fairness["gaps"].get(name)) for fairness in shown.values()],
            )
            for name in gaps
        ],
    }


def _gap(values: Mapping[str, Any] | None) -> Shown:
    """A gap as shown: a ratio says so, a difference of proportions is in points.

    The groups' own means are left out: the report holds those of groups too small to be shown, too.
    """
    found = measurement(values)
    if values is None or values["value"] is None:
        return found
    shown = f"{found.value} times" if values["unit"] == "ratio" else found.value.replace(" %", " points")
    return replace(found, value=shown)


def _model_groups(name: str, fairness: Mapping[str, Any]) -> dict[str, Any]:
    costs = {item["group"]: item["cost"] for item in fairness["cost"]["groups"]}
    differential, cost = fairness["differential"], fairness["cost"]
    return {
        "name": name,
        "threshold": f"{differential['threshold']:.4f}",
        "index": measurement(cost["bias_index"]),
        "light": cost["light"],
        "worst": cost["worst_group"],
        "disparities": (
            ("FMR, worst / geometric mean", measurement(differential["fmr_disparity"])),
            ("FNMR, worst / geometric mean", measurement(differential["fnmr_disparity"])),
        ),
        "groups": [
            {
                "group": item["group"],
                "status": item["status"],
                "people": "too few to show" if item["subjects"] is None else f"{item['subjects']:,}",
                "fmr": rate(item["fmr"]),
                "fnmr": rate(item["fnmr"]),
                "cost": _without_unit(costs.get(item["group"])),
            }
            for item in differential["groups"]
        ],
    }


def _without_unit(values: Mapping[str, Any] | None) -> Shown:
    found = measurement(values)
    return found if values is None else replace(found, value=found.value.removesuffix(values["unit"]).rstrip())
