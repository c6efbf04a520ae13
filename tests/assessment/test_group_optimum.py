import json

import numpy as np
import pytest

from countenance.assessment.cost import CostModel, cost_optimal_threshold
from countenance.assessment.group_optimum import GroupOptimum, cost_optimal_common_threshold
from countenance.assessment.groups import GroupSizes
from countenance.assessment.intervals import rate_over_subjects
from countenance.assessment.pairs import ComparisonScores
from countenance.errors import AssessmentError
from tests.assessment.populations import embeddings, pairs_of, photos_of, scored

SMALL = GroupSizes(minimum=2, sufficient=3)
PRICES = CostModel(cost_false_match=100.0, cost_false_non_match=10.0, mated_prior=0.5)


def crowd(people: int = 60) -> tuple[ComparisonScores, dict[str, str]]:
    """Group b's faces spread over 5 of 16 dimensions only, so that its strangers are mistaken far more often."""
    names = photos_of(people, 3)
    rows = embeddings(people, 3, noise=0.5, seed=4)
    group_of = {name: "ab"[number % 2] for number, name in enumerate(sorted(set(names)))}
    rows[[group_of[name] == "b" for name in names], 5:] = 0.0
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    return pairs_of(names).score(rows), group_of


def test_by_hand():
    # a: mated 0.9 and 0.3, strangers 0.5 (4 of them 0.2). b: mated 0.8, strangers 0.1.
    pairs = pairs_of(["a1", "a1", "a2", "a2", "b1", "b1", "b2"])
    photos = ["a1", "a1", "a2", "a2", "b1", "b1", "b2"]
    within = {("a1", "a2"): [0.5, 0.2, 0.2, 0.2], ("b1", "b2"): [0.1, 0.1]}
    non_mated = [
        within[key].pop(0) if (key := (photos[one], photos[other])) in within else 0.6
        for one, other in zip(pairs.non_mated_first, pairs.non_mated_second, strict=True)
    ]
    scores = ComparisonScores(pairs, np.array([0.9, 0.3, 0.8]), np.array(non_mated))
    groups = {name: name[0] for name in ("a1", "a2", "b1", "b2")}
    found = cost_optimal_common_threshold(scores, groups, PRICES, weights={"a": 3.0, "b": 1.0}, sizes=SMALL)
    # At 0.2 a has FMR 1/4 and no misses: 3/4 x 12.5 x 1000; at 0.5 it misses half: 3/4 x 2.5 x 1000, and b none.
    # Between 0.5 and 0.8 nothing changes but at 0.6, where nobody of a group is: the highest equally cheap is 0.6's.
    assert (found.threshold, found.cost) == (0.5, pytest.approx(1875.0))
    a, b = found.groups
    assert (a.weight, a.fmr, a.fnmr, a.cost) == (0.75, 0.0, 0.5, pytest.approx(2500.0))
    assert (b.weight, b.fmr, b.fnmr, b.cost) == (0.25, 0.0, 0.0, 0.0)
    assert GroupOptimum.from_dict(json.loads(json.dumps(found.to_dict(), allow_nan=False))) == found


def test_without_a_cap_and_with_one_group_it_is_the_cheapest_threshold_of_all():
    scores = scored(30, 3, noise=0.8)
    one = cost_optimal_common_threshold(scores, dict.fromkeys(scores.pairs.subjects, "all"), PRICES)
    expected = cost_optimal_threshold(scores.mated, scores.non_mated, PRICES)
    assert (one.threshold, one.cost) == (pytest.approx(expected.threshold), pytest.approx(expected.cost))
    assert (one.capped_by, one.note) == (None, "")


def test_no_group_is_over_the_cap_with_its_doubt_and_a_little_lower_one_would_break_it():
    scores, groups = crowd()
    free = cost_optimal_common_threshold(scores, groups, PRICES)
    capped = cost_optimal_common_threshold(scores, groups, PRICES.model_copy(update={"maximum_fmr": 0.02}))
    assert capped.capped_by == "b"
    assert capped.threshold > free.threshold
    assert capped.cost > free.cost
    assert max(group.fmr_high for group in capped.groups) <= 0.02
    pairs = scores.pairs
    member = np.array([groups[subject] == "b" for subject in pairs.subjects])
    inside = member[pairs.non_mated_subject_first] & member[pairs.non_mated_subject_second]
    scores_of_b = scores.non_mated[inside].astype(np.float64)
    # The upper end rises in small steps that go down, too: five more false matches are more than a step.
    lower = np.sort(scores_of_b[scores_of_b < capped.threshold])[-5]
    rate = rate_over_subjects(
        scores_of_b > lower, pairs.non_mated_subject_first[inside], pairs.non_mated_subject_second[inside]
    )
    assert rate.high > 0.02


