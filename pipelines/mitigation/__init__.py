"""Mitigation: a command of its own; what balanced sampling and normalised scores do for a group that is let down."""

from pipelines.mitigation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
