from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.assessment.arrays import RowError
from countenance.assessment.template_sums import CHUNK_ROWS, TemplateSums, aggregate_templates
from countenance.assessment.templates import TemplateOptions
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
        ({"embeddings": np.empty((2, 0), np.float32)}, r"shape \(2, 0\), which holds no number"),
        ({"embeddings": np.empty((2, 2, 0), np.float32)}, r"shape \(2, 2, 0\), which holds no number"),
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


def test_the_float32_templates_are_the_rounded_float64_ones_and_whole_numbers_stay_ids():
    made = aggregate_templates(rows((1, 2), (3, 1), (0, 5)), [30, 30, 4], [1, 2, 1])
    assert made.ids.dtype.kind == "i"
    assert made.features64.dtype == np.float64
    assert np.array_equal(made.features, made.features64.astype(np.float32))
    assert np.linalg.norm(made.features64, axis=1) == pytest.approx(np.ones(2), abs=1e-15)


BOTH = np.array([[(3, 0), (0, 4)], [(0, 2), (0, 0.5)]], dtype=np.float32)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        # (3, 4) + (0, 2.5)
        ({}, (3, 6.5)),
        # (3, 0) + (0, 2)
        ({"flip": "first"}, (3, 2)),
        # (0.6, 0.8) + (0, 1)
        ({"normalise_samples": True}, (0.6, 1.8)),
        ({"normalise_samples": True, "flip": "first"}, (1, 1)),
    ],
)
def test_the_mirror_image_is_added_or_left_out_before_the_length_is(options: dict, expected: tuple[float, float]):
    made = aggregate_templates(BOTH, [1, 1], [1, 2], options=TemplateOptions(**options))
    assert made.features64[0] == pytest.approx(np.array(expected) / np.linalg.norm(expected))


def test_detector_scores_can_be_left_out():
    scores = [1.0, 0.5]
    options = TemplateOptions(weigh_by_detector_score=False)
    made = aggregate_templates(rows((1, 0), (0, 1)), ["t", "t"], ["v", "v"], detector_scores=scores, options=options)
    assert made.features[0] == pytest.approx(np.sqrt([0.5, 0.5]))


def test_an_embedding_and_its_mirror_image_that_cancel_are_a_zero_row():
    opposite = np.array([[(1, 0), (1, 0)], [(1, 2), (-1, -2)]], dtype=np.float32)
    with pytest.raises(AssessmentError, match="row 1 the embedding is a zero vector"):
        aggregate_templates(opposite, [1, 1], [1, 2])
    aggregate_templates(opposite, [1, 1], [1, 2], options=TemplateOptions(flip="first"))


@pytest.mark.parametrize("value", [np.inf, np.nan])
def test_a_mirror_image_that_is_not_finite_is_refused(value: float):
    samples = np.array([[(1, 0), (1, 0)], [(1, value), (1, -value)]], dtype=np.float32)
    with pytest.raises(AssessmentError, match="row 1 the embedding holds a value that is not a finite number"):
        aggregate_templates(samples, [1, 1], [1, 2])


@given(seed=st.integers(0, 10_000), twofold=st.booleans(), normalised=st.booleans())
def test_blocks_in_any_order_give_what_all_rows_at_once_do(seed: int, twofold: bool, normalised: bool):
    generator = np.random.default_rng(seed)
    count = int(generator.integers(1, 40))
    samples = generator.normal(size=(count, 2, 4) if twofold else (count, 4)).astype(np.float32)
    templates, media = generator.integers(0, 5, count), generator.integers(0, 3, count)
    weights = generator.uniform(0.1, 1.0, count)
    options = TemplateOptions(normalise_samples=normalised)
    expected = aggregate_templates(samples, templates, media, detector_scores=weights, options=options)
    sums = TemplateSums(templates, media, weights, options)
    cuts = np.unique(np.append(generator.integers(0, count, 4), [0, count]))
    blocks = list(pairwise(cuts))
    for position in generator.permutation(len(blocks)):
        start, end = blocks[position]
        sums.add(int(start), samples[start:end])
    made = sums.finish()
    assert np.array_equal(made.ids, expected.ids)
    assert made.features64 == pytest.approx(expected.features64, abs=1e-12)


