"""How often intervals hold the truth, in populations whose true rate is known."""

import numpy as np
import pytest
from scipy import stats

from countenance.assessment.exhaustive_errors import SubjectPairErrors
from countenance.assessment.exhaustive_pairs import HighScores, Samples
from countenance.assessment.intervals import wilson_interval

PEOPLE, PHOTOS, FMR = 100, 25, 1e-3
EVERYBODY = np.ones(PEOPLE, dtype=bool)


def covered(populations) -> tuple[float, float]:
    """The share of nominal 95 % intervals that hold the truth: over subjects, and over pairs."""
    subjects, pairs = [], []
    for errors in populations:
        rate = errors.rate(EVERYBODY)
        naive = wilson_interval(rate.value, rate.comparisons)
        subjects.append(rate.low <= FMR <= rate.high)
        pairs.append(naive.low <= FMR <= naive.high)
    return float(np.mean(subjects)), float(np.mean(pairs))


def mistakable_people(repetitions: int, *, of_subject: float, of_pair: float):
    """Some people are easily mistaken for anyone, and some for one another: shares of the variance of scores."""
    generator = np.random.default_rng(20)
    first, second = np.triu_indices(PEOPLE, 1)
    threshold = stats.norm.isf(FMR)
    rest = np.sqrt(1.0 - 2.0 * of_subject - of_pair)
    for _ in range(repetitions):
        likeness = np.sqrt(of_subject) * generator.normal(size=PEOPLE)
        pair = np.sqrt(of_pair) * generator.normal(size=len(first))
        chance = stats.norm.sf((threshold - likeness[first] - likeness[second] - pair) / rest)
        errors = generator.binomial(PHOTOS * PHOTOS, chance)
        wrong = errors > 0
        yield SubjectPairErrors(np.full(PEOPLE, PHOTOS), first[wrong], second[wrong], errors[wrong])


def embedded_people(repetitions: int, *, dimensions: int, noise: float):
    """Photos scattered about one direction a person; a cosine of two people is that of two random directions."""
    generator = np.random.default_rng(21)
    shape = (dimensions - 1) / 2
    threshold = 2.0 * stats.beta.isf(FMR, shape, shape) - 1.0
    names = np.repeat(np.arange(PEOPLE), PHOTOS)
    for _ in range(repetitions):
        centres = generator.normal(size=(PEOPLE, dimensions))[names]
        samples = Samples.of(centres + noise * generator.normal(size=centres.shape), names)
        yield SubjectPairErrors.of(HighScores.above(samples, threshold), threshold)


@pytest.mark.slow
def test_of_mistakable_people_intervals_over_subjects_hold_the_truth_where_those_over_pairs_rarely_do():
    subjects, pairs = covered(mistakable_people(2000, of_subject=0.09, of_pair=0.3))
    print(f"intervals that hold the truth: {subjects:.1%} over subjects, {pairs:.1%} over pairs")
    assert 0.85 <= subjects <= 0.99
    assert pairs <= 0.15


@pytest.mark.slow
def test_of_embedded_people_intervals_over_subjects_hold_the_truth_where_those_over_pairs_rarely_do():
    subjects, pairs = covered(embedded_people(300, dimensions=64, noise=0.25))
    print(f"intervals that hold the truth: {subjects:.1%} over subjects, {pairs:.1%} over pairs")
    assert 0.85 <= subjects <= 0.99
    assert pairs <= 0.25


def test_a_smaller_simulation_says_the_same():
    subjects, pairs = covered(mistakable_people(150, of_subject=0.09, of_pair=0.3))
    assert subjects >= 0.85
    assert pairs <= 0.2
