"""Moved: see :mod:`countenance.learning.teachers`."""

from countenance.learning.teachers.features import TeacherFeatures

__all__ = ["TeacherFeatures"]
