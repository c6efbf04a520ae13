import math

from countenance.learning.tables import curves_table, effort_summary
from countenance.learning.training import TrainingRecord

RECORD = TrainingRecord(
    steps=(0, 10, 19),
    curves={"loss": (3.0, 2.0, 1.5), "loss/age": (math.nan, 0.5, 0.25)},
    images_seen=1200,
    seconds=30.0,
    parameters=4321,
    data_wait_share=0.02,
)


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
