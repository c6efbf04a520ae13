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
from countenance.assessment.held_out import OUTPUT_COLUMNS, AssessmentConfiguration
from countenance.assessment.intervals import Resampling
from countenance.assessment.release_gates import CandidateRules, decide_release
from countenance.assessment.results import Measurement
from countenance.rollout.replay import DutyOperator, replay
from countenance.rollout.store import RolloutStore
from countenance.rollout.story import ErrorCosts, RolloutStory, recorded_story
from pipelines.evaluation.templates import (
    TemplateConfiguration,
    assess_on_templates,
    embeddings_of_samples,
    protocol_of_test_people,
)

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
    compatible_with={"student_distilled": ("teacher", "student_alone")},
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
    if model == "teacher":
        return said.assign(**dict.fromkeys(name for name in OUTPUT_COLUMNS if name not in said))
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
def templates() -> dict[str, Any]:
    """The template report."""
    rows, configuration = manifest(), TemplateConfiguration(seed=1)
    protocol = protocol_of_test_people(rows, configuration)
    embeddings = embeddings_of_samples(protocol, {model: said_by(model, rows) for model in NAMES})
    return assess_on_templates(protocol, embeddings, configuration, ASSESSMENT.headline_far)


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
