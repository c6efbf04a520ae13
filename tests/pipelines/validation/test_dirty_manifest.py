"""Dirty rows, one kind a test: the report names the kind and the rows."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from countenance.data.manifest import MANIFEST_SCHEMA
from countenance.errors import DataError
from pipelines.datasets import ManifestDataset
from pipelines.validation.expectations import require_passed
from tests.pipelines.validation.deliveries import ROWS, Delivery, accused, assert_named, named_rows

FACES = [3, 40]
BACKGROUND = [19, 29]


def test_a_clean_delivery_passes_and_accuses_nobody(clean: Delivery):
    report = clean.report()
    assert report["passed"] and not accused(report) and report["broken_checks"] == 0
    require_passed(report)


def test_a_face_id_that_two_rows_have(delivery: Delivery):
    delivery.spoil([40], "face_id", "face-0000003")
    found = accused(delivery.report())
    assert list(found) == ["face_id_unique"]
    assert [(row["row"], row["id"]) for row in found["face_id_unique"]["first_rows"]] == [
        (3, "face-0000003"),
        (40, "face-0000003"),
    ]


def test_a_photo_hash_that_is_none(delivery: Delivery):
    delivery.spoil(FACES, "photo_sha256", "no hash")
    delivery.spoil([40], "photo_sha256", "abc")
    assert_named(delivery.report(), "photo_hash_well_formed", FACES)


def test_a_split_that_nobody_knows(delivery: Delivery):
    delivery.spoil([15, 16, 17, 18, 19], "split", "holdout")
    assert_named(delivery.report(), "split_known", [15, 16, 17, 18, 19])


def test_landmarks_of_a_scheme_that_nobody_knows(delivery: Delivery):
    delivery.spoil(FACES, "landmark_scheme", "7")
    assert_named(delivery.report(), "landmark_scheme_known", FACES, also=("landmark_count",))


def test_a_licence_that_nobody_looked_at(delivery: Delivery):
    delivery.spoil(FACES, "license", "unstated")
    assert_named(delivery.report(), "license_known", FACES)


def test_a_row_without_a_licence(delivery: Delivery):
    delivery.spoil(FACES, "license", None)
    assert_named(delivery.report(), "license_given", FACES, also=("nothing_missing",))


def test_a_purpose_that_is_not_this_environments(delivery: Delivery):
    delivery.spoil(FACES, "purpose", "advertising")
    assert_named(delivery.report(), "purpose_permitted", FACES)


def test_a_row_without_a_purpose(delivery: Delivery):
    delivery.spoil(FACES, "purpose", None)
    assert_named(delivery.report(), "purpose_given", FACES)


def test_a_named_person_without_the_consent_that_the_purpose_needs(delivery: Delivery):
    delivery.parameters["expectations"]["purpose_permitted"]["arguments"]["value_set"] = ["production"]
    delivery.manifest["purpose"] = "production"
    delivery.manifest["consent_id"] = "consent-1"
    delivery.spoil([*FACES, 19], "consent_id", None)  # 19 shows no face
    assert_named(delivery.report(), "consent_stated", FACES)


def test_a_permission_that_has_run_out(delivery: Delivery):
    delivery.spoil(FACES, "expires_at", pd.Timestamp("2026-06-30", tz="UTC"))
    assert_named(delivery.report(), "not_expired", FACES, also=("not_soon_expired",))


def test_a_permission_that_runs_out_soon_is_a_warning(delivery: Delivery):
    delivery.spoil(FACES, "expires_at", pd.Timestamp("2026-07-15", tz="UTC"))
    report = delivery.report()
    assert_named(report, "not_soon_expired", FACES)
    assert report["passed"] and accused(report)["not_soon_expired"]["first_rows"][0]["value"] == 14


def test_a_source_that_declares_nothing(delivery: Delivery):
    delivery.spoil(FACES, "source", "found_on_a_disk")
    assert_named(delivery.report(), "source_declared", FACES)


def test_a_label_that_the_source_declares_and_does_not_give(delivery: Delivery):
    delivery.spoil(FACES, "age_years", np.nan)
    delivery.spoil([3], "smiling", pd.NA)
    report = delivery.report()
    assert_named(report, "labels_complete", FACES)
    assert [row["value"] for row in accused(report)["labels_complete"]["first_rows"]] == ["smile, age", "age"]


def test_a_label_that_the_source_does_not_declare(delivery: Delivery):
    del delivery.parameters["labels"]["embedded"]["age"]
    delivery.manifest["age_years"] = np.nan
    delivery.spoil(FACES, "age_years", 30.0)
    assert_named(delivery.report(), "labels_declared", FACES)


def test_a_background_crop_with_a_label(delivery: Delivery):
    delivery.spoil(BACKGROUND, "gender", "male")
    assert_named(delivery.report(), "background_unlabelled", BACKGROUND)


def test_a_box_that_is_no_number(delivery: Delivery):
    delivery.spoil(FACES, "box_xywh", np.array([1, 2, np.inf, 40], dtype=np.float32))
    assert_named(delivery.report(), "box_whole", FACES, also=("box_wide_enough",))


def test_a_box_of_three_numbers(delivery: Delivery):
    delivery.spoil(FACES, "box_xywh", np.array([1, 2, 40], dtype=np.float32))
    assert_named(delivery.report(), "box_whole", FACES)


def test_a_box_of_a_few_pixels(delivery: Delivery):
    delivery.spoil(BACKGROUND, "box_xywh", np.array([1, 2, 5, 40], dtype=np.float32))
    assert_named(delivery.report(), "box_wide_enough", BACKGROUND)


def test_landmarks_that_are_not_as_many_as_their_scheme_says(delivery: Delivery):
    four = delivery.manifest["landmarks"].iat[3][:8]
    delivery.spoil([3], "landmarks", four)
    delivery.spoil([3], "visibility", np.ones(4, dtype=np.float32))
    assert_named(delivery.report(), "landmark_count", [3])


def test_a_landmark_that_can_be_seen_and_has_no_place(delivery: Delivery):
    points = delivery.manifest["landmarks"].iat[3].copy()
    points[4] = np.nan
    delivery.spoil([3], "landmarks", points)
    assert_named(delivery.report(), "landmarks_finite", [3])


def test_a_visibility_that_is_no_share(delivery: Delivery):
    delivery.spoil(FACES, "visibility", np.array([1, 1, 2, 1, 1], dtype=np.float32))
    assert_named(delivery.report(), "visibility_fits", FACES)


def test_landmarks_that_lie_beside_their_box(delivery: Delivery):
    for row in FACES:
        delivery.spoil([row], "landmarks", delivery.manifest["landmarks"].iat[row] + np.float32(500))
    also = ("landmarks_of_each_face_in_box", "no_landmark_far_away")
    assert_named(delivery.report(), "landmarks_in_box", FACES, also=also)


def test_an_angle_beyond_a_turn(delivery: Delivery):
    delivery.spoil(FACES, "pitch_deg", 400.0)
    assert_named(delivery.report(), "pitch_in_degrees", FACES)


def test_a_range_of_yaw_with_the_larger_angle_first(delivery: Delivery):
    delivery.spoil(FACES, "yaw_range", np.array([15, -15], dtype=np.float32))
    assert_named(delivery.report(), "yaw_range_ordered", FACES)


def test_an_age_that_nobody_reaches(delivery: Delivery):
    delivery.spoil(FACES, "age_years", -1.0)
    report = delivery.report()
    assert_named(report, "age_possible", FACES)
    assert [row["value"] for row in accused(report)["age_possible"]["first_rows"]] == [-1, -1]


def test_an_age_with_a_negative_spread(delivery: Delivery):
    delivery.spoil(FACES, "age_std", -2.0)
    assert_named(delivery.report(), "age_spread_positive", FACES)


def test_a_gender_that_is_a_code(delivery: Delivery):
    delivery.spoil([0, 1, 2, 3, 4], "gender", "1")
    assert_named(delivery.report(), "gender_known", [0, 1, 2, 3, 4])


def test_a_person_in_two_splits(delivery: Delivery):
    delivery.spoil([3], "split", "test")
    report = delivery.report()
    assert_named(report, "subject_in_one_split", [0, 1, 2, 3, 4])
    with pytest.raises(
        DataError, match=r"no person is in two splits, but 5 of 108 faces break it.*face-0000000 in row 0"
    ):
        require_passed(report)


def test_a_photo_in_two_splits(delivery: Delivery):
    delivery.spoil([3, 30], "photo_sha256", "f" * 64)
    assert_named(delivery.report(), "photo_in_one_split", [3, 30])


def test_a_face_that_is_listed_twice(delivery: Delivery):
    delivery.spoil([3, 4], "photo_sha256", "f" * 64)
    delivery.spoil([3, 4], "box_xywh", delivery.manifest["box_xywh"].iat[3])
    delivery.spoil([4], "landmarks", delivery.manifest["landmarks"].iat[3])
    assert_named(delivery.report(), "one_row_a_face", [3, 4])


def test_a_face_that_has_two_names(delivery: Delivery):
    delivery.spoil([3, 7], "photo_sha256", "f" * 64)
    delivery.spoil([3, 7], "box_xywh", delivery.manifest["box_xywh"].iat[3])
    delivery.spoil([7], "landmarks", delivery.manifest["landmarks"].iat[3])
    assert_named(delivery.report(), "one_name_a_face", [3, 7], also=("one_row_a_face",))


def test_a_person_with_two_genders(delivery: Delivery):
    delivery.spoil([3], "gender", "female")
    assert_named(delivery.report(), "one_gender_a_person", [0, 1, 2, 3, 4])


def test_a_person_whose_faces_are_a_long_life_apart(delivery: Delivery):
    delivery.spoil([3], "age_years", 110.0)
    assert_named(delivery.report(), "one_life_a_person", [0, 1, 2, 3, 4])


def test_a_name_that_stands_for_everybody(delivery: Delivery):
    faces = [row for row in range(ROWS) if delivery.manifest["is_face"].iat[row]]
    train = [row for row in faces if delivery.manifest["split"].iat[row] == "train"][:25]
    delivery.spoil(train, "subject_id", "unknown")
    found = accused(delivery.report())
    assert found["no_name_for_everybody"]["broken"] == 25
    assert named_rows(found["no_name_for_everybody"]) == train


@pytest.mark.parametrize(
    "column", ["source", "photo", "photo_sha256", "crop", "license", "split", "is_face", "face_id"]
)
def test_a_row_without_what_no_row_may_lack(delivery: Delivery, column: str):
    delivery.manifest = as_it_is_read(delivery, {column: None})
    report = delivery.report()
    finding = accused(report)["nothing_missing"]
    assert named_rows(finding) == FACES and not report["passed"]
    assert {row["value"] for row in finding["first_rows"]} == {column}
    if column == "face_id":
        assert [row["id"] for row in finding["first_rows"]] == ["without an id"] * 2


def test_a_text_that_is_blank(delivery: Delivery):
    delivery.spoil(FACES, "photo", " ")
    delivery.spoil([40], "consent_id", "")
    report = delivery.report()
    assert_named(report, "no_blank_text", FACES)
    values = [row["value"] for row in accused(report)["no_blank_text"]["first_rows"]]
    assert values == ["photo", "photo, consent_id"]


def test_a_consent_that_is_blank_is_none(delivery: Delivery):
    delivery.parameters["expectations"]["purpose_permitted"]["arguments"]["value_set"] = ["production"]
    delivery.manifest["purpose"], delivery.manifest["consent_id"] = "production", "consent-1"
    delivery.spoil(FACES, "consent_id", "  ")
    assert_named(delivery.report(), "consent_stated", FACES, also=("no_blank_text",))


def test_a_face_without_a_box_where_the_others_have_one(delivery: Delivery):
    delivery.spoil(FACES, "box_xywh", None)
    assert_named(delivery.report(), "box_given", FACES)


def test_a_source_that_gives_no_boxes_is_not_asked_for_them(delivery: Delivery):
    delivery.manifest["box_xywh"] = None
    assert "box_given" not in accused(delivery.report())


def test_a_box_that_no_photo_could_hold(delivery: Delivery):
    delivery.spoil(BACKGROUND, "box_xywh", np.array([0, 0, 1e7, 50], dtype=np.float32))
    assert_named(delivery.report(), "box_wide_enough", BACKGROUND)


def test_a_single_landmark_far_away(delivery: Delivery):
    points = delivery.manifest["landmarks"].iat[3].copy()
    points[4] = 9999
    delivery.spoil([3], "landmarks", points)
    assert_named(delivery.report(), "no_landmark_far_away", [3])


def test_a_landmark_that_can_not_be_seen_may_lie_anywhere(delivery: Delivery):
    points = delivery.manifest["landmarks"].iat[3].copy()
    points[4] = 9999
    delivery.spoil([3], "landmarks", points)
    delivery.spoil([3], "visibility", np.array([1, 1, 0, 1, 1], dtype=np.float32))
    assert not accused(delivery.report())


def test_landmarks_that_all_lie_in_one_place(delivery: Delivery):
    box = delivery.manifest["box_xywh"].iat[3]
    delivery.spoil([3], "landmarks", np.tile(box[:2] + box[2:] / 2, 5).astype(np.float32))
    assert_named(delivery.report(), "landmarks_spread", [3])


def test_a_scale_that_is_none(delivery: Delivery):
    delivery.spoil(FACES, "scene_scale", -1.0)
    assert_named(delivery.report(), "scene_scale_possible", FACES)


def test_two_faces_that_share_a_crop(delivery: Delivery):
    delivery.spoil([4], "crop", "face-0000003")
    assert_named(delivery.report(), "one_face_a_crop", [3, 4])


def test_background_alone_is_not_enough_to_train_on(delivery: Delivery):
    delivery.manifest = delivery.manifest[~delivery.manifest["is_face"]].reset_index(drop=True)
    delivery.parameters["expectations"]["enough_faces"]["arguments"]["min_value"] = 1
    assert accused(delivery.report())["enough_faces"]["observed"] == 0


def test_every_row_is_named_where_many_break_an_expectation(delivery: Delivery):
    delivery.manifest["license"] = "unstated"
    assert named_rows(accused(delivery.report())["license_known"]) == list(range(ROWS))


def as_it_is_read(delivery: Delivery, gap: dict[str, None]) -> pd.DataFrame:
    """The manifest from a file in which two rows have a gap, as the room's catalog reads it."""
    nullable = pa.schema([pa.field(field.name, field.type) for field in MANIFEST_SCHEMA])
    rows = pa.Table.from_pandas(delivery.manifest, schema=nullable, preserve_index=False).to_pylist()
    for row in FACES:
        rows[row] |= gap
    path = delivery.folder / "gaps.parquet"
    pq.write_table(pa.Table.from_pylist(rows, schema=nullable), path)
    return ManifestDataset(filepath=str(path)).load()
