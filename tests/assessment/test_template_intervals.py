from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.intervals import dyadic_variance
from countenance.assessment.score_grid import STEP
from countenance.assessment.sorted_scores import SortedScores
from countenance.assessment.template_intervals import TarInterval, joined_subjects, tar_intervals
from countenance.assessment.template_scores import TemplatePairScores
from countenance.assessment.template_verification import template_tar_at_far
from tests.assessment.template_worlds import scored_pairs, templates_of, unit


def test_templates_that_mated_pairs_join_are_one_subject():
    # 0-1, 1-2 and 4-5 are mated; 3 is in no mated pair.
    codes = joined_subjects(6, np.array([0, 2, 4]), np.array([1, 1, 5])).tolist()
    assert codes[0] == codes[1] == codes[2]
    assert codes[4] == codes[5]
    assert len({codes[0], codes[3], codes[4]}) == 3


def world(people: int, seed: int, *, dimension: int = 12) -> tuple[TemplatePairScores, np.ndarray]:
    """One reference and three probes of each of some people drawn at random; every probe against every reference."""
    generator = np.random.default_rng(seed)
    subject = np.tile(np.arange(people), 4)
    centres = generator.normal(size=(people, dimension)) + 0.3 * generator.normal(size=dimension)
    features = unit(centres[subject] + 0.9 * generator.normal(size=(len(subject), dimension)))
    first, second = np.divmod(np.arange(people * 3 * people), 3 * people)
    second = second + people
    return TemplatePairScores.of(templates_of(features), first, second, subject[first] == subject[second]), subject


def intervals_of(pairs: TemplatePairScores, fars: list[float], **arguments) -> tuple[TarInterval, ...]:
    scores = SortedScores(pairs)
    return tar_intervals(scores, template_tar_at_far(scores, fars), **arguments)


def test_an_interval_holds_its_tar_and_counts_the_subjects():
    pairs, _ = world(40, 0)
    fars = [1e-2, 1e-1]
    for point, found in zip(template_tar_at_far(pairs, fars), intervals_of(pairs, fars), strict=True):
        assert 0.0 < found.low < point.tar < found.high < 1.0
        assert found.subjects == 40
        assert found.non_mated_design_effect >= 1.0


def test_subjects_that_mated_pairs_tell_are_those_that_were_given():
    pairs, subject = world(15, 1)
    assert intervals_of(pairs, [0.05]) == intervals_of(pairs, [0.05], subjects=subject)


def test_the_design_effect_is_that_of_dyads_of_subjects():
    # One probe a person, so that no two comparisons are of the same two people in the same order.
    generator = np.random.default_rng(2)
    features = unit(generator.normal(size=(24, 4)) + 0.5)
    first, second = np.triu_indices(24, k=1)
    mated = (first % 12) == (second % 12)
    pairs = TemplatePairScores.of(templates_of(features), first, second, mated)
    (point,) = template_tar_at_far(pairs, [0.2])
    (found,) = intervals_of(pairs, [0.2], subjects=np.arange(24))
    errors = (pairs.scores > np.float32(point.at.threshold))[~mated]
    variance = dyadic_variance(errors, np.ones(len(errors)), first[~mated], second[~mated])
    rate = errors.mean()
    # Each template is taken for a subject of its own; mated pairs are in none of the dyads.
    assert found.non_mated_design_effect == pytest.approx(variance * len(errors) / (rate * (1 - rate)), rel=1e-6)


def test_with_few_false_accepts_there_is_no_lower_end_rather_than_zero():
    pairs, _ = world(20, 3)
    (found,) = intervals_of(pairs, [1e-3])  # one of 1,140
    assert found.low is None
    assert found.high > 0.0
    assert found.note.startswith("no lower end")


def pairs_apart(mated: Sequence[float], non_mated: Sequence[float]) -> TemplatePairScores:
    """Pairs with these scores, each of two templates that are in no other pair."""
    cosines = np.array([*mated, *non_mated])
    features = np.tile([1.0, 0.0], (2 * len(cosines), 1))
    features[1::2] = np.column_stack([cosines, np.sqrt(1.0 - cosines**2)])
    first = 2 * np.arange(len(cosines))
    return TemplatePairScores.of(templates_of(features), first, first + 1, np.arange(len(cosines)) < len(mated))


@given(seed=st.integers(0, 10_000), far=st.floats(0.05, 0.9))
def test_intervals_are_those_of_float64_scores_where_float32_ones_cannot_be_told_apart(seed: int, far: float):
    generator = np.random.default_rng(seed)
    order = generator.integers(0, 30, 80)
    close, wide = 0.5 + 4 * STEP * order, 0.02 * order
    assert len(np.unique(close.astype(np.float32))) == 1
    # Intervals rest on the order of the scores alone.
    found, expected = (intervals_of(pairs_apart(scores[:30], scores[30:]), [far]) for scores in (close, wide))
    assert found == expected


def test_what_cannot_be_measured_has_no_interval_and_says_why():
    (scarce,) = intervals_of(world(5, 0)[0], [1e-6])
    assert (scarce.low, scarce.high) == (None, None)
    assert scarce.note.startswith("not measurable: FAR 1e-06")
    (unmated,) = intervals_of(scored_pairs([], [0.1, 0.2, 0.3]), [0.4])
    assert unmated.note == "not measurable: no mated comparisons"
    (alone,) = intervals_of(scored_pairs([0.9, 0.8], [0.1, 0.2, 0.3]), [0.4])
    assert alone.note == "no interval: mated comparisons of one subject only"
    assert alone.to_dict()["low"] is None


def test_the_interval_covers_the_truth_about_as_often_as_it_says():
    # The truth is what a threshold with a FAR of exactly 0.02 gives on many more people of the same kind.
    many, _ = world(1200, 99)
    (truth,) = template_tar_at_far(many, [0.02])
    covered = 0
    for seed in range(60):
        (found,) = intervals_of(world(40, seed)[0], [0.02])
        covered += found.low <= truth.tar <= found.high
    assert covered >= 54
