"""Ingestion: every source becomes one manifest, one crop store and one table of protected attributes."""

from pipelines.ingestion.pipeline import create_pipeline

__all__ = ["create_pipeline"]
