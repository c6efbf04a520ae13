"""Evaluation: every model on people that it never saw, by the protocols of the field."""

from pipelines.evaluation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
