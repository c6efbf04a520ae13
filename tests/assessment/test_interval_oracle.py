"""Against cimat 0.1.2 (Apache-2.0), the package by the authors of the dyadic interval; ``make test`` installs it."""

import numpy as np
import pytest
from cimat import UncertaintyEstimator

from countenance.assessment.exhaustive_errors import SubjectPairErrors
from countenance.assessment.intervals import dyadic_variance


@pytest.mark.parametrize(("people", "photos", "spread", "seed"), [(5, 1, 1.0, 0), (12, 3, 0.5, 1), (20, 4, 1.5, 2)])
def test_the_dyadic_variance_equals_that_of_the_package_by_the_papers_authors(people, photos, spread, seed):
    generator = np.random.default_rng(seed)
    likeness = spread * generator.normal(size=people)
    scores: dict[int, dict[int, list[float]]] = {person: {} for person in range(people)}
    dyads = []
    for one in range(people):
        for other in range(one, people):
            # Pairs of a subject with itself are mated; not all pairs of subjects have equally many comparisons.
            drawn = generator.normal(likeness[one] + likeness[other], 1.0, size=photos + (one + other) % 3)
            scores[one][other] = scores[other][one] = [float(score) for score in drawn]
            dyads.append((one, other, drawn))
    estimator = UncertaintyEstimator(scores)
    mated, non_mated = estimator.compute_variance(threshold=0.5, estimator="plugin")
    for variance, chosen, wrong in (
        (mated, [dyad for dyad in dyads if dyad[0] == dyad[1]], lambda score: score < 0.5),
        (non_mated, [dyad for dyad in dyads if dyad[0] != dyad[1]], lambda score: score > 0.5),
    ):
        ours = dyadic_variance(
            [wrong(drawn).sum() for _, _, drawn in chosen],
            [len(drawn) for _, _, drawn in chosen],
            [one for one, _, _ in chosen],
            [other for _, other, _ in chosen],
        )
        assert variance > 0.0
        assert ours == pytest.approx(variance, rel=1e-9, abs=0.0)


@pytest.mark.parametrize(("rate", "seed"), [(0.3, 0), (0.4, 3)])
def test_the_variance_from_false_matches_alone_equals_that_of_the_package(rate, seed):
    generator = np.random.default_rng(seed)
    usable = generator.integers(1, 4, size=15)
    first, second = np.triu_indices(len(usable), 1)
    likely = np.clip(rate * generator.lognormal(size=len(usable)), 0.0, 1.0)
    errors = generator.binomial(usable[first] * usable[second], np.sqrt(likely[first] * likely[second]))
    scores: dict[int, dict[int, list[float]]] = {person: {person: [1.0, 0.0]} for person in range(len(usable))}
    for one, other, wrong in zip(first.tolist(), second.tolist(), errors.tolist(), strict=True):
        right = int(usable[one] * usable[other]) - wrong
        scores[one][other] = scores[other][one] = [1.0] * wrong + [0.0] * right
    _, variance = UncertaintyEstimator(scores).compute_variance(threshold=0.5, estimator="plugin")
    seen = errors > 0
    found = SubjectPairErrors(usable, first[seen], second[seen], errors[seen]).rate(np.ones(len(usable), dtype=bool))
    assert found.design_effect > 1.0  # held at 1, the variance would not show
    independent = found.value * (1.0 - found.value) / found.comparisons
    assert found.design_effect * independent == pytest.approx(variance, rel=1e-9, abs=0.0)
