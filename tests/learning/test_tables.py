import math

import numpy as np
import pandas as pd
import pytest

from countenance.errors import ModelError
from countenance.learning.tables import curves_table, effort_summary, features_from_table, features_table
from countenance.learning.teacher import TeacherFeatures
from countenance.learning.training import TrainingRecord

RECORD = TrainingRecord(
    steps=(0, 10, 19),
    curves={"loss": (3.0, 2.0, 1.5), "loss/age": (math.nan, 0.5, 0.25)},
    images_seen=1200,
    seconds=30.0,
    parameters=4321,
    data_wait_share=0.02,
)
FEATURES = TeacherFeatures(("a", "b"), np.array([[[1, 0], [0, 1]], [[0.6, 0.8], [0.8, 0.6]]], dtype=np.float32))


def test_a_run_becomes_one_row_a_logged_step_with_nothing_where_a_task_was_not_in_the_batch():
    table = curves_table(RECORD)
    assert table.columns.tolist() == ["step", "loss", "loss/age"]
    assert table["step"].tolist() == [0, 10, 19]
    assert table["loss"].tolist() == [3.0, 2.0, 1.5]
    assert table["loss/age"].isna().tolist() == [True, False, False]


def test_the_effort_of_a_run_is_counted_in_images_and_minutes():
    assert effort_summary(RECORD) == {
        "images_seen": 1200,
        "minutes": 0.5,
        "images_per_second": 40.0,
        "data_wait_share": 0.02,
        "parameters": 4321,
    }


def test_teacher_features_come_back_from_their_table_and_from_a_file_of_it(tmp_path):
    table = features_table(FEATURES)
    assert table.columns.tolist() == ["face_id", "feature", "mirrored"]
    assert table["mirrored"][0].tolist() == [0.0, 1.0]
    table.to_parquet(tmp_path / "features.parquet")
    for given in (table, pd.read_parquet(tmp_path / "features.parquet")):
        back = features_from_table(given)
        assert back.face_ids == FEATURES.face_ids
        assert back.features.dtype == np.float32
        np.testing.assert_array_equal(back.features, FEATURES.features)


def test_a_table_with_a_feature_that_is_not_finite_is_refused():
    table = features_table(FEATURES)
    table.at[1, "mirrored"] = np.array([np.nan, 0.0], dtype=np.float32)
    with pytest.raises(ModelError, match="NaN or infinite features for 1 of 2 faces"):
        features_from_table(table)


def test_a_table_whose_rows_differ_in_length_is_refused():
    table = features_table(FEATURES)
    table.at[0, "feature"] = np.array([1.0, 0.0, 0.0], dtype=np.float32)
    with pytest.raises(ModelError, match="features of 2 and 3 numbers"):
        features_from_table(table)


def test_a_table_without_a_row_is_refused():
    with pytest.raises(ModelError, match="holds no face"):
        features_from_table(features_table(FEATURES).iloc[:0])
