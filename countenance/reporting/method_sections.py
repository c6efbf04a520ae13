"""What the section on ways to distil says: accuracy of each, what it gains over the student alone, and by group."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from countenance.reporting.group_effect import effect_section
from countenance.reporting.seeded_words import gained, seeded, told_apart
from countenance.reporting.wording import heading, listed, many, percent

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
_SETTINGS: Final = ("learning_rate", "scale", "margin")
_VERDICTS: Final = {1: ("better", "good"), -1: ("worse", "bad"), 0: ("not told apart", "open")}


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
        "settings": _settings(comparison.get("settings")),
        "groups": effect_section(groups, METHOD_TITLES),
    }


def _settings(found: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The trials that gave each way its learning rate, scale and margin; None where nothing was searched."""
    if not found:
        return None
    tried, shown = found["tried"], []
    for row in dict.fromkeys(trial["row"] for trial in tried):
        of_row = [trial for trial in tried if trial["row"] == row]
        chosen = next(trial["score"] for trial in of_row if trial["chosen"])
        shown += [
            {
                "title": title_of(row),
                **{name: "–" if trial[name] is None else f"{trial[name]:g}" for name in _SETTINGS},
                "score": "diverged" if trial["score"] is None else percent(trial["score"]),
                "apart": _apart(trial, chosen),
                "chosen": trial["chosen"],
            }
            for trial in of_row
        ]
    people = max(trial["people"] or 0 for trial in tried)
    return {
        "summary": f"{many(len(tried), 'training')} of {many(found['steps'], 'step')}, judged by {people:,} people "
        "with two photos or more, whom none of them saw; a way's own settings, the first ones, stand unless others are "
        "surely better. The test people weren't read.",
        "trials": shown,
    }


def _apart(trial: Mapping[str, Any], chosen: float) -> str:
    if trial["chosen"] or trial["score"] is None:
        return ""
    return f"{(trial['score'] - chosen) * 100:+.1f} points"


def _told(found: Mapping[str, Any]) -> dict[str, str]:
    word, tone = _VERDICTS[told_apart(found)] if found["value"] is not None else ("not compared", "open")
    return {"verdict": word, "tone": tone}


def _row(row: str, found: Mapping[str, Any], comparison: Mapping[str, Any]) -> dict[str, Any]:
    runs = [run for run in comparison["runs"] if run["row"] == row]
    faces = "named and unnamed faces" if runs and runs[0]["unnamed_as_classes"] else "named faces"
    rate = ", ".join([*_told_settings(runs[0]), faces]) if runs else ""
    is_reference = row == comparison["reference"]
    return {
        "title": title_of(row),
        "hint": rate,
        "accuracy": seeded(found["accuracy"]),
        "tar": seeded(found["tar"]),
        "teacher_tar": seeded(found["teacher_tar"]) if "teacher_tar" in found else None,
        "gain": None if is_reference else gained(found["accuracy_gain"]),
        "tar_gain": None if is_reference else gained(found["tar_gain"]),
        **({"verdict": "reference", "tone": "open"} if is_reference else _told(found["accuracy_gain"])),
    }


def _told_settings(run: Mapping[str, Any]) -> list[str]:
    return [f"{name.replace('_', ' ')} {run[name]:g}" for name in _SETTINGS if run.get(name) is not None]


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
