import numpy as np
import pytest

from countenance.data.importers.labelled import CorruptRecord, CorruptRecordError, LabelledFace
from countenance.data.quarantine import Quarantine, quarantine_table, require_face_in_photo, require_sound_face
from countenance.errors import DataError

RECORD = CorruptRecord(photo="a.jpg", reason="bad number", detail="An age is 300: it must lie in 0 to 120 years.")
POINTS = np.array([[10, 10], [30, 10], [20, 20], [12, 30], [28, 30]], dtype=np.float32)


def box(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float32)


def test_one_in_a_hundred_is_put_aside_and_the_second_stops():
    quarantine = Quarantine("celeba", photos=100, largest_share=0.01)
    quarantine.add(RECORD)
    with pytest.raises(DataError, match=r"2 of 100 photos \(bad number: 2\).*the first: An age is 300"):
        quarantine.add(RECORD)


def test_with_a_share_of_nought_the_first_stops():
    with pytest.raises(DataError, match="share of 0;"):
        Quarantine("celeba", photos=1000, largest_share=0.0).add(RECORD)


def test_records_are_counted_by_reason_and_listed_with_their_source():
    quarantines = [Quarantine(name, photos=10, largest_share=1.0) for name in ("a", "b")]
    for quarantine in quarantines:
        quarantine.add(RECORD)
    quarantines[1].add(CorruptRecord(photo="x", reason="photo missing", detail="A photo cannot be read."))
    quarantines[1].add(RECORD)
    assert quarantines[1].counts() == {"bad number": 2, "photo missing": 1}
    table = quarantine_table(quarantines)
    assert table["source"].tolist() == ["a", "b", "b", "b"]
    assert table["photo"].tolist() == ["a.jpg", "a.jpg", "x", "a.jpg"]
    assert list(quarantine_table([]).columns) == ["source", "photo", "reason", "detail"]


@pytest.mark.parametrize(
    ("face", "reason"),
    [
        (LabelledFace(box_xywh=box(0, 0, 5, 0)), "box without size"),
        (LabelledFace(box_xywh=box(0, 0, -5, 5)), "box without size"),
        (LabelledFace(box_xywh=box(np.nan, 0, 5, 5)), "bad number"),
        (LabelledFace(landmarks=np.ones((5, 2), dtype=np.float32), landmark_scheme="5"), "coincident landmarks"),
        (LabelledFace(landmarks=POINTS * [1, np.nan], landmark_scheme="5"), "bad number"),
        (LabelledFace(yaw_deg=float("nan")), "bad number"),
        (LabelledFace(roll_deg=200.0), "bad number"),
        (LabelledFace(age_years=300.0), "bad number"),
        (LabelledFace(age_years=30.0, age_std=0.0), "bad number"),
    ],
)
def test_labels_that_cannot_be_true_are_refused(face: LabelledFace, reason: str):
    with pytest.raises(CorruptRecordError) as caught:
        require_sound_face(face)
    assert caught.value.reason == reason


def test_sound_faces_pass():
    require_sound_face(LabelledFace())
    require_sound_face(LabelledFace(box_xywh=box(-5, -5, 20, 20), landmarks=POINTS, landmark_scheme="5", age_years=0.0))


def test_a_point_that_is_not_seen_may_be_missing():
    points, visibility = POINTS.copy(), np.ones(5, dtype=np.float32)
    points[0], visibility[0] = np.nan, 0
    require_sound_face(LabelledFace(landmarks=points, landmark_scheme="5", visibility=visibility))
    with pytest.raises(CorruptRecordError, match="missing or not finite"):
        require_sound_face(LabelledFace(landmarks=points, landmark_scheme="5"))


@pytest.mark.parametrize("outside", [box(50, 0, 10, 10), box(0, 40, 10, 10), box(-10, 0, 10, 10), box(0, -12, 10, 10)])
def test_a_box_outside_its_photo_is_refused(outside: np.ndarray):
    with pytest.raises(CorruptRecordError, match="outside its photo"):
        require_face_in_photo(LabelledFace(box_xywh=outside), (40, 50, 3))


def test_a_box_that_is_partly_in_the_photo_passes():
    require_face_in_photo(LabelledFace(box_xywh=box(-9, -9, 10, 10)), (40, 50, 3))
    require_face_in_photo(LabelledFace(), (40, 50, 3))


@pytest.mark.parametrize("beside", [box(60, 5, 30, 90), box(5, 51, 90, 40), box(0, 0, 49, 99)])
def test_a_face_that_belongs_in_the_middle_and_lies_beside_it_is_refused(beside: np.ndarray):
    with pytest.raises(CorruptRecordError, match="doesn't hold the middle of its photo") as refused:
        require_face_in_photo(LabelledFace(box_xywh=beside, is_central=True), (100, 100, 3))
    assert refused.value.reason == "not in the middle"
    require_face_in_photo(LabelledFace(box_xywh=beside), (100, 100, 3))
    require_face_in_photo(LabelledFace(box_xywh=box(40, 20, 30, 60), is_central=True), (100, 100, 3))
