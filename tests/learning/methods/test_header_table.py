import numpy as np
import pandas as pd
import pytest

from countenance.errors import ModelError
from countenance.learning.methods.header_table import read_header


@pytest.fixture
def path(tmp_path):
    return tmp_path / "header.parquet"


def write(path, **columns):
    pd.DataFrame(columns).to_parquet(path)


def test_class_weights_come_in_the_order_of_the_people_that_are_asked_for(path):
    write(path, subject_id=["b", "x", "a"], centre=[[1.0, 2.0], [0.0, 9.0], [3.0, 4.0]])
    np.testing.assert_array_equal(read_header(path, ["a", "b"], 2).numpy(), [[3, 4], [1, 2]])


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"subject_id": ["a"], "weight": [[1.0, 2.0]]}, "no Parquet table with the columns 'subject_id' and 'centre'"),
        ({"subject_id": ["a", "a", "b"], "centre": [[1.0, 2.0]] * 3}, "has somebody twice"),
        ({"subject_id": ["a"], "centre": [[1.0, 2.0]]}, "lacks 1 of 2 training people"),
        ({"subject_id": ["a", "b"], "centre": [[1.0, 2.0], [1.0]]}, "1 centres of .* don't have the embedding's 2"),
        ({"subject_id": ["a", "b"], "centre": [[1.0, 2.0], None]}, "1 centres of .* don't have the embedding's 2"),
        ({"subject_id": ["a", "b"], "centre": [[1.0, np.nan], [0.0, 0.0]]}, "2 centres of .* zero or not finite"),
    ],
)
def test_what_is_no_header_of_these_people_is_refused(path, columns, said):
    write(path, **columns)
    with pytest.raises(ModelError, match=said):
        read_header(path, ["a", "b"], 2)


def test_a_header_that_is_missing_or_damaged_is_refused(path):
    with pytest.raises(ModelError, match=r"header.parquet is not there: put it there, or leave 'centres' away"):
        read_header(path, ["a"], 2)
    path.write_bytes(b"no table")
    with pytest.raises(ModelError, match="is no Parquet table"):
        read_header(path, ["a"], 2)
