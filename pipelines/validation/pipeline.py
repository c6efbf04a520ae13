"""The validation room: manifest and crops → report and seal."""

from kedro.pipeline import Pipeline, node

from pipelines.validation.nodes import (
    check_expectations,
    check_protected_groups,
    gather_facts,
    keep_passed_version,
    stop_on_critical,
    stop_on_protected_groups,
)


def create_pipeline() -> Pipeline:
    """Gather the facts, run the suite, stop on a critical finding, and remember the version that passed.

    Protected groups are counted beside that: the seal, with which every training starts, doesn't follow from them.
    """
    versions = "params:data_versions_folder"
    return Pipeline(
        [
            node(gather_facts, ["manifest", "crops", "params:validation"], "face_facts", name="gather_facts"),
            node(
                check_expectations,
                ["face_facts", "manifest", "params:validation", versions],
                "validation_report",
                name="check_expectations",
            ),
            node(stop_on_critical, "validation_report", "validation_seal", name="stop_on_critical"),
            node(
                keep_passed_version,
                ["face_facts", "validation_report", "params:validation", versions],
                None,
                name="keep_passed_version",
            ),
            node(
                check_protected_groups,
                ["manifest", "protected_attributes", "params:validation", "params:ingestion"],
                "protected_groups_report",
                name="check_protected_groups",
            ),
            node(stop_on_protected_groups, "protected_groups_report", None, name="stop_on_protected_groups"),
        ]
    )
