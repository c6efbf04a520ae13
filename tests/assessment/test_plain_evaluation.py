"""What the fast way is checked against must itself be right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.identification import GalleryRows, identify
from countenance.assessment.plain_evaluation import (
    plain_identification,
    plain_roc_curve,
    plain_scores,
    plain_tars,
    plain_templates,
)
from countenance.assessment.template_sums import aggregate_templates
from tests.assessment.template_worlds import templates_of, unit


def test_plain_templates_are_those_of_the_protocol():
    generator = np.random.default_rng(0)
    samples = generator.normal(size=(40, 5)).astype(np.float32)
    templates, media = generator.integers(3, 9, 40), generator.integers(0, 3, 40)
    weights = generator.uniform(0.5, 1.0, 40).astype(np.float32)
    ids, features = plain_templates(samples, templates, media, weights)
    made = aggregate_templates(samples, templates, media, detector_scores=weights)
    assert np.array_equal(ids, made.ids)
    assert features == pytest.approx(made.features64, abs=1e-14)


def test_plain_scores_by_hand():
    features = np.array([[1.0, 0.0], [0.6, 0.8], [0.0, -1.0]])
    scores = plain_scores(features, np.array([2, 5, 9]), np.array([2, 9, 5]), np.array([5, 5, 5]))
    assert scores == pytest.approx(np.array([0.6, -0.8, 1.0]))


def test_a_plain_roc_curve_by_hand():
    # From the top: mated, non-mated, non-mated (on a straight stretch), mated and non-mated at once, non-mated.
    scores = np.array([0.9, 0.8, 0.7, 0.5, 0.5, 0.1])
    mated = np.array([True, False, False, True, False, False])
    far, tar, thresholds = plain_roc_curve(mated, scores)
    assert far == pytest.approx(np.array([0, 0, 0.5, 0.75, 1]))
    assert tar == pytest.approx(np.array([0, 0.5, 0.5, 1, 1]))
    assert thresholds.tolist() == [np.inf, 0.9, 0.7, 0.5, 0.1]
    assert plain_tars(mated, scores, [0.1, 0.6, 0.9]) == [0.5, 0.5, 1.0]


@given(seed=st.integers(0, 10_000), levels=st.sampled_from([3, 20, 10**9]))
def test_a_plain_roc_curve_is_that_of_scikit_learn(seed: int, levels: int):
    metrics = pytest.importorskip("sklearn.metrics")
    generator = np.random.default_rng(seed)
    count = int(generator.integers(2, 60))
    mated = generator.permutation(np.arange(count) % 3 == 0)
    scores = generator.integers(0, levels, count) / levels
    for found, expected in zip(plain_roc_curve(mated, scores), metrics.roc_curve(mated, scores), strict=True):
        assert np.array_equal(found, expected)


@given(seed=st.integers(0, 10_000))
def test_plain_identification_counts_what_ours_does(seed: int):
    generator = np.random.default_rng(seed)
    features = unit(generator.normal(size=(70, 6)))
    subjects, probe_subjects = generator.permutation(30)[:12], generator.integers(0, 30, 58)
    made = identify(
        templates_of(features),
        [GalleryRows("G", np.arange(12), subjects)],
        np.arange(12, 70),
        probe_subjects,
        ranks=(1, 4),
        fpirs=(0.01, 0.1),
    )
    found, identified = plain_identification(
        features[:12], subjects, features[12:], probe_subjects, ranks=(1, 4), fpirs=(0.01, 0.1)
    )
    assert found == [rate.found for rate in made.ranks]
    assert identified == [rate.identified for rate in made.tpirs]
