import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment import template_scores
from countenance.assessment.pairs import ComparisonScores, mated_pairs, non_mated_pairs, pair_scores
from countenance.errors import AssessmentError
from tests.assessment.populations import embeddings, pairs_of, scores_of


def listed(first: np.ndarray, second: np.ndarray) -> list[tuple[int, int]]:
    return list(zip(first.tolist(), second.tolist(), strict=True))


def test_mated_and_non_mated_pairs_of_a_tiny_list():
    subjects = ["a", "b", "a", None, "b", "a"]
    assert listed(*mated_pairs(subjects)) == [(0, 2), (0, 5), (1, 4), (2, 5)]
    every = listed(*non_mated_pairs(subjects, 100, np.random.default_rng(0)))
    assert every == [(0, 1), (0, 4), (1, 2), (1, 5), (2, 4), (4, 5)]


def test_no_subject_gives_no_pair():
    assert listed(*mated_pairs([None, None])) == []
    assert listed(*non_mated_pairs([None, None], 5, np.random.default_rng(0))) == []


@given(subjects=st.lists(st.integers(0, 6), min_size=2, max_size=60), limit=st.integers(1, 60), seed=st.integers(0, 99))
def test_a_sample_of_non_mated_pairs_has_no_repeat_and_no_mate(subjects: list[int], limit: int, seed: int):
    first, second = non_mated_pairs(subjects, limit, np.random.default_rng(seed))
    codes = np.array(subjects)
    total = sum(one != other for row, one in enumerate(subjects) for other in subjects[row + 1 :])
    assert len(first) == min(limit, total)
    assert (first < second).all()
    assert (codes[first] != codes[second]).all()
    assert len(set(listed(first, second))) == len(first)


def test_the_same_seed_draws_the_same_pairs_and_another_seed_others():
    subjects = [f"s{number % 50}" for number in range(300)]
    drawn = [listed(*non_mated_pairs(subjects, 500, np.random.default_rng(seed))) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]


def test_every_pair_is_drawn_about_equally_often():
    subjects = list(range(20))  # 190 pairs, 40 drawn at a time: the rejection path
    counts = np.zeros((20, 20))
    for seed in range(600):
        first, second = non_mated_pairs(subjects, 40, np.random.default_rng(seed))
        counts[first, second] += 1
    seen = counts[np.triu_indices(20, 1)]
    assert seen.mean() == pytest.approx(600 * 40 / 190)
    assert seen.std() < 1.5 * np.sqrt(600 * 40 / 190)


def test_a_limit_under_one_is_refused():
    with pytest.raises(AssessmentError, match="limit"):
        non_mated_pairs(["a", "b"], 0, np.random.default_rng(0))


def test_the_cosine_of_a_pair_by_hand():
    features = np.array([[1, 0], [0.6, 0.8], [0, -1]], dtype=np.float32)
    assert pair_scores(features, np.array([0, 1, 0]), np.array([1, 2, 2])) == pytest.approx(np.array([0.6, -0.8, 0.0]))


def test_gathering_pairs_and_multiplying_blocks_give_the_same_scores(monkeypatch: pytest.MonkeyPatch):
    features = embeddings(100, 3, noise=0.5, seed=4)
    generator = np.random.default_rng(0)
    first, second = generator.integers(0, 300, (2, 2000))
    expected = (features[first].astype(float) * features[second]).sum(axis=1)
    for cells in (10**9, 0):
        monkeypatch.setattr(template_scores, "CELLS_PER_GATHERED_PAIR", cells)
        assert pair_scores(features, first, second) == pytest.approx(expected, abs=1e-6)


def test_features_and_indices_that_do_not_fit_are_refused():
    features = np.array([[1, 0], [1, 1]], dtype=np.float32)
    with pytest.raises(AssessmentError, match="row 1 the feature is not a unit vector"):
        pair_scores(features, np.array([0]), np.array([1]))
    with pytest.raises(AssessmentError, match="outside the 1 features"):
        pair_scores(features[:1], np.array([0]), np.array([1]))
    with pytest.raises(AssessmentError, match="outside the 1 features"):
        pair_scores(features[:1], np.array([-1]), np.array([0]))
    with pytest.raises(AssessmentError, match=r"shape \(2,\)"):
        pair_scores(features[0], np.array([0]), np.array([1]))


def test_comparison_pairs_carry_subject_codes_and_say_whether_any_was_left_out():
    pairs = pairs_of(["b", "a", "b", None, "c"])
    assert pairs.subjects.tolist() == ["a", "b", "c"]
    assert pairs.mated_subject.tolist() == [1]
    assert pairs.non_mated_subject_first.tolist() == [1, 1, 0, 0, 1]
    assert pairs.non_mated_subject_second.tolist() == [0, 2, 1, 2, 2]
    assert pairs.exhaustive
    assert not pairs_of(["b", "a", "b", None, "c"], limit=2).exhaustive


def test_pairs_are_the_same_when_their_rows_are():
    subjects = ["a", "a", "b"]
    assert pairs_of(subjects).same_as(pairs_of(subjects))
    assert not pairs_of(subjects).same_as(pairs_of(["a", "b", "b"]))


def test_scores_must_match_their_pairs_and_be_numbers():
    with pytest.raises(AssessmentError, match="mated_scores has 0"):
        scores_of(["a", "a", "b"], [], [0.1, 0.2])
    with pytest.raises(AssessmentError, match="row 1 the non-mated scores"):
        scores_of(["a", "a", "b"], [0.5], [0.1, -np.inf])
    failed = scores_of(["a", "a", "b"], [-np.inf], [0.1, 0.2])
    assert isinstance(failed, ComparisonScores)
