"""Gates of all candidates, from the rooms' reports and parameters."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import pandas as pd

from countenance.assessment.fairness import FairnessConfiguration
from countenance.assessment.gate_policy import GatePolicy
from countenance.assessment.held_out import AssessmentConfiguration
from countenance.assessment.release_gates import CandidateRules, decide_release
from countenance.assessment.results import Measurement
from countenance.configuration import Configuration, narrow
from countenance.data.manifest import with_five_points
from countenance.progress import track
from countenance.reporting.model_card import ModelPurpose


class RegistrationConfiguration(Configuration):
    """Parameters of the registration room."""

    model: str
    purpose: ModelPurpose
    gates: GatePolicy = GatePolicy()
    candidates: dict[str, CandidateRules]


def decide_all(
    manifest: pd.DataFrame,
    groups: pd.DataFrame,
    evaluation_report: Mapping[str, Any],
    bias_report: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    bias: Mapping[str, Any],
    registration: Mapping[str, Any],
    named: Mapping[str, Any],
    *,
    now: datetime,
) -> dict[str, Any]:
    """The decision on every candidate; ``named`` holds ``<candidate>_outputs`` and ``<candidate>_export``."""
    configuration = narrow(RegistrationConfiguration, registration, where="parameters_registration.yml")
    assessment = narrow(AssessmentConfiguration, evaluation, where="parameters_evaluation.yml")
    fairness = narrow(FairnessConfiguration, bias, where="parameters_bias.yml")
    rules = configuration.candidates
    rows, models = with_five_points(manifest), evaluation_report["models"]
    by_face = groups.set_index("face_id")[fairness.identity_attribute]
    return {
        name: decide_release(
            name,
            rows,
            {model: named[f"{model}_outputs"] for model in rules},
            {model: models[model]["operating"]["threshold"] for model in rules},
            by_face,
            _measured(named[f"{name}_export"]),
            _gaps(bias_report[name], fairness.identity_attribute),
            rules[name],
            configuration.gates,
            assessment,
            fairness,
            now=now,
        ).to_dict()
        for name in track(rules, what="Running gates", total=len(rules), unit="candidate")
    }


def _measured(export: Mapping[str, Any]) -> dict[str, Any]:
    time = export["inference"]
    latency = Measurement(
        time["median_ms"], time["low_ms"], time["high_ms"], time["repetitions"], "ms", higher_is_better=False
    )
    return {"model_bytes": export["model_bytes"], "inference_ms": latency}


def _gaps(fairness: Mapping[str, Any], attribute: str) -> dict[str, Measurement]:
    """The gaps by the gates' names, e.g. ``gender gap``; landmarks are compared as a ratio."""
    measured = {name.removesuffix(f" by {attribute}"): values for name, values in fairness["gaps"].items()}
    return {
        "landmark ratio" if task == "landmarks" else f"{task} gap": Measurement.from_dict(values)
        for task, values in measured.items()
        if " by " not in task
    }
