import numpy as np
import pandas as pd
import pytest

from countenance.assessment.attribute_tables import joined_by_face, lists, numbers, objects, says, schemes_of
from countenance.errors import AssessmentError


def table(*ids: object, **columns: object) -> pd.DataFrame:
    return pd.DataFrame({"face_id": list(ids), **columns})


def test_predictions_come_in_the_order_of_the_labels():
    joined = joined_by_face(table("b", "a", age_years=[2.0, 1.0]), table("a", "b", gender=["male", None]))
    assert joined["face_id"].tolist() == ["a", "b"]
    assert joined["said_age_years"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("predictions", "labels", "message"),
    [
        (table("a"), table("a", "b", "c"), "In row 1 and 1 more of the labels a face isn't in the predictions"),
        (table("a", "b"), table("a"), "In row 1 of the predictions a face isn't in the labels"),
        (table("a", "b"), table("a", "b", "a"), "In row 2 of the labels a face is there for the second time"),
        (table("a", "a"), table("a"), "In row 1 of the predictions a face is there for the second time"),
        (table("a", None), table("a"), "In row 1 of the predictions a face has no id"),
        (pd.DataFrame({"face": ["a"]}), table("a"), "The predictions have no column 'face_id'"),
        (table("a", x=[1]), table("a", said_x=[1]), "The labels have a column 'said_x'"),
    ],
)
def test_tables_about_other_faces_are_refused_in_a_sentence(predictions, labels, message: str):
    with pytest.raises(AssessmentError, match=message):
        joined_by_face(predictions, labels)


def test_a_column_that_is_not_there_is_null_throughout():
    rows = joined_by_face(table("a", age_years=[1.0], yaw_deg=[np.nan]), table("a"))
    assert (says(rows, "age_years"), says(rows, "yaw_deg"), says(rows, "smile_probability")) == (True, False, False)
    assert objects(rows, "gender").tolist() == [None]
    assert np.isnan(numbers(rows, "yaw_deg")).all()
    assert np.isnan(lists(rows, "box_xywh", 4)).all()


def test_nulls_of_every_kind_are_no_numbers():
    rows = pd.DataFrame({"age": pd.Series([1, None, pd.NA], dtype="Int64"), "word": ["x", None, None]})
    assert numbers(rows, "age").tolist()[0] == 1.0
    assert np.isnan(numbers(rows, "age")[1:]).all()
    with pytest.raises(AssessmentError, match="column 'word' holds something that is no number"):
        numbers(rows, "word")


def test_lists_have_their_length():
    rows = pd.DataFrame({"box_xywh": [[1, 2, 3, 4], None, [1, 2]]})
    assert lists(rows, "box_xywh", 4, where=np.array([True, True, False]))[0].tolist() == [1, 2, 3, 4]
    with pytest.raises(AssessmentError, match="In row 2 the column 'box_xywh' holds 2 numbers, not 4"):
        lists(rows, "box_xywh", 4)


def test_schemes_are_those_of_rows_with_landmarks():
    rows = pd.DataFrame({"landmarks": [[0.0] * 136, None, [0.0] * 10], "landmark_scheme": ["68", "21", "5"]})
    schemes, present = schemes_of(rows)
    assert (schemes.tolist(), present) == (["68", None, "5"], ["5", "68"])
    assert schemes_of(pd.DataFrame({"face_id": ["a"]}))[1] == []
    with pytest.raises(AssessmentError, match="In row 0 of the labels landmarks are of no known scheme"):
        schemes_of(pd.DataFrame({"landmarks": [[0.0] * 196], "landmark_scheme": ["98"]}))
    with pytest.raises(AssessmentError, match="In row 0 of the labels landmarks are of no known scheme"):
        schemes_of(pd.DataFrame({"landmarks": [[0.0] * 10]}))
