import time

import numpy as np
import pytest

from countenance.assessment.cost import CostModel, CostResampler
from countenance.assessment.group_error_counts import GroupErrorCounts
from countenance.assessment.groups import GroupSizes
from countenance.assessment.intervals import Resampling, subject_weights
from countenance.assessment.non_inferiority import (
    paired_bootstrap,
    paired_cost_difference,
    paired_tar_difference,
    paired_worst_group_fmr,
    paired_worst_group_fnmr,
)
from countenance.assessment.pairs import ComparisonScores
from countenance.assessment.verification import TarResampler, measure_tar_at_far
from countenance.errors import AssessmentError
from tests.assessment.populations import embeddings, pairs_of, photos_of, scored

QUICK = Resampling(resamples=200)
PRICES = CostModel(cost_false_match=100.0, cost_false_non_match=2.0, mated_prior=0.5)


def champion_and_candidate(noise: float, people: int = 60) -> tuple[ComparisonScores, ComparisonScores]:
    """The candidate sees the champion's embeddings through its own noise."""
    pairs = pairs_of(photos_of(people, 4))
    features = embeddings(people, 4, noise=0.8, seed=2)
    seen = features + noise * np.random.default_rng(3).normal(size=features.shape)
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    return pairs.score(features), pairs.score(seen.astype(np.float32))


def halves(scores: ComparisonScores) -> dict[str, str]:
    return {subject: "ab"[number % 2] for number, subject in enumerate(scores.pairs.subjects)}


def test_the_difference_is_that_of_the_two_tars_and_its_interval_that_of_their_replicates():
    champion, candidate = champion_and_candidate(0.1)
    found = paired_tar_difference(candidate, champion, 0.01, QUICK)
    new, old = TarResampler(candidate, 0.01), TarResampler(champion, 0.01)
    weights = np.concatenate(list(subject_weights(60, 200, QUICK.generator())))
    drawn = new(weights) - old(weights)
    assert found.difference == pytest.approx(found.candidate - found.champion)
    assert (found.low, found.high) == (
        pytest.approx(np.quantile(drawn, 0.025)),
        pytest.approx(np.quantile(drawn, 0.975)),
    )
    assert found.note.endswith("mated comparisons decided differently")


def test_pairing_makes_the_interval_much_narrower_than_the_two_apart():
    champion, candidate = champion_and_candidate(0.02)
    found = paired_tar_difference(candidate, champion, 0.01, QUICK)
    alone = measure_tar_at_far(champion, 0.01, QUICK)
    assert found.high - found.low < 0.6 * (alone.high - alone.low)


def test_a_worse_candidate_shows_a_loss():
    champion, candidate = champion_and_candidate(0.6)
    found = paired_tar_difference(candidate, champion, 0.01, QUICK)
    assert found.high < 0.0


def test_two_systems_that_decide_alike_are_told_apart_only_as_far_as_the_rule_of_three():
    champion, _ = champion_and_candidate(0.0)
    found = paired_tar_difference(champion, champion, 0.01, QUICK)
    # 360 mated comparisons decided alike: 3 * 4 / 360.
    assert (found.difference, found.low, found.high) == (0.0, pytest.approx(-1 / 30), pytest.approx(1 / 30))


def test_a_far_that_is_not_measurable_gives_no_difference():
    champion, candidate = champion_and_candidate(0.1, people=5)
    found = paired_tar_difference(candidate, champion, 1e-6, QUICK)
    assert (found.difference, found.low) == (None, None)
    assert found.note.startswith("not measurable: FAR 1e-06")


def test_systems_on_different_comparisons_are_refused():
    with pytest.raises(AssessmentError, match="scored on different comparisons"):
        paired_tar_difference(scored(5, 2, noise=1.0), scored(6, 2, noise=1.0), 0.1)


def test_worst_group_fnmr_and_fmr_by_hand():
    champion, candidate = champion_and_candidate(0.3)
    groups, sizes = halves(champion), GroupSizes()
    new = GroupErrorCounts(candidate, groups, 0.4, sizes)
    old = GroupErrorCounts(champion, groups, 0.4, sizes)
    everyone = np.ones((1, 60), dtype=np.int64)
    fnmr = paired_worst_group_fnmr(new, old, QUICK)
    assert fnmr.difference == pytest.approx(new.fnmr(everyone).max() - old.fnmr(everyone).max())
    assert fnmr.low < fnmr.difference < fnmr.high
    fmr = paired_worst_group_fmr(new, old, QUICK)
    assert fmr.difference == pytest.approx(new.fmr(everyone).max() / old.fmr(everyone).max())
    assert fmr.unit == "ratio"
    other = GroupErrorCounts(champion, dict.fromkeys(groups, "all"), 0.4, sizes)
    with pytest.raises(AssessmentError, match="different groups"):
        paired_worst_group_fnmr(new, other)


def test_the_cost_difference_is_in_money():
    champion, candidate = champion_and_candidate(0.3)
    new, old = CostResampler(candidate, 0.4, PRICES), CostResampler(champion, 0.4, PRICES)
    everyone = np.ones((1, 60), dtype=np.int64)
    found = paired_cost_difference(new, old, QUICK)
    assert found.difference == pytest.approx(new(everyone)[0] - old(everyone)[0])
    assert found.unit == "EUR per 1,000 transactions"
    dearer = CostResampler(champion, 0.4, PRICES.model_copy(update={"cost_false_match": 1.0}))
    with pytest.raises(AssessmentError, match="different subjects or prices"):
        paired_cost_difference(new, dearer)


def test_a_ratio_to_nothing_is_undefined():
    found = paired_bootstrap(
        "x", lambda weights: np.ones(len(weights)), lambda weights: np.zeros(len(weights)), 5, QUICK, ratio=True
    )
    assert (found.difference, found.low, found.champion) == (None, None, 0.0)
    assert "200 of 200 resamples undefined" in found.note


def test_a_million_comparisons_are_resampled_400_times_within_seconds():
    pairs = pairs_of(photos_of(400, 5), limit=1_000_000)
    features = embeddings(400, 5, noise=0.8, seed=2)
    seen = features + 0.1 * np.random.default_rng(3).normal(size=features.shape).astype(np.float32)
    seen /= np.linalg.norm(seen, axis=1, keepdims=True)
    champion, candidate = pairs.score(features), pairs.score(seen)
    assert (len(champion.mated), len(champion.non_mated)) == (4000, 1_000_000)
    started = time.process_time()
    found = paired_tar_difference(candidate, champion, 1e-3, Resampling(resamples=400))
    assert time.process_time() - started < 5.0
    assert found.low < found.difference < found.high
