"""Reporting: the KPI sheet in the terminal, and one page that shows what was measured and decided."""

from pipelines.reporting.pipeline import create_pipeline

__all__ = ["create_pipeline"]
