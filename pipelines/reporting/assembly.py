"""The sheet and the page, from what the other rooms wrote."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

import numpy as np

from countenance.assessment.kpi import KpiSheet, render_text
from countenance.configuration import narrow
from countenance.reporting.multitask_sections import cost_sentence
from countenance.reporting.page import FacePicture, ReportInputs, render_report
from countenance.reporting.rollout_words import story_text
from countenance.reporting.sheet import kpi_sheet
from pipelines.models import ASSESSED, CANDIDATES
from pipelines.reporting.faces import ReportingConfiguration


def assemble(
    crops: Any, faces: list[dict[str, Any]], reporting: Mapping[str, Any], reports: Mapping[str, Any]
) -> tuple[dict[str, Any], str]:
    """The KPI sheet as JSON, and the page as HTML."""
    configuration = narrow(ReportingConfiguration, reporting, where="parameters_reporting.yml")
    efforts = {name: reports[f"{name}_metrics"] for name in CANDIDATES} | {"all_in_one": reports["training_metrics"]}
    sheet = kpi_sheet(
        reports["evaluation_report"],
        reports["bias_report"],
        {name: reports[f"{name}_export"] for name in CANDIDATES},
        efforts,
        reports["rollout_report"],
        names=configuration.headings,
    )
    inputs = ReportInputs(
        title=configuration.title,
        names=configuration.headings,
        sheet=sheet,
        validation=reports["validation_report"],
        protected_groups=reports["protected_groups_report"],
        ingestion=reports["ingestion_metrics"],
        evaluation=reports["evaluation_report"],
        templates=reports["template_report"],
        bias=reports["bias_report"],
        group_curves=reports["group_curves"],
        distillation_by_group=reports["distillation_by_group"],
        gates=reports["gate_report"],
        releases=reports["registration_record"],
        rollout=reports["rollout_report"],
        efforts=efforts,
        costs=reports["training_metrics"].get("costs", {}),
        ablation=reports["ablation_report"] or {},
        methods=reports["method_comparison_report"] or {},
        method_groups=reports["method_comparison_groups"] or {},
        mitigation=reports["mitigation_report"] or {},
        search=reports["student_search_report"] or {},
        curves={model: reports[f"{model}_curves"] for model in ASSESSED if model != "teacher"},
        faces=tuple(_face(crops, face) for face in faces),
        monitoring=reports["monitoring_metrics"],
        next_commands=tuple((entry.command, entry.what) for entry in configuration.next_commands),
    )
    return sheet.to_dict(), render_report(inputs)


def show(
    sheet: Mapping[str, Any],
    rollout_report: Mapping[str, Any],
    training_metrics: Mapping[str, Any],
    reporting: Mapping[str, Any],
) -> None:
    """Write the story, the sheet, the costs of one network and of seven, and the way on to the terminal."""
    configuration = narrow(ReportingConfiguration, reporting, where="parameters_reporting.yml")
    width = max([len(entry.command) for entry in configuration.next_commands], default=0)
    commands = [f"  {entry.command:<{width}}  {entry.what}" for entry in configuration.next_commands]
    costs = training_metrics.get("costs")
    lines = [
        "",
        story_text(rollout_report, names=configuration.headings),
        "",
        render_text(KpiSheet.from_dict(sheet), width=150),
        *(["", cost_sentence(costs)] if costs else []),
        "",
        f"The report with pictures and plots:  {configuration.page}",
        f"The MLflow registry:                 {configuration.registry}",
        "",
        "Next:",
        *commands,
        "",
    ]
    sys.stdout.write("\n".join(lines))
    sys.stdout.flush()


def _face(crops: Any, face: Mapping[str, Any]) -> FacePicture:
    points = face["landmarks"]
    return FacePicture(
        image=crops.read(face["crop"], "box"),
        landmarks=None if points is None else np.asarray(points, dtype=np.float32),
        said=face["said"],
        truth=face["truth"],
    )
