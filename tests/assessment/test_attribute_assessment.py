import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from countenance.assessment.attribute_assessment import AttributeConfiguration, assess_attributes
from countenance.assessment.intervals import Resampling
from countenance.data.manifest import manifest_table, to_frame
from countenance.errors import AssessmentError
from countenance.learning.outputs import ATTRIBUTE_COLUMNS, no_outputs

QUICK = AttributeConfiguration(resampling=Resampling(resamples=50))
FIVE = [0, 0, 10, 0, 5, 5, 2, 8, 8, 8]  # the eyes are 10 px apart


def labels(*faces: dict[str, Any]) -> pd.DataFrame:
    """A manifest with nothing labelled but what is given."""
    known = {
        "source": "made", "photo": "p", "photo_sha256": "p", "is_face": True, "crop": "c", "license": "l",
        "split": "test",
    }  # fmt: skip
    return to_frame(manifest_table([{**known, "face_id": f"f{row}", **face} for row, face in enumerate(faces)]))


def said(*faces: dict[str, Any]) -> pd.DataFrame:
    """What a model says: the columns of the outputs, null but for what is given."""
    rows = [{"face_id": f"f{row}", **face} for row, face in enumerate(faces)]
    return pd.DataFrame(rows, columns=list(no_outputs().columns))


def everything() -> tuple[pd.DataFrame, pd.DataFrame]:
    """Three faces of two people and a piece of background, labelled and said by hand."""
    points, box = {"landmarks": FIVE, "landmark_scheme": "5"}, [0.0, 0.0, 5.0, 20.0]
    # The third face and the background have no landmarks, but a box.
    truth = labels(
        {
            "subject_id": "a", "gender": "male", "smiling": True, "age_years": 30.0, "age_std": 2.0, "yaw_deg": 10.0,
            "pitch_deg": 0.0, "roll_deg": 0.0, **points, "visibility": [1.0] * 5, "box_xywh": box,
        },
        {"subject_id": "a", "gender": "female", "age_years": 40.0, "yaw_deg": -70.0, **points, "box_xywh": box},
        {"subject_id": "b", "smiling": False, "box_xywh": box},
        {"is_face": False, "gender": "male", "age_years": 1.0, "box_xywh": box},
    )  # fmt: skip
    numbers = dict.fromkeys(ATTRIBUTE_COLUMNS, 0.0)
    moved = [value + 0.9 if place % 2 else value for place, value in enumerate(FIVE)]
    model = said(
        {**numbers, "male_probability": 0.9, "smile_probability": 0.2, "age_years": 32.0, "yaw_deg": 14.0,
         "face_probability": 0.9, "landmarks_5": moved},
        {**numbers, "male_probability": 0.8, "age_years": 37.0, "yaw_deg": -72.0, "face_probability": 0.3,
         "landmarks_5": FIVE},
        {**numbers, "face_probability": 0.8, "landmarks_5": FIVE},
        {"face_probability": 0.4},
    )  # fmt: skip
    return model, truth


def test_every_metric_by_hand():
    model, truth = everything()
    report = assess_attributes(
        model.sample(frac=1, random_state=1), truth.drop(columns="yaw_range"), configuration=QUICK
    )
    json.dumps(report, allow_nan=False)
    assert (report["faces"], report["subjects"]) == (3, 2)
    assert report["gender"]["accuracy"]["value"] == 0.5
    assert report["smile"]["accuracy"]["value"] == 0.5
    assert report["age"]["mean_absolute_error"]["value"] == 2.5
    assert report["age"]["epsilon_error"]["value"] == pytest.approx(1 - math.exp(-0.5))
    assert report["age"]["epsilon_error"]["count"] == 1
    assert report["pose"]["yaw"]["value"] == 3.0
    assert (report["pose"]["pitch"]["value"], report["pose"]["pitch"]["count"]) == (0.0, 1)
    assert report["face"]["accuracy"]["value"] == 0.75
    # Best first: right, right, no face, right.
    assert report["face"]["average_precision"]["value"] == pytest.approx((1 + 1 + 3 / 4) / 3)
    by_eyes, by_box = report["landmarks"]["5"]["eye_centres"], report["landmarks"]["5"]["box_size"]
    assert (by_eyes["error"]["value"], by_eyes["error"]["count"]) == (pytest.approx(0.045), 2)
    assert by_box["error"]["value"] == pytest.approx(0.045)
    assert [band["error"]["value"] for band in by_eyes["by_yaw"]["bands"]] == [pytest.approx(0.09), None, 0.0]
    assert by_eyes["by_yaw"]["balanced"]["note"].startswith("not measurable")
    assert by_eyes["curve"]["share"][0] == 0.5
    first = by_eyes["cut_offs"][0]
    assert (first["cut_off"], first["area_under_curve"]["value"], first["failure_rate"]["value"]) == (0.07, 0.5, 0.5)


def test_what_nobody_labelled_has_no_value_and_is_never_0():
    model, _ = everything()
    report = assess_attributes(model, labels({}, {}, {}, {}), configuration=QUICK)
    report.pop("face")
    assert report.pop("faces") == 4
    assert report.pop("subjects") == 0
    found = measurements(report)
    assert len(found) > 15
    assert {item["value"] for item in found} == {None}
    assert {item["note"] for item in found} == {"not labelled"}


