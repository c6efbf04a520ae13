"""The model card: what a release says of itself to the people who must answer for it.

Markdown with a YAML head that Hugging Face's hub reads. A field that is blank is an error: a card with holes is worse
than none, because it looks like one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from countenance.governance.configuration import GovernanceConfiguration
from countenance.governance.intended_use import COMPARISON_TITLES, SETTING_TITLES, IntendedUse
from countenance.governance.licenses import OTHER, LicenseTable
from countenance.governance.materials import Material, license_ids
from countenance.reporting.documents import render_document

TASK_TYPES: Final[Mapping[str, tuple[str, str, str]]] = {
    "face": ("image-classification", "Face or no face", "accuracy"),
    "landmarks": ("keypoint-detection", "Landmarks", "normalised_mean_error"),
    "pose": ("head-pose-estimation", "Head pose", "mean_absolute_error"),
    "gender": ("image-classification", "Gender", "accuracy"),
    "smile": ("image-classification", "Smile expression", "accuracy"),
    "age": ("age-estimation", "Age", "mean_absolute_error"),
    "identity": ("face-verification", "Identity, 1:1", "true_accept_rate"),
}
"""For each task, the hub's type of task (a word of the field where the hub has none), its title and its metric.

A head pose that is labelled as coarse ranges is measured as a share; its metric is then accuracy, see ``_task``."""


def render_model_card(
    candidate: str,
    *,
    governance: GovernanceConfiguration,
    materials: Sequence[Material],
    provenance: Mapping[str, Any],
    assessment: Mapping[str, Any],
    fairness: Mapping[str, Any],
    decision: Mapping[str, Any],
    effort: Mapping[str, Any],
    measured: Mapping[str, Any],
) -> str:
    """Render the card of one candidate.

    Args:
        candidate: its name.
        governance: what people declare.
        materials: what it was made of.
        provenance: ``sources``, ``dataset_sha256``, ``code_sha256``, and ``dvc``: hashes by name.
        assessment: its part of the evaluation report.
        fairness: its part of the bias report.
        decision: its gate decision.
        effort: ``images_seen`` and ``minutes`` of its training.
        measured: ``model_bytes``, ``parameters`` and ``input_size`` of its export.

    Raises:
        ModelError: a field is blank.
    """
    fields = {
        "candidate": candidate,
        "summary": governance.model_summary,
        "use": use_fields(governance.intended_use),
        **license_fields(materials, governance.license_table),
        "materials": [_material(material, governance.license_table) for material in materials],
        "pretrained": _pretrained(materials, governance),
        **{name: provenance[name] for name in ("sources", "dataset_sha256", "code_sha256", "dvc")},
        "images_seen": effort["images_seen"],
        "minutes": effort["minutes"],
        "parameters": measured["parameters"],
        "model_bytes": measured["model_bytes"],
        "input_size": measured["input_size"],
        "tasks": [_task(name, values) for name, values in assessment["tasks"].items() if values["value"] is not None],
        "unmeasured": _unmeasured(assessment["tasks"]),
        "thresholds": [_threshold(entry) for entry in assessment["calibrated"]],
        "cheapest": {
            name: assessment["money"]["optimum"][name] for name in ("threshold", "cost", "unit", "fmr", "fnmr")
        },
        "prices": _prices(assessment["money"]["prices"]),
        "cheapest_judged": {name: _rate(assessment["money"][name]) for name in ("fmr", "fnmr")},
        "operating_threshold": assessment["operating"]["threshold"],
        "attribute": fairness["identity_attribute"],
        "bias_index": _number(fairness["cost"]["bias_index"]["value"]),
        "worst_group": fairness["cost"]["worst_group"] or "not measurable",
        "groups": [_group(entry) for entry in fairness["differential"]["groups"]],
        "decision": _decision(decision),
        "known_gaps": _known_gaps(provenance["sources"], governance),
    }
    return render_document("model_card.md.jinja", f"model card of '{candidate}'", fields)


def use_fields(use: IntendedUse) -> dict[str, Any]:
    """The intended use, in words."""
    return use.model_dump(exclude={"comparison", "setting", "data_purposes"}) | {
        "comparison": COMPARISON_TITLES[use.comparison],
        "setting": SETTING_TITLES[use.setting],
    }


def license_fields(materials: Sequence[Material], table: LicenseTable) -> dict[str, Any]:
    """``licenses`` by id, the hub's one ``license``, and ``license_name`` (for the hub, where it knows none)."""
    ids = license_ids(materials)
    hub = table.hugging_face_id(ids)
    return {"licenses": ids, "license": hub, "license_name": "+".join(ids).lower(), "license_is_other": hub == OTHER}