def test_too_few_comparisons_leave_no_threshold():
    scores, groups = crowd(10)
    found = cost_optimal_common_threshold(scores, groups, PRICES.model_copy(update={"maximum_fmr": 1e-4}), sizes=SMALL)
    assert (found.threshold, found.cost, found.groups) == (None, None, ())
    assert "too few comparisons" in found.note


def test_what_cannot_be_weighed_or_told_is_said():
    scores, groups = crowd()
    with pytest.raises(AssessmentError, match="'b' has no weight"):
        cost_optimal_common_threshold(scores, groups, PRICES, weights={"a": 1.0})
    with pytest.raises(AssessmentError, match="Every group is too small"):
        cost_optimal_common_threshold(scores, groups, PRICES, sizes=GroupSizes(minimum=1000, sufficient=1000))
    single = pairs_of(["a", "b", "c", "c"])
    alone = ComparisonScores(single, np.ones(1), np.zeros(5))
    nothing = cost_optimal_common_threshold(
        alone, {"a": "x", "b": "x", "c": "y"}, PRICES, sizes=GroupSizes(minimum=1, sufficient=1)
    )
    assert (nothing.threshold, nothing.note) == (None, "not measurable: group x has no mated comparison")


def cheapest_one_by_one(scores: ComparisonScores, groups: dict[str, str], prices: CostModel):
    """Every threshold asked for every group, as the formula says."""
    pairs, found = scores.pairs, None
    names = sorted(set(groups.values()))
    of_subject = np.array([groups[subject] for subject in pairs.subjects])
    shares = [float((of_subject == name).mean()) for name in names]
    inside, own = [], []
    for name in names:
        member = of_subject == name
        inside.append(member[pairs.non_mated_subject_first] & member[pairs.non_mated_subject_second])
        own.append(member[pairs.mated_subject])
    for threshold in np.unique(np.concatenate([scores.non_mated, scores.mated])).astype(np.float64):
        cost, allowed = 0.0, True
        for share, strangers, mated in zip(shares, inside, own, strict=True):
            wrong = scores.non_mated[strangers].astype(np.float64) > threshold
            rate = rate_over_subjects(
                wrong, pairs.non_mated_subject_first[strangers], pairs.non_mated_subject_second[strangers]
            )
            allowed = allowed and rate.high <= prices.maximum_fmr
            missed = (scores.mated[mated].astype(np.float64) <= threshold).mean()
            cost += share * float(prices.expected_cost(np.array(wrong.mean()), np.array(missed)))
        if allowed and (found is None or cost <= found[0] + 1e-9):
            found = cost, float(threshold)
    return found


@pytest.mark.parametrize(
    ("people", "noise", "cap", "seed"), [(40, 0.9, 0.03, 12), (24, 1.2, 0.1, 1), (16, 0.6, 0.1, 2)]
)
def test_it_is_the_cheapest_of_all_thresholds_asked_one_by_one(people: int, noise: float, cap: float, seed: int):
    names = photos_of(people, 3)
    groups = {name: "ab"[number % 2] for number, name in enumerate(sorted(set(names)))}
    scores = pairs_of(names).score(embeddings(people, 3, noise=noise, seed=seed))
    prices = PRICES.model_copy(update={"maximum_fmr": cap})
    found = cost_optimal_common_threshold(scores, groups, prices, sizes=SMALL)
    expected = cheapest_one_by_one(scores, groups, prices)
    assert expected is not None
    assert (found.cost, found.threshold) == (pytest.approx(expected[0]), pytest.approx(expected[1]))


def test_a_few_false_matches_may_be_surer_than_none():
    # With no false match in 66 x 9 comparisons the rule of three allows 2.02 %, with two the interval ends at 1.4 %.
    names = photos_of(12, 3)
    pairs = pairs_of(names)
    apart = np.linspace(0.0, 0.1, len(pairs.non_mated_first))
    apart[np.argsort(apart)[-2:]] = 0.8
    first = pairs.non_mated_subject_first
    spread = np.random.default_rng(0).permutation(len(first))
    scores = ComparisonScores(pairs, np.full(len(pairs.mated_first), 0.9), apart[spread])
    prices = PRICES.model_copy(update={"maximum_fmr": 0.02})
    found = cost_optimal_common_threshold(scores, dict.fromkeys(names, "all"), prices, sizes=SMALL)
    none = rate_over_subjects(np.zeros(len(first), dtype=bool), first, pairs.non_mated_subject_second)
    assert none.high > 0.02
    assert found.threshold is not None
    assert found.groups[0].fmr_high <= 0.02
