"""The method comparison room: the distillation room's student and teacher → a student a method → one table."""

from kedro.pipeline import Pipeline, node

from pipelines.method_comparison.nodes import (
    assess_comparison,
    assess_groups_of_comparison,
    run_comparison,
    search_settings,
)


def create_pipeline() -> Pipeline:
    """Find each way's settings, train and read what isn't there yet, then compare, also by group; run by a person."""
    comparison, folder = "params:method_comparison", "params:method_comparison_folder"
    trained_on = {
        "manifest": "manifest",
        "crops": "crops",
        "features": "teacher_features",
        "trained": "all_in_one_network",
        "weights": "sampling_weights",
        "seal": "validation_seal",
        "distillation": "params:distillation",
        "comparison": comparison,
        "consent": "params:consent",
        "folder": folder,
    }
    return Pipeline(
        [
            node(
                search_settings,
                trained_on | {"evaluation": "params:evaluation"},
                "method_settings",
                name="search_method_settings",
            ),
            node(
                run_comparison,
                trained_on | {"settings": "method_settings"},
                "method_comparison_runs",
                name="run_comparison",
            ),
            node(
                assess_comparison,
                [
                    "manifest",
                    "method_comparison_runs",
                    "method_settings",
                    "teacher_outputs",
                    comparison,
                    "params:evaluation",
                    folder,
                ],
                ["method_comparison_report", "method_comparison_metrics"],
                name="assess_comparison",
            ),
            node(
                assess_groups_of_comparison,
                [
                    "manifest",
                    "method_comparison_runs",
                    "held_out_groups",
                    comparison,
                    "params:evaluation",
                    "params:bias",
                    folder,
                ],
                "method_comparison_groups",
                name="assess_groups_of_comparison",
            ),
        ]
    )
