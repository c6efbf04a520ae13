"""The ablation room: the training room's recipe → a network a task and one for all → what learning together gains."""

from kedro.pipeline import Pipeline, node

from pipelines.ablation.nodes import assess_ablation, run_ablation


def create_pipeline() -> Pipeline:
    """Train and read what isn't there yet, then compare; run by a person, as it takes many trainings."""
    return Pipeline(
        [
            node(
                run_ablation,
                {
                    "manifest": "manifest",
                    "crops": "crops",
                    "features": "recognition_features",
                    "weights": "sampling_weights",
                    "seal": "validation_seal",
                    "training": "params:training",
                    "ablation": "params:ablation",
                    "consent": "params:consent",
                    "folder": "params:ablation_folder",
                },
                "ablation_runs",
                name="run_ablation",
            ),
            node(
                assess_ablation,
                ["manifest", "ablation_runs", "params:evaluation", "params:ablation_folder"],
                ["ablation_report", "ablation_metrics"],
                name="assess_ablation",
            ),
        ]
    )
