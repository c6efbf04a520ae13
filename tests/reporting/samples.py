"""The inputs of a report, from the small run."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from countenance.assessment.results import Measurement
from countenance.reporting.page import FacePicture, ReportInputs
from countenance.reporting.sheet import kpi_sheet

from . import method_samples, search_samples
from .small_run import NAMES, assessed, exported, stories, templates


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


def curves(distilled: bool, gradients: bool = False) -> pd.DataFrame:
    steps = np.arange(0, 200, 10)
    table = pd.DataFrame({"step": steps, "loss": 60 * np.exp(-steps / 80) + 5, "loss/age": np.nan})
    if gradients:
        looked_at = np.where(steps % 40 == 0, 1.0, np.nan)
        lengths = {"face": 0.4, "proposal": 0.2, "landmarks": 1.2, "age": 2.4}
        table = table.assign(**{f"gradient/{task}": length * looked_at for task, length in lengths.items()})
        cosines = {"face/proposal": 0.5, "face/landmarks": 0.12, "face/age": -0.3, "landmarks/age": -0.04}
        table = table.assign(**{f"gradient_cosine/{pair}": cosine * looked_at for pair, cosine in cosines.items()})
    told = {"alpha": 0.2 + steps / 400, "teacher_agreement": 0.3 + steps / 350, "centre_agreement": 0.1 + steps / 300}
    return table.assign(**told) if distilled else table


def face(seed: int = 0) -> FacePicture:
    return FacePicture(
        image=np.random.default_rng(seed).integers(0, 256, (112, 112, 3), dtype=np.uint8),
        landmarks=np.array([[38.0, 52.0], [74.0, 52.0], [56.0, 72.0], [42.0, 92.0], [71.0, 92.0]]),
        said={"gender": "male", "age": 41.2, "smile": 0.93, "yaw": -12.0},
        truth={"gender": "female", "age": 45.0, "smile": None, "yaw": -10.0},
    )


def measured(value: float, low: float, high: float, unit: str, higher: bool = True, count: int = 640) -> dict[str, Any]:
    return Measurement(value, low, high, count, unit, higher).to_dict()


def gain(together: float, alone: float, gained: tuple[float, float, float], unit: str, higher: bool) -> dict[str, Any]:
    ends = [(value * 0.97, value * 1.03) for value in (together, alone)]
    return {
        "candidate": measured(together, *ends[0], unit, higher),
        "reference": measured(alone, *ends[1], unit, higher),
        **dict(zip(("gain", "low", "high"), gained, strict=True)),
        "unit": unit,
        "count": 640,
        "note": "",
    }


def ablation() -> dict[str, Any]:
    """Landmarks better together, age better alone, gender not told apart; identity could not be measured."""
    runs = [
        {"task": task, "seed": 7, "images_seen": 15_360, "minutes": 1.75}
        for task in ("together", "landmarks", "gender", "age", "identity")
    ]
    missing = Measurement.missing("proportion", higher_is_better=True, note="not measurable: FAR 0.01 of 40").to_dict()
    unmeasured = {"candidate": missing, "reference": missing, "gain": None, "low": None, "high": None}
    return {
        "seeds": [7],
        "headline_far": 0.01,
        "level": 0.95,
        "tasks": {
            "landmarks": gain(0.071, 0.08, (0.009, 0.006, 0.012), "inter-ocular distance", False),
            "gender": gain(0.912, 0.907, (0.005, -0.008, 0.018), "proportion", True),
            "age": gain(7.4, 6.8, (-0.6, -0.9, -0.3), "years", False),
            "identity": unmeasured | {"unit": "proportion", "count": 40, "note": missing["note"]},
        },
        "runs": runs,
    }


def costs() -> dict[str, Any]:
    names = ("detection", "landmarks", "pose", "smile", "gender", "age", "identity")
    return {
        "together": {"parameters": 1_264_630, "multiply_adds": 61_000_000},
        "alone": {name: {"parameters": 800_000, "multiply_adds": 50_000_000} for name in names},
        "sum_alone": {"parameters": 5_600_000, "multiply_adds": 350_000_000},
    }


def detection() -> dict[str, Any]:
    def source(recall: float, false: float) -> dict[str, Any]:
        return {
            "photos": 300,
            "faces": 341,
            "recall": measured(recall, recall - 0.02, recall + 0.01, "proportion", count=341),
            "false_faces_per_photo": measured(false, false - 0.02, false + 0.03, "false faces a photo", False, 300),
            "average_precision": measured(0.964, 0.951, 0.972, "average precision", count=341),
            "tasks": {"gender": measured(0.91, 0.89, 0.93, "proportion", count=301)},
        }

    false = [0.0, 0.01, 0.03, 0.06, 0.09, 0.2, 0.45, 1.2, 3.0]
    recall = [0.3, 0.7, 0.9, 0.95, 0.965, 0.975, 0.98, 0.985, 0.99]
    return {
        "threshold": 0.412,
        "false_faces_allowed": 0.1,
        "curve": [{"false_faces_per_photo": x, "recall": y} for x, y in zip(false, recall, strict=True)],
        "sources": {"lfw": source(0.981, 0.06), "mtfl": source(0.972, 0.09)},
    }


def efforts() -> dict[str, Any]:
    return {
        model: {
            "images_seen": 15_360,
            "minutes": 5.5,
            "images_per_second": 46.4,
            "data_wait_share": 0.021,
            "parameters": 435_430,
        }
        for model in list(NAMES)[1:]
    }


def finding(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "expectation": "expect_column_values_to_be_between",
        "table": "faces",
        "column": "face_id",
        "why": "every face has an id of its own",
        "severity": "critical",
        "status": "holds",
        "holds": True,
        "checked": 180,
        "broken": 0,
        "observed": None,
        "first_rows": [],
        "problem": None,
    } | changes


def validation() -> dict[str, Any]:
    blurred = {"row": 12, "id": "face-0001", "value": 1.25}
    findings = [
        finding("face_id_unique"),
        finding(
            "sharp",
            why="faces are not too blurred to recognise",
            severity="warning",
            status="bad data",
            holds=False,
            broken=3,
            first_rows=[blurred],
        ),
        finding(
            "no_drift",
            why="the data are as they were",
            severity="warning",
            table="drift",
            status="not checked",
            holds=None,
            checked=0,
            problem="there is no last version",
        ),
    ]
    cell = {"cell": "test, gender female", "split": "test", "attribute": "gender", "group": "female"}
    return {
        "passed": True,
        "faces": 180,
        "expectations": 3,
        "critical_failures": 0,
        "warnings": 1,
        "broken_checks": 0,
        "not_checked": 1,
        "findings": findings,
        "coverage": [cell | {"faces": 30, "subjects": 6}, cell | {"split": "train", "faces": 60, "subjects": 12}],
        "drift": {
            "version": "c0ffee",
            "last": None,
            "faces": 180,
            "last_faces": None,
            "columns": [],
            "reason": "there is no last version",
        },
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
        "evaluation": evaluation | {"detection": detection()},
        "templates": templates(),
        "bias": bias,
        "distillation_by_group": method_samples.of_one_run(),
        "gates": gates,
        "releases": releases(),
        "rollout": rollout(),
        "curves": {"student_alone": curves(False, gradients=True), "student_distilled": curves(True)},
        "efforts": efforts(),
        "costs": costs(),
        "ablation": ablation(),
        "methods": method_samples.comparison(),
        "method_groups": method_samples.groups(),
        "search": search_samples.search(),
        "faces": (face(0), face(1)),
        "monitoring": monitoring(),
        "next_commands": (("make serve", "answer requests with the champion"), ("make ui", "open the pages")),
    }
    return ReportInputs(**inputs | changes)
