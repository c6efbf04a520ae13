"""The monitoring room: replayed traffic → drift."""

from kedro.pipeline import Pipeline, node

from pipelines.monitoring.nodes import watch_traffic


def create_pipeline() -> Pipeline:
    """Compare the traffic of the latest rollout with that of the one before."""
    return Pipeline(
        [
            node(
                watch_traffic,
                ["replayed_traffic", "params:monitoring"],
                ["monitoring_page", "monitoring_metrics"],
                name="watch_traffic",
            ),
        ]
    )
