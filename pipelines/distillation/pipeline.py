"""The distillation room: teacher and data → three candidates."""

from kedro.pipeline import Pipeline, node

from pipelines.distillation.nodes import (
    ask_about_other_tasks,
    continue_on_faulty_delivery,
    distil,
    embed_with_teacher,
    export_candidate,
    train_alone,
)
from pipelines.models import CANDIDATES


def create_pipeline() -> Pipeline:
    """The teacher's features; the student alone, the distilled one and the damaged candidate, each exported."""
    parameters = "params:distillation"
    exporting = [
        node(
            export_candidate,
            [f"{name}_network", "params:distillation"],
            [f"{name}_onnx", f"{name}_proposals", f"{name}_export"],
            name=f"export_{name}",
        )
        for name in CANDIDATES
    ]
    return Pipeline(
        [
            *exporting,
            node(
                embed_with_teacher,
                ["manifest", "crops", "all_in_one_network", parameters, "params:teacher_cache_folder"],
                "teacher_features",
                name="embed_with_teacher",
            ),
            node(
                ask_about_other_tasks,
                ["manifest", "crops", "all_in_one_network", parameters],
                "soft_targets",
                name="ask_about_other_tasks",
            ),
            node(
                train_alone,
                [
                    "manifest",
                    "crops",
                    "sampling_weights",
                    "validation_seal",
                    parameters,
                    "params:consent",
                    "params:sessions_folder",
                ],
                ["student_alone_network", "student_alone_curves", "student_alone_metrics"],
                name="train_alone",
            ),
            node(
                distil,
                [
                    "manifest",
                    "crops",
                    "teacher_features",
                    "soft_targets",
                    "all_in_one_network",
                    "sampling_weights",
                    "validation_seal",
                    parameters,
                    "params:consent",
                    "params:sessions_folder",
                ],
                ["student_distilled_network", "student_distilled_curves", "student_distilled_metrics"],
                name="distil",
            ),
            node(
                continue_on_faulty_delivery,
                [
                    "student_distilled_network",
                    "faulty_delivery",
                    "crops",
                    "teacher_features",
                    "soft_targets",
                    "all_in_one_network",
                    parameters,
                    "params:consent",
                    "params:sessions_folder",
                ],
                ["student_damaged_network", "student_damaged_curves", "student_damaged_metrics"],
                name="continue_on_faulty_delivery",
            ),
        ]
    )
