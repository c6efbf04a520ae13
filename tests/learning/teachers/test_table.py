import numpy as np
import pandas as pd
import pytest

from countenance.errors import ModelError
from countenance.learning.teachers.table import read_table

FACES = ["a", "b", "c"]


def write(path, **columns):
    table = {"face_id": FACES, "embedding": [[3.0, 4.0], [0.0, 2.0], [-1.0, 0.0]]} | columns
    pd.DataFrame({name: values for name, values in table.items() if values is not None}).to_parquet(path)
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "table.parquet"


def test_a_tables_embeddings_are_looked_up_by_face_and_made_unit_norm(path):
    write(path, mirrored=[[1.0, 0.0], [5.0, 12.0], [0.0, 1.0]])
    table = read_table(path, ["b", "a"])
    assert table.face_ids == ("b", "a")
    np.testing.assert_allclose(table.features[:, 0], [[0.0, 1.0], [0.6, 0.8]], atol=1e-7)
    np.testing.assert_allclose(table.features[:, 1], [[5 / 13, 12 / 13], [1.0, 0.0]], atol=1e-7)


def test_without_mirror_images_a_mirrored_face_is_taught_what_the_face_is(path):
    table = read_table(write(path), FACES)
    np.testing.assert_array_equal(table.features[:, 0], table.features[:, 1])


def test_without_mirror_images_a_teacher_that_must_have_seen_them_is_refused(path):
    with pytest.raises(ModelError, match="no column 'mirrored'.*set 'teacher_sees' to crop"):
        read_table(write(path), FACES, mirrored=True)


def test_numbers_in_half_precision_and_face_numbers_are_taken_too(path):
    half = [np.array(row, dtype=np.float16) for row in ([3, 4], [0, 2], [1, 0])]
    write(path, face_id=[1, 2, 3], embedding=half)
    np.testing.assert_allclose(read_table(path, ["1"]).features[0, 0], [0.6, 0.8], atol=1e-6)


def test_a_face_that_the_table_lacks_is_an_error_unless_only_known_ones_are_asked_for(path):
    write(path)
    with pytest.raises(ModelError, match="table.parquet lacks 2 of 3 faces: add them, or use a teacher that can look"):
        read_table(path, ["a", "x", "y"])
    assert read_table(path, ["x", "a", "y"], only_known=True).face_ids == ("a",)
    assert read_table(path, ["x"], only_known=True).face_ids == ()


@pytest.mark.parametrize(
    ("columns", "sentence"),
    [
        ({"face_id": ["a", "b", "b"]}, "has a face twice: keep one row a face"),
        ({"embedding": [[1.0], [1.0, 2.0], [1.0]]}, "vectors of unequal length"),
        ({"mirrored": [[1.0], [1.0], [1.0]]}, "vectors of unequal length"),
        (
            {"embedding": [[np.nan, 1.0], [0.0, 0.0], [1.0, 0.0]]},
            "holds 2 vectors of 3 with NaN, infinity or nothing but",
        ),
        ({"embedding": [[1.0, 0.0], None, [1.0, 0.0]]}, "holds no vectors, or null ones"),
        ({"embedding": [1.0, 2.0, 3.0]}, "holds no vectors, or null ones"),
        ({"embedding": None}, "has no column 'embedding': it needs 'face_id' and 'embedding'"),
    ],
)
def test_a_table_that_is_not_one_is_refused_in_a_sentence(path, columns, sentence):
    with pytest.raises(ModelError, match=sentence):
        read_table(write(path, **columns), FACES)


def test_a_table_that_is_not_there_or_no_parquet_is_refused(path):
    with pytest.raises(ModelError, match="table.parquet is not there"):
        read_table(path, FACES)
    path.write_bytes(b"text")
    with pytest.raises(ModelError, match="not a readable Parquet file"):
        read_table(path, FACES)
