import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.assessment.balanced_pairs import AccuracyResampler, BalancedPairs
from countenance.assessment.folds import verification_accuracy
from countenance.errors import AssessmentError

from .populations import embeddings, photos_of


def drawn(people=12, photos=3, folds=3, pairs_per_fold=20, seed=0):
    return BalancedPairs.draw(
        photos_of(people, photos), folds=folds, pairs_per_fold=pairs_per_fold, generator=np.random.default_rng(seed)
    )


def test_half_of_each_folds_pairs_are_mated_and_no_pair_comes_twice():
    pairs = drawn()
    for fold in range(3):
        inside = pairs.fold == fold
        assert (inside.sum(), pairs.mated[inside].sum()) == (20, 10)
    assert len(set(zip(pairs.first, pairs.second, strict=True))) == len(pairs.fold) == 60
    assert (pairs.first != pairs.second).all()


def test_folds_share_nobody():
    pairs = drawn()
    seen = [{*pairs.subject_first[pairs.fold == fold], *pairs.subject_second[pairs.fold == fold]} for fold in range(3)]
    assert not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])


def test_a_fold_with_fewer_pairs_of_one_kind_has_as_few_of_the_other():
    # Six people in two folds of three: three mated pairs of two photos each, 12 non-mated ones.
    pairs = drawn(people=6, photos=2, folds=2, pairs_per_fold=100)
    assert np.bincount(pairs.fold).tolist() == [6, 6]


def test_faces_without_a_person_are_left_out():
    subjects = np.array([None, *photos_of(4, 2), None], dtype=object)
    pairs = BalancedPairs.draw(subjects, folds=2, pairs_per_fold=10, generator=np.random.default_rng(0))
    assert not {0, 9} & {*pairs.first, *pairs.second}


def test_too_few_people_are_refused():
    with pytest.raises(AssessmentError, match="5 subjects cannot be dealt into 3 folds with strangers in each"):
        drawn(people=5)
    with pytest.raises(AssessmentError, match="Fewer than two folds have both"):
        drawn(photos=1)


def scores_of(pairs, noise, people=12, photos=3):
    return pairs.score(embeddings(people, photos, noise=noise, seed=5))


@settings(max_examples=25)
@given(st.integers(0, 10_000), st.floats(0.2, 3.0), st.sampled_from([1, 3, 64]))
def test_with_everybody_once_the_accuracy_is_that_of_the_protocol(seed, noise, levels):
    pairs = drawn(seed=seed)
    # Few levels make many equal scores.
    scores = np.round(scores_of(pairs, noise) * levels) / levels
    expected = verification_accuracy(scores, pairs.mated, pairs.fold)
    found = AccuracyResampler(pairs, scores)(np.ones((1, 12), dtype=np.int64))
    assert found[0] == pytest.approx(expected.mean)


@settings(max_examples=15)
@given(st.integers(0, 10_000))
def test_a_person_drawn_twice_counts_as_if_the_pairs_were_there_twice(seed):
    pairs = drawn()
    scores = scores_of(pairs, 1.5)
    weights = np.random.default_rng(seed).integers(0, 3, 12)
    times = np.where(pairs.mated, weights[pairs.subject_first],
                     weights[pairs.subject_first] * weights[pairs.subject_second])  # fmt: skip
    if len(np.unique(pairs.fold[times > 0])) < 3:
        return
    rows = np.repeat(np.arange(len(scores)), times)
    found = AccuracyResampler(pairs, scores)(weights[None, :])[0]
    expected = verification_accuracy(scores[rows], pairs.mated[rows], pairs.fold[rows]).mean
    # Where pairs fell away the gap that the threshold lies in the middle of is wider for the protocol.
    assert found == pytest.approx(expected, abs=0.1)


def test_by_hand_a_resample_changes_the_threshold_of_the_others():
    pairs = BalancedPairs(
        subjects=np.array(list("abcd"), dtype=object),
        first=np.arange(4), second=np.arange(4),
        subject_first=np.array([0, 0, 2, 2]), subject_second=np.array([0, 1, 2, 3]),
        fold=np.array([0, 0, 1, 1]),
    )  # fmt: skip
    accuracy = AccuracyResampler(pairs, np.array([0.6, 0.4, 0.9, 0.7]))
    found = accuracy(np.array([[1, 1, 1, 1], [1, 1, 2, 1], [1, 1, 1, 0], [0, 0, 0, 0]]))
    # Fold 0 is cut at .8 by fold 1: its mated pair is missed. Fold 1 is cut at .5 by fold 0: its stranger is let in.
    assert found[0] == 0.5
    # With c twice a mated pair counts 2 and the pair of c and d 2, too: nothing else comes of it.
    assert found[1] == 0.5
    # Without d the mated pair is all that is left of fold 1, and it is accepted.
    assert found[2] == (0.5 + 1.0) / 2
    assert np.isnan(found[3])


def test_better_embeddings_decide_better():
    pairs = drawn(people=40, photos=4, folds=5, pairs_per_fold=60)
    everybody = np.ones((1, 40), dtype=np.int64)
    good, bad = (AccuracyResampler(pairs, scores_of(pairs, noise, 40, 4))(everybody)[0] for noise in (0.3, 2.5))
    assert good > bad > 0.4
