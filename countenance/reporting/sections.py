"""What each section of the report says, from the rooms' JSON; the template only lays it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from countenance.assessment.kpi import KpiSheet
from countenance.reporting.measured_plots import PROTOCOLS
from countenance.reporting.rollout_plot import rollout_plot
from countenance.reporting.rollout_words import (
    candidate_words,
    charge_sentence,
    is_bootstrap,
    named,
    stopped_sentence,
)
from countenance.reporting.wording import (
    NOT_MEASURABLE,
    TASK_TITLES,
    Shown,
    direction,
    finite,
    heading,
    many,
    measurement,
    moment,
    percent,
    plain_times,
    rate,
    scale_of,
    share,
)

Names = Mapping[str, str]
_TILES: Final = ("Identity", "Cost of misrecognition", "Bias index", "Inference time", "Model size")
_HINTS: Final = {
    "Cost of misrecognition": "at the model's own threshold",
    "Bias index": "worst group's cost over the mean; 1 is equal",
    "Inference time": "one image",
}
_SPLITS: Final = ("train", "validation", "test")


def verdict_section(rollout: Mapping[str, Any], sheet: KpiSheet, names: Names) -> dict[str, Any]:
    """Who is in charge and why, the champion's key figures, and a card a candidate."""
    champion = rollout.get("champion")
    entries = rollout.get("entries", ())
    column = sheet.columns.index(sheet.champion) if sheet.champion is not None else None
    return {
        "champion": None if champion is None else heading(names, champion),
        "charge": charge_sentence(rollout, names),
        "since": _since(rollout, names),
        "stopped": stopped_sentence(rollout, names),
        "played": bool(entries),
        "tiles": [] if column is None else [(row.name, row.cells[column]) for row in sheet.rows if row.name in _TILES],
        "candidates": [candidate_words(entry, rollout, names) for entry in entries],
    }


def _since(rollout: Mapping[str, Any], names: Names) -> str:
    """Since when the champion is in charge, and in whose place."""
    story = next(
        (entry["story"] for entry in rollout.get("entries", ()) if entry["candidate"] == rollout["champion"]), None
    )
    if story is None or story["final_stage"] != "PROMOTED":
        return ""
    place = next((entry for entry in rollout["entries"] if entry["release_id"] == story["champion"]), None)
    instead = "" if place is None else f", in the place of {heading(names, place['candidate'])}"
    return f"In charge since {moment(story['moved_at'])} UTC{instead}."


def sheet_section(sheet: KpiSheet, evaluation: Mapping[str, Any]) -> dict[str, Any]:
    """The KPI sheet with its notes numbered, and for each figure which way is better."""
    numbers: dict[str, int] = {}
    rows = [
        (
            row.name,
            _hint(row.name, evaluation),
            [(cell, numbers.setdefault(cell.note, len(numbers) + 1) if cell.note else 0) for cell in row.cells],
        )
        for row in sheet.rows
    ]
    return {"columns": sheet.columns, "champion": sheet.champion, "rows": rows, "notes": list(numbers)}


def _hint(figure: str, evaluation: Mapping[str, Any]) -> str:
    """What a figure is and which way is better."""
    if figure in _HINTS:
        return _HINTS[figure]
    task = next((task for task, title in TASK_TITLES.items() if title == figure), "")
    found = [model["tasks"][task] for model in evaluation.get("models", {}).values() if task in model["tasks"]]
    if not found:
        return ""
    what = f"TAR at FAR {evaluation['headline_far']:g}, " if task == "identity" else ""
    return what + direction(found[0])


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


def identity_section(evaluation: Mapping[str, Any], names: Names) -> list[dict[str, Any]]:
    """For each protocol, a row a model and a cell a FAR with its counts."""
    models = evaluation.get("models", {})
    shown = [model for model in names if model in models]
    tables = []
    for key, title in PROTOCOLS.items():
        fars = [entry["at"]["far"] for entry in models[shown[0]][key]] if shown else []
        rows = [(names[model], [_tar_cell(entry) for entry in models[model][key]]) for model in shown]
        tables.append({"title": title, "fars": [f"{far:g}" for far in fars], "rows": rows})
    return tables


