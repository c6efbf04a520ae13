"""Monitoring: has the replayed traffic drifted from what came before?"""

from pipelines.monitoring.pipeline import create_pipeline

__all__ = ["create_pipeline"]
