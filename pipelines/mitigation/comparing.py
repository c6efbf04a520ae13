"""What the students of the mitigation room said, measured before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache, partial
from pathlib import Path
from typing import Any

import pandas as pd

from countenance.assessment.fairness import FairnessConfiguration
from countenance.assessment.held_out import AssessmentConfiguration
from countenance.assessment.mitigation import MitigationPlan, assess_mitigation
from countenance.configuration import narrow
from countenance.data.manifest import with_five_points
from countenance.errors import ConfigurationError
from countenance.learning.balanced_training import AS_IT_COMES, BALANCED, said_by
from pipelines.mitigation.configuration import MitigationConfiguration
from pipelines.registration.gating import RegistrationConfiguration


def compare_mitigations(
    manifest: pd.DataFrame,
    runs: Sequence[Mapping[str, Any]],
    groups: pd.DataFrame,
    people: Mapping[str, Any],
    mitigation: Mapping[str, Any],
    evaluation: Mapping[str, Any],
    bias: Mapping[str, Any],
    registration: Mapping[str, Any],
    folder: Path,
) -> dict[str, Any]:
    """The report of :func:`countenance.assessment.mitigation.assess_mitigation`, with what was tried and on whom.

    Raises:
        ConfigurationError: the attribute that is balanced has no groups in the bias room.
    """
    asked = narrow(MitigationConfiguration, mitigation, where="parameters_mitigation.yml")
    fairness = narrow(FairnessConfiguration, bias, where="parameters_bias.yml")
    if asked.attribute not in groups.columns:
        raise ConfigurationError(
            f"Attribute '{asked.attribute}' of parameters_mitigation.yml is not one that the bias room looks up: name "
            "it under 'attributes' in parameters_bias.yml and run that room again."
        )
    plan = MitigationPlan(
        rows=(AS_IT_COMES, BALANCED),
        seeds=asked.training.seeds,
        said=cache(partial(said_by, runs, folder)),
        normalisation=asked.normalisation,
    )
    found = assess_mitigation(
        with_five_points(manifest),
        groups,
        plan,
        narrow(AssessmentConfiguration, evaluation, where="parameters_evaluation.yml"),
        fairness.model_copy(update={"identity_attribute": asked.attribute}),
        narrow(RegistrationConfiguration, registration, where="parameters_registration.yml").gates,
    )
    return {
        **found,
        "steps": asked.training.steps,
        "rare": None if asked.rare is None else asked.rare.model_dump() | {"people": dict(people)},
        "balance": asked.balance.model_dump(),
        "neighbours": asked.normalisation.neighbours,
        "runs": [{name: value for name, value in run.items() if name != "digest"} for run in runs],
    }
