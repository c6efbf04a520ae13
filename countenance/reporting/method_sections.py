"""What the section on ways to distil says: accuracy of each, what it gains over the student alone, and by group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from countenance.reporting.wording import NOT_MEASURABLE, Shown, between, heading, listed, many, percent

METHOD_TITLES: Final = {
    "teacher": "the teacher itself",
    "alone": "student alone",
    "feature_l2": "feature distance, squared",
    "feature_cosine": "feature distance, cosine",
    "refo": "ReFO-style, features alone",
    "margin_distillation": "MarginDistillation",
    "relational": "relational distillation",
    "fixed_centres": "AdaDistill, fixed centres",
    "adaptive": "AdaDistill, adaptive alpha",
    "weighted": "AdaDistill, weighted alpha",
    "weighted_named_only": "AdaDistill, weighted alpha, named faces only",
}
_VERDICTS: Final = {1: ("better", "good"), -1: ("worse", "bad"), 0: ("not told apart", "open")}
_GROUP_TONES: Final = {"kept": "good", "worse": "bad", "open": "open"}


def title_of(row: str) -> str:
    """A row's title; one of the user's own goes by its name, in words."""
    return METHOD_TITLES.get(row, heading({}, row))


def method_section(comparison: Mapping[str, Any], groups: Mapping[str, Any]) -> dict[str, Any] | None:
    """Every way beside the student alone; None without a comparison."""
    if not comparison:
        return None
    rows = comparison["rows"]
    best = max(rows, key=lambda row: rows[row]["accuracy"]["value"] or 0.0)
    return {
        "summary": _summary(comparison, best),
        "how": _how(comparison),
        "far": f"{comparison['headline_far']:g}",
        "level": f"{comparison['level'] * 100:g} %",
        "reference": title_of(comparison["reference"]),
        "rows": [_row(row, found, comparison) for row, found in rows.items()],
        "teacher": None
        if comparison["teacher"] is None
        else {name: seeded(comparison["teacher"][name]) for name in ("accuracy", "tar")},
        "contrasts": [
            {
                "title": f"{title_of(found['candidate'])} against {title_of(found['reference'])}",
                "accuracy": gained(found["accuracy_gain"]),
                "tar": gained(found["tar_gain"]),
                **_told(found["accuracy_gain"]),
            }
            for found in comparison["contrasts"]
        ],
        "groups": _group_section(groups),
    }


def seeded(found: Mapping[str, Any]) -> Shown:
    """A mean over seeds as shown: in percent, its interval, and each seed's value."""
    if found["value"] is None:
        return Shown(NOT_MEASURABLE, note=found["note"])
    return Shown(percent(found["value"]), between(found["low"], found["high"], 100.0, 1), _by_seed(found, "{:.1f}"))


def gained(found: Mapping[str, Any]) -> Shown:
    """A difference as shown: in points with its sign; a ratio says how many times."""
    if found["value"] is None:
        return Shown(NOT_MEASURABLE, note=found["note"])
    if found["unit"] == "ratio":
        return Shown(f"{found['value']:.2f} times", between(found["low"], found["high"]))
    ends = ""
    if found["low"] is not None and found["high"] is not None:
        ends = f"{found['low'] * 100:+.1f} to {found['high'] * 100:+.1f}"
    return Shown(f"{found['value'] * 100:+.1f} points", ends, _by_seed(found, "{:+.1f}"))


def told_apart(found: Mapping[str, Any]) -> int:
    """1 where the whole interval lies above zero, -1 where it lies below, 0 where it holds zero or isn't."""
    if found["low"] is None or found["high"] is None:
        return 0
    return 1 if found["low"] > 0 else -1 if found["high"] < 0 else 0


def _by_seed(found: Mapping[str, Any], form: str) -> str:
    if len(found["by_seed"]) < 2:
        return str(found["note"])
    values = [NOT_MEASURABLE if value is None else form.format(value * 100) for value in found["by_seed"]]
    return f"by seed: {', '.join(values)}"


def _told(found: Mapping[str, Any]) -> dict[str, str]:
    word, tone = _VERDICTS[told_apart(found)] if found["value"] is not None else ("not compared", "open")
    return {"verdict": word, "tone": tone}


