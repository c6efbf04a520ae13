"""The KPI sheet of a run, from the rooms' JSON reports."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from countenance.assessment.cost_report import CostReport
from countenance.assessment.held_out import measured_of
from countenance.assessment.kpi import KpiSheet, ModelFigures, build_kpi_sheet
from countenance.assessment.results import Measurement
from countenance.reporting.wording import many

Reports = Mapping[str, Mapping[str, Any]]


def kpi_sheet(
    evaluation: Mapping[str, Any],
    bias: Reports,
    exports: Reports,
    efforts: Reports,
    rollout: Mapping[str, Any],
    *,
    names: Mapping[str, str],
) -> KpiSheet:
    """Build the sheet; what a model has no report of reads "not measured".

    Args:
        evaluation: the evaluation report.
        bias: by model, as the bias room reports.
        exports: by model, as :func:`countenance.serving.qualification.qualify` measured.
        efforts: by model, ``minutes``, ``images_seen`` and ``parameters`` of its training.
        rollout: ``champion`` (a model or None) and ``entries`` with the stories.
        names: heading by model; the columns, in this order.

    Raises:
        AssessmentError: a stored result does not fit, or the champion is not among ``names``.
    """
    stories = {entry["candidate"]: entry["story"] for entry in rollout.get("entries", ())}
    figures = [
        _figures(
            heading,
            model,
            evaluation,
            bias.get(model),
            exports.get(model),
            efforts.get(model, {}),
            stories.get(model),
        )
        for model, heading in names.items()
    ]
    champion = rollout.get("champion")
    return build_kpi_sheet(figures, champion=None if champion is None else names.get(champion, champion))


def _figures(
    heading: str,
    model: str,
    evaluation: Mapping[str, Any],
    bias: Mapping[str, Any] | None,
    export: Mapping[str, Any] | None,
    effort: Mapping[str, Any],
    story: Mapping[str, Any] | None,
) -> ModelFigures:
    models = evaluation.get("models", {})
    return ModelFigures(
        name=heading,
        tasks=measured_of(models, model) if model in models else {},
        cost=None if bias is None else CostReport.from_dict(bias["cost"]),
        inference_ms=None if export is None else inference_time(export["inference"]),
        model_bytes=None if export is None else export["model_bytes"],
        parameters=effort.get("parameters") if export is None else export["parameters"],
        training_minutes=effort.get("minutes"),
        images_seen=effort.get("images_seen"),
        operator_minutes=None if story is None else story["operator_minutes"],
    )


def inference_time(measured: Mapping[str, Any]) -> Measurement:
    """The time of one image as a measurement: median, with the middle 95 % of the repetitions as its interval."""
    threads = many(measured["threads"], "thread")
    note = (
        f"median and middle 95 % of {measured['repetitions']:,} repetitions on {threads} of a processor, "
        f"{many(measured['batch_size'], 'image')} at a time; 99th percentile {measured['p99_ms']:.2f} ms"
    )
    return Measurement(
        measured["median_ms"], measured["low_ms"], measured["high_ms"], measured["repetitions"], "ms", False, note
    )
