"""Rehearsal: shadow, canary and bake on replayed traffic, and the registry as a projection of what was decided."""

from pipelines.rehearsal.pipeline import create_pipeline

__all__ = ["create_pipeline"]
