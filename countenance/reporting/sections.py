"""What each section of the report says, from the rooms' JSON; the template only lays it out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from countenance.assessment.kpi import KpiSheet
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
    direction,
    finite,
    heading,
    many,
    moment,
    plain_times,
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
_QUARANTINED: Final = "quarantined"


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
    """Counts by split, labels by source, and how many records were put aside."""
    sources = {name: counts for name, counts in ingestion.items() if name not in (*_SPLITS, _QUARANTINED)}
    aside = ingestion.get(_QUARANTINED, {})
    tasks: Sequence[str] = list(dict.fromkeys(task for counts in sources.values() for task in counts))
    return {
        "splits": [(split, ingestion[split]) for split in _SPLITS if split in ingestion],
        "tasks": tasks,
        "sources": [
            (name, [f"{counts[task]:,}" if counts.get(task) else "not labelled" for task in tasks])
            for name, counts in sources.items()
        ],
        "quarantined": aside.get("records", 0),
        "quarantine_reasons": [
            (reason, count) for reason, count in aside.items() if reason not in ("records", *sources) and count
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
