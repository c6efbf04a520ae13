"""Gates of all candidates, from the rooms' reports, the declared use and the parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pandas as pd
from pydantic import model_validator

from countenance.assessment.fairness import FairnessConfiguration
from countenance.assessment.gate_policy import GatePolicy
from countenance.assessment.gates import Gate
from countenance.assessment.held_out import AssessmentConfiguration
from countenance.assessment.paired_groups import PairedGroups
from countenance.assessment.release_gates import CandidateRules, WaiverRequest, decide_release
from countenance.assessment.results import Measurement
from countenance.configuration import Configuration, narrow
from countenance.data.manifest import with_five_points
from countenance.governance.configuration import GovernanceConfiguration
from countenance.governance.legal_gates import LEGAL_GATES, license_gate, purpose_gate, rows_by_purpose
from countenance.governance.materials import Material
from countenance.progress import track


class RegistrationConfiguration(Configuration):
    """Parameters of the registration room; ``waivers`` hold for every candidate, beside its own."""

    model: str
    gates: GatePolicy = GatePolicy()
    waivers: tuple[WaiverRequest, ...] = ()
    candidates: dict[str, CandidateRules]

    @model_validator(mode="after")
    def _nobody_waives_what_is_forbidden(self) -> RegistrationConfiguration:
        for waiver in (*self.waivers, *(waiver for rules in self.candidates.values() for waiver in rules.waivers)):
            forbidden = [gate for gate in waiver.gates if gate in LEGAL_GATES]
            if forbidden and "FAIL" in waiver.verdicts:
                raise ValueError(
                    f"a FAIL of '{forbidden[0]}' can't be waived, as no signature allows what a licence or a purpose "
                    "forbids; waive INCONCLUSIVE at most"
                )
        return self

    def rules_of(self, candidate: str) -> CandidateRules:
        """A candidate's rules, with the waivers that hold for all."""
        rules = self.candidates[candidate]
        return rules.model_copy(update={"waivers": (*rules.waivers, *self.waivers)})


def decide_all(
    manifest: pd.DataFrame,
    groups: pd.DataFrame,
    evaluation_report: Mapping[str, Any],
    bias_report: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    bias: Mapping[str, Any],
    registration: Mapping[str, Any],
    governance: GovernanceConfiguration,
    materials: Mapping[str, Sequence[Material]],
    named: Mapping[str, Any],
    *,
    now: datetime,
) -> dict[str, Any]:
    """The decision on every candidate; ``named`` holds ``<candidate>_outputs`` and ``<candidate>_export``.

    Args:
        materials: by candidate, what it was made of; held against the declared use.
    """
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
            configuration.rules_of(name),
            configuration.gates,
            assessment,
            fairness,
            now=now,
            beside_teacher=_beside_teacher(bias_report[name]),
            further=_legal(governance, materials[name], manifest),
        ).to_dict()
        for name in track(rules, what="Running gates", total=len(rules), unit="candidate")
    }


def _legal(governance: GovernanceConfiguration, materials: Sequence[Material], manifest: pd.DataFrame) -> list[Gate]:
    use = governance.intended_use
    return [
        license_gate(use, materials, governance.license_table),
        purpose_gate(use, rows_by_purpose(manifest)),
    ]


def _measured(export: Mapping[str, Any]) -> dict[str, Any]:
    time = export["inference"]
    latency = Measurement(
        time["median_ms"], time["low_ms"], time["high_ms"], time["repetitions"], "ms", higher_is_better=False
    )
    return {"model_bytes": export["model_bytes"], "inference_ms": latency}


def _beside_teacher(fairness: Mapping[str, Any]) -> PairedGroups | None:
    found = fairness.get("beside_teacher")
    return None if found is None else PairedGroups.from_dict(found)


def _gaps(fairness: Mapping[str, Any], attribute: str) -> dict[str, Measurement]:
    """The gaps by the gates' names, e.g. ``gender gap``; landmarks are compared as a ratio."""
    measured = {name.removesuffix(f" by {attribute}"): values for name, values in fairness["gaps"].items()}
    return {
        "landmark ratio" if task == "landmarks" else f"{task} gap": Measurement.from_dict(values)
        for task, values in measured.items()
        if " by " not in task
    }
