"""Dirty pictures, one kind a test: the report names the kind and the rows."""

import cv2
import numpy as np
import pandas as pd

from countenance.data.photographs import encode_photo
from pipelines.validation.expectations import OPTIONAL_FACTS
from tests.pipelines.validation.deliveries import (
    ROWS,
    Delivery,
    accused,
    assert_named,
    face_picture,
    named_rows,
)

TEST = 30
"""A row of the test split; the rows around it are of the same person."""


def put(delivery: Delivery, row: int, encoded: bytes | None) -> None:
    delivery.crops[delivery.manifest["crop"].iat[row]] = encoded


def recompressed(picture: np.ndarray, quality: int = 40) -> bytes:
    done, encoded = cv2.imencode(".jpg", picture[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    assert done
    return encoded.tobytes()


def test_a_face_whose_crop_is_not_stored(delivery: Delivery):
    put(delivery, 3, None)
    assert_named(delivery.report(), "crop_stored", [3])


def test_a_picture_that_breaks_off(delivery: Delivery):
    whole = delivery.crops["face-0000003"]
    assert whole is not None
    put(delivery, 3, whole[: len(whole) * 2 // 3])
    put(delivery, 19, b"")
    assert_named(delivery.report(), "crop_decodes", [3, 19])


def test_a_picture_that_is_blank(delivery: Delivery):
    put(delivery, 3, encode_photo(np.full((112, 112, 3), 130, dtype=np.uint8)))
    put(delivery, 40, encode_photo(np.full((112, 112, 3), 131, dtype=np.uint8)))
    found = accused(delivery.report())
    assert set(found) == {"not_blank", "none_blank"}
    assert named_rows(found["not_blank"]) == [3, 40] and found["not_blank"]["severity"] == "critical"


def test_pictures_that_are_too_dark(delivery: Delivery):
    for row in (3, 40, 50):
        put(delivery, row, encode_photo((face_picture(row) // 16).astype(np.uint8)))
    found = accused(delivery.report())
    assert named_rows(found["exposed"]) == [3, 40, 50]
    assert found["exposed"]["severity"] == "warning"


def test_pictures_without_contrast(delivery: Delivery):
    for row in (3, 40, 50):
        put(delivery, row, encode_photo((face_picture(row) // 8 + 110).astype(np.uint8)))
    assert_named(delivery.report(), "contrasted", [3, 40, 50], also=("sharp",))


def test_pictures_that_are_blurred(delivery: Delivery):
    ramp = np.repeat(np.linspace(30, 220, 112).astype(np.uint8)[None, :, None], 112, axis=0).repeat(3, axis=2)
    for row, turned in ((3, ramp), (4, ramp[:, ::-1]), (5, ramp.transpose(1, 0, 2))):
        put(delivery, row, encode_photo(np.ascontiguousarray(turned)))
    assert_named(delivery.report(), "sharp", [3, 4, 5])


def test_a_near_copy_of_a_training_photo_among_the_test_photos(delivery: Delivery):
    put(delivery, TEST, recompressed(cv2.resize(face_picture(3), (80, 80), interpolation=cv2.INTER_AREA)))
    report = delivery.report()
    also = ("no_near_copy_under_other_name",)
    assert_named(report, "no_near_copy_in_other_split", [3, TEST], also=also)
    rows = accused(report)["no_near_copy_in_other_split"]["first_rows"]
    assert [row["value"] for row in rows] == [f"face-{TEST:07d}", "face-0000003"]


def test_many_near_copies_across_the_splits_are_critical(delivery: Delivery):
    for row in range(3):
        put(delivery, TEST + row, recompressed(face_picture(row)))
    report = delivery.report()
    assert accused(report)["few_near_copies_in_other_split"]["broken"] == 6
    assert not report["passed"]


def test_a_photo_under_two_names_of_one_split(delivery: Delivery):
    put(delivery, 6, recompressed(face_picture(3)))
    assert_named(delivery.report(), "no_near_copy_under_other_name", [3, 6])


def test_a_copy_under_the_same_name_is_nobodys_fault(delivery: Delivery):
    put(delivery, 4, recompressed(face_picture(3)))
    assert not accused(delivery.report())


def test_without_a_model_the_report_says_that_names_were_not_compared(delivery: Delivery):
    silent = {finding["column"]: finding for finding in delivery.report()["findings"] if finding["holds"] is None}
    for column in ("likeness_to_own_name", "people_under_name", "likeness_to_other_name", "embedding_norm"):
        assert silent[column]["status"] == "not checked"
        assert "no embeddings were given" in silent[column]["problem"]
    assert "no detector scores were given" in silent["detector_score"]["problem"]
    assert set(OPTIONAL_FACTS) >= {"likeness_to_own_name", "detector_score"}


def test_a_person_under_two_names(delivery: Delivery):
    people = people_of(delivery)
    people[delivery.manifest["subject_id"].eq("subject-3").to_numpy()] = 1
    embed(delivery, people)
    report = delivery.report()
    found = accused(report)
    assert set(found) == {"unlike_other_names"}
    both = delivery.manifest.index[delivery.manifest["subject_id"].isin(["subject-1", "subject-3"])]
    assert named_rows(found["unlike_other_names"]) == both.tolist()


def test_two_people_under_one_name(delivery: Delivery):
    people = people_of(delivery)
    people[[2, 3]] = 999
    embed(delivery, people)
    assert_named(delivery.report(), "one_person_under_a_name", [0, 1, 2, 3, 4])


def test_a_face_that_looks_like_nobody_of_its_name(delivery: Delivery):
    people = people_of(delivery)
    people[3] = 999
    embed(delivery, people)
    assert_named(delivery.report(), "like_own_name", [3])


def test_embeddings_that_are_too_short(delivery: Delivery):
    embed(delivery, people_of(delivery), short=[3, 40, 50])
    assert_named(delivery.report(), "embeddings_strong", [3, 40, 50])


def test_detections_that_nobody_should_trust(delivery: Delivery):
    path = delivery.folder / "scores.parquet"
    scores = np.where(np.isin(np.arange(ROWS), [3, 40, 50]), 0.1, 0.9)
    pd.DataFrame({"face_id": delivery.manifest["face_id"], "detector_score": scores}).to_parquet(path)
    delivery.known["detector_scores"] = str(path)
    assert_named(delivery.report(), "sure_detections", [3, 40, 50])


def people_of(delivery: Delivery) -> np.ndarray:
    """A number for the person of each row."""
    people: np.ndarray = pd.factorize(delivery.manifest["subject_id"])[0]
    return people


def embed(delivery: Delivery, people: np.ndarray, short: list[int] | None = None) -> None:
    """Give the delivery embeddings in which rows of one number look alike and all others don't."""
    from countenance.learning.teachers.features import TeacherFeatures, write_features

    random = np.random.default_rng(0)
    directions = random.normal(size=(1000, 64))
    faces = directions[people] + 0.3 * random.normal(size=(len(people), 64))
    lengths = np.where(np.isin(np.arange(len(people)), short or []), 1.0, 20.0)
    unit = faces / np.linalg.norm(faces, axis=1, keepdims=True)
    values = np.repeat((unit * lengths[:, None])[:, None], 2, axis=1).astype(np.float32)
    path = delivery.folder / "features.arrow"
    write_features(TeacherFeatures(tuple(delivery.manifest["face_id"]), values, said_by="a test"), path)
    delivery.known["embeddings"] = str(path)
