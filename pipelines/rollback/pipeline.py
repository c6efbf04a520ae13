"""The rollback command: no data in, none out; the rollout store is what it moves."""

from kedro.pipeline import Pipeline, node

from pipelines.rollback.nodes import roll_back


def create_pipeline() -> Pipeline:
    """One node, run by a person."""
    return Pipeline([node(roll_back, ["params:rollout", "params:registration"], None, name="roll_back")])
