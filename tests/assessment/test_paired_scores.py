import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.intervals import Resampling
from countenance.assessment.paired_scores import averaged, paired_score_gain, paired_tar_gain
from countenance.assessment.row_scores import RowScores
from countenance.errors import AssessmentError

from .populations import embeddings, pairs_of, photos_of

QUICK = Resampling(resamples=100)


def errors(*values):
    return RowScores(np.array(values, dtype=float), "years", higher_is_better=False, proportion=False)


def decisions(*values):
    return RowScores(np.array(values, dtype=float), "proportion", higher_is_better=True, proportion=True)


def test_a_smaller_error_is_a_gain_and_only_labelled_photos_count():
    found = paired_score_gain(errors(1, 2, np.nan, 3), errors(2, 4, np.nan, 3), resampling=QUICK)
    assert (found.candidate.value, found.reference.value) == (2.0, 3.0)
    assert (found.gain, found.count, found.unit) == (1.0, 3, "years")
    assert found.low < 1.0 < found.high


def test_more_right_decisions_are_a_gain():
    found = paired_score_gain(decisions(1, 1, 0, 1), decisions(1, 0, 0, 0), resampling=QUICK)
    assert found.gain == 0.5
    assert (found.candidate.higher_is_better, found.unit) == (True, "proportion")


def test_the_interval_is_over_people_and_not_over_their_photos():
    people = np.repeat([f"s{number}" for number in range(20)], 10)
    better = np.repeat(np.random.default_rng(0).normal(1.0, 1.0, 20), 10)
    by_person = paired_score_gain(errors(*(10 - better)), errors(*([10.0] * 200)), people, QUICK)
    by_photo = paired_score_gain(errors(*(10 - better)), errors(*([10.0] * 200)), None, QUICK)
    assert by_person.gain == pytest.approx(by_photo.gain)
    assert by_person.high - by_person.low > 2 * (by_photo.high - by_photo.low)


def test_what_makes_a_photo_hard_for_both_cancels_out():
    hard = np.random.default_rng(1).exponential(20.0, 200)
    found = paired_score_gain(errors(*hard), errors(*(hard + 1.0)), resampling=QUICK)
    assert found.gain == pytest.approx(1.0)
    assert found.note == "no interval: the resamples are all alike" or found.high - found.low < 1e-9
    assert found.candidate.high - found.candidate.low > 2.0


def test_two_that_decide_every_photo_alike_are_told_apart_only_as_far_as_the_rule_of_three():
    found = paired_score_gain(decisions(*([1.0] * 59 + [0.0])), decisions(*([1.0] * 59 + [0.0])), resampling=QUICK)
    # 60 photos decided alike: 3 * 4 / 60.
    assert (found.gain, found.low, found.high) == (0.0, pytest.approx(-0.2), pytest.approx(0.2))
    assert found.note == "every photo decided alike"


def test_without_a_label_there_is_no_gain_and_the_note_says_why():
    found = paired_score_gain(errors(np.nan), errors(np.nan))
    assert (found.gain, found.low, found.note, found.count) == (None, None, "not labelled", 0)


def test_seeds_are_averaged_photo_by_photo():
    mean = averaged([decisions(1, 0, np.nan), decisions(1, 1, np.nan)])
    np.testing.assert_array_equal(mean.values, [1.0, 0.5, np.nan])
    assert not mean.proportion
    single = decisions(1, 0)
    assert averaged([single]) is single


@pytest.mark.parametrize("other", [errors(1.0), errors(1.0, np.nan), decisions(1, 0)])
def test_scores_on_other_labels_are_refused(other):
    with pytest.raises(AssessmentError):
        paired_score_gain(errors(1.0, 2.0), other)


@given(st.lists(st.tuples(st.floats(0, 50), st.floats(0, 50)), min_size=1, max_size=12))
def test_the_gain_of_one_over_the_other_is_the_loss_of_the_other(pairs):
    one, other = (errors(*values) for values in zip(*pairs, strict=True))
    few = Resampling(resamples=20)
    gain, loss = paired_score_gain(one, other, resampling=few), paired_score_gain(other, one, resampling=few)
    assert gain.gain == pytest.approx(-loss.gain)
    if gain.low is not None and loss.high is not None:
        assert gain.low == pytest.approx(-loss.high)


def identities(noise, seed):
    pairs = pairs_of(photos_of(20, 4))
    features = embeddings(20, 4, noise=0.8, seed=2)
    seen = features + noise * np.random.default_rng(seed).normal(size=features.shape)
    return pairs.score((seen / np.linalg.norm(seen, axis=1, keepdims=True)).astype(np.float32))


def test_the_gain_in_identity_is_that_of_the_tar_at_the_asked_far():
    good, bad = identities(0.0, 0), identities(0.5, 1)
    found = paired_tar_gain([good], [bad], 0.1, QUICK)
    assert found.gain == pytest.approx(found.candidate.value - found.reference.value)
    assert found.gain > 0 and found.low > 0
    assert (found.unit, found.count) == ("proportion", len(good.mated))


def test_several_seeds_count_with_their_mean_tar():
    new, old = [identities(0.1, 0), identities(0.2, 1)], [identities(0.5, 2), identities(0.6, 3)]
    found = paired_tar_gain(new, old, 0.1, QUICK)
    each = [paired_tar_gain([one], [other], 0.1, QUICK) for one, other in zip(new, old, strict=True)]
    assert found.candidate.value == pytest.approx(np.mean([pair.candidate.value for pair in each]))
    assert found.gain == pytest.approx(np.mean([pair.gain for pair in each]))
    assert found.candidate.low < found.candidate.value < found.candidate.high
    assert "mean of 2 seeds" in found.candidate.note


def test_a_far_that_is_not_measurable_gives_no_gain_whatever_the_number_of_seeds():
    for seeds in (1, 2):
        new = [identities(0.1, seed) for seed in range(seeds)]
        found = paired_tar_gain(new, new, 1e-7, QUICK)
        assert (found.gain, found.low) == (None, None)
        assert found.candidate.value is None and found.note


def test_seeds_on_other_comparisons_are_refused():
    others = pairs_of(photos_of(20, 4)[:-1]).score(embeddings(20, 4, noise=0.8, seed=2)[:-1])
    with pytest.raises(AssessmentError, match="different comparisons"):
        paired_tar_gain([identities(0.1, 0), others], [identities(0.1, 1)] * 2, 0.1, QUICK)
