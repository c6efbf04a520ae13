"""Rollback: an operator's command; the previous champion answers everybody again, at once."""

from pipelines.rollback.pipeline import create_pipeline

__all__ = ["create_pipeline"]
