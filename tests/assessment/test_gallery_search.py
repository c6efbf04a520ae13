import numpy as np
import pytest

from countenance.assessment import gallery_search
from countenance.assessment.gallery_search import GallerySearch
from countenance.assessment.template_scores import gathered_scores
from tests.assessment.template_worlds import templates_of, unit


@pytest.mark.parametrize("cells", [1, 45, 10**6])
def test_blocks_of_any_size_give_the_same_ranks_and_maxima(monkeypatch: pytest.MonkeyPatch, cells: int):
    monkeypatch.setattr(gallery_search, "BLOCK_CELLS", cells)
    generator = np.random.default_rng(0)
    templates = templates_of(unit(generator.normal(size=(50, 9))))
    mates = np.where(np.arange(40) % 3 == 0, np.arange(40) % 10, -1)
    search = GallerySearch(templates, np.arange(10), np.arange(10, 50), mates, 10)
    scores = templates.features64[10:] @ templates.features64[:10].T
    mated = np.flatnonzero(mates >= 0)
    expected = (scores[mated] >= scores[mated, mates[mated]][:, None]).sum(axis=1)
    assert search.mate_ranks.tolist() == expected.tolist()
    assert search.exact_non_mated_maxima(0.1) == pytest.approx(scores[mates < 0].max(axis=1), abs=1e-6)


def test_a_row_of_scores_is_the_same_numbers_as_its_pairs():
    features = unit(np.random.default_rng(0).normal(size=(30, 37)))
    search = GallerySearch(templates_of(features), np.arange(12), np.arange(12, 30), np.full(18, -1), 1)
    pairs = gathered_scores(features, features, np.full(12, 20), np.arange(12))
    assert np.array_equal(search._exact_row(20), pairs)


def test_a_rank_beyond_the_deepest_is_only_told_to_be_beyond_it():
    same = np.tile(np.eye(3)[:1], (8, 1))
    search = GallerySearch(templates_of(same), np.arange(7), np.array([7]), np.array([4]), 3)
    assert search.mate_ranks.tolist() == [7]
    near = unit(same + 1e-9 * np.arange(24).reshape(8, 3))
    search = GallerySearch(templates_of(near), np.arange(7), np.array([7]), np.array([0]), 3)
    assert search.mate_ranks[0] > 3
