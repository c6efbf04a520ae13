"""The evaluation room: models → outputs on held-out people → one report."""

from kedro.pipeline import Pipeline, node

from pipelines.evaluation.nodes import (
    assess_models,
    assess_templates,
    compare_runs,
    embed_templates,
    make_template_protocol,
    read_held_out,
    read_held_out_with_teacher,
    search_photos,
)
from pipelines.models import ASSESSED


def create_pipeline() -> Pipeline:
    """Read the held-out faces with every model, and assess all on the same comparisons, of faces and of templates."""
    reading = [
        node(read_held_out, ["manifest", "crops", f"{model}_network"], f"{model}_outputs", name=f"read_with_{model}")
        for model in ASSESSED
        if model != "teacher"
    ]
    reading.append(
        node(
            read_held_out_with_teacher,
            ["manifest", "crops", "all_in_one_outputs", "params:distillation", "params:teacher_cache_folder"],
            "teacher_outputs",
            name="read_with_teacher",
        )
    )
    outputs = {model: f"{model}_outputs" for model in ASSESSED}
    assessing = node(
        assess_models,
        {"manifest": "manifest", "found": "all_in_one_found", "parameters": "params:evaluation", **outputs},
        "evaluation_report",
        name="assess_models",
    )
    templates = [
        node(
            make_template_protocol,
            ["manifest", "params:template_protocol"],
            "template_protocol",
            name="make_template_protocol",
        ),
        node(
            embed_templates, {"protocol": "template_protocol", **outputs}, "template_embeddings", name="embed_templates"
        ),
        node(
            assess_templates,
            ["template_protocol", "template_embeddings", "params:template_protocol", "params:evaluation"],
            "template_report",
            name="assess_templates",
        ),
    ]
    comparing = node(
        compare_runs,
        ["evaluation_report", "template_report"],
        ["evaluation_metrics", "tar_table"],
        name="compare_runs",
    )
    searching = node(
        search_photos,
        ["manifest", "crops", "all_in_one_network", "params:photo_search"],
        "all_in_one_found",
        name="search_photos",
    )
    return Pipeline([*reading, searching, assessing, *templates, comparing])
