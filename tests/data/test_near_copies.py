import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.data.near_copies import (
    NearCopyConfiguration,
    Pictures,
    near_copies,
    near_pairs,
    perceptual_hash,
    thumbnail,
)
from tests.conftest import picture


def grey(seed: int) -> np.ndarray:
    return np.asarray(cv2.cvtColor(picture(112, 112, seed=seed), cv2.COLOR_RGB2GRAY))


def pictures(*greys: np.ndarray) -> Pictures:
    return Pictures(
        hashes=np.array([perceptual_hash(each) for each in greys], dtype=np.uint64),
        thumbnails=np.stack([thumbnail(each) for each in greys]),
        view=np.zeros(len(greys), dtype=np.int64),
    )


def distance(one: int, other: int) -> int:
    return (one ^ other).bit_count()


def spoilt(image: np.ndarray, how: str) -> np.ndarray:
    if how == "compressed":
        return np.asarray(cv2.imdecode(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 30])[1], 0))
    if how == "halved":
        return np.asarray(cv2.resize(image, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
    if how == "blurred":
        return np.asarray(cv2.GaussianBlur(image, (0, 0), 1.5))
    return np.asarray(cv2.convertScaleAbs(image, alpha=0.8, beta=10))


@pytest.mark.parametrize("how", ["compressed", "halved", "blurred", "darker"])
def test_a_copy_is_found_and_confirmed_however_it_was_made(how: str):
    found = near_copies(pictures(grey(1), grey(2), spoilt(grey(1), how)), np.array([0, 0, 1]), NearCopyConfiguration())
    assert found.tolist() == [2, -1, 0]


def test_unlike_pictures_differ_in_about_half_of_their_bits():
    hashes = [perceptual_hash(grey(seed)) for seed in range(40)]
    apart = [distance(one, other) for index, one in enumerate(hashes) for other in hashes[:index]]
    assert 24 < np.mean(apart) < 40 and min(apart) > 7


def test_copies_of_one_owner_are_nobodys_fault():
    same = pictures(grey(1), grey(1), grey(1))
    assert near_copies(same, np.array([0, 0, 0]), NearCopyConfiguration()).tolist() == [-1, -1, -1]
    assert near_copies(same, np.array([0, 0, -1]), NearCopyConfiguration()).tolist() == [-1, -1, -1]


def test_every_one_of_many_equal_pictures_is_named():
    copy = spoilt(grey(1), "blurred")
    owners = np.array([0, 0, 0, 1, 2])
    found = near_copies(pictures(grey(1), grey(1), grey(1), copy, grey(7)), owners, NearCopyConfiguration())
    assert found.tolist()[:3] == [3, 3, 3] and found[3] in (0, 1, 2) and found[4] == -1


def test_only_pictures_of_one_view_are_compared():
    both = pictures(grey(1), grey(1))
    apart = Pictures(both.hashes, both.thumbnails, view=np.array([0, 1]))
    unseen = Pictures(both.hashes, both.thumbnails, view=np.array([0, -1]))
    for each in (apart, unseen):
        assert near_copies(each, np.array([0, 1]), NearCopyConfiguration()).tolist() == [-1, -1]


def test_equal_hashes_of_unlike_pictures_are_not_copies():
    both = Pictures(
        np.array([5, 5], dtype=np.uint64), np.stack([thumbnail(grey(1)), thumbnail(grey(2))]), np.zeros(2, dtype=int)
    )
    assert near_copies(both, np.array([0, 1]), NearCopyConfiguration()).tolist() == [-1, -1]


@given(
    st.lists(st.integers(0, 2**64 - 1), min_size=1, max_size=12),
    st.lists(st.tuples(st.integers(0, 11), st.sets(st.integers(0, 63), min_size=1, max_size=8)), max_size=12),
    st.integers(1, 7),
)
def test_the_index_finds_every_near_pair_and_no_other(seeds: list[int], flips: list, limit: int):
    near = [seeds[index % len(seeds)] ^ sum(1 << bit for bit in bits) for index, bits in flips]
    values = seeds + near
    hashes = np.array(values, dtype=np.uint64)
    owner = np.arange(len(values)) % 3
    found = set()
    for first, second in near_pairs(hashes, owner, limit):
        found |= {(min(pair), max(pair)) for pair in zip(first.tolist(), second.tolist(), strict=True)}
    expected = {
        (one, other)
        for other in range(len(values))
        for one in range(other)
        if 0 < distance(values[one], values[other]) <= limit and owner[one] != owner[other]
    }
    assert found == expected


def test_a_distance_that_the_index_would_not_find_is_refused():
    with pytest.raises(ValueError, match="less than or equal to 7"):
        NearCopyConfiguration(distance=8)
