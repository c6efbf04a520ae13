"""The student search: the distillation room's recipe → students of a budget, tried briefly → the best one as YAML."""

from kedro.pipeline import Pipeline, node

from pipelines.student_search.nodes import search_students, write_best


def create_pipeline() -> Pipeline:
    """Search, and write down what was found; run by a person, as it takes many trainings."""
    return Pipeline(
        [
            node(
                search_students,
                {
                    "manifest": "manifest",
                    "crops": "crops",
                    "features": "teacher_features",
                    "soft": "soft_targets",
                    "trained": "all_in_one_network",
                    "weights": "sampling_weights",
                    "seal": "validation_seal",
                    "distillation": "params:distillation",
                    "evaluation": "params:evaluation",
                    "search": "params:student_search",
                    "consent": "params:consent",
                    "folder": "params:student_search_folder",
                },
                "student_search_report",
                name="search_students",
            ),
            node(
                write_best,
                "student_search_report",
                ["student_search_snippet", "student_search_metrics"],
                name="write_best_student",
            ),
        ]
    )
