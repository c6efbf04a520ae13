"""What people declare, narrowed, and what follows from it: materials of every candidate, and the dataset sheet."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from countenance.assessment.fairness import FairnessConfiguration
from countenance.configuration import narrow
from countenance.governance.configuration import GovernanceConfiguration
from countenance.governance.dataset_facts import dataset_facts
from countenance.governance.materials import Material
from countenance.governance.tracked_files import dvc_hashes
from countenance.learning.recipe import DistillationConfiguration, Recipe
from countenance.reporting.dataset_sheet import render_dataset_sheet
from pipelines.registration.gating import RegistrationConfiguration
from pipelines.registration.lineage import materials_of
from pipelines.registration.units import provenance_of

FILE = "parameters_registration.yml"


def declared(
    manifest: pd.DataFrame,
    governance: Mapping[str, Any],
    registration: Mapping[str, Any],
    distillation: Mapping[str, Any],
    training: Mapping[str, Any],
) -> tuple[GovernanceConfiguration, dict[str, list[Material]]]:
    """The declarations, and the materials of each candidate."""
    stated = narrow(GovernanceConfiguration, governance, where=FILE)
    candidates = narrow(RegistrationConfiguration, registration, where=FILE).candidates
    students = narrow(DistillationConfiguration, distillation, where="parameters_distillation.yml")
    recipe = narrow(Recipe, training, where="parameters_training.yml")
    return stated, materials_of(candidates, manifest, stated, students, recipe)


def sheet_of(
    manifest: pd.DataFrame,
    crops: Path,
    groups: pd.DataFrame,
    validation_report: Mapping[str, Any],
    ingestion_metrics: Mapping[str, Any],
    governance: Mapping[str, Any],
    bias: Mapping[str, Any],
    registration: Mapping[str, Any],
    files: Mapping[str, str],
) -> tuple[str, dict[str, str]]:
    """The dataset sheet, and DVC's hashes by name.

    Args:
        crops: folder of the crop store.
        files: other outputs of DVC, by name.
    """
    hashes = dvc_hashes({"crops": crops, **{name: Path(file) for name, file in files.items()}})
    smallest = narrow(FairnessConfiguration, bias, where="parameters_bias.yml").sizes.minimum
    sheet = render_dataset_sheet(
        registration["model"],
        facts=dataset_facts(manifest, groups, smallest_group=smallest),
        governance=narrow(GovernanceConfiguration, governance, where=FILE),
        provenance=provenance_of(manifest, hashes),
        validation=validation_report,
        quarantined=ingestion_metrics["quarantined"],
    )
    return sheet, hashes
