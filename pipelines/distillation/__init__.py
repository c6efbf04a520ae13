"""Distillation: AdaDistill, the same student alone with the same budget, and a damaged candidate."""

from pipelines.distillation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
