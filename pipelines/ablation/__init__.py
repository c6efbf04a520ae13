"""Ablation: a command of its own; every task alone against all together, with the same budget."""

from pipelines.ablation.pipeline import create_pipeline

__all__ = ["create_pipeline"]
