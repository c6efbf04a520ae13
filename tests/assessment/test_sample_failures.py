"""Failure to extract: in samples, in templates, in 1:1 and in 1:N."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.gallery_search import NEVER_FOUND, GallerySearch
from countenance.assessment.identification import GalleryRows, identify
from countenance.assessment.nearest_roc_point import nearest_roc_point
from countenance.assessment.sample_failures import SampleFailures
from countenance.assessment.score_grid import on_grid
from countenance.assessment.sorted_scores import SortedScores
from countenance.assessment.template_intervals import tar_intervals
from countenance.assessment.template_scores import TemplatePairScores
from countenance.assessment.template_sums import TemplateSums, aggregate_templates
from countenance.assessment.template_verification import roc_curve, template_tar_at_far
from countenance.assessment.templates import TemplateOptions, Templates
from countenance.assessment.verification import BELOW_ALL, tar_at_far
from countenance.errors import AssessmentError
from tests.assessment.template_worlds import scored_pairs, templates_of, unit


def rows(*values: tuple[float, float]) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def with_failures(features: np.ndarray, failed: np.ndarray) -> Templates:
    """Unit vectors of which some failed."""
    exact = np.where(failed[:, None], 0.0, features)
    return Templates(np.arange(len(exact)), exact.astype(np.float32), exact, failed, int(failed.sum()))


def scored_with_failures(mated: list[float], non_mated: list[float], fail: list[int]) -> TemplatePairScores:
    """As ``scored_pairs``, but the pairs ``fail`` (mated ones first) are with a template that failed."""
    pairs = scored_pairs(mated, non_mated)
    failed = np.zeros(len(pairs.templates.ids), dtype=bool)
    failed[1 + np.array(fail, dtype=int)] = True
    return TemplatePairScores.of(
        with_failures(pairs.templates.features64, failed), pairs.first, pairs.second, pairs.mated
    )


def test_the_mean_within_a_medium_is_over_the_usable_samples():
    # Medium 1: (4, 0) and (0, 2) are left of three: mean (2, 1). Medium 2 lost its only sample. Medium 3: (0, 3).
    samples = rows((4, 0), (0, 0), (0, 2), (0, 0), (0, 3))
    made = aggregate_templates(samples, [7] * 5, [1, 1, 1, 2, 3], failed=[False, True, False, True, False])
    assert made.features64[0] == pytest.approx(np.array([2, 4]) / np.sqrt(20))
    assert (made.failed, made.failed_samples) == (None, 2)


def test_what_stands_in_the_row_of_a_failure_is_not_looked_at():
    samples = rows((1, 0), (np.nan, np.inf), (0, 1))
    made = aggregate_templates(samples, [1, 1, 2], [1, 1, 1], failed=[False, True, False])
    assert made.features == pytest.approx(np.eye(2))
    both = np.stack([samples, samples], axis=1)
    assert aggregate_templates(both, [1, 1, 2], [1, 1, 1], failed=[0, 1, 0]).features == pytest.approx(np.eye(2))


def test_a_template_without_a_usable_sample_has_failed():
    made = aggregate_templates(rows((0, 0), (3, 4), (0, 0)), [1, 2, 1], [1, 1, 2], failed=[True, False, True])
    assert made.failed is not None and made.failed.tolist() == [True, False]
    assert made.features64 == pytest.approx(np.array([[0, 0], [0.6, 0.8]]))
    assert made.failed_samples == 2


def test_all_templates_can_have_failed():
    made = aggregate_templates(rows((0, 0), (0, 0)), [1, 2], [1, 1], failed=[True, True])
    assert made.failed is not None and made.failed.all() and not made.features.any()


@pytest.mark.parametrize(("value", "message"), [(0.0, "is a zero vector"), (np.nan, "not a finite number")])
def test_a_spoilt_row_that_is_not_recorded_as_a_failure_stays_an_error(value: float, message: str):
    samples = rows((1, 0), (0, 0), (value, value))
    with pytest.raises(AssessmentError, match=f"row 2 the embedding .*{message}"):
        aggregate_templates(samples, [1, 1, 1], [1, 1, 1], failed=[False, True, False])


def test_failures_of_another_number_of_rows_are_refused():
    with pytest.raises(AssessmentError, match="template_ids has 2, failed has 1"):
        aggregate_templates(rows((1, 0), (0, 1)), [1, 1], [1, 1], failed=[True])
    with pytest.raises(AssessmentError, match="block has 2, failed has 1"):
        TemplateSums([1, 1], [1, 1]).add(0, rows((1, 0), (0, 1)), [True])


def test_a_failure_told_late_needs_the_other_rows_of_its_medium_again():
    sums = TemplateSums([1, 1, 1, 2], [1, 1, 2, 1])
    sums.add(0, rows((4, 0)))
    sums.add(1, rows((0, 0), (0, 1), (1, 1)), [True, False, False])
    with pytest.raises(AssessmentError, match="Row 0 was added before another of its medium was told to have failed"):
        sums.finish()


def test_a_failure_told_late_makes_the_same_template_as_one_known_before():
    # Medium 1 of template 1 has (4, 0) alone: mean (4, 0), and not half of it; medium 2 has (0, 1).
    samples = rows((4, 0), (0, 0), (0, 1), (1, 1))
    asked = []

    def read_again(wanted: np.ndarray) -> np.ndarray:
        asked.extend(wanted.tolist())
        return samples[wanted]

    sums = TemplateSums([1, 1, 1, 2], [1, 1, 2, 1])
    sums.add(2, samples[2:])
    sums.add(0, samples[:1])
    sums.add(1, samples[1:2], [True])
    made = sums.finish(read_again)
    assert made.features64[0] == pytest.approx(np.array([4, 1]) / np.sqrt(17))
    assert asked == [0]


@given(seed=st.integers(0, 10_000), twofold=st.booleans(), normalised=st.booleans(), known=st.floats(0, 1))
def test_failures_known_before_told_late_and_left_out_give_the_same_templates(
    seed: int, twofold: bool, normalised: bool, known: float
):
    generator = np.random.default_rng(seed)
    count = int(generator.integers(1, 40))
    samples = generator.normal(size=(count, 2, 4) if twofold else (count, 4)).astype(np.float32)
    templates, media = generator.integers(0, 6, count), generator.integers(0, 3, count)
    weights, failed = generator.uniform(0.1, 1.0, count), generator.random(count) < 0.4
    samples[failed] = 0.0
    options = TemplateOptions(normalise_samples=normalised)
    made = aggregate_templates(samples, templates, media, detector_scores=weights, options=options, failed=failed)

    early = failed & (generator.random(count) < known)
    sums = TemplateSums(templates, media, weights, options, early)
    blocks = list(pairwise(np.unique(np.append(generator.integers(0, count, 4), [0, count])).tolist()))
    for position in generator.permutation(len(blocks)):
        start, end = blocks[position]
        sums.add(start, samples[start:end], failed[start:end])
    late = sums.finish(lambda wanted: samples[wanted])
    assert late.features64 == pytest.approx(made.features64, abs=1e-12)
    assert (late.failed is None) == (made.failed is None) and late.failed_samples == made.failed_samples == failed.sum()
    if made.failed is not None and late.failed is not None:
        assert late.failed.tolist() == made.failed.tolist()

    if not failed.all():
        left = aggregate_templates(
            samples[~failed], templates[~failed], media[~failed], detector_scores=weights[~failed], options=options
        )
        usable = np.ones(len(made.ids), dtype=bool) if made.failed is None else ~made.failed
        assert made.ids[usable].tolist() == left.ids.tolist()
        assert made.features64[usable] == pytest.approx(left.features64, abs=1e-12)


def test_shares_by_hand():
    failures = SampleFailures(np.array([0, 0, 0, 1]), [False, True, False, False])
    assert failures.shares().tolist() == [0.5, 0, 0.5, 1]
    assert failures.tell(0, [True, True]).tolist() == [0]
    assert failures.count == 2
    ((again, missing, block),) = failures.read_again(lambda wanted: rows((1, 1))[: len(wanted)], 9)
    # Of the two that were usable, one is: what was added is as much again too little.
    assert (again.tolist(), missing.tolist(), len(block)) == ([2], [1.0], 1)


def test_a_pair_with_a_template_that_failed_is_never_accepted_and_always_counted():
    # Non-mated: .8 .7 ... 0 and a failure in place of .9; k = 1 of 10 leaves tau = .7. The mated .9 failed.
    pairs = scored_with_failures([0.9, 0.75, 0.6], [n / 10 for n in range(10)], [0, 12])
    assert np.isneginf(pairs.scores[[0, 12]]).all() and np.isfinite(np.delete(pairs.scores, [0, 12])).all()
    assert np.isneginf(pairs.exact(np.array([0, 12]))).all()
    (point,) = template_tar_at_far(pairs, [0.1])
    assert (point.accepted, point.mated, point.at.threshold) == (1, 3, pytest.approx(0.7))
    assert (point.at.false_accepts, point.at.non_mated) == (1, 10)


@pytest.mark.parametrize("rule", ["threshold", "insightface_compat"])
def test_where_most_have_failed_all_that_were_made_are_accepted_and_no_failure_is(rule):
    pairs = scored_with_failures([0.9, -0.9], [0.5, *[0.1] * 9], [1, *range(3, 12)])
    (point,) = template_tar_at_far(pairs, [0.5], rule=rule)
    assert (point.accepted, point.mated, point.at.false_accepts, point.at.non_mated) == (1, 2, 1, 10)
    assert point.to_dict()["at"]["threshold"] is not None


@pytest.mark.parametrize("rule", ["threshold", "insightface_compat"])
def test_where_all_have_failed_nothing_is_accepted(rule):
    pairs = scored_with_failures([0.9], [0.5, 0.4], [0, 1, 2])
    (point,) = template_tar_at_far(pairs, [0.5], rule=rule)
    assert (point.tar, point.accepted, point.at.false_accepts, point.at.threshold) == (0.0, 0, 0, BELOW_ALL)
    curve = roc_curve(pairs)
    assert set(curve.true_accepts.tolist()) == set(curve.false_accepts.tolist()) == {0}
    curve.to_dict()


def test_a_roc_curve_ends_at_what_was_made():
    curve = roc_curve(scored_with_failures([0.9, 0.35, 0.3], [0.8, 0.3, 0.3, 0.1, 0.2], [2, 7]))
    assert curve.thresholds[:-1] == pytest.approx(np.array([0.9, 0.8, 0.3, 0.1]))
    assert curve.false_accepts.tolist() == [0, 0, 1, 3, 4]
    assert curve.true_accepts.tolist() == [0, 1, 2, 2, 2]
    assert (curve.mated, curve.non_mated) == (3, 5)


SCORES = st.lists(st.integers(-9, 9).map(lambda n: n / 10), min_size=1, max_size=30)


@given(mated=SCORES, non_mated=SCORES, far=st.floats(0.02, 0.99), seed=st.integers(0, 10_000))
def test_with_failures_counts_are_those_of_float64_and_the_far_stays_under_its_target(
    mated: list[float], non_mated: list[float], far: float, seed: int
):
    count = len(mated) + len(non_mated)
    fail = np.flatnonzero(np.random.default_rng(seed).random(count) < 0.5).tolist()
    pairs = scored_with_failures(mated, non_mated, fail)
    scores = on_grid(np.array([*mated, *non_mated]))
    scores[fail] = -np.inf
    expected = tar_at_far(scores[: len(mated)], scores[len(mated) :], [far])
    found = template_tar_at_far(pairs, [far])
    assert found == expected
    if found[0].at.realised_far is not None:
        assert found[0].at.realised_far <= far
    compat = nearest_roc_point(SortedScores(pairs), far)
    if compat.at.threshold is not None:
        assert compat.accepted == (scores[: len(mated)] > compat.at.threshold).sum()
        assert compat.at.false_accepts == (scores[len(mated) :] > compat.at.threshold).sum()
    (interval,) = tar_intervals(SortedScores(pairs), found)
    if interval.high is not None and found[0].tar is not None:
        assert (interval.low or 0.0) <= found[0].tar <= interval.high <= 1.0


def plane(*degrees: float) -> np.ndarray:
    angles = np.radians(degrees)
    return np.column_stack([np.cos(angles), np.sin(angles)])


def test_a_failed_probe_finds_nobody_and_a_failed_gallery_template_is_found_by_nobody():
    # Enrolled: ann at 0, bob at 40 (failed); probes: ann at 10 (failed), 5, bob at 41, dee at 20 (failed), eve at 30.
    failed = np.array([False, True, True, False, False, True, False])
    world = with_failures(plane(0, 40, 10, 5, 41, 20, 30), failed)
    gallery = GalleryRows("A", np.array([0, 1]), np.array(["ann", "bob"]))
    made = identify(world, [gallery], np.arange(2, 7), ["ann", "ann", "bob", "dee", "eve"], ranks=(1, 10), fpirs=(0.5,))
    # All ranks are beyond the gallery's size for the two that fail, also rank 10 of a gallery of two.
    assert [(rate.found, rate.probes) for rate in made.ranks] == [(1, 3), (1, 3)]
    # Non-mated: dee failed, eve is 30 degrees from ann: with one of two allowed all that were made may be accepted.
    (tpir,) = made.tpirs
    assert (tpir.identified, tpir.probes) == (1, 3)
    assert (tpir.at[0].threshold, tpir.at[0].false_accepts, tpir.at[0].non_mated) == (BELOW_ALL, 1, 2)
    made.to_dict()


def test_a_failed_mate_is_not_found_even_alone_in_its_gallery():
    world = with_failures(plane(0, 1, 90), np.array([True, False, False]))
    search = GallerySearch(world, np.array([0]), np.array([1, 2]), np.array([0, -1]), 1)
    assert search.mate_ranks.tolist() == [NEVER_FOUND]
    assert search.exact_non_mated_maxima(0.5).tolist() == [-np.inf]
    assert search.identified_above(BELOW_ALL) == 0


@given(seed=st.integers(0, 10_000))
def test_1_n_with_failures_is_that_of_float64_scores_one_by_one(seed: int):
    generator = np.random.default_rng(seed)
    failed = generator.random(40) < 0.3
    features = unit(generator.normal(size=(40, 3)))
    order = generator.permutation(40)
    gallery, probes = order[:8], order[8:]
    names, subjects = generator.permutation(16)[:8], generator.integers(0, 16, 32)
    made = identify(with_failures(features, failed), [GalleryRows("G", gallery, names)], probes, subjects, fpirs=(0.2,))
    scores = np.einsum("qd,gd->qg", features[probes], features[gallery])
    scores[failed[probes]] = -np.inf
    scores[:, failed[gallery]] = -np.inf
    mates = np.array([np.flatnonzero(names == subject)[0] if subject in names else -1 for subject in subjects])
    own = scores[np.arange(32), mates]
    ranks = (scores >= own[:, None]).sum(axis=1)
    found = (mates >= 0) & np.isfinite(own)
    assert [rate.found for rate in made.ranks] == [int((found & (ranks <= deep)).sum()) for deep in (1, 5, 10)]
    maxima = np.sort(scores[mates < 0].max(axis=1))
    allowed = int(0.2 * len(maxima))
    if allowed:
        threshold = maxima[len(maxima) - 1 - allowed]
        assert made.tpirs[0].identified == int((found & (ranks == 1) & (own > threshold)).sum())


def test_a_template_that_failed_must_be_a_zero_vector_and_another_must_not():
    features = np.eye(2)
    pairs = (np.array([0]), np.array([1]), [True])
    bad = Templates(np.arange(2), features.astype(np.float32), features, np.array([True, False]))
    with pytest.raises(AssessmentError, match="row 0 the template has failed, yet it is not a zero vector"):
        TemplatePairScores.of(bad, *pairs)
    with pytest.raises(AssessmentError, match="row 1 the template is not a unit vector"):
        TemplatePairScores.of(templates_of(np.array([[1.0, 0], [0, 0]])), *pairs)
