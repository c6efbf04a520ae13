import numpy as np
import pytest

from countenance.assessment.pair_scores import PhotoPairScores, photo_features, photo_pair_scores, subject_codes
from countenance.errors import AssessmentError


def test_a_score_is_the_cosine_of_the_sums_with_the_mirror_images():
    # (1, 0) + (0, 1) = (1, 1); (2, 0) + (2, 0) = (4, 0): the cosine is 1 / sqrt 2 with the mirror images, else 1.
    embeddings = np.array([[[1, 0], [0, 1]], [[2, 0], [2, 0]]], dtype=np.float32)
    for flip, expected in (("sum", 0.5**0.5), ("first", 1.0)):
        photos = photo_features(embeddings, np.array([0, 1]), flip=flip)
        assert photo_pair_scores(photos, np.array([0]), np.array([1])) == pytest.approx(expected, abs=1e-12)
    # One embedding a photo needs no mirror image.
    photos = photo_features(embeddings[:, 0], np.array([0, 1]))
    assert photo_pair_scores(photos, np.array([0]), np.array([1])) == pytest.approx(1.0)


def test_only_the_photos_of_the_pairs_are_looked_at_and_a_failed_one_scores_minus_infinity():
    embeddings = np.array([[np.nan, 0], [3, 0], [0, 0], [0, 2]], dtype=np.float32)
    photos = photo_features(embeddings, np.array([3, 1, 2, 1]), failed=[False, False, True, False])
    assert photos.rows.tolist() == [1, 2, 3] and photos.failed.tolist() == [False, True, False]
    scores = photo_pair_scores(photos, np.array([1, 2, 1]), np.array([3, 3, 1]))
    assert scores.tolist() == [0.0, -np.inf, 1.0]


def test_what_a_failed_row_holds_does_not_matter():
    embeddings = np.array([[np.nan, 0], [3, 0]], dtype=np.float32)
    photos = photo_features(embeddings, np.array([0, 1]), failed=[True, False])
    assert np.isfinite(photos.features).all()


@pytest.mark.parametrize(
    ("embeddings", "told"),
    [
        ([[1, 0], [np.nan, 0], [np.inf, 1]], "In row 1 and 1 more the embedding holds a value that is not a finite"),
        ([[1, 0], [1, 0], [0, 0]], "In row 2 the embedding is a zero vector"),
        ([1, 0, 0], r"shape \(3,\): give \[photos, dimensions\]"),
        ([[1, 0], [1, 0]], "outside the 2 features"),
    ],
)
def test_embeddings_without_a_direction_are_refused_by_row(embeddings: list[object], told: str):
    with pytest.raises(AssessmentError, match=told):
        photo_features(np.array(embeddings, dtype=np.float32), np.array([0, 1, 2]))


def test_photos_that_mated_pairs_join_are_one_subject():
    first, second, mated = np.array([0, 1, 3]), np.array([1, 2, 4]), np.array([True, True, False])
    codes = subject_codes(first, second, mated, None, 5)
    assert len({codes[0], codes[1], codes[2]}) == 1 and len(set(codes.tolist())) == 3
    assert subject_codes(first, second, mated, ["a", "b", "b", None, None], 5).tolist() == [0, 1, 1, 2, 3]


def test_columns_of_other_lengths_no_pairs_and_nan_are_refused():
    two = np.array([0, 1])
    for scores, fold, told in [
        ([0.1], two, "do not"),
        ([0.1, np.nan], two, "In row 1 the scores"),
    ]:
        with pytest.raises(AssessmentError, match=told):
            PhotoPairScores(np.array(scores), np.array([True, False]), fold, two, two)
    nothing = np.empty(0)
    with pytest.raises(AssessmentError, match="no pair"):
        PhotoPairScores(nothing, nothing, nothing, nothing, nothing)
