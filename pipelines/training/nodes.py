"""Nodes of the training room."""

from __future__ import annotations

from typing import Any

import pandas as pd


def train_network(
    manifest: pd.DataFrame, crops: Any, seal: dict[str, Any], parameters: dict[str, Any]
) -> tuple[Any, pd.DataFrame, dict[str, Any]]:
    """Train the all-in-one network on validated data; the network, its curves and its effort."""
    from countenance.configuration import narrow
    from countenance.learning.recipe import Recipe, train_from_labels
    from countenance.learning.tables import curves_table, effort_summary

    recipe = narrow(Recipe, parameters, where="parameters_training.yml")
    network, record = train_from_labels(manifest, crops, recipe)
    return network, curves_table(record), effort_summary(record)
