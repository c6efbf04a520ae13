"""The door: every parameter that a run will read is narrowed before its first node starts."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any, Final

from countenance.configuration import narrow
from countenance.errors import ConfigurationError

MODELS: Final = {
    "balance": "pipelines.weighing:GroupBalance",
    "ingestion": "countenance.data.sources:IngestionConfiguration",
    "validation": "pipelines.validation.configuration:ValidationConfiguration",
    "consent": "countenance.data.consent:ConsentPolicy",
    "training": "countenance.learning.recipe:Recipe",
    "distillation": "countenance.learning.recipe:DistillationConfiguration",
    "evaluation": "countenance.assessment.held_out:AssessmentConfiguration",
    "template_protocol": "pipelines.evaluation.templates:TemplateConfiguration",
    "photo_search": "countenance.analysis.held_out_photos:PhotoSearchConfiguration",
    "bias": "countenance.assessment.fairness:FairnessConfiguration",
    "registration": "pipelines.registration.gating:RegistrationConfiguration",
    "governance": "countenance.governance.configuration:GovernanceConfiguration",
    "rehearsal": "countenance.rollout.rehearsal:RehearsalConfiguration",
    "rollout": "pipelines.rollout.configuration:RolloutConfiguration",
    "monitoring": "pipelines.monitoring.drift:MonitoringConfiguration",
    "reporting": "pipelines.reporting.faces:ReportingConfiguration",
    "ablation": "countenance.learning.ablation:AblationConfiguration",
    "method_comparison": "countenance.learning.compared_methods:MethodComparisonConfiguration",
    "mitigation": "pipelines.mitigation.configuration:MitigationConfiguration",
    "student_search": "countenance.learning.student_search:StudentSearchConfiguration",
}
"""The model of each room's parameters; imported only when a run needs it."""

FILES: Final = {
    "balance": "ingestion",
    "consent": "training",
    "governance": "registration",
    "photo_search": "evaluation",
    "template_protocol": "evaluation",
}
"""Parameters that lie in another room's file."""

OTHERS: Final = (
    "ablation_folder",
    "data_versions_folder",
    "incoming_crops",
    "method_comparison_folder",
    "mitigation_folder",
    "release_sources",
    "releases_folder",
    "seed",
    "sessions_folder",
    "student_search_folder",
    "teacher_cache_folder",
    "tombstones_file",
)


def check_parameters(parameters: Mapping[str, Any], wanted: Iterable[str]) -> None:
    """Refuse unknown keys at the top level, and narrow the parameters of the rooms that are about to run.

    Args:
        parameters: all of them, as loaded.
        wanted: names that the run reads.

    Raises:
        ConfigurationError: one sentence naming the key and its file.
    """
    known = (*MODELS, *OTHERS)
    for name in parameters:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean '{near[0]}'?" if near else f"the known ones are {', '.join(known)}."
            raise ConfigurationError(f"Unknown parameter '{name}' in conf/ or --params: {hint}")
    for name in sorted(set(wanted) & set(MODELS)):
        narrow(configuration_model(name), parameters[name], where=f"parameters_{FILES.get(name, name)}.yml")


def configuration_model(room: str) -> Any:
    """The pydantic model of a room's parameters."""
    module, _, name = MODELS[room].partition(":")
    return getattr(import_module(module), name)
