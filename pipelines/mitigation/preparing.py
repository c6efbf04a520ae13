"""Who is trained on, and how often: the last place of the mitigation room that knows groups before training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from countenance.configuration import narrow
from countenance.data.rare_group import with_rare_group
from pipelines.mitigation.configuration import MitigationConfiguration
from pipelines.weighing import GroupBalance, group_balanced_weights


def rare_and_weighed(
    manifest: pd.DataFrame,
    protected_attributes: pd.DataFrame,
    ingestion: Mapping[str, Any],
    mitigation: Mapping[str, Any],
) -> tuple[pd.DataFrame, pd.DataFrame, dict[str, Any]]:
    """The manifest to train on, ``face_id`` and ``weight`` of its training faces, and how many people there are.

    Raises:
        DataError: too few people of the group that is to be rare.
        AssessmentError: nobody's group is known.
    """
    asked = narrow(MitigationConfiguration, mitigation, where="parameters_mitigation.yml")
    secret, people = str(ingestion["subject_secret"]).encode(), dict[str, Any]()
    if asked.rare is not None:
        manifest, people = with_rare_group(
            manifest, protected_attributes, asked.rare, secret=secret, seed=int(ingestion["seed"])
        )
    balance = GroupBalance(attribute=asked.attribute, **asked.balance.model_dump())
    return manifest, group_balanced_weights(manifest, protected_attributes, secret, balance), people
