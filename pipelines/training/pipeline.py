"""The training room: validated data → the all-in-one network."""

from kedro.pipeline import Pipeline, node

from pipelines.training.nodes import train_network


def create_pipeline() -> Pipeline:
    """Train the all-in-one network; the validation room's seal is its ticket."""
    return Pipeline(
        [
            node(
                train_network,
                ["manifest", "crops", "validation_seal", "params:training"],
                ["all_in_one_network", "all_in_one_curves", "training_metrics"],
                name="train_network",
            ),
        ]
    )
