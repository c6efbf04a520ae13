"""The model card: what a release says of itself to the people who must answer for it.

Markdown with a YAML head that Hugging Face's hub reads. A field that is empty is an error: a card with holes is worse
than none, because it looks like one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from countenance.configuration import Configuration
from countenance.errors import ModelError


class ModelPurpose(Configuration):
    """What the model is for and what not, in the words of whoever answers for it."""

    summary: str
    intended_use: str
    out_of_scope: str


def render_model_card(
    candidate: str,
    *,
    purpose: ModelPurpose,
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
        purpose: intended use.
        provenance: ``sources``, ``licenses``, ``dataset_sha256``, ``code_sha256``.
        assessment: its part of the evaluation report.
        fairness: its part of the bias report.
        decision: its gate decision.
        effort: ``images_seen`` of its training.
        measured: ``model_bytes`` and ``parameters`` of its export.

    Raises:
        ModelError: a field is empty.
    """
    fields = {
        "candidate": candidate,
        **purpose.model_dump(),
        **provenance,
        "images_seen": effort["images_seen"],
        "parameters": measured["parameters"],
        "model_bytes": measured["model_bytes"],
        "tasks": [_task(name, values) for name, values in assessment["tasks"].items() if values["value"] is not None],
        "thresholds": assessment["calibrated"],
        "cheapest": assessment["money"]["optimum"],
        "prices": assessment["money"]["prices"],
        "cheapest_judged": {name: _rate(assessment["money"][name]) for name in ("fmr", "fnmr")},
        "operating_threshold": assessment["operating"]["threshold"],
        "attribute": fairness["identity_attribute"],
        "bias_index": _number(fairness["cost"]["bias_index"]["value"]),
        "worst_group": fairness["cost"]["worst_group"] or "not measurable",
        "groups": [_group(entry) for entry in fairness["differential"]["groups"]],
        "decision": decision,
    }
    empty = [name for name, value in fields.items() if value in (None, "", [], ())]
    if empty:
        raise ModelError(f"The model card of '{candidate}' has an empty field '{empty[0]}': fill it, then register.")
    environment = Environment(
        loader=PackageLoader("countenance.reporting"),
        undefined=StrictUndefined,
        autoescape=False,  # Markdown, not HTML
        keep_trailing_newline=True,
    )
    return environment.get_template("model_card.md.jinja").render(fields)


def _task(name: str, values: Mapping[str, Any]) -> dict[str, Any]:
    interval = "–" if values["low"] is None else f"{values['low']:.4f} to {values['high']:.4f}"
    return {
        "name": name,
        "value": values["value"],
        "shown": f"{values['value']:.4f}",
        "interval": interval,
        "unit": values["unit"],
    }


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
