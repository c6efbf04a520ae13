import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.templates import aggregate_templates
from countenance.errors import AssessmentError


def rows(*values: tuple[float, float]) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def test_samples_are_averaged_within_a_medium_and_summed_over_media():
    # Template 7: medium 1 has two samples with mean (1, 0), medium 2 has one sample (0, 1). Sum (1, 1).
    made = aggregate_templates(rows((2, 0), (0, 0.5), (0, 1.5), (3, 4)), [7, 7, 7, 9], [1, 2, 2, 1])
    assert made.ids.tolist() == [7, 9]
    expected = np.array([2, 1]) / np.sqrt(5)
    assert made.features == pytest.approx(np.array([expected, [0.6, 0.8]]))
    assert made.features.dtype == np.float32


def test_a_detector_score_weighs_its_sample_before_the_mean():
    # Medium mean: (1 * (1, 0) + 0.5 * (0, 1)) / 2 = (0.5, 0.25).
    made = aggregate_templates(rows((1, 0), (0, 1)), ["t", "t"], ["v", "v"], detector_scores=[1.0, 0.5])
    assert made.features[0] == pytest.approx(np.array([2, 1]) / np.sqrt(5))


def test_the_same_medium_number_in_two_templates_is_two_media():
    made = aggregate_templates(rows((1, 0), (0, 1)), [1, 2], [5, 5])
    assert made.features == pytest.approx(np.eye(2))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embeddings": rows((1, 0), (np.nan, 1))}, "row 1 the embedding holds a value that is not a finite"),
        ({"embeddings": rows((0, 0), (0, 1))}, "row 0 the embedding is a zero vector"),
        ({"template_ids": [1, None]}, "row 1 the template is missing"),
        ({"media_ids": [None, 1]}, "row 0 the medium is missing"),
        ({"template_ids": [1]}, "do not: embeddings has 2, template_ids has 1"),
        ({"detector_scores": [1.0, -0.5]}, "row 1 the detector score"),
        ({"detector_scores": [None, 0.5]}, "row 0 the detector score is missing"),
        ({"detector_scores": [0.5]}, "detector_scores has 1"),
        ({"template_ids": [1, 2], "detector_scores": [1.0, 0.0]}, "starts in row 1 adds up to a zero vector"),
        ({"embeddings": rows((1, 0.3), (-1, -0.3))}, "starts in row 0 adds up to a zero vector"),
        ({"embeddings": np.ones((2, 2), dtype=np.int64)}, "int64: give float32"),
        ({"embeddings": np.ones(2, dtype=np.float32)}, r"shape \(2,\)"),
    ],
)
def test_a_row_that_cannot_be_used_is_refused_by_number(change: dict, message: str):
    arguments = {"embeddings": rows((1, 0), (0, 1)), "template_ids": [1, 1], "media_ids": [1, 2]} | change
    with pytest.raises(AssessmentError, match=message):
        aggregate_templates(**arguments)


@given(seed=st.integers(0, 10_000))
def test_neither_the_order_of_rows_nor_the_names_of_templates_matter(seed: int):
    generator = np.random.default_rng(seed)
    samples = generator.normal(size=(12, 4)).astype(np.float32)
    templates, media = generator.integers(0, 3, 12), generator.integers(0, 3, 12)
    made = aggregate_templates(samples, templates, media)
    order, rename = generator.permutation(12), generator.permutation(3)
    again = aggregate_templates(samples[order], rename[templates[order]], media[order])
    position = {name: row for row, name in enumerate(again.ids)}
    matched = again.features[[position[rename[name]] for name in made.ids]]
    assert matched == pytest.approx(made.features, abs=1e-5)
    assert np.linalg.norm(made.features, axis=1) == pytest.approx(np.ones(len(made.ids)), abs=1e-5)
