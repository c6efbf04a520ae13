import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.erasure import byte_search
from countenance.erasure.byte_search import ByteSearch


def test_needles_are_found_wherever_they_are_and_others_are_not():
    search = ByteSearch([b"embedded-0001", b"embedded-0002", b"12345678"])
    assert search.found_in(b"xxembedded-0002yy12345678") == {b"embedded-0002", b"12345678"}
    assert not search.is_in(b"embedded-0003 1234567 embedded")
    assert not search.is_in(b"")


def test_a_bounded_needle_is_not_found_within_a_longer_word():
    search = ByteSearch([], bounded=[b"lfw:Bob_Jones", b"Bob"])
    assert search.found_in(b'["lfw:Bob_Jones"]') == {b"lfw:Bob_Jones"}
    assert not search.is_in(b"lfw:Bob_Jones2, xlfw:Bob_Jones, Bobby, Bob\xc3\xa9")
    assert search.found_in(b"Bobby and Bob.") == {b"Bob"}


def test_an_exact_needle_must_be_long_enough_not_to_be_there_by_chance():
    with pytest.raises(ValueError, match="by chance"):
        ByteSearch([b"1234567"])


@given(
    st.lists(st.binary(min_size=8, max_size=20), min_size=1, max_size=20),
    st.binary(max_size=300),
    st.lists(st.tuples(st.integers(0, 19), st.integers(0, 300)), max_size=5),
)
def test_what_is_found_is_what_a_plain_search_finds(needles: list[bytes], hay: bytes, put: list[tuple[int, int]]):
    for which, where in put:
        hay = hay[:where] + needles[which % len(needles)] + hay[where:]
    assert ByteSearch(needles).found_in(hay) == {needle for needle in needles if needle in hay}


@given(st.integers(0, 64), st.integers(8, 30))
def test_nothing_is_missed_where_pieces_meet(at: int, length: int):
    needle = bytes(range(100, 100 + length))
    hay = b"." * at + needle + b"." * 40
    before = byte_search._CHUNK
    try:
        byte_search._CHUNK = 16  # type: ignore[misc]
        assert ByteSearch([needle]).found_in(hay) == {needle}
        assert ByteSearch([], bounded=[needle]).found_in(hay) == {needle}
        for beside in (b"a" + needle + b".", b"." + needle + b"a"):
            assert not ByteSearch([], bounded=[needle]).found_in(b"." * at + beside + b"." * 40)
    finally:
        byte_search._CHUNK = before  # type: ignore[misc]


def test_many_needles_cost_hardly_more_than_few():
    hay = np.random.default_rng(0).integers(0, 256, 2**20, dtype=np.uint8)
    needles = [hay[start : start + 24].tobytes() for start in range(1000, 900_000, 900)]
    assert ByteSearch(needles).found_in(hay) == set(needles)
