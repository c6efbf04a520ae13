"""The rehearsal room: registered releases and replayed traffic → decisions → aliases."""

from kedro.pipeline import Pipeline, node

from pipelines.models import CANDIDATES
from pipelines.rehearsal.nodes import project_registry, rehearse_rollouts


def create_pipeline() -> Pipeline:
    """Rehearse the rollouts, then project the outcome to the registry."""
    rehearsing = node(
        rehearse_rollouts,
        {
            "manifest": "manifest",
            "groups": "held_out_groups",
            "record": "registration_record",
            **{name: f"params:{name}" for name in ("evaluation", "bias", "rollout", "rehearsal", "registration")},
            **{name: f"{name}_outputs" for name in CANDIDATES},
        },
        ["rollout_report", "replayed_traffic"],
        name="rehearse_rollouts",
    )
    projecting = node(
        project_registry,
        ["rollout_report", "params:rollout", "params:registration"],
        "alias_projection",
        name="project_registry",
    )
    return Pipeline([rehearsing, projecting])
