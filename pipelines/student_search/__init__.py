"""Student search: a command of its own; which student of a budget learns most in few steps."""

from pipelines.student_search.pipeline import create_pipeline

__all__ = ["create_pipeline"]
