"""The report at the end of a run: one HTML page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from countenance.assessment.kpi import KpiSheet
from countenance.reporting import measured_sections, multitask_sections, sections, source_sections
from countenance.reporting.cell_sections import cell_section, optimum_section
from countenance.reporting.comparison_page import ComparisonSection, template_section
from countenance.reporting.comparison_reports import CANDIDATE, TEACHER
from countenance.reporting.compatibility_sections import compatibility_plot, compatibility_section
from countenance.reporting.faces import FacePicture, face_context
from countenance.reporting.group_effect import effect_section
from countenance.reporting.group_plots import det_plot, disparity_plot, group_cost_plot, matrix_plot
from countenance.reporting.measured_plots import curves_plot, group_plot, identity_plot, task_plot
from countenance.reporting.method_plots import method_curves_plot, method_plot
from countenance.reporting.method_sections import method_section
from countenance.reporting.mitigation_sections import mitigation_plot, mitigation_section
from countenance.reporting.money_sections import cost_plot, money_section
from countenance.reporting.multitask_plots import forest_plot, interference_plot
from countenance.reporting.plots import series_of
from countenance.reporting.search_sections import front_plot, search_section
from countenance.reporting.source_sections import detection_plot
from countenance.reporting.validation_sections import validation_section

__all__ = ["FacePicture", "ReportInputs", "render_report"]


@dataclass(frozen=True, kw_only=True, eq=False)
class ReportInputs:
    """Everything that the report tells; an empty mapping or None reads "was not run".

    Attributes:
        title: of the page.
        names: heading by model, in the order of the columns; other models are not shown.
        sheet: the KPI sheet.
        validation: findings of the validation room.
        protected_groups: its findings on the protected groups.
        ingestion: counts by split and source.
        evaluation: the evaluation report.
        templates: the template report: ``protocol``, ``models``, and a ``note`` where no protocol could be made.
        bias: by model.
        group_curves: error rates and money by group over all thresholds, by model.
        distillation_by_group: what distillation did to each group.
        gates: decision by candidate.
        releases: by candidate, what was built and registered.
        rollout: ``champion``, ``previous``, ``chain_events``, ``operator_minutes``, ``currency``, ``entries``.
        curves: training curves by model.
        efforts: what each training took, by model.
        costs: one network beside seven of one task each, as ``TaskCosts.to_dict`` of the network's costs gives them.
        ablation: every task alone against all together.
        methods: every way to distil against the student alone.
        method_groups: what they do to each group of people.
        mitigation: what balanced sampling and normalised scores change by group.
        search: the students of a budget that were tried.
        faces: pictures with what is said of them.
        monitoring: what drifted.
        next_commands: (command, what it does) each.
    """

    title: str
    names: Mapping[str, str]
    sheet: KpiSheet
    validation: Mapping[str, Any]
    ingestion: Mapping[str, Any]
    evaluation: Mapping[str, Any]
    templates: Mapping[str, Any]
    bias: Mapping[str, Any]
    distillation_by_group: Mapping[str, Any]
    gates: Mapping[str, Any]
    releases: Mapping[str, Any]
    rollout: Mapping[str, Any]
    curves: Mapping[str, pd.DataFrame]
    efforts: Mapping[str, Mapping[str, Any]]
    costs: Mapping[str, Any]
    ablation: Mapping[str, Any]
    methods: Mapping[str, Any]
    method_groups: Mapping[str, Any]
    search: Mapping[str, Any]
    faces: tuple[FacePicture, ...]
    monitoring: Mapping[str, Any] | None
    next_commands: tuple[tuple[str, str], ...]
    protected_groups: Mapping[str, Any] = field(default_factory=dict)
    group_curves: Mapping[str, Any] = field(default_factory=dict)
    mitigation: Mapping[str, Any] = field(default_factory=dict)


def render_report(inputs: ReportInputs) -> str:
    """Render the page: the same inputs give the same bytes, and nothing in it asks the network for anything.

    Raises:
        DataError: a face picture is not an image.
    """
    environment = Environment(
        loader=PackageLoader("countenance.reporting"),
        undefined=StrictUndefined,
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    source, _, _ = PackageLoader("countenance.reporting").get_source(environment, "report.css")
    page = environment.get_template("report.html.jinja")
    return page.render(_context(inputs), style=Markup(source))


def _context(inputs: ReportInputs) -> dict[str, Any]:
    names = inputs.names
    return {
        "title": inputs.title,
        "verdict": sections.verdict_section(inputs.rollout, inputs.sheet, names),
        "sheet": sections.sheet_section(inputs.sheet, inputs.evaluation),
        "gain": measured_sections.gain_section(inputs.evaluation),
        "headline_far": inputs.evaluation.get("headline_far"),
        "identity": measured_sections.identity_section(inputs.evaluation, names),
        "templates": _template_section(inputs),
        "templates_missing": inputs.templates.get("note", ""),
        "money": money_section(inputs.evaluation, names),
        "operating": measured_sections.operating_section(inputs.evaluation, names),
        "compatibility": compatibility_section(inputs.evaluation, names),
        "sources": source_sections.source_section(inputs.evaluation, names),
        "detection": source_sections.detection_section(inputs.evaluation),
        "groups": measured_sections.group_section(inputs.bias, names),
        "cells": cell_section(inputs.bias, names),
        "optimum": optimum_section(inputs.bias, names),
        "mitigation": mitigation_section(inputs.mitigation),
        "effect": effect_section(inputs.distillation_by_group, names),
        "gates": sections.gate_section(inputs.gates, inputs.releases, names),
        "rollouts": sections.rollout_section(inputs.rollout, names),
        "efforts": multitask_sections.effort_section(inputs.efforts, names),
        "ablation": multitask_sections.ablation_section(inputs.ablation),
        "methods": method_section(inputs.methods, inputs.method_groups),
        "search": search_section(inputs.search),
        "costs": multitask_sections.cost_section(inputs.costs),
        "interference": multitask_sections.interference_section(inputs.curves, names),
        "validation": validation_section(inputs.validation, inputs.protected_groups),
        "data": sections.data_section(inputs.ingestion),
        "faces": [face_context(face, number) for number, face in enumerate(inputs.faces, start=1)],
        "monitoring": sections.monitoring_section(inputs.monitoring),
        "next_commands": inputs.next_commands,
        "plots": _plots(inputs),
    }


def _template_section(inputs: ReportInputs) -> ComparisonSection | None:
    """The teacher always stands beside the others: under its own name, or as the role of the model that it is."""
    models, names = inputs.templates.get("models", {}), dict(inputs.names)
    roles = dict.fromkeys(inputs.gates, CANDIDATE)
    if TEACHER in models and TEACHER not in names:
        said = {**models[TEACHER], "model": None}
        twin = next((model for model in names if model in models and {**models[model], "model": None} == said), TEACHER)
        names.setdefault(twin, TEACHER)
        roles[twin] = TEACHER
    return template_section(inputs.templates, names, roles, inputs.rollout.get("champion"))


def _plots(inputs: ReportInputs) -> dict[str, Any]:
    series = series_of(inputs.names, inputs.rollout.get("champion"))
    evaluated = bool(inputs.evaluation)
    return {
        "identity": identity_plot(inputs.evaluation, series) if evaluated else None,
        "cost": cost_plot(inputs.evaluation, series),
        "tasks": task_plot(inputs.evaluation, series) if evaluated else None,
        "compatibility": compatibility_plot(inputs.evaluation, inputs.names),
        "groups": group_plot(inputs.bias, series),
        "cross_group": matrix_plot(inputs.bias, series),
        "group_det": det_plot(inputs.group_curves, series),
        "group_cost": group_cost_plot(inputs.group_curves, inputs.bias, series),
        "disparities": disparity_plot(inputs.bias, series),
        "mitigation": mitigation_plot(inputs.mitigation),
        "detection": detection_plot(inputs.evaluation),
        "curves": curves_plot(inputs.curves, series),
        "ablation": forest_plot(inputs.ablation),
        "methods": method_plot(inputs.methods),
        "method_curves": method_curves_plot(inputs.methods),
        "search": front_plot(inputs.search),
        "interference": {
            model: interference_plot(table, name=f"interference-{number}")
            for number, (model, table) in enumerate(inputs.curves.items(), start=1)
        },
    }
