import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.errors import DataError
from countenance.learning.teacher_segment import RowKind, Segment, SegmentWriter, fresh_segment_name
from tests.learning.cache_rows import DIMENSION, TEACHER, features_of, keys_of

KIND = RowKind(TEACHER, DIMENSION, np.dtype(np.float32))
BLOCKS = (range(3), range(3, 4), range(4, 9))


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A file's bytes, and where each of its blocks ends."""
    path, ends = tmp_path_factory.mktemp("segment") / "whole.rows", []
    with SegmentWriter(path, KIND) as writer:
        for numbers in BLOCKS:
            writer.append(keys_of(numbers), features_of(numbers))
            ends.append(path.stat().st_size)
    return path.read_bytes(), ends


def read(path):
    """Every row that is there and whole, by key."""
    segment = Segment(path)
    rows = {}
    for block in segment.look():
        if segment.is_whole(block):
            rows |= dict(zip(segment.keys(block).tolist(), segment.features(block), strict=True))
    return segment, rows


def expected(numbers):
    return dict(zip(keys_of(numbers).tolist(), features_of(numbers), strict=True))


def same(rows, others):
    return rows.keys() == others.keys() and all(np.array_equal(row, others[key]) for key, row in rows.items())


def test_what_was_written_is_read(tmp_path, whole):
    (tmp_path / "a.rows").write_bytes(whole[0])
    segment, rows = read(tmp_path / "a.rows")
    assert segment.kind == KIND and not segment.is_damaged
    assert same(rows, expected(range(9)))


def test_a_row_takes_its_key_and_two_features(whole):
    assert len(whole[0]) == 64 + 3 * 16 + 9 * (16 + 2 * DIMENSION * 4)


def test_half_precision_takes_half_the_room_and_changes_directions_by_less_than_a_millionth(tmp_path):
    kind = RowKind(TEACHER, 512, np.dtype(np.float16))
    features = np.random.default_rng(0).normal(size=(50, 2, 512)).astype(np.float32)
    features /= np.linalg.norm(features, axis=2, keepdims=True)
    with SegmentWriter(tmp_path / "half.rows", kind) as writer:
        writer.append(keys_of(range(50)), features)
    segment = Segment(tmp_path / "half.rows")
    back = segment.features(segment.look()[0]).astype(np.float32)
    assert kind.block_row_bytes == 16 + 2 * 512 * 2
    cosines = (back * features).sum(axis=2) / np.linalg.norm(back, axis=2)
    assert (1.0 - cosines).max() < 1e-6


@given(data=st.data())
def test_of_a_file_that_ends_anywhere_the_whole_blocks_are_there(whole, tmp_path_factory, data):
    content, ends = whole
    length = data.draw(st.integers(0, len(content)))
    path = tmp_path_factory.mktemp("cut") / "cut.rows"
    path.write_bytes(content[:length])
    segment, rows = read(path)
    there = [number for numbers, end in zip(BLOCKS, ends, strict=True) if end <= length for number in numbers]
    assert same(rows, expected(there))
    assert not segment.is_damaged


@given(data=st.data())
def test_a_byte_that_changed_never_gives_a_wrong_row(whole, tmp_path_factory, data):
    content = bytearray(whole[0])
    place = data.draw(st.integers(0, len(content) - 1))
    content[place] ^= data.draw(st.integers(1, 255))
    path = tmp_path_factory.mktemp("changed") / "changed.rows"
    path.write_bytes(content)
    _, rows = read(path)
    right = expected(range(9))
    assert all(np.array_equal(row, right[key]) for key, row in rows.items())
    if 52 <= place < 64:
        assert len(rows) == 9  # the header's unused end
    else:
        assert len(rows) < 9


def test_a_reader_sees_what_comes_while_it_is_open(tmp_path):
    segment = Segment(tmp_path / "a.rows")
    with SegmentWriter(tmp_path / "a.rows", KIND) as writer:
        assert segment.look() == []
        writer.append(keys_of(range(2)), features_of(range(2)))
        assert [block.count for block in segment.look()] == [2]
        writer.append(keys_of(range(2, 5)), features_of(range(2, 5)))
        assert [block.count for block in segment.look()] == [3]
        assert segment.look() == []


def test_a_file_that_grows_from_small_to_large_is_read_all_the_while(tmp_path):
    kind = RowKind(TEACHER, 512, np.dtype(np.float32))
    features = np.random.default_rng(0).normal(size=(200, 2, 512)).astype(np.float32)
    segment = Segment(tmp_path / "a.rows")
    with SegmentWriter(segment.path, kind) as writer:
        for first in range(0, 600, 200):
            writer.append(keys_of(range(first, first + 200)), features)
            block = segment.look()[0]
            np.testing.assert_array_equal(segment.features(block), features)


def test_rows_can_be_taken_out_and_an_unreadable_end_goes_with_them(tmp_path, whole):
    path = tmp_path / "a.rows"
    path.write_bytes(whole[0][:-1])  # the last block is cut short
    segment = Segment(path)
    segment.look()
    assert segment.without(keys_of([1, 3, 99])) == 2
    assert same(read(path)[1], expected([0, 2]))
    assert len(path.read_bytes()) == 64 + 16 + 2 * KIND.block_row_bytes
    again = Segment(path)
    again.look()
    before = path.stat().st_ino
    assert again.without(keys_of([1])) == 0 and path.stat().st_ino == before
    assert again.without(keys_of([0, 2])) == 2
    assert not path.exists()


def test_a_file_is_written_by_one_writer_alone(tmp_path):
    with SegmentWriter(tmp_path / "a.rows", KIND), pytest.raises(DataError, match=r"kept in .* \(File exists\)"):
        SegmentWriter(tmp_path / "a.rows", KIND)
    assert fresh_segment_name(KIND.dtype) != fresh_segment_name(KIND.dtype)


def test_a_folder_that_can_not_be_written_is_said_in_a_sentence(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match="make room or change 'teacher_cache_folder'"):
        SegmentWriter(tmp_path / "file" / "a.rows", KIND)
