"""The rollout command: the store's decisions and labels → a decision → the registry and the operators."""

from kedro.pipeline import Pipeline, node

from pipelines.rollout.nodes import reconcile_registry, send_notifications, start_candidate, step_controller


def create_pipeline() -> Pipeline:
    """Start the named candidate, if there is one, take a step, show it, tell it."""
    parameters = {"rollout": "params:rollout", "registration": "params:registration"}
    starting = node(
        start_candidate,
        parameters | {"record": "candidates_record", "evaluation": "candidates_evaluation"},
        "rollout_start",
        name="start_candidate",
    )
    stepping = node(
        step_controller,
        parameters | {"started": "rollout_start", "record": "candidates_record"},
        "rollout_step",
        name="step_controller",
    )
    reconciling = node(
        reconcile_registry, parameters | {"step": "rollout_step"}, "registry_state", name="reconcile_registry"
    )
    telling = node(
        send_notifications,
        parameters | {"reconciled": "registry_state"},
        "notifications_sent",
        name="send_notifications",
    )
    return Pipeline([starting, stepping, reconciling, telling])
