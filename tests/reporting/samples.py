"""The inputs of a report, from the small run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from countenance.reporting.page import FacePicture, ReportInputs
from countenance.reporting.sheet import kpi_sheet

from .small_run import NAMES, assessed, exported, stories


def rollout() -> dict[str, Any]:
    candidates = ("student_alone", "student_distilled", "student_damaged")
    return {
        "champion": "student_distilled",
        "previous": "student_alone",
        "chain_events": 21,
        "operator_minutes": sum(story.operator_minutes for story in stories()),
        "currency": "EUR",
        "entries": [
            {
                "candidate": candidate,
                "release_id": story.release,
                "version": str(number),
                "skipped": "",
                "story": story.to_dict(),
            }
            for number, (candidate, story) in enumerate(zip(candidates, stories(), strict=True), start=1)
        ],
    }


def curves(distilled: bool) -> pd.DataFrame:
    steps = np.arange(0, 200, 10)
    table = pd.DataFrame({"step": steps, "loss": 60 * np.exp(-steps / 80) + 5, "loss/age": np.nan})
    return table.assign(alpha=0.2 + steps / 400, teacher_agreement=0.3 + steps / 350) if distilled else table


def face(seed: int = 0) -> FacePicture:
    return FacePicture(
        image=np.random.default_rng(seed).integers(0, 256, (112, 112, 3), dtype=np.uint8),
        landmarks=np.array([[38.0, 52.0], [74.0, 52.0], [56.0, 72.0], [42.0, 92.0], [71.0, 92.0]]),
        said={"gender": "male", "age": 41.2, "smile": 0.93, "yaw": -12.0},
        truth={"gender": "female", "age": 45.0, "smile": None, "yaw": -10.0},
    )


def efforts() -> dict[str, Any]:
    return {
        model: {"images_seen": 15_360, "minutes": 5.5, "images_per_second": 46.4, "parameters": 435_430}
        for model in list(NAMES)[1:]
    }


def validation() -> dict[str, Any]:
    findings = [
        {
            "expectation": "expect_column_values_to_be_unique",
            "column": "face_id",
            "why": "every face has an id of its own",
            "severity": "critical",
            "holds": True,
            "checked": 180,
            "broken": 0,
            "observed": None,
            "first_faces": [],
        },
        {
            "expectation": "expect_column_values_to_be_between",
            "column": "sharpness",
            "why": "faces are not too blurred to recognise",
            "severity": "warning",
            "holds": False,
            "checked": 180,
            "broken": 3,
            "observed": None,
            "first_faces": ["face-0001"],
        },
    ]
    return {
        "passed": True,
        "faces": 180,
        "expectations": 2,
        "critical_failures": 0,
        "warnings": 1,
        "findings": findings,
    }


def ingestion() -> dict[str, Any]:
    return {
        "train": {"faces": 538, "background": 78, "subjects": 88},
        "validation": {"faces": 86, "background": 14, "subjects": 13},
        "test": {"faces": 364, "background": 52, "subjects": 59},
        "embedded": {
            "faces": 988,
            "identity": 988,
            "landmarks": 988,
            "pose": 988,
            "gender": 988,
            "smile": 0,
            "age": 988,
        },
        "quarantined": {"records": 3, "embedded": 3, "photo does not decode": 2, "box without size": 1},
    }


def releases() -> dict[str, Any]:
    return {
        name: {
            "release_id": story.release,
            "folder": f"/somewhere/on/a/machine/{name}",
            "operating_threshold": 0.41,
            "decision": "PASS",
            "reason": "All 11 gates passed.",
            "waived": ["evidence in every group"],
            "identity": 0.97,
            "model_bytes": 400_000,
            "model": "countenance",
            "version": str(number),
            "registered": True,
        }
        for number, (name, story) in enumerate(zip(list(NAMES)[1:], stories(), strict=True), start=1)
    }


def monitoring() -> dict[str, Any]:
    return {
        "reference_rows": 500,
        "current_rows": 480,
        "drifted": ["luminance"],
        "columns": [
            {"column": "luminance", "method": "Wasserstein", "value": 0.21, "threshold": 0.1, "drifted": True},
            {"column": "yaw_deg", "method": "Wasserstein", "value": 0.03, "threshold": 0.1, "drifted": False},
        ],
        "report": "monitoring.html",
    }


def sheet_of(played: dict[str, Any]) -> Any:
    evaluation, bias, _ = assessed()
    exports = {model: exported(400_000 + 1000 * number) for number, model in enumerate(list(NAMES)[1:])}
    return kpi_sheet(evaluation, bias, exports, efforts(), played, names=NAMES)


def whole_report(**changes: Any) -> ReportInputs:
    """Everything of the small run, with some inputs changed."""
    evaluation, bias, gates = assessed()
    inputs: dict[str, Any] = {
        "title": "countenance: the embedded people",
        "names": NAMES,
        "sheet": sheet_of(rollout()),
        "validation": validation(),
        "ingestion": ingestion(),
        "evaluation": evaluation,
        "bias": bias,
        "gates": gates,
        "releases": releases(),
        "rollout": rollout(),
        "curves": {"student_alone": curves(False), "student_distilled": curves(True)},
        "faces": (face(0), face(1)),
        "monitoring": monitoring(),
        "next_commands": (("make serve", "answer requests with the champion"), ("make ui", "open the pages")),
    }
    return ReportInputs(**inputs | changes)