def _tar_cell(entry: Mapping[str, Any]) -> Shown:
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


def gate_section(gates: Mapping[str, Any], releases: Mapping[str, Any], names: Names) -> list[dict[str, Any]]:
    """Every candidate's decision with its gates, those that did not pass first, and what became of the release."""
    order = {"FAIL": 0, "INCONCLUSIVE": 1, "WAIVED": 2, "PASS": 3}
    return [
        {
            "name": heading(names, candidate),
            "verdict": decision["verdict"],
            "reason": decision["reason"],
            "release": _release(releases.get(candidate)),
            "gates": [
                {**gate, "reason": plain_times(gate["reason"])}
                for gate in sorted(decision["gates"], key=lambda gate: order[gate["verdict"]])
            ],
        }
        for candidate, decision in gates.items()
    ]


def _release(release: Mapping[str, Any] | None) -> str:
    if release is None:
        return "No release unit was built."
    identity = f"Release {release['release_id'][:12]}, {release['model_bytes'] / 1e6:,.2f} MB"
    if not release.get("registered", False):
        return f"{identity}: not registered."
    return f"{identity}: registered as version {release['version']}."


def rollout_section(rollout: Mapping[str, Any], names: Names) -> list[dict[str, Any]]:
    """Each candidate's rollout: words, timeline and the moves with their sentences."""
    played = []
    for number, entry in enumerate(rollout.get("entries", ()), start=1):
        story = entry["story"]
        words = candidate_words(entry, rollout, names)
        plot = None if story is None else rollout_plot(story, name=f"rollout-{number}", heading=words.title)
        played.append(
            {"words": words, "plot": plot, "moves": [] if story is None else _moves(story, rollout, names)}
            | {"looks": "" if story is None else _looks(story)}
        )
    return played


def _looks(story: Mapping[str, Any]) -> str:
    if is_bootstrap(story) or not story["looks"]:
        return ""
    minutes = f"{story['operator_minutes']:,.1f} operator minutes"
    verdict = story["looks"][-1]["verdict"]
    labelled = (
        f", {verdict['labelled']:,} labelled requests, {verdict['discordant']:,} of them discordant" if verdict else ""
    )
    looks, signatures = many(len(story["looks"]), "look"), many(story["approvals"], "signature")
    return f"{looks} at the evidence{labelled}; {signatures}, {minutes}."


def _moves(story: Mapping[str, Any], rollout: Mapping[str, Any], names: Names) -> list[dict[str, str]]:
    times = [None, *(entered["at"] for entered in story["moments"])]
    return [
        {
            "at": moment(entered["at"], after=before),
            "stage": entered["stage"].replace("_", " "),
            "share": share(entered["share"]),
            "reason": named(entered["reason"], rollout, names),
        }
        for entered, before in zip(story["moments"], times, strict=False)
    ]


def data_section(ingestion: Mapping[str, Any]) -> dict[str, Any]:
    """Counts by split, and labels by source."""
    sources = {name: counts for name, counts in ingestion.items() if name not in _SPLITS}
    tasks: Sequence[str] = list(dict.fromkeys(task for counts in sources.values() for task in counts))
    return {
        "splits": [(split, ingestion[split]) for split in _SPLITS if split in ingestion],
        "tasks": tasks,
        "sources": [
            (name, [f"{counts[task]:,}" if counts.get(task) else "not labelled" for task in tasks])
            for name, counts in sources.items()
        ],
    }


def monitoring_section(monitoring: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """What the drift report found."""
    if monitoring is None:
        return None
    rows = [
        {
            **column,
            "value": _number(column["value"]),
            "threshold": _number(column["threshold"]),
        }
        for column in sorted(monitoring["columns"], key=lambda column: not column["drifted"])
    ]
    return {**monitoring, "columns": rows}


def _number(value: Any) -> str:
    number = finite(value)
    return NOT_MEASURABLE if number is None else f"{number:.3g}"
