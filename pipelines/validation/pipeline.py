"""The validation room: manifest and crops → report and seal."""

from kedro.pipeline import Pipeline, node

from pipelines.validation.nodes import check_expectations, gather_facts, stop_on_critical


def create_pipeline() -> Pipeline:
    """Gather the facts, run the suite, stop on a critical finding."""
    return Pipeline(
        [
            node(gather_facts, ["manifest", "crops"], "face_facts", name="gather_facts"),
            node(
                check_expectations, ["face_facts", "params:validation"], "validation_report", name="check_expectations"
            ),
            node(stop_on_critical, "validation_report", "validation_seal", name="stop_on_critical"),
        ]
    )
