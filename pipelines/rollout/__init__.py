"""Rollout: an operator's command, safe to run every minute; one step of the controller, shown and told."""

from pipelines.rollout.pipeline import create_pipeline

__all__ = ["create_pipeline"]
