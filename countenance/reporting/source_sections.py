"""What the sections on sources and whole photos say: every task by source, and faces found in photos."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from markupsafe import Markup
from matplotlib.ticker import FuncFormatter

from countenance.reporting.plots import LIMIT, MUTED, SERIES, drawing, finished, panels
from countenance.reporting.wording import NOT_MEASURED, TASK_TITLES, Shown, direction, measurement

Names = Mapping[str, str]
_FALSE_FACES_SHOWN: Final = 5.0
"""The curve is drawn up to so many times the false faces that are allowed."""


def source_section(evaluation: Mapping[str, Any], names: Names) -> dict[str, Any] | None:
    """A row a task and source, a cell a model; None where nothing was evaluated."""
    models = evaluation.get("models", {})
    found = {model: models[model].get("by_source", {}) for model in names if model in models}
    sources = sorted({source for by_source in found.values() for source in by_source})
    if not sources:
        return None
    tasks = [
        (task, source, [by_source.get(source, {}).get(task) for by_source in found.values()])
        for task in TASK_TITLES
        for source in sources
    ]
    measured = [(task, source, cells) for task, source, cells in tasks if any(cell is not None for cell in cells)]
    return {
        "columns": [names[model] for model in found],
        "sources": sources,
        "rows": [
            {
                "task": TASK_TITLES[task],
                "hint": direction(next(cell for cell in cells if cell is not None)),
                "source": source,
                "cells": [_with_count(cell) for cell in cells],
            }
            for task, source, cells in measured
        ],
    }


def _with_count(values: Mapping[str, Any] | None) -> Shown:
    shown = measurement(values)
    if values is None or values["value"] is None:
        return shown
    words = [f"{values['count']:,} faces", *([shown.note] if shown.note else [])]
    return replace(shown, note="; ".join(words))


def detection_section(evaluation: Mapping[str, Any]) -> dict[str, Any] | None:
    """Faces found in photos, a row a source, and what is said of those that were found; None if none was searched."""
    detection = evaluation.get("detection")
    if not detection:
        return None
    sources = detection["sources"]
    tasks = [task for task in TASK_TITLES if any(task in found.get("tasks", {}) for found in sources.values())]
    return {
        "threshold": _threshold(detection),
        "rows": [
            {
                "source": source,
                "photos": f"{found['photos']:,}",
                "faces": f"{found['faces']:,}",
                "recall": replace(measurement(found["recall"]), note=""),
                "false_faces": _without_unit(found["false_faces_per_photo"]),
                "precision": _without_unit(found["average_precision"]),
            }
            for source, found in sources.items()
        ],
        "tasks": [
            (TASK_TITLES[task], [_as_found(found.get("tasks", {}).get(task)) for found in sources.values()])
            for task in tasks
        ],
        "sources": list(sources),
    }


def _threshold(detection: Mapping[str, Any]) -> str:
    if detection["threshold"] is None:
        return "No threshold keeps the false faces within what is allowed: no box is accepted."
    allowed = detection.get("false_faces_allowed")
    chosen = "" if allowed is None else f", the lowest with at most {allowed:g} false faces a validation photo"
    confidence = detection.get("confidence")
    shown = "" if confidence is None else f", with {confidence:.0%} confidence"
    return f"A box is accepted from a face probability of {detection['threshold']:.3f}{chosen}{shown}."


def _without_unit(values: Mapping[str, Any]) -> Shown:
    shown = measurement(values)
    return replace(shown, value=shown.value.removesuffix(values["unit"]).rstrip())


def _as_found(values: Mapping[str, Any] | None) -> Shown:
    return Shown(NOT_MEASURED) if values is None else _with_count(values)


def detection_plot(evaluation: Mapping[str, Any]) -> Markup | None:
    """Recall over false faces a photo on the test photos; None without a curve."""
    detection = evaluation.get("detection") or {}
    curve = detection.get("curve", ())
    if len(curve) < 2:
        return None
    false = [point["false_faces_per_photo"] for point in curve]
    recall = [point["recall"] * 100 for point in curve]
    allowed = detection.get("false_faces_allowed")
    # What is allowed stands in the picture with its label, also where no threshold comes near it.
    reach = max(1.3 * allowed, min(max(false), _FALSE_FACES_SHOWN * allowed)) if allowed else max(false)
    with drawing():
        figure, (axis,) = panels(8.6, 3.1)
        axis.plot(false, recall, color=SERIES[1], marker="o", markersize=3.5, drawstyle="steps-post", linewidth=2.0)
        if allowed:
            axis.axvline(allowed, color=LIMIT, linestyle="--", linewidth=1.2)
            place = axis.get_xaxis_transform()
            axis.text(allowed + 0.012 * reach, 0.05, f"{allowed:g} allowed", transform=place, color=LIMIT)
        seen = [value for value, at in zip(recall, false, strict=True) if at <= reach]
        axis.set(xlabel="false faces a photo", ylabel="faces found, %", xlim=(-0.02 * reach, reach or 1.0))
        axis.set_ylim(max(0.0, min(90.0, sorted(seen)[len(seen) // 4] - 2.0)), 100.6)
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.tick_params(color=MUTED)
        alt = "Share of the faces in test photos that are found, over false faces a photo."
        return finished(figure, name="detection", alt=alt)
