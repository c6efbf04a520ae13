"""Nodes of the training room."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd

from pipelines.consent import consented
from pipelines.sampling import as_sampled

FILE = "parameters_training.yml"


def embed_for_recognition(manifest: pd.DataFrame, crops: Any, parameters: dict[str, Any], cache_folder: str) -> Any:
    """What the recipe's teacher says of every training face; an empty table where the recipe has none."""
    from countenance.configuration import narrow
    from countenance.learning.recipe import Recipe
    from countenance.learning.teacher_features import recognition_features

    recipe = narrow(Recipe, parameters, where=FILE)
    return recognition_features(manifest, crops, recipe, cache=Path(cache_folder))


def train_network(
    manifest: pd.DataFrame,
    crops: Any,
    features: Any,
    weights: pd.DataFrame | None,
    seal: dict[str, Any],
    parameters: dict[str, Any],
    consent: dict[str, Any],
    sessions_folder: str,
) -> tuple[Any, pd.DataFrame, dict[str, Any]]:
    """Train the all-in-one network on validated data; the network, its curves, its effort and what seven would cost."""
    from countenance.configuration import narrow
    from countenance.learning import recipe
    from countenance.learning.tables import curves_table, effort_summary
    from countenance.learning.teacher_features import recognition_teaching
    from countenance.network.costs import task_costs

    session = Path(sessions_folder) / "all_in_one.session"
    chosen = narrow(recipe.Recipe, parameters, where=FILE)
    teacher = recognition_teaching(features, chosen)
    rows = as_sampled(consented(manifest, consent), weights, parameters)
    network, record = recipe.train_network(rows, crops, chosen, teacher=teacher, session=session)
    return network, curves_table(record), effort_summary(record) | {"costs": task_costs(chosen.network).to_dict()}