def _row(row: str, found: Mapping[str, Any], comparison: Mapping[str, Any]) -> dict[str, Any]:
    runs = [run for run in comparison["runs"] if run["row"] == row]
    faces = "named and unnamed faces" if runs and runs[0]["unnamed_as_classes"] else "named faces"
    rate = f"learning rate {runs[0]['learning_rate']:g}, {faces}" if runs else ""
    is_reference = row == comparison["reference"]
    return {
        "title": title_of(row),
        "hint": rate,
        "accuracy": seeded(found["accuracy"]),
        "tar": seeded(found["tar"]),
        "gain": None if is_reference else gained(found["accuracy_gain"]),
        "tar_gain": None if is_reference else gained(found["tar_gain"]),
        **({"verdict": "reference", "tone": "open"} if is_reference else _told(found["accuracy_gain"])),
    }


def _summary(comparison: Mapping[str, Any], best: str) -> str:
    row, reference = comparison["headline"], comparison["reference"]
    found, alone = comparison["rows"][row], comparison["rows"][reference]
    if found["accuracy"]["value"] is None or alone["accuracy"]["value"] is None:
        return "1:1 accuracy could not be measured on the held-out people."
    gain = gained(found["accuracy_gain"])
    interval = f" ({gain.interval})" if gain.interval else ""
    said = (
        f"{title_of(row)}: {percent(found['accuracy']['value'])} 1:1 accuracy against "
        f"{percent(alone['accuracy']['value'])} of the {title_of(reference)}, {gain.value}{interval}."
    )
    if best == row:
        return f"{said} No other way does better on average."
    return f"{said} Best on average: {title_of(best)}, {percent(comparison['rows'][best]['accuracy']['value'])}."


def _how(comparison: Mapping[str, Any]) -> str:
    runs = comparison["runs"]
    crops = sorted({run["images_seen"] for run in runs})
    each = f"{crops[0]:,}" if len(crops) == 1 else f"{crops[0]:,} to {crops[-1]:,}"
    seeds = [str(seed) for seed in comparison["seeds"]]
    minutes = sum(run["minutes"] for run in runs)
    return (
        f"{many(len(runs), 'training')} of the same student on {each} crops each, {minutes:,.0f} minutes in all, "
        f"from the {'seed' if len(seeds) == 1 else 'seeds'} {listed(seeds)}. 1:1 accuracy is over "
        f"{many(comparison['pairs'], 'pair')} of {many(comparison['subjects'], 'person', 'people')} that training "
        f"never saw, half of them mated, in {comparison['folds']} folds that share nobody."
    )


def _group_section(groups: Mapping[str, Any]) -> dict[str, Any] | None:
    if not groups:
        return None
    rows, headline, reference = groups["rows"], groups["headline"], groups["reference"]
    shown = [group["group"] for group in groups["groups"] if group["subjects"] is not None]
    worst = rows[headline]["worst"]
    return {
        "attribute": groups["attribute"].replace("_", " "),
        "verdict": _group_verdict(groups),
        "tone": "open" if worst is None else _GROUP_TONES[worst["verdict"]],
        "headline": title_of(headline),
        "reference": title_of(reference),
        "hidden": len(groups["groups"]) - len(shown),
        "rows": [_group_row(name, groups) for name in shown],
        "others": [
            {"title": title_of(row), "fnmr": gained(found["worst"]["fnmr"]), "fmr": gained(found["worst"]["fmr_ratio"]),
             "verdict": found["worst"]["verdict"], "tone": _GROUP_TONES[found["worst"]["verdict"]]}
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


def _group_verdict(groups: Mapping[str, Any]) -> str:
    worst, limits = groups["rows"][groups["headline"]]["worst"], groups["limits"]
    if worst is None:
        return "No group is large enough to be shown."
    fnmr, fmr = gained(worst["fnmr"]), gained(worst["fmr_ratio"])
    measured = (
        f"the worst group's FNMR changes by {fnmr.value} ({fnmr.interval or 'no interval'}), "
        f"its FMR is {fmr.value} that of the {title_of(groups['reference'])} ({fmr.interval or 'no interval'})"
    )
    allowed = f"allowed: {limits['fnmr'] * 100:+g} points and {limits['fmr_ratio']:g} times"
    said = {
        "kept": "Distillation does not make the worst group worse",
        "worse": "Distillation makes the worst group worse",
        "open": "Whether distillation makes the worst group worse is not shown either way",
    }[worst["verdict"]]
    return f"{said}: {measured}; {allowed}."