def _material(material: Material, table: LicenseTable) -> dict[str, str]:
    license_ = table.find(material.license)
    allowed = "nobody knows what it allows"
    if license_ is not None:
        allowed = f"{license_.title}; " + ("commercial use too" if license_.commercial else "no commercial use")
    return {
        "name": material.name,
        "kind": material.kind,
        "role": material.role,
        "license": material.license,
        "allows": allowed,
        "asks": "nothing"
        if license_ is not None and not license_.asks
        else ", ".join(license_.asks if license_ else ["unknown"]),
        "stated_by": material.stated_by,
        "sha256": material.sha256 or "not a file of ours",
    }


def _pretrained(materials: Sequence[Material], governance: GovernanceConfiguration) -> list[str]:
    """A sentence a network of somebody else's."""
    sentences = [
        f"{material.name}: {stated.title}. Trained on: {stated.training_data}"
        if (stated := governance.pretrained.get(material.name)) is not None
        else f"{material.name}: nothing is stated of it."
        for material in materials
        if material.kind == "network"
    ]
    return sentences or ["none; all that it learned from was trained here, from random weights"]


def _task(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    kind, title, metric = TASK_TYPES[name]
    if name == "pose" and values["unit"] == "proportion":
        metric = "accuracy"
    interval = "no interval" if values["low"] is None else f"{values['low']:.4f} to {values['high']:.4f}"
    return {
        "name": name,
        "kind": kind,
        "title": title,
        "metric": metric,
        "value": values["value"],
        "shown": f"{values['value']:.4f}",
        "interval": interval,
        "unit": values["unit"],
        "how": f"{values['note'].partition(',')[0] or metric.replace('_', ' ')} in {values['unit']}, 95 %: {interval}",
    }


def _unmeasured(tasks: Mapping[str, Mapping[str, Any]]) -> str:
    missing = [
        f"{name} ({values['note'] or 'no reason given'})" for name, values in tasks.items() if values["value"] is None
    ]
    return f"Not measured: {', '.join(missing)}." if missing else "Every task was measured."


def _group(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": entry["group"],
        "fmr": _rate(entry["fmr"]),
        "fnmr": _rate(entry["fnmr"]),
        "subjects": "suppressed" if entry["subjects"] is None else entry["subjects"],
    }


def _rate(rate: Mapping[str, Any] | None) -> str:
    if rate is None or rate["value"] is None:
        return "suppressed"
    return f"{rate['value']:.4f} ({rate['low']:.4f} to {rate['high']:.4f})"


def _number(value: float | None) -> str:
    return "not measurable" if value is None else f"{value:.2f}"


def _decision(decision: Mapping[str, Any]) -> dict[str, Any]:
    gates = [
        {"name": gate["name"], "verdict": gate["verdict"], "reason": f"{gate['reason']} {gate['warning']}".strip()}
        for gate in decision["gates"]
    ]
    return {"verdict": decision["verdict"], "reason": decision["reason"], "gates": gates}


def _known_gaps(sources: Sequence[str], governance: GovernanceConfiguration) -> list[str]:
    return [f"{source}: {gap}" for source in sources for gap in governance.statement_on(source).known_gaps]


def _threshold(entry: Mapping[str, Any]) -> dict[str, Any]:
    made = f"{entry['non_mated']:,} comparisons"
    if entry["threshold"] is None:
        return {"far": entry["far"], "threshold": "not measurable", "counts": made}
    return {
        "far": entry["far"],
        "threshold": f"{entry['threshold']:.4f}",
        "counts": f"{entry['false_accepts']:,} of {made}",
    }


def _prices(prices: Mapping[str, Any]) -> dict[str, Any]:
    cap = prices["maximum_fmr"]
    return {
        "cost_false_match": prices["cost_false_match"],
        "cost_false_non_match": prices["cost_false_non_match"],
        "cap": "without a cap on false matches" if cap is None else f"with a cap on false matches of {cap:g}",
    }
