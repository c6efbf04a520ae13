"""Registration: gates, release units, and versions in the MLflow registry."""

from pipelines.registration.pipeline import create_pipeline

__all__ = ["create_pipeline"]