def test_a_block_longer_than_a_chunk_is_added_whole():
    count = 2 * CHUNK_ROWS + 3
    samples = np.random.default_rng(0).normal(size=(count, 3)).astype(np.float32)
    made = aggregate_templates(samples, np.zeros(count, dtype=int), np.arange(count))
    total = samples.astype(np.float64).sum(axis=0)
    assert made.features64[0] == pytest.approx(total / np.linalg.norm(total))
    samples[CHUNK_ROWS + 7, 1] = np.inf
    with pytest.raises(AssessmentError, match=f"row {CHUNK_ROWS + 7} the embedding holds a value that is not a finite"):
        aggregate_templates(samples, np.zeros(count, dtype=int), np.arange(count))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_lengths_whose_squares_float32_cannot_hold_are_no_trouble(scale: float):
    samples = (rows((3, 4), (4, 3)) * scale).astype(np.float32)
    made = aggregate_templates(samples, [1, 2], [1, 1])
    assert made.features == pytest.approx(np.array([[0.6, 0.8], [0.8, 0.6]]))


def sums_of_three() -> TemplateSums:
    return TemplateSums([1, 1, 2], [1, 2, 1])


@pytest.mark.parametrize(
    ("first_row", "block", "message"),
    [
        (1, rows((1, 0)), "Row 1 was added twice"),
        (0, rows((1, 0), (0, 1)), "Row 1 was added twice"),
        (2, rows((1, 0), (0, 1)), "rows 2 to 3 were added, but the protocol has 3 rows"),
        (-1, rows((1, 0)), "rows -1 to -1"),
        (2, rows((0, 0)), "row 2 the embedding is a zero vector"),
        (2, rows((np.nan, 0)), "row 2 the embedding holds"),
        (2, np.ones((1, 3), dtype=np.float32), "from row 2 on have 3 dimensions, those before them 2"),
        (2, np.ones((1, 3, 2), dtype=np.float32), r"shape \(1, 3, 2\)"),
        (2, np.ones((1, 2), dtype=np.float16), "float16: give float32"),
    ],
)
def test_a_block_that_does_not_fit_is_refused(first_row: int, block: np.ndarray, message: str):
    sums = sums_of_three()
    sums.add(1, rows((1, 0)))
    with pytest.raises(AssessmentError, match=message):
        sums.add(first_row, block)


def test_rows_that_were_never_added_are_told_and_can_still_be_added():
    sums = sums_of_three()
    sums.add(1, rows((1, 0)))
    with pytest.raises(AssessmentError, match="Row 0 and 1 more was never added"):
        sums.finish()
    sums.add(2, rows((0, 1)))
    with pytest.raises(AssessmentError, match="Row 0 was never added"):
        sums.finish()
    sums.add(0, rows((1, 0)))
    assert sums.finish().features == pytest.approx(np.eye(2))
    with pytest.raises(AssessmentError, match="finished already"):
        sums.add(0, rows((1, 0)))
    with pytest.raises(AssessmentError, match="finished already"):
        sums.finish()


def test_of_several_templates_that_add_up_to_nothing_the_first_row_is_named_and_how_many_more():
    # Row 0 is sound; the templates of rows 1, 2 and 4 are not, and that of row 4 has the lowest id.
    embeddings = rows((1, 0), (1, 0), (0, 1), (0, 1), (1, 1))
    with pytest.raises(RowError, match="starts in row 1, as do 2 more, adds up to a zero vector") as caught:
        aggregate_templates(embeddings, [9, 8, 7, 9, 1], np.arange(5), detector_scores=[1.0, 0.0, 0.0, 1.0, 0.0])
    assert (caught.value.row, caught.value.more) == (1, 2)
