"""What each candidate was made of: its photographs, and the networks in files that it, or its teacher, goes back to.

The parameters tell it, as they tell what a training does; DVC trains again where they change.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from countenance.governance.configuration import GovernanceConfiguration
from countenance.governance.materials import Material, network_materials, photograph_materials
from countenance.learning.recipe import DistillationConfiguration, Recipe
from countenance.learning.teachers.configuration import TRAINED_TEACHER

TAUGHT = ("student_distilled", "student_damaged")
"""Candidates that had a teacher; the student alone had none."""

Roles = dict[str, list[str]]


def materials_of(
    candidates: Mapping[str, object],
    manifest: pd.DataFrame,
    governance: GovernanceConfiguration,
    distillation: DistillationConfiguration,
    training: Recipe,
) -> dict[str, list[Material]]:
    """The materials of each candidate."""
    stated_by = {source: statement.license_stated_by for source, statement in governance.sources.items()}
    photographs = photograph_materials(manifest, stated_by)
    files = teacher_files(distillation, training)
    networks = [
        material
        for file, roles in sorted(files.items())
        for material in network_materials(Path(file), roles, governance.pretrained)
    ]
    return {name: [*photographs, *(networks if name in TAUGHT else ())] for name in candidates}


def teacher_files(distillation: DistillationConfiguration, training: Recipe) -> Roles:
    """Files of networks that the taught students go back to, with their roles."""
    roles: Roles = {}
    if distillation.teacher.path != TRAINED_TEACHER:
        roles.setdefault(distillation.teacher.path, []).append("teacher")
    if distillation.teacher.path == TRAINED_TEACHER or distillation.soft.asked:
        recognition = training.recognition
        if recognition.checkpoint is not None:
            roles.setdefault(recognition.checkpoint, []).append("initial network of the teacher")
        if recognition.teacher is not None:
            roles.setdefault(recognition.teacher.path, []).append("teacher of the teacher")
    return roles
