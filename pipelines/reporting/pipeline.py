"""The reporting room: every report → one sheet and one page."""

from kedro.pipeline import Pipeline, node

from pipelines.models import ASSESSED, CANDIDATES
from pipelines.reporting.nodes import make_report, picture_faces, show_sheet

REPORTS = (
    "ingestion_metrics",
    "validation_report",
    "protected_groups_report",
    "training_metrics",
    "evaluation_report",
    "template_report",
    "bias_report",
    "group_curves",
    "distillation_by_group",
    "gate_report",
    "registration_record",
    "rollout_report",
    "monitoring_metrics",
    "ablation_report",
    "method_comparison_report",
    "method_comparison_groups",
    "student_search_report",
    "mitigation_report",
)


def create_pipeline() -> Pipeline:
    """Choose faces to show, make the sheet and the page, print the sheet."""
    by_model = [f"{model}_curves" for model in ASSESSED if model != "teacher"]
    by_model += [f"{candidate}_{kind}" for candidate in CANDIDATES for kind in ("metrics", "export")]
    return Pipeline(
        [
            node(
                picture_faces,
                ["manifest", "crops", "student_distilled_outputs", "params:reporting"],
                "pictured_faces",
                name="picture_faces",
            ),
            node(
                make_report,
                {
                    "crops": "crops",
                    "faces": "pictured_faces",
                    "reporting": "params:reporting",
                    **{name: name for name in (*REPORTS, *by_model)},
                },
                ["kpi_sheet", "report_page"],
                name="make_report",
            ),
            node(
                show_sheet,
                ["kpi_sheet", "rollout_report", "training_metrics", "params:reporting"],
                None,
                name="show_sheet",
            ),
        ]
    )
