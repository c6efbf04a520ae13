"""A small run, made with the real rooms: three models assessed, by group too, and three candidates rolled out."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd

from countenance.assessment.comparison import assess_all, assess_all_by_group
from countenance.assessment.cost import CostModel
from countenance.assessment.fairness import FairnessConfiguration
from countenance.assessment.gate_policy import GatePolicy
from countenance.assessment.groups import GroupSizes
from countenance.assessment.held_out import AssessmentConfiguration
from countenance.assessment.intervals import Resampling
from countenance.assessment.release_gates import CandidateRules, decide_release
from countenance.assessment.results import Measurement
from countenance.reporting.page import FacePicture, ReportInputs
from countenance.reporting.sheet import kpi_sheet
from countenance.rollout.replay import DutyOperator, replay
from countenance.rollout.store import RolloutStore
from countenance.rollout.story import ErrorCosts, RolloutStory, recorded_story

from ..rollout.scenes import ANNA, NOON, OFFLINE, REGISTRATION, SALT, bootstrapped, hours, policy
from ..rollout.simulation import everywhere, simulated_log

NAMES = {
    "teacher": "teacher",
    "student_alone": "v1 student alone",
    "student_distilled": "v2 AdaDistill",
    "student_damaged": "v3 damaged",
}
NOISE = {"teacher": 0.55, "student_alone": 0.9, "student_distilled": 0.7, "student_damaged": 0.8}
PEOPLE, PHOTOS, DIMENSIONS = 36, 5, 24
ASSESSMENT = AssessmentConfiguration(
    fars=(1e-4, 1e-2, 1e-1),
    resampling=Resampling(seed=1, resamples=60),
    cost=CostModel(
        currency="EUR", cost_false_match=500.0, cost_false_non_match=2.0, mated_prior=0.95, maximum_fmr=0.03
    ),
)
FAIRNESS = FairnessConfiguration(
    identity_attribute="skin_tone",
    attributes=("skin_tone", "gender"),
    sizes=GroupSizes(minimum=5, sufficient=12),
)
RATES = {
    "release-one": everywhere(0.03),
    "release-two": everywhere(0.015),
    "release-three": {"north": 0.015, "south": 0.14},
}


def manifest() -> pd.DataFrame:
    """Every third person is for validation, the rest are held out; smiles are labelled for nobody."""
    generator = np.random.default_rng(3)
    count = PEOPLE * PHOTOS
    person = np.repeat(np.arange(PEOPLE), PHOTOS)
    points = np.array([38, 52, 74, 52, 56, 72, 42, 92, 71, 92], dtype=np.float32)
    return pd.DataFrame(
        {
            "face_id": [f"face-{number:04d}" for number in range(count)],
            "source": "embedded",
            "photo_sha256": [f"{number:064x}" for number in range(count)],
            "is_face": True,
            "box_xywh": [np.array([10, 10, 90, 100], dtype=np.float32)] * count,
            "subject_id": [f"person-{number:03d}" for number in person],
            "landmarks_5": [points + generator.normal(0, 1, 10).astype(np.float32) for _ in range(count)],
            "yaw_deg": generator.normal(0, 20, count),
            "pitch_deg": generator.normal(0, 8, count),
            "roll_deg": generator.normal(0, 5, count),
            "yaw_range": None,
            "gender": np.where(person % 2, "male", "female"),
            "smiling": None,
            "age_years": (20 + person).astype(float),
            "age_std": np.nan,
            "split": np.where(person % 3 == 0, "validation", "test"),
        }
    )


def said_by(model: str, rows: pd.DataFrame) -> pd.DataFrame:
    """What a model of a given noise says; the teacher knows identity only."""
    generator = np.random.default_rng(5)
    person = rows["subject_id"].str[-3:].astype(int).to_numpy()
    centres = generator.normal(size=(PEOPLE, DIMENSIONS))[person]
    noise = NOISE[model] * np.where((model == "student_damaged") & (person % 4 == 1), 2.0, 1.0)
    samples = centres + noise[:, None] * generator.normal(size=centres.shape)
    samples /= np.linalg.norm(samples, axis=1, keepdims=True)
    said = pd.DataFrame({"face_id": rows["face_id"], "embedding": list(samples.astype(np.float32))})
    names = ("face_probability", "landmarks_5", "yaw_deg", "pitch_deg", "roll_deg")
    names += ("smile_probability", "male_probability", "age_years")
    if model == "teacher":
        return said.assign(**dict.fromkeys(names))
    spread = NOISE[model]
    wrong = generator.random(len(rows)) < 0.1 * spread
    said["face_probability"] = 1 - 0.3 * generator.random(len(rows))
    said["landmarks_5"] = [points + generator.normal(0, 2 * spread, 10) for points in rows["landmarks_5"]]
    for angle in ("yaw_deg", "pitch_deg", "roll_deg"):
        said[angle] = rows[angle] + generator.normal(0, 6 * spread, len(rows))
    said["smile_probability"] = generator.random(len(rows))
    said["male_probability"] = np.where((rows["gender"] == "male") ^ wrong, 0.9, 0.1)
    said["age_years"] = rows["age_years"] + generator.normal(0, 5 * spread, len(rows))
    return said


def exported(size: int) -> dict[str, Any]:
    inference = {
        "batch_size": 1,
        "threads": 1,
        "median_ms": 4.2,
        "low_ms": 3.9,
        "high_ms": 5.5,
        "p99_ms": 6.1,
        "repetitions": 200,
    }
    return {"model_bytes": size, "parameters": size // 4, "multiply_adds": 10 * size, "inference": inference}


@cache
def assessed() -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    """The evaluation report, the bias report and the gate report."""
    rows = manifest()
    outputs = {model: said_by(model, rows) for model in NAMES}
    evaluation = assess_all(rows, outputs, ASSESSMENT)
    person = rows["subject_id"].str[-3:].astype(int)
    tones = np.select([person == 34, person % 4 == 1], ["unusual", "dark"], "light")
    groups = pd.DataFrame({"face_id": rows["face_id"], "skin_tone": tones, "gender": rows["gender"]})
    bias = assess_all_by_group(rows, outputs, groups, evaluation["models"], ASSESSMENT, FAIRNESS)
    latency = Measurement(4.2, 3.9, 5.5, 200, "ms", False)
    thresholds = {model: evaluation["models"][model]["operating"]["threshold"] for model in NAMES}
    against = {"student_alone": None, "student_distilled": "student_alone", "student_damaged": "student_distilled"}
    gates = {
        name: decide_release(
            name,
            rows,
            outputs,
            thresholds,
            groups.set_index("face_id")["skin_tone"],
            {"model_bytes": 400_000, "inference_ms": latency},
            {"gender gap": Measurement.from_dict(bias[name]["gaps"]["gender by gender"])},
            CandidateRules(against=other),
            GatePolicy(nominal_fmr=0.03, model_bytes=500_000, latency_ms=20.0),
            ASSESSMENT,
            FAIRNESS,
            now=NOON,
        ).to_dict()
        for name, other in against.items()
    }
    return evaluation, bias, gates


@cache
def stories() -> tuple[RolloutStory, RolloutStory, RolloutStory]:
    """A bootstrap, a promotion, and a candidate that harms a group which shadow never saw."""
    costs, on_duty = ErrorCosts(false_match=500, false_non_match=2), DutyOperator(key=ANNA, answers_after=hours(0.25))
    absent = {"group": "south", "until": "PT50M", "site": "the gate where nobody from the south comes"}
    with TemporaryDirectory() as folder:
        path = Path(folder) / "rollouts.db"
        with RolloutStore.open(f"sqlite:///{path}", keys=[ANNA]) as store:
            bootstrapped(store, "release-one")
            told = [recorded_story(store, "release-one", costs=costs)]
            for number, (candidate, absence) in enumerate((("release-two", None), ("release-three", absent)), start=1):
                log = simulated_log(RATES, start=NOON + timedelta(days=20 * number), absence=absence)
                told.append(
                    replay(
                        store,
                        log,
                        candidate=candidate,
                        policy=policy(),
                        registration=REGISTRATION,
                        offline=OFFLINE,
                        salt=SALT,
                        operator=on_duty,
                        costs=costs,
                    )
                )
    first, second, third = told
    return first, second, third


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
