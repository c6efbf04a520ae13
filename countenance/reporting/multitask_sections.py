"""What the sections on learning many tasks at once say: one network or seven, what it costs, who disturbs whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import numpy as np
import pandas as pd

from countenance.reporting.wording import (
    NOT_MEASURABLE,
    TASK_TITLES,
    Shown,
    direction,
    finite,
    heading,
    listed,
    many,
    measurement,
    scale_of,
)

Names = Mapping[str, str]
_LOSS_TITLES: Final = {**TASK_TITLES, "face": "Face", "proposal": "Proposals", "visibility": "Visibility"}
_SHOWN_PAIRS: Final = 10
_VERDICTS: Final = {1: ("better together", "good"), -1: ("better alone", "bad"), 0: ("not told apart", "open")}


def ablation_section(ablation: Mapping[str, Any]) -> dict[str, Any] | None:
    """Every task alone and together, what learning together gains, and what that shows; None without an ablation."""
    tasks = ablation.get("tasks", {})
    if not tasks:
        return None
    shown = {task: tasks[task] for task in TASK_TITLES if task in tasks}
    return {
        "rows": [_ablation_row(task, found, ablation["headline_far"]) for task, found in shown.items()],
        "summary": _summary(shown),
        "how": _how(ablation),
        "level": f"{ablation['level'] * 100:g} %",
    }


def gain_words(found: Mapping[str, Any]) -> Shown:
    """A gain as shown: with its sign, in points where the metric is a percentage."""
    if found["gain"] is None:
        return Shown(NOT_MEASURABLE, note=found["note"])
    factor, digits, unit = scale_of(found["unit"])
    interval = ""
    if found["low"] is not None and found["high"] is not None:
        interval = f"{found['low'] * factor:+.{digits}f} to {found['high'] * factor:+.{digits}f}"
    return Shown(f"{found['gain'] * factor:+.{digits}f} {points_of(unit)}".rstrip(), interval, found["note"])


def points_of(unit: str) -> str:
    """The unit of a difference: percentages differ by points."""
    return unit.replace("%", "points")


def tells_apart(found: Mapping[str, Any]) -> int:
    """1 where the whole interval of a gain lies above zero, -1 where it lies below, 0 where it holds zero or isn't."""
    if found["low"] is None or found["high"] is None:
        return 0
    return 1 if found["low"] > 0 else -1 if found["high"] < 0 else 0


def _ablation_row(task: str, found: Mapping[str, Any], far: float) -> dict[str, Any]:
    what = f"TAR at FAR {far:g}, " if task == "identity" else ""
    word, tone = _VERDICTS[tells_apart(found)] if found["gain"] is not None else ("not compared", "open")
    return {
        "task": TASK_TITLES[task],
        "hint": what + direction(found["candidate"]),
        # The note of a value repeats the counts of every model: here both rest on the same faces.
        "alone": replace(measurement(found["reference"]), note=""),
        "together": replace(measurement(found["candidate"]), note=""),
        "gain": gain_words(found),
        "verdict": word,
        "tone": tone,
        "count": many(found["count"], "comparison" if task == "identity" else "face"),
    }


def _summary(tasks: Mapping[str, Mapping[str, Any]]) -> str:
    def those(which: int) -> str:
        return listed([TASK_TITLES[task].lower() for task, found in compared.items() if tells_apart(found) == which])

    compared = {task: found for task, found in tasks.items() if found["gain"] is not None}
    said = [
        f"Learning together is shown to help {those(1) or 'no task'}, and to harm {those(-1) or 'none'}.",
        f"Not told apart: {those(0)}." if those(0) else "",
    ]
    return " ".join(sentence for sentence in said if sentence)


def _how(ablation: Mapping[str, Any]) -> str:
    runs = ablation["runs"]
    crops = sorted({run["images_seen"] for run in runs})
    each = f"{crops[0]:,}" if len(crops) == 1 else f"{crops[0]:,} to {crops[-1]:,}"
    seeds = [str(seed) for seed in ablation["seeds"]]
    minutes = sum(run["minutes"] for run in runs)
    averaged = "" if len(seeds) == 1 else ", each face counted with its mean over them"
    return (
        f"{many(len(runs), 'training')} of the same network on {each} crops each, {minutes:,.0f} minutes in all, "
        f"from the {'seed' if len(seeds) == 1 else 'seeds'} {listed(seeds)}{averaged}."
    )


