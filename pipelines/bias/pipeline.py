"""The bias room: outputs and protected attributes → rates, money and gaps by group."""

from kedro.pipeline import Pipeline, node

from pipelines.bias.nodes import assess_distillation, assess_groups, draw_group_curves, look_up_groups
from pipelines.models import CANDIDATES


def create_pipeline() -> Pipeline:
    """Look up the groups, then assess every candidate by them, and what distillation did to each."""
    outputs = {model: f"{model}_outputs" for model in CANDIDATES}
    return Pipeline(
        [
            node(
                look_up_groups,
                ["manifest", "protected_attributes", "params:ingestion", "params:bias"],
                "held_out_groups",
                name="look_up_groups",
            ),
            node(
                assess_groups,
                {
                    "manifest": "manifest",
                    "groups": "held_out_groups",
                    "evaluation_report": "evaluation_report",
                    "evaluation": "params:evaluation",
                    "bias": "params:bias",
                    "reference": "teacher_outputs",
                    **outputs,
                },
                ["bias_report", "bias_metrics"],
                name="assess_groups",
            ),
            node(
                draw_group_curves,
                {
                    "manifest": "manifest",
                    "groups": "held_out_groups",
                    "evaluation_report": "evaluation_report",
                    "evaluation": "params:evaluation",
                    "bias": "params:bias",
                    **outputs,
                },
                "group_curves",
                name="draw_group_curves",
            ),
            node(
                assess_distillation,
                {
                    "manifest": "manifest",
                    "groups": "held_out_groups",
                    "evaluation": "params:evaluation",
                    "bias": "params:bias",
                    **{model: outputs[model] for model in ("student_alone", "student_distilled")},
                },
                "distillation_by_group",
                name="assess_distillation",
            ),
        ]
    )
