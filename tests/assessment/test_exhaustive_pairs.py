import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.assessment import exhaustive_pairs
from countenance.assessment.exhaustive_pairs import HighScores, Samples, pair_total
from countenance.assessment.score_grid import on_grid
from countenance.assessment.verification import threshold_at_far
from countenance.errors import AssessmentError
from tests.assessment.populations import embeddings, photos_of


def plain(samples: Samples) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows and float64 scores of every non-mated comparison of samples that could be extracted."""
    first, second = np.triu_indices(len(samples.subject), 1)
    made = (samples.subject[first] != samples.subject[second]) & ~samples.failed[first] & ~samples.failed[second]
    first, second = first[made], second[made]
    return first, second, on_grid(np.einsum("pd,pd->p", samples.features[first], samples.features[second]))


def crowd(people: int, photos: int, seed: int = 1) -> Samples:
    return Samples.of(embeddings(people, photos, noise=1.0, seed=seed), photos_of(people, photos))


def test_pairs_of_different_things_by_hand():
    # 2 * 3 + 2 * 1 + 3 * 1
    assert pair_total([2, 3, 1]) == 11.0
    assert pair_total([5]) == 0.0


@settings(deadline=None, max_examples=30)
@given(people=st.integers(2, 12), photos=st.integers(1, 4), rate=st.floats(0.01, 0.9), rows=st.integers(2, 60))
def test_the_threshold_and_its_false_matches_are_those_of_a_plain_float64_computation(
    people: int, photos: int, rate: float, rows: int
):
    samples = crowd(people, photos, seed=people)
    first, second, scores = plain(samples)
    assert samples.non_mated == len(scores)
    expected = threshold_at_far(scores, rate)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exhaustive_pairs, "BLOCK_ROWS", rows)
        if expected.threshold is None:
            with pytest.raises(AssessmentError, match="below 1 in"):
                HighScores.for_rate(samples, rate)
            return
        high = HighScores.for_rate(samples, rate)
    threshold = high.threshold_at(rate)
    assert threshold == pytest.approx(expected.threshold, abs=1e-15)
    found = {(int(one), int(other)) for one, other in zip(*high.matches(threshold), strict=True)}
    wanted = {(int(one), int(other)) for one, other in zip(first[scores > threshold], second[scores > threshold])}  # noqa: B905
    assert found == wanted


def test_scores_that_only_float64_tells_from_the_threshold_are_told():
    # The cosine of the two is 0.5 + 1e-9, which float32 rounds to 0.5.
    angle = np.arccos(0.5 + 1e-9)
    rows = np.array([[1.0, 0.0], [np.cos(angle), np.sin(angle)]])
    high = HighScores.above(Samples.of(rows, ["anna", "bela"]), 0.4)
    assert len(high.matches(0.5)[0]) == 1
    assert len(high.matches(0.5 + 2e-9)[0]) == 0


def test_a_failure_to_extract_matches_nobody_and_misses_its_own_subject():
    rows = np.array([[1.0, 0.0], [0.0, 0.0], [1.0, 0.0], [np.nan, 1.0], [3.0, 0.0]])
    samples = Samples.of(rows, ["anna", "anna", "bela", "bela", "anna"])
    assert samples.failed.tolist() == [False, True, False, True, False]
    # Extracted: two of anna, one of bela.
    assert samples.non_mated == 2
    assert [len(side) for side in HighScores.above(samples, 0.0).matches(0.5)] == [2, 2]
    subject, scores = samples.mated_scores()
    assert subject.tolist() == [0, 0, 0, 1]
    assert scores.tolist() == [-np.inf, 1.0, -np.inf, -np.inf]


def test_a_threshold_below_the_floor_is_refused():
    high = HighScores.above(crowd(6, 2), 0.5)
    with pytest.raises(AssessmentError, match="under the floor"):
        high.matches(0.4)
    with pytest.raises(AssessmentError, match="lower the floor"):
        high.threshold_at(0.9)


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(AssessmentError, match="shape"):
        Samples.of(np.ones(3), ["anna"] * 3)
    with pytest.raises(AssessmentError, match="Sample 1 has no subject"):
        Samples.of(np.ones((2, 3)), ["anna", None])


def test_a_floor_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(exhaustive_pairs, "KEPT_LIMIT", 10)
    with pytest.raises(AssessmentError, match="More than 10 comparisons score above"):
        HighScores.above(crowd(6, 2), -1.0)
