import copy

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from countenance.errors import ModelError
from countenance.learning.fingerprint import fingerprint
from countenance.learning.teachers.features import TeacherFeatures, read_features, write_features
from tests.learning.recognisers import CountingTeacher

TABLE = TeacherFeatures(("a", "b"), np.array([[[1, 0], [0, 1]], [[0.6, 0.8], [0.8, 0.6]]], dtype=np.float32))


def test_rows_are_found_by_face_and_strangers_are_minus_one():
    assert TABLE.rows_of(["b", "c", "a"]).tolist() == [1, -1, 0]


def test_rows_are_taken_as_float32_and_strangers_are_zeros():
    half = TeacherFeatures(TABLE.face_ids, TABLE.features.astype(np.float16))
    taken = half.take(np.array([1, -1, 0]), np.array([1, 1, 0]))
    assert taken.dtype == np.float32
    np.testing.assert_allclose(taken, [[0.8, 0.6], [0, 0], [1, 0]], atol=1e-3)


def test_some_faces_make_a_table_of_their_own_and_unknown_ones_are_refused():
    assert TABLE.of(["b"]).face_ids == ("b",)
    np.testing.assert_array_equal(TABLE.of(["b"]).features[0], TABLE.features[1])
    with pytest.raises(ModelError, match="no feature for 1 of 2 faces"):
        TABLE.of(["b", "x"])


def test_a_table_that_is_not_whole_is_refused():
    with pytest.raises(ModelError, match=r"shape \(2, 3\), not \(2, 2, D\)"):
        TeacherFeatures(("a", "b"), np.ones((2, 3), dtype=np.float32))
    with pytest.raises(ModelError, match="NaN or infinite features for 1 of 2 faces"):
        TeacherFeatures(("a", "b"), np.where([[[True]], [[False]]], TABLE.features, np.nan).astype(np.float32))
    with pytest.raises(ModelError, match="float64 numbers"):
        TeacherFeatures(("a", "b"), TABLE.features.astype(np.float64))
    with pytest.raises(ModelError, match="a face twice"):
        TeacherFeatures(("a", "a"), TABLE.features).rows_of(["a"])


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_table_comes_back_from_its_file_as_a_memory_map(tmp_path, dtype):
    table = TeacherFeatures(TABLE.face_ids, TABLE.features.astype(dtype))
    write_features(table, tmp_path / "features.arrow")
    back = read_features(tmp_path / "features.arrow")
    assert back.face_ids == table.face_ids
    assert back.features.dtype == dtype and not back.features.flags.owndata and not back.features.flags.writeable
    np.testing.assert_array_equal(back.features, table.features)
    assert back.identity == table.identity


@given(faces=st.integers(0, 5), dimension=st.integers(1, 4), seed=st.integers(0, 9))
def test_every_table_comes_back(tmp_path_factory, faces, dimension, seed):
    features = np.random.default_rng(seed).normal(size=(faces, 2, dimension)).astype(np.float32)
    path = tmp_path_factory.mktemp("tables") / "features.arrow"
    write_features(TeacherFeatures(tuple(map(str, range(faces))), features), path)
    back = read_features(path)
    np.testing.assert_array_equal(back.features[:, :, :dimension].reshape(-1), features.reshape(-1))
    assert bool(back) == bool(faces)


def test_no_teacher_is_an_empty_table_that_is_false(tmp_path):
    write_features(TeacherFeatures.nothing(), tmp_path / "features.arrow")
    assert not read_features(tmp_path / "features.arrow")
    assert TABLE


def test_a_table_from_a_file_is_sent_by_its_name_and_mapped_again(tmp_path):
    write_features(TABLE, tmp_path / "features.arrow")
    sent = copy.deepcopy(read_features(tmp_path / "features.arrow").with_live(CountingTeacher()))
    assert sent.source == tmp_path / "features.arrow"
    assert not sent.features.flags.owndata
    assert sent.live.identity == CountingTeacher().identity
    in_memory = copy.deepcopy(TABLE)
    np.testing.assert_array_equal(in_memory.features, TABLE.features)


def test_a_file_that_is_damaged_or_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "features.arrow"
    with pytest.raises(ModelError, match="features.arrow is not there: run the room that writes it first"):
        read_features(path)
    path.write_bytes(b"text")
    with pytest.raises(ModelError, match="damaged or another file"):
        read_features(path)
    write_features(TABLE, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ModelError, match="damaged or another file"):
        read_features(path)


def test_an_identity_is_of_faces_features_and_a_teacher_that_looks_itself():
    others = [
        TeacherFeatures(("a", "c"), TABLE.features),
        TeacherFeatures(("a", "b"), TABLE.features[::-1].copy()),
        TABLE.with_live(CountingTeacher()),
        TABLE.with_live(CountingTeacher(1)),
    ]
    assert len({TABLE.identity, *(other.identity for other in others)}) == 5
    assert fingerprint(TABLE) == fingerprint(copy.deepcopy(TABLE)) != fingerprint(others[0])


def test_who_said_it_travels_with_the_table_and_a_file_that_does_not_tell_is_refused(tmp_path):
    told = TeacherFeatures(TABLE.face_ids, TABLE.features, said_by="teacher 7")
    write_features(told, tmp_path / "told.arrow")
    read = read_features(tmp_path / "told.arrow")
    assert read.said_by == read.of(["b"]).said_by == copy.deepcopy(read).said_by == "teacher 7"
    assert copy.deepcopy(told).said_by == "teacher 7" and told.identity == TABLE.identity
    batch = pa.ipc.open_file(str(tmp_path / "told.arrow")).get_batch(0).replace_schema_metadata(None)
    with pa.ipc.new_file(str(tmp_path / "untold.arrow"), batch.schema) as writer:
        writer.write_batch(batch)
    with pytest.raises(ModelError, match=r"untold.arrow is damaged or another file"):
        read_features(tmp_path / "untold.arrow")
