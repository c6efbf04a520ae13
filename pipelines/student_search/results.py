"""What a student search found: a row a student, the front that none beats, and the best one as configuration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import optuna
import yaml
from optuna.trial import FrozenTrial

from countenance.learning.student_search import pareto_front
from pipelines.student_search.materials import SearchMaterials
from pipelines.student_search.search import OUTCOMES, OVER_BUDGET, REPEATED, TRAINED, finished


def search_report(study: optuna.Study, materials: SearchMaterials) -> dict[str, Any]:
    """``students`` (a row each, repeated ones left out), ``counts`` by outcome, ``best`` (a number or None), and how.

    The front is of multiply-adds and TAR among the students that were trained to the end; the best has the highest
    TAR, and of equal ones the fewest multiply-adds.
    """
    trials = finished(study)
    rows = [_row(trial) for trial in trials if trial.user_attrs["outcome"] != REPEATED]
    trained = [row for row in rows if row["outcome"] == TRAINED]
    on_front = pareto_front([row["multiply_adds"] for row in trained], [row["score"]["value"] for row in trained])
    front = {row["number"] for row, is_on in zip(trained, on_front, strict=True) if is_on}
    best = max(trained, key=lambda row: (row["score"]["value"], -row["multiply_adds"]), default=None)
    outcomes = [trial.user_attrs["outcome"] for trial in trials]
    configuration = materials.configuration
    return {
        "headline_far": materials.evaluation.headline_far,
        "level": materials.evaluation.resampling.level,
        "steps": configuration.steps,
        "batch_size": materials.distillation.batches.batch_size,
        "threads": configuration.threads,
        "budget": configuration.budget.model_dump(),
        "counts": {"proposed": len(trials), **{outcome: outcomes.count(outcome) for outcome in OUTCOMES}},
        "best": None if best is None else best["number"],
        "students": [row | {"front": row["number"] in front} for row in rows],
    }


def _row(trial: FrozenTrial) -> dict[str, Any]:
    attributes = trial.user_attrs
    return {
        "number": trial.number,
        "outcome": attributes["outcome"],
        "network": attributes["network"],
        **attributes["cost"],
        "score": attributes.get("score"),
        "looks": {str(step): score for step, score in sorted(trial.intermediate_values.items())},
        "minutes": attributes.get("minutes"),
        "reason": attributes.get("reason", ""),
    }


def snippet(report: Mapping[str, Any]) -> str:
    """The best student as YAML for ``parameters_distillation.yml``, with what is known of it as comments."""
    counts = report["counts"]
    best = next((row for row in report["students"] if row["number"] == report["best"]), None)
    if best is None:
        return (
            f"# No student was trained to the end: of {counts['proposed']} proposals {counts[OVER_BUDGET]} were over "
            "the budget. Raise the budget or widen the space in parameters_student_search.yml.\n"
        )
    score = best["score"]
    interval = "" if score["low"] is None else f" ({score['low']:.3f} to {score['high']:.3f})"
    said = [
        f"The best of {counts[TRAINED]} students that were trained to the end; {counts['proposed']} were proposed.",
        f"TAR@FAR={report['headline_far']:g} {score['value']:.3f}{interval} on people set apart after "
        f"{report['steps']} steps.",
        f"{best['parameters']:,} parameters, {best['multiply_adds']:,} multiply-adds"
        + ("" if best["milliseconds"] is None else f", {best['milliseconds']:.2f} ms an image")
        + ".",
        "To be pasted into conf/<environment>/parameters_distillation.yml.",
    ]
    chosen = yaml.safe_dump({"distillation": {"network": best["network"]}}, sort_keys=False, default_flow_style=None)
    return "".join(f"# {line}\n" for line in said) + chosen


def search_numbers(report: Mapping[str, Any]) -> dict[str, Any]:
    """The numbers that are compared from run to run."""
    best = next((row for row in report["students"] if row["number"] == report["best"]), None)
    numbers: dict[str, Any] = {"counts": {name.replace(" ", "_"): count for name, count in report["counts"].items()}}
    if best is None:
        return numbers
    costs = {name: best[name] for name in ("parameters", "multiply_adds", "milliseconds") if best[name] is not None}
    return numbers | {"best": {"tar": best["score"]["value"], **costs}}
