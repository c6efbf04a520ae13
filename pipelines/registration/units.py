"""Release units of all candidates, from the rooms' reports, the declared use and the parameters."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final

import pandas as pd

import countenance
from countenance.assessment.cost import PriceList
from countenance.configuration import narrow
from countenance.errors import AssessmentError
from countenance.governance.configuration import GovernanceConfiguration
from countenance.governance.materials import Material, license_ids
from countenance.governance.obligations import project_files
from countenance.reporting.evidence_map import render_evidence_map
from countenance.reporting.model_card import render_model_card
from countenance.serving.release import (
    CalibratedThreshold,
    CostOptimalThreshold,
    ErrorRates,
    InputSpecification,
    ReleaseDetails,
    UnmeasurableRate,
    build_release,
    code_sha256,
)
from countenance.storage import file_sha256
from pipelines.registration.gating import RegistrationConfiguration

PROJECT: Final = Path(__file__).parents[2]


def build_units(
    manifest: pd.DataFrame,
    evaluation_report: Mapping[str, Any],
    bias_report: Mapping[str, Any],
    gate_report: Mapping[str, Any],
    registration: Mapping[str, Any],
    governance: GovernanceConfiguration,
    materials: Mapping[str, Sequence[Material]],
    dataset_sheet: str,
    dvc_hashes: Mapping[str, str],
    folder: Path,
    named: Mapping[str, Any],
) -> dict[str, Any]:
    """Build a unit for every candidate, passed or not: one that failed is evidence, and is not registered."""
    configuration = narrow(RegistrationConfiguration, registration, where="parameters_registration.yml")
    provenance = provenance_of(manifest, dvc_hashes)
    index: dict[str, Any] = {}
    for name in configuration.candidates:
        assessment, fairness, decision = evaluation_report["models"][name], bias_report[name], gate_report[name]
        measured = named[f"{name}_export"]
        details = _details(name, assessment, measured, provenance, governance, materials[name])
        card = render_model_card(
            name,
            governance=governance,
            materials=materials[name],
            provenance=provenance,
            assessment=assessment,
            fairness=fairness,
            decision=decision,
            effort=named[f"{name}_metrics"],
            measured=measured,
        )
        unit = build_release(
            folder / name,
            named[f"{name}_onnx"],
            details,
            model_card=card,
            proposals=named[f"{name}_proposals"],
            reports={"evaluation": assessment, "bias": fairness, "gates": decision, "measurements": measured},
            documents={"dataset_sheet.md": dataset_sheet},
            evidence_map=partial(_evidence_map, name, dvc_hashes),
        )
        index[name] = {
            "release_id": unit.release_id,
            "folder": str(folder / name),
            "operating_threshold": unit.operating_threshold,
            "decision": decision["verdict"],
            "reason": decision["reason"],
            "waived": [gate["name"] for gate in decision["gates"] if gate["verdict"] == "WAIVED"],
            "identity": assessment["tasks"]["identity"]["value"],
            "model_bytes": measured["model_bytes"],
        }
    return index


def _details(
    name: str,
    assessment: Mapping[str, Any],
    measured: Mapping[str, Any],
    provenance: Mapping[str, Any],
    governance: GovernanceConfiguration,
    materials: Sequence[Material],
) -> ReleaseDetails:
    calibrated = sorted(assessment["calibrated"], key=lambda entry: float(entry["far"]))
    return ReleaseDetails(
        candidate=name,
        input=InputSpecification(size=measured["input_size"]),
        embedding_dimension=measured["embedding_dimension"],
        thresholds=tuple(
            CalibratedThreshold(**{name: entry[name] for name in CalibratedThreshold.model_fields})
            for entry in calibrated
            if entry["threshold"] is not None
        ),
        not_measurable=tuple(
            UnmeasurableRate(far=entry["far"], non_mated=entry["non_mated"])
            for entry in calibrated
            if entry["threshold"] is None
        ),
        cost_optimal=_cheapest(name, assessment),
        operating_threshold=assessment["operating"]["threshold"],
        dataset_sha256=provenance["dataset_sha256"],
        code_sha256=provenance["code_sha256"],
        licenses=license_ids(materials),
        intended_use=governance.intended_use,
        materials=tuple(materials),
    )


def _evidence_map(candidate: str, dvc_hashes: Mapping[str, str], unit_files: Mapping[str, str]) -> str:
    there = {name: PROJECT / name for name in project_files() if (PROJECT / name).exists()}
    in_project = {name: file_sha256(path) if path.is_file() else "" for name, path in there.items()}
    return render_evidence_map(candidate, unit_files, dvc_hashes, in_project)


def _cheapest(name: str, assessment: Mapping[str, Any]) -> CostOptimalThreshold:
    money = assessment.get("money")
    if money is None:
        raise AssessmentError(
            f"The evaluation report has no cost-optimal threshold of '{name}', as an older one: "
            "run `kedro run --pipelines evaluation` again."
        )
    optimum = money["optimum"]
    return CostOptimalThreshold(
        threshold=optimum["threshold"],
        prices=PriceList(**money["prices"]),
        calibration=ErrorRates(fmr=optimum["fmr"], fnmr=optimum["fnmr"]),
        test=ErrorRates(fmr=money["fmr"]["value"], fnmr=money["fnmr"]["value"]),
        cost=optimum["cost"],
        unit=optimum["unit"],
        capped=optimum["capped"],
    )


def provenance_of(manifest: pd.DataFrame, dvc_hashes: Mapping[str, str]) -> dict[str, Any]:
    """What the data and the code were: names and hashes."""
    faces = "\n".join(sorted(manifest["face_id"] + " " + manifest["photo_sha256"] + " " + manifest["split"]))
    return {
        "sources": sorted(manifest["source"].unique().tolist()),
        "dataset_sha256": hashlib.sha256(faces.encode()).hexdigest(),
        "code_sha256": code_sha256(Path(countenance.__file__).parent),
        "dvc": dict(dvc_hashes),
    }
