"""Small worlds with known subjects and scores, for the tests of this room."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from countenance.assessment.pairs import ComparisonPairs, ComparisonScores


def pairs_of(subjects: list[str], limit: int = 3_000_000, seed: int = 0) -> ComparisonPairs:
    return ComparisonPairs.enumerate(subjects, limit=limit, generator=np.random.default_rng(seed))


def scores_of(subjects: list[str], mated: list[float], non_mated: list[float]) -> ComparisonScores:
    """Scores given by hand, in the ascending order of the pairs."""
    return ComparisonScores(pairs_of(subjects), np.array(mated), np.array(non_mated))


def photos_of(people: int, photos: int) -> list[str]:
    return [f"s{person:04d}" for person in range(people) for _ in range(photos)]


def embeddings(people: int, photos: int, *, noise: float, seed: int, dimensions: int = 16) -> NDArray[np.float32]:
    """Unit vectors scattered about one direction a person; the same seed gives the same people."""
    generator = np.random.default_rng(seed)
    centres = np.repeat(generator.normal(size=(people, dimensions)), photos, axis=0)
    samples = centres + noise * generator.normal(size=centres.shape)
    return (samples / np.linalg.norm(samples, axis=1, keepdims=True)).astype(np.float32)


def scored(people: int, photos: int, *, noise: float, seed: int = 1, limit: int = 3_000_000) -> ComparisonScores:
    return pairs_of(photos_of(people, photos), limit).score(embeddings(people, photos, noise=noise, seed=seed))


def two_groups(people: int) -> tuple[ComparisonScores, dict[str, str]]:
    """Three photos of each, people in groups "even" and "odd" in turn."""
    groups = {name: "odd" if number % 2 else "even" for number, name in enumerate(sorted(set(photos_of(people, 3))))}
    return scored(people, 3, noise=1.2), groups
