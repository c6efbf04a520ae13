"""Nodes of the mitigation room: the one that trains reads weights and no group; those that read groups train none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.consent import consented


def make_group_rare(
    manifest: pd.DataFrame, protected_attributes: pd.DataFrame, ingestion: dict[str, Any], mitigation: dict[str, Any]
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """Thin out one group's training people; the rows that are left, their sampling weights, and how many people."""
    from pipelines.mitigation.preparing import rare_and_weighed

    return rare_and_weighed(manifest, protected_attributes, ingestion, mitigation)


def train_for_mitigation(
    manifest: pd.DataFrame,
    weights: pd.DataFrame,
    crops: Any,
    seal: dict[str, Any],
    distillation: dict[str, Any],
    mitigation: dict[str, Any],
    consent: dict[str, Any],
    folder: str,
) -> list[dict[str, Any]]:
    """Train the student as faces come and balanced, and keep what each says; finished runs aren't done again."""
    from countenance.configuration import narrow
    from countenance.learning.balanced_training import run_balanced
    from countenance.learning.recipe import DistillationConfiguration
    from pipelines.mitigation.configuration import MitigationConfiguration

    student = narrow(DistillationConfiguration, distillation, where="parameters_distillation.yml")
    asked = narrow(MitigationConfiguration, mitigation, where="parameters_mitigation.yml")
    return run_balanced(consented(manifest, consent), weights, crops, student, asked.training, Path(folder))


def assess_mitigation(
    manifest: pd.DataFrame,
    runs: list[dict[str, Any]],
    groups: pd.DataFrame,
    people: dict[str, Any],
    mitigation: dict[str, Any],
    evaluation: dict[str, Any],
    bias: dict[str, Any],
    registration: dict[str, Any],
    folder: str,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Before and after by group: rates, money, gates and what changed; the report and its numbers."""
    from countenance.assessment.mitigation import mitigation_numbers
    from pipelines.mitigation.comparing import compare_mitigations

    report = compare_mitigations(
        manifest, runs, groups, people, mitigation, evaluation, bias, registration, Path(folder)
    )
    return report, mitigation_numbers(report)
