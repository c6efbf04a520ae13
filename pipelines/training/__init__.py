"""Training: one network learns seven tasks from everything that is labelled."""

from pipelines.training.pipeline import create_pipeline

__all__ = ["create_pipeline"]
