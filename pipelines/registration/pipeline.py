"""The registration room: candidates → gates → release units → registry."""

from kedro.pipeline import Pipeline, node

from pipelines.models import CANDIDATES
from pipelines.registration.nodes import build_releases, gate_candidates, register_releases


def create_pipeline() -> Pipeline:
    """Gate, build and register every candidate."""
    reports = {"evaluation_report": "evaluation_report", "bias_report": "bias_report"}
    gating = node(
        gate_candidates,
        {
            "manifest": "manifest",
            "groups": "held_out_groups",
            **reports,
            "evaluation": "params:evaluation",
            "bias": "params:bias",
            "registration": "params:registration",
            **_named("outputs", "export"),
        },
        "gate_report",
        name="gate_candidates",
    )
    building = node(
        build_releases,
        {
            "manifest": "manifest",
            **reports,
            "gate_report": "gate_report",
            "registration": "params:registration",
            "folder": "params:releases_folder",
            **_named("onnx", "proposals", "export", "metrics"),
        },
        "releases",
        name="build_releases",
    )
    registering = node(
        register_releases, ["releases", "params:registration"], "registration_record", name="register_releases"
    )
    return Pipeline([gating, building, registering])


def _named(*kinds: str) -> dict[str, str]:
    return {f"{name}_{kind}": f"{name}_{kind}" for name in CANDIDATES for kind in kinds}
