"""Method comparison: a command of its own; every way to distil the same student, with the same budget."""

from pipelines.method_comparison.pipeline import create_pipeline

__all__ = ["create_pipeline"]
