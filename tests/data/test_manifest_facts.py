from datetime import UTC, datetime

import numpy as np
import pandas as pd

from countenance.data.coverage import CoverageConfiguration, coverage
from countenance.data.label_declarations import declaration_facts
from countenance.data.manifest import manifest_table, to_frame
from countenance.data.manifest_facts import manifest_facts
from tests.data.made_manifests import made_manifest

NOW = datetime(2026, 7, 1, tzinfo=UTC)
ROW = {
    "source": "made",
    "photo": "p",
    "photo_sha256": "0" * 64,
    "is_face": True,
    "crop": "c",
    "license": "Apache-2.0",
    "purpose": "demonstration",
    "split": "train",
}


def frame(*rows: dict) -> pd.DataFrame:
    return to_frame(manifest_table([{**ROW, "face_id": f"f{number}", **row} for number, row in enumerate(rows)]))


def test_facts_do_not_depend_on_the_order_of_the_rows():
    manifest = made_manifest(60)
    shuffled = manifest.sample(frac=1, random_state=0)
    facts = manifest_facts(manifest, now=NOW).set_index("face_id")
    again = manifest_facts(shuffled, now=NOW).set_index("face_id").loc[facts.index]
    pd.testing.assert_frame_equal(facts, again)


def test_an_empty_manifest_has_no_facts():
    assert len(manifest_facts(made_manifest(10).iloc[:0], now=NOW)) == 0


def test_a_face_without_box_or_landmarks_is_not_judged_by_them():
    facts = manifest_facts(frame({}), now=NOW).iloc[0]
    unasked = ["box_is_whole", "box_width", "landmark_count_fits", "landmarks_outside_box", "visibility_fits"]
    assert facts[[*unasked, "yaw_range_fits", "subject_splits", "subject_share", "consent_is_stated"]].isna().all()


def test_points_that_are_said_to_be_invisible_need_no_place():
    points = [10.0, 10.0, float("nan"), float("nan"), 30.0, 30.0]
    box = [0.0, 0.0, 40.0, 40.0]
    seen = {"landmarks": points, "landmark_scheme": "3", "box_xywh": box}
    facts = manifest_facts(frame({**seen, "visibility": [1.0, 0.0, 1.0]}, {**seen, "visibility": [1.0] * 3}), now=NOW)
    assert facts["landmarks_are_finite"].tolist() == [True, False]
    assert facts["landmark_count_fits"].tolist() == [True, True]
    assert facts["landmarks_outside_box"].tolist() == [0, 0]


def test_the_share_of_points_farther_than_half_a_box_from_it():
    points = [0.0, 0.0, -51.0, 0.0, 149.0, 149.0, 151.0, 0.0]
    facts = manifest_facts(
        frame({"landmarks": points, "landmark_scheme": "4", "box_xywh": [0.0, 0.0, 100.0, 100.0]}), now=NOW
    )
    assert facts["landmarks_outside_box"].tolist() == [0.5]


def test_shares_and_counts_of_a_person():
    rows = [
        {"subject_id": "a", "gender": "male", "age_years": 20.0},
        {"subject_id": "a", "gender": "female", "age_years": 45.0, "split": "test"},
        {"subject_id": "b"},
        {},
    ]
    facts = manifest_facts(frame(*rows), now=NOW)
    np.testing.assert_array_equal(facts["subject_splits"], [2, 2, 1, np.nan])
    np.testing.assert_array_equal(facts["subject_genders"], [2, 2, 0, np.nan])
    np.testing.assert_array_equal(facts["subject_age_span"], [25, 25, np.nan, np.nan])
    np.testing.assert_allclose(facts["subject_share"], [2 / 3, 2 / 3, 1 / 3, np.nan])


def test_labels_are_missing_only_below_the_declared_share():
    manifest = frame({"gender": "male"}, {"gender": "male"}, {}, {"is_face": False})
    half = declaration_facts(manifest, {"made": {"gender": 0.5}})
    most = declaration_facts(manifest, {"made": {"gender": 0.9, "age": 1.0}})
    none = declaration_facts(manifest, {"made": {}})
    assert half["labels_missing"].isna().all() and half["source_is_declared"].all()
    assert most["labels_missing"].fillna("").tolist() == ["age", "age", "gender, age", ""]
    assert none["labels_undeclared"].fillna("").tolist() == ["gender", "gender", "", ""]
    assert not declaration_facts(manifest, {})["source_is_declared"].any()


def test_people_are_counted_once_and_a_range_of_yaw_by_its_middle():
    manifest = frame(
        {"subject_id": "a", "gender": "male", "yaw_deg": 0.0},
        {"subject_id": "a", "gender": "male", "yaw_range": [15.0, 45.0]},
        {"gender": "male"},
        {"gender": "male", "is_face": False},
    )
    cells = coverage(manifest, CoverageConfiguration()).set_index("cell")
    assert cells.loc["train, gender male", ["faces", "subjects"]].tolist() == [3, 2]
    assert cells.loc["train, gender female", ["faces", "subjects"]].tolist() == [0, 0]
    assert cells.loc["train, yaw_deg 15 to 45", "faces"] == cells.loc["train, yaw_deg -15 to 15", "faces"] == 1
    assert "age_years" not in set(cells["attribute"])
