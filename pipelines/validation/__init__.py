"""Validation: expectations on every face; a critical one that fails stops the run."""

from pipelines.validation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
