"""Bias: every model by group, at the threshold that is common to all groups."""

from pipelines.bias.pipeline import create_pipeline

__all__ = ["create_pipeline"]
