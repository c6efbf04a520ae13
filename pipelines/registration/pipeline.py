"""The registration room: candidates → gates → release units → registry."""

from kedro.pipeline import Pipeline, node

from pipelines.models import CANDIDATES
from pipelines.registration.nodes import build_releases, describe_dataset, gate_candidates, register_releases


def create_pipeline() -> Pipeline:
    """Gate, build and register every candidate."""
    reports = {"evaluation_report": "evaluation_report", "bias_report": "bias_report"}
    declared = {name: f"params:{name}" for name in ("registration", "governance", "distillation", "training")}
    gating = node(
        gate_candidates,
        {
            "manifest": "manifest",
            "groups": "held_out_groups",
            **reports,
            "evaluation": "params:evaluation",
            "bias": "params:bias",
            **declared,
            **_named("outputs", "export"),
        },
        "gate_report",
        name="gate_candidates",
    )
    describing = node(
        describe_dataset,
        {
            **{name: name for name in ("manifest", "crops", "validation_report", "ingestion_metrics")},
            "groups": "held_out_groups",
            **{name: f"params:{name}" for name in ("governance", "bias", "registration")},
            "files": "params:release_sources",
        },
        ["dataset_sheet", "release_hashes"],
        name="describe_dataset",
    )
    building = node(
        build_releases,
        {
            "manifest": "manifest",
            **reports,
            **{name: name for name in ("gate_report", "dataset_sheet")},
            "dvc_hashes": "release_hashes",
            **declared,
            "folder": "params:releases_folder",
            **_named("onnx", "proposals", "export", "metrics"),
        },
        "releases",
        name="build_releases",
    )
    registering = node(
        register_releases, ["releases", "params:registration"], "registration_record", name="register_releases"
    )
    return Pipeline([gating, describing, building, registering])


def _named(*kinds: str) -> dict[str, str]:
    return {f"{name}_{kind}": f"{name}_{kind}" for name in CANDIDATES for kind in kinds}
