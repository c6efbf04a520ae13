"""Templates whose scores are known: one in the plane for each score, compared with (1, 0)."""

from collections.abc import Sequence

import numpy as np

from countenance.assessment.template_scores import TemplatePairScores
from countenance.assessment.templates import Templates


def templates_of(features64: np.ndarray) -> Templates:
    return Templates(np.arange(len(features64)), features64.astype(np.float32), features64)


def unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def scored_pairs(mated: Sequence[float], non_mated: Sequence[float]) -> TemplatePairScores:
    """Pairs whose float64 scores are these, rounded to the grid; all have template 0 on one side."""
    cosines = np.array([1.0, *mated, *non_mated])
    plane = np.column_stack([cosines, np.sqrt(1.0 - cosines**2)])
    others = np.arange(1, len(cosines))
    return TemplatePairScores.of(templates_of(plane), np.zeros_like(others), others, others <= len(mated))


def random_pairs(seed: int, *, templates: int = 60, dimension: int = 16, pairs: int = 800) -> TemplatePairScores:
    generator = np.random.default_rng(seed)
    subject = generator.integers(0, templates // 4, templates)
    centres = generator.normal(size=(templates // 4, dimension))
    features = unit(centres[subject] + generator.normal(size=(templates, dimension)))
    first, second = generator.integers(0, templates, (2, pairs))
    return TemplatePairScores.of(templates_of(features), first, second, subject[first] == subject[second])
