"""A student search as its room reports it: every outcome once, and two students on the front."""

from __future__ import annotations

from typing import Any

from countenance.assessment.results import Measurement


def student(
    number: int, outcome: str, score: float | None = None, *, front: bool = False, **costs: Any
) -> dict[str, Any]:
    network = {"trunk": "residual", "input_size": 48, "widths": [8, 16, 32, 64], "depths": [0, 1, 1, 1]}
    measured = (
        None if score is None else Measurement(score, score - 0.05, score + 0.03, 630, "proportion", True, "").to_dict()
    )
    row = {
        "number": number, "outcome": outcome, "network": network, "parameters": 210_000, "multiply_adds": 9_000_000,
        "milliseconds": 1.25, "score": measured, "looks": {"10": 0.4, "20": 0.55}, "minutes": 0.8, "reason": "",
        "front": front,
    }  # fmt: skip
    return row | costs


def search() -> dict[str, Any]:
    mobile = {"trunk": "mobilefacenet", "input_size": 64, "width_multiplier": 0.75, "blocks": [4, 6, 2]}
    students = [
        student(0, "trained", 0.71, front=True),
        student(1, "trained", 0.69, multiply_adds=12_000_000),
        student(2, "trained", 0.83, front=True, network=mobile, multiply_adds=31_000_000, parameters=480_000),
        student(3, "given up", None),
        student(5, "over budget", None, multiply_adds=90_000_000, milliseconds=None, looks={}, minutes=None),
        student(6, "failed", None, reason="The identity loss is not a number at step 3.", looks={}),
    ]
    counts = {"proposed": 7, "trained": 3, "given up": 1, "failed": 1, "over budget": 1, "repeated": 1}
    return {
        "headline_far": 0.01, "level": 0.95, "steps": 40, "batch_size": 128, "threads": 1,
        "budget": {"parameters": 600_000, "multiply_adds": 40_000_000, "milliseconds": None},
        "counts": counts, "best": 2, "students": students,
    }  # fmt: skip