def cost_section(costs: Mapping[str, Any]) -> dict[str, Any] | None:
    """One network beside seven of one task each: parameters and multiply-adds, and how many times the one's."""
    if not costs:
        return None
    one, seven = costs["together"], costs["sum_alone"]
    rows = [
        ("One network for all seven tasks", one),
        *((f"{heading({}, task).capitalize()} alone", cost) for task, cost in costs["alone"].items()),
        ("Seven networks of one task each", seven),
    ]
    return {"sentence": cost_sentence(costs), "rows": [_cost_row(name, cost, one) for name, cost in rows]}


def cost_sentence(costs: Mapping[str, Any]) -> str:
    """The comparison in one sentence, for the page and for the terminal."""
    one, seven = costs["together"], costs["sum_alone"]
    return (
        f"One network for all seven tasks: {_millions(one['parameters'])} parameters, "
        f"{_millions(one['multiply_adds'])} multiply-adds a face; seven networks of one task each: "
        f"{_millions(seven['parameters'])} ({seven['parameters'] / one['parameters']:.1f} times) and "
        f"{_millions(seven['multiply_adds'])} ({seven['multiply_adds'] / one['multiply_adds']:.1f} times)."
    )


def _cost_row(name: str, cost: Mapping[str, int], one: Mapping[str, int]) -> dict[str, Any]:
    cells = [Shown(_millions(cost[what]), f"{cost[what] / one[what]:.2f} times") for what in one]
    return {"name": name, "parameters": cells[0], "multiply_adds": cells[1]}


def _millions(amount: int) -> str:
    millions = amount / 1e6
    return f"{millions:,.{2 if millions < 10 else 1}f} million"


def effort_section(efforts: Mapping[str, Mapping[str, Any]], names: Names) -> list[dict[str, str]]:
    """What each training took, and how much of the time it waited for data; a model without a training is left out."""
    return [
        {
            "model": names[model],
            "crops": f"{efforts[model]['images_seen']:,}",
            "minutes": f"{efforts[model]['minutes']:,.1f}",
            "speed": f"{efforts[model]['images_per_second']:,.0f}",
            "waited": _share(efforts[model].get("data_wait_share")),
        }
        for model in names
        if efforts.get(model)
    ]


def _share(value: Any) -> str:
    number = finite(value)
    return "not recorded" if number is None else f"{number * 100:.1f} %"


def interference_section(curves: Mapping[str, pd.DataFrame], names: Names) -> list[dict[str, Any]]:
    """For each model whose training looked at its tasks' gradients: the pairs that pull against each other."""
    return [
        {"model": names[model], "key": model, **_interference(pairs)}
        for model in names
        if model in curves and len(pairs := pairs_of(curves[model]))
    ]


def pairs_of(curves: pd.DataFrame) -> pd.DataFrame:
    """How every two tasks' gradients agreed; no row where no gradient was looked at."""
    if not any(str(name).startswith("gradient_cosine/") for name in curves):
        return pd.DataFrame()
    from countenance.learning.interference import interference_table  # brings torch, so only where it is needed

    return interference_table(curves)


def gradient_lengths(curves: pd.DataFrame) -> dict[str, float]:
    """The median length of each task's gradient, times its weight."""
    medians = {
        str(name).removeprefix("gradient/"): float(np.nanmedian(curves[name].to_numpy(dtype=np.float64)))
        for name in curves
        if str(name).startswith("gradient/") and curves[name].notna().any()
    }
    return {task: length for task, length in medians.items() if length > 0}


def loss_title(task: str) -> str:
    """A loss by its title."""
    return _LOSS_TITLES.get(task, task.capitalize())


def _interference(pairs: pd.DataFrame) -> dict[str, Any]:
    opposed = pairs[pairs["cosine"] < 0]
    looks = int(pairs["looks"].max())
    which = "No two tasks pull" if opposed.empty else f"{len(opposed)} of {len(pairs)} pairs of tasks pull"
    return {
        "sentence": f"{which} against each other on average, over {many(looks, 'look')} at the gradients.",
        "pairs": [
            {
                "pair": f"{loss_title(row['task'])} and {loss_title(row['other']).lower()}",
                "cosine": f"{row['cosine']:+.2f}",
                "opposed": f"{row['opposed'] * 100:.0f} %",
                "ratio": f"{row['length_ratio']:.2g}",
            }
            for row in opposed.head(_SHOWN_PAIRS).to_dict("records")
        ],
        "more": max(0, len(opposed) - _SHOWN_PAIRS),
    }
