import numpy as np
import pytest

from countenance.assessment.differential import differential_of
from countenance.assessment.exhaustive_errors import ExhaustiveErrorCounts
from countenance.assessment.exhaustive_pairs import HighScores, Samples
from countenance.assessment.intervals import Resampling
from countenance.assessment.score_normalisation import CohortNormalisation, NormalisationConfiguration
from countenance.assessment.verification import threshold_at_far
from countenance.errors import AssessmentError
from tests.assessment.populations import embeddings, photos_of

TWO = NormalisationConfiguration(neighbours=2)


def directions(*degrees: float) -> np.ndarray:
    angles = np.deg2rad(degrees)
    return np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_by_hand_what_a_sample_has_in_common_with_its_nearest_strangers_is_taken_out():
    # Cohort at 60, 90 and 180 degrees. The nearest two of each: 60 -> (30, 120), 90 -> (30, 90), 180 -> (90, 120).
    cosines = {angle: np.cos(np.deg2rad(angle)) for angle in (30, 60, 90, 120)}
    near = [(cosines[30], cosines[120]), (cosines[30], cosines[90]), (cosines[90], cosines[120])]
    mean, deviation = np.mean([np.mean(pair) for pair in near]), np.mean([np.std(pair) for pair in near])
    normalisation = CohortNormalisation(5.0 * directions(60, 90, 180), TWO)
    # A sample at 0 degrees has 60 and 90 nearest.
    scale, shift = normalisation.scale_and_shift(directions(0))
    mu, sigma = np.mean([cosines[60], cosines[90]]), np.std([cosines[60], cosines[90]])
    assert scale[0] == pytest.approx(deviation / (2 * sigma))
    score = 0.9
    # Compared with a sample like itself, s' is (s - mu) / sigma on the cohort's scale.
    assert score * 2 * scale[0] + 2 * shift[0] == pytest.approx(mean + deviation * (score - mu) / sigma)


def test_a_cohort_that_is_alike_everywhere_keeps_the_order_of_scores():
    rows = directions(*range(0, 360, 10))
    scale, shift = CohortNormalisation(rows, NormalisationConfiguration(neighbours=6)).scale_and_shift(rows[:, ::-1])
    assert np.ptp(scale) == pytest.approx(0.0, abs=1e-9)
    assert np.ptp(shift) == pytest.approx(0.0, abs=1e-9)


def crowd(people: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Every second person's faces spread over 40 of 64 dimensions only, so that they are mistaken more often."""
    rows = embeddings(people, 4, noise=0.8, seed=seed, dimensions=64)
    crowded = np.repeat(np.arange(people) % 2 == 0, 4)
    rows[crowded, 40:] = 0.0
    return rows, crowded


def test_a_crowded_group_is_mistaken_less_unequally_and_its_own_people_are_still_known():
    rows, _ = crowd(240, 1)
    cohort, _ = crowd(800, 2)
    samples = Samples.of(rows, photos_of(240, 4))
    groups = {name: "crowded" if number % 2 == 0 else "others" for number, name in enumerate(samples.subjects)}
    found = {}
    for name, each in (("before", samples), ("after", samples.normalised(CohortNormalisation(cohort[::4])))):
        high = HighScores.for_rate(each, 1e-3)
        counts = ExhaustiveErrorCounts(high, groups, high.threshold_at(1e-3))
        found[name] = differential_of(counts, resampling=Resampling(resamples=100))
    before, after = (found[name].fmr_disparity for name in ("before", "after"))
    assert before.low > 2.0
    assert after.high < before.low
    assert after.value < 1.4
    assert max(item.fnmr.value for item in found["after"].groups) < 0.3


def test_normalised_scores_are_counted_as_exactly_as_cosines():
    rows, _ = crowd(30, 3)
    cohort, _ = crowd(60, 4)
    samples = Samples.of(rows, photos_of(30, 4)).normalised(
        CohortNormalisation(cohort, NormalisationConfiguration(neighbours=20))
    )
    first, second = np.triu_indices(120, 1)
    strangers = samples.subject[first] != samples.subject[second]
    first, second = first[strangers], second[strangers]
    cosines = np.einsum("pd,pd->p", samples.features[first], samples.features[second])
    scores = cosines * (samples.scale[first] + samples.scale[second]) + samples.shift[first] + samples.shift[second]
    expected = threshold_at_far(scores, 0.05)
    high = HighScores.for_rate(samples, 0.05)
    assert high.threshold_at(0.05) == pytest.approx(expected.threshold, abs=1e-12)
    assert len(high.matches(expected.threshold + 1e-9)[0]) == int((scores > expected.threshold + 1e-9).sum())
    everything = HighScores.for_rate(samples, 0.9)
    assert everything.threshold_at(0.9) == pytest.approx(threshold_at_far(scores, 0.9).threshold, abs=1e-12)


def test_a_cohort_that_cannot_serve_is_refused():
    with pytest.raises(AssessmentError, match="no 100 neighbours"):
        CohortNormalisation(np.ones((100, 3)))
    with pytest.raises(AssessmentError, match="Row 1 of the cohort"):
        CohortNormalisation(np.array([[1.0, 0.0], [0.0, 0.0], [0.0, 1.0]]), TWO)
