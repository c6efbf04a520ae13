from pathlib import Path

import numpy as np
import pytest

from countenance.data.crop_store import CropStore
from countenance.data.importers.fairface import FairFaceImporter, FairFaceSource, middle_and_spread, points_of_chip
from countenance.data.ingestion import ingest
from countenance.data.manifest import to_frame
from countenance.data.splits import SplitConfiguration
from countenance.errors import DataError
from tests.conftest import picture, write_jpeg
from tests.data.importing import corrupt, labelled

TRAIN = """file,age,gender,race,service_test
train/1.jpg,50-59,Male,East Asian,True
train/2.jpg,30-39,Female,Indian,False
train/3.jpg,3-9,Female,Black,False
train/4.jpg,more than 70,Male,Latino_Hispanic,True
"""
VAL = "file,age,gender,race,service_test\nval/1.jpg,0-2,Male,Middle Eastern,False\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "fairface"
    folder.mkdir()
    (folder / "fairface_label_train.csv").write_text(TRAIN)
    (folder / "fairface_label_val.csv").write_text(VAL)
    for index, photo in enumerate(("train/1", "train/2", "train/3", "train/4", "val/1")):
        write_jpeg(folder / f"{photo}.jpg", picture(224, 224, seed=index))
    return folder


def importer(folder: Path, **options: object) -> FairFaceImporter:
    return FairFaceImporter(FairFaceSource(folder=str(folder), **options))  # type: ignore[arg-type]


def test_fairface_gives_ages_by_range_gender_and_race(folder: Path):
    photos = labelled(importer(folder))
    faces = [photo.faces[0] for photo in photos]
    assert [photo.name for photo in photos] == [f"train/{i}.jpg" for i in range(1, 5)] + ["val/1.jpg"]
    assert [face.age_years for face in faces] == [54.5, 34.5, 6.0, 77.5, 1.0]
    assert [face.gender for face in faces] == ["male", "female", "female", "male", "male"]
    assert faces[0].groups == {"gender": "male", "race": "East Asian"}
    assert all(face.landmarks is None and face.subject_id is None for face in faces)
    assert photos[0].read()[:2] == b"\xff\xd8"


def test_an_age_from_three_to_nine_has_a_spread_of_two_years_by_hand():
    # 3 ... 9 about 6: squares 9 4 1 0 1 4 9, mean 4
    assert middle_and_spread(3, 9) == (6.0, 2.0)


def test_the_spread_reaches_the_manifest_and_both_views_are_cut(folder: Path, tmp_path: Path):
    ingested = ingest(
        [importer(folder)],
        crop_folder=tmp_path / "crops",
        splits=SplitConfiguration(),
        subject_secret=b"a secret",
        non_face_share=0.0,
    )
    manifest, crops = to_frame(ingested.manifest).set_index("photo"), CropStore(tmp_path / "crops")
    assert manifest.loc["train/3.jpg", "age_std"] == pytest.approx(2.0)
    assert manifest["landmarks"].isna().all()
    for crop in manifest["crop"]:
        assert crops.has(crop, "aligned") and crops.has(crop, "box")


def test_the_average_face_lies_in_the_middle_of_the_chip():
    points = points_of_chip((300, 300), 0.25)  # the unit square is the middle two thirds: 50 to 250
    assert points[2] == pytest.approx([50 + 200 * 0.4901, 50 + 200 * 0.5156], abs=1e-3)
    wide = points_of_chip((350, 350), 1.25)  # ... the middle two sevenths: 125 to 225
    assert wide[0] == pytest.approx([125 + 100 * 0.2255, 125 + 100 * 0.2160], abs=1e-3)


def test_the_box_is_in_the_photo_s_own_pixels(folder: Path):
    box = labelled(importer(folder))[0].faces[0].box_xywh
    assert box is not None and 20 < box[0] < 60 and 90 < box[2] < 180
    write_jpeg(folder / "train" / "1.jpg", picture(448, 448))
    double = labelled(importer(folder))[0].faces[0].box_xywh
    assert double == pytest.approx(2 * box, rel=1e-4)


def test_parts_can_be_chosen(folder: Path):
    assert len(importer(folder, labels="val")) == 1
    assert [photo.name for photo in labelled(importer(folder, service_test=True))] == ["train/1.jpg", "train/4.jpg"]
    assert len(importer(folder, service_test=False)) == 3


def test_an_age_or_race_that_the_set_does_not_have_is_put_aside(folder: Path):
    (folder / "fairface_label_train.csv").write_text(TRAIN.replace("30-39", "31-40").replace("Black", "Blue"))
    assert [record.photo for record in corrupt(importer(folder))] == ["train/2.jpg", "train/3.jpg"]


def test_an_empty_cell_is_no_label(folder: Path):
    (folder / "fairface_label_val.csv").write_text(VAL.replace("0-2,Male,Middle Eastern", ",,"))
    face = labelled(importer(folder, labels="val"))[0].faces[0]
    assert (face.age_years, face.age_std, face.gender, face.groups) == (None, None, None, {})


def test_a_missing_photo_is_put_aside_and_a_missing_column_refused(folder: Path):
    (folder / "train" / "2.jpg").unlink()
    assert [record.reason for record in corrupt(importer(folder))] == ["photo missing"]
    (folder / "fairface_label_val.csv").write_text(VAL.replace("race", "ethnicity"))
    with pytest.raises(DataError, match="has no column 'race'"):
        importer(folder)


def test_the_average_face_has_its_parts_where_a_face_has_them():
    from countenance.data.importers.fairface import MEAN_FACE

    left, right, nose, left_mouth, right_mouth = MEAN_FACE
    assert left[0] < nose[0] < right[0] and left[1] < nose[1] < left_mouth[1]
    assert np.hypot(*(right - left)) > np.hypot(*(right_mouth - left_mouth))
