"""The training room: validated data → the all-in-one network."""

from kedro.pipeline import Pipeline, node

from pipelines.training.nodes import embed_for_recognition, train_network


def create_pipeline() -> Pipeline:
    """Train the all-in-one network; the validation room's seal is its ticket."""
    return Pipeline(
        [
            node(
                embed_for_recognition,
                ["manifest", "crops", "params:training", "params:teacher_cache_folder"],
                "recognition_features",
                name="embed_for_recognition",
            ),
            node(
                train_network,
                [
                    "manifest",
                    "crops",
                    "recognition_features",
                    "sampling_weights",
                    "validation_seal",
                    "params:training",
                    "params:consent",
                    "params:sessions_folder",
                ],
                ["all_in_one_network", "all_in_one_curves", "training_metrics"],
                name="train_network",
            ),
        ]
    )