def test_what_the_model_says_nothing_of_is_told_apart_from_what_is_not_labelled():
    _, truth = everything()
    report = assess_attributes(said({}, {}, {}, {}), truth, configuration=QUICK)
    report = {key: report[key] for key in ("gender", "smile", "age", "pose", "landmarks", "face")}
    notes = {item["note"] for item in measurements(report)}
    assert notes == {"not measurable: the model says nothing of it"}
    assert all(item["value"] is None for item in measurements(report))


def test_a_coarse_yaw_is_right_where_its_range_is_the_nearest_of_those_labelled():
    truth = labels({"yaw_range": [-30.0, 30.0]}, {"yaw_range": [30.0, 60.0]}, {})
    pose = assess_attributes(said({"yaw_deg": 20.0}, {"yaw_deg": 29.0}, {}), truth, configuration=QUICK)["pose"]
    assert (pose["yaw_class"]["value"], pose["yaw_class"]["count"]) == (0.5, 2)
    assert pose["yaw"]["note"] == "not labelled"


def test_a_face_without_a_box_is_not_judged_to_be_one_where_others_have_boxes():
    truth = labels({"box_xywh": [0.0, 0.0, 9.0, 9.0]}, {})
    face = assess_attributes(said({"face_probability": 0.9}, {}), truth, configuration=QUICK)["face"]
    assert (face["accuracy"]["value"], face["accuracy"]["count"]) == (1.0, 1)


def test_whether_it_is_a_face_may_be_unknown():
    truth = labels({"gender": "male"}, {}).assign(is_face=pd.array([pd.NA, False], dtype="boolean"))
    report = assess_attributes(said({"male_probability": 0.9}, {}), truth, configuration=QUICK)
    assert (report["faces"], report["gender"]["accuracy"]["value"]) == (1, 1.0)


def test_an_angle_that_is_never_said_takes_only_its_own_metrics_away():
    model, truth = everything()
    report = assess_attributes(model.drop(columns="roll_deg"), truth, configuration=QUICK)
    assert report["pose"]["yaw"]["value"] == 3.0
    assert (
        report["pose"]["roll"]["note"]
        == report["pose"]["mean"]["note"]
        == ("not measurable: the model says nothing of it")
    )


def test_tables_may_have_no_more_than_ids():
    ids = pd.DataFrame({"face_id": ["f0"]})
    report = assess_attributes(ids, ids, configuration=QUICK)
    assert (report["faces"], report["subjects"], "face" in report) == (1, 0, False)
    assert {item["value"] for item in measurements(report)} == {None}


def test_a_labelled_face_that_the_model_is_silent_on_is_refused_with_its_row():
    model, truth = everything()
    # Row 0 is no face here: the rows are still those of the table.
    truth.loc[0, "is_face"] = False
    model.loc[1, "male_probability"] = np.nan
    with pytest.raises(AssessmentError, match="The task 'gender' can't be measured: in row 1 a labelled photo has no"):
        assess_attributes(model, truth, configuration=QUICK)


def test_an_unanswered_age_counts_as_one_where_the_challenge_is_followed():
    model, truth = everything()
    model.loc[0, "age_years"] = np.nan
    with pytest.raises(AssessmentError, match="The task 'age' can't be measured: in row 0"):
        assess_attributes(model, truth, configuration=QUICK)
    challenge = QUICK.model_copy(update={"unanswered_count_as_one": True})
    age = assess_attributes(model, truth, configuration=challenge)["age"]
    assert (age["epsilon_error"]["value"], age["mean_absolute_error"]["value"]) == (1.0, 3.0)


def test_faces_with_a_large_angle_are_left_out_of_the_pose_where_asked_for():
    model, truth = everything()
    large = QUICK.model_copy(update={"leave_out_beyond_deg": 50.0})
    pose = assess_attributes(model, truth, configuration=large)["pose"]
    assert (pose["yaw"]["value"], pose["left_out"]) == (4.0, 1)


@given(st.permutations(range(4)), st.floats(0.1, 50))
@settings(max_examples=8, deadline=None)
def test_neither_the_order_of_rows_nor_the_size_of_photos_matters(order: list, size: float):
    model, truth = everything()
    few = AttributeConfiguration(resampling=Resampling(resamples=2))
    report = assess_attributes(model, truth, configuration=few)

    def grown(column: pd.Series) -> list[Any]:
        return [value if value is None or np.isscalar(value) else np.asarray(value) * size for value in column]

    truth = truth.assign(landmarks=grown(truth["landmarks"]), box_xywh=grown(truth["box_xywh"]))
    model = model.assign(landmarks_5=grown(model["landmarks_5"]))
    again = assess_attributes(model, truth.iloc[list(order)], configuration=few)
    for one, other in zip(measurements(report), measurements(again), strict=True):
        assert one["value"] == pytest.approx(other["value"], abs=1e-6)
        assert (one["count"], one["unit"]) == (other["count"], other["unit"])


def measurements(report: Any) -> list[dict[str, Any]]:
    """Every measurement of a report, in its order."""
    if isinstance(report, dict):
        if {"value", "count", "note"} <= set(report):
            return [report]
        return [item for value in report.values() for item in measurements(value)]
    return [item for value in report for item in measurements(value)] if isinstance(report, list) else []
