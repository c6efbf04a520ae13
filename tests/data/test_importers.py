from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from countenance.data.importers.lfw import LfwImporter
from countenance.data.importers.mtfl import MtflImporter
from countenance.data.importers.utkface import UtkFaceImporter
from countenance.errors import DataError
from tests.data.importing import corrupt, labelled


def test_lfw_gives_identity_gender_box_and_points_to_align_by(lfw_folder: Path):
    photos = labelled(LfwImporter(lfw_folder))
    assert len(photos) == len(LfwImporter(lfw_folder)) == 36
    face = photos[0].faces[0]
    assert face.subject_id == "lfw:Person_00"
    assert face.gender == "female"
    assert face.box_xywh is not None and face.box_xywh.tolist() == [80, 70, 90, 110]
    # The points are a detector's: good to align by, no label.
    assert face.landmarks is None
    assert face.alignment_points is not None and face.alignment_points[0].tolist() == [100, 110]
    assert face.age_years is None and face.smiling is None
    assert photos[0].read()[:2] == b"\xff\xd8"


def test_a_gender_that_lfw_does_not_state_stays_null(lfw_folder: Path):
    labels = pd.read_csv(lfw_folder / "faces.csv")
    labels.loc[0, "gender"] = np.nan
    labels.to_csv(lfw_folder / "faces.csv", index=False)
    face = labelled(LfwImporter(lfw_folder))[0].faces[0]
    assert face.gender is None
    assert face.groups == {}


def test_mtfl_gives_points_smile_and_pose_as_an_interval_of_yaw(mtfl_folder: Path):
    faces = [photo.faces[0] for photo in labelled(MtflImporter(mtfl_folder))]
    assert [face.yaw_range for face in faces] == [(-90, -45), (-45, -15), (-15, 15), (15, 45), (45, 90)]
    assert all(face.smiling is True and face.subject_id is None and face.box_xywh is not None for face in faces)
    assert [face.gender for face in faces] == ["female", "male", "female", "male", "female"]


def test_utkface_gives_age_gender_and_race_as_a_protected_attribute(utkface_folder: Path):
    photos = labelled(UtkFaceImporter(utkface_folder))
    assert [photo.faces[0].age_years for photo in photos] == [3, 30, 61, 80]
    assert photos[0].is_aligned
    assert photos[0].faces[0].groups == {"gender": "female", "race": "Asian"}


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("gender", 7, "Column 'gender' of source 'mtfl' holds '7': it must be one of 1, 2"),
        ("smile", 0, "Column 'smile' of source 'mtfl' holds '0'"),
        ("head_pose", 9, "Column 'head_pose' of source 'mtfl' holds '9'"),
    ],
)
def test_a_code_that_the_source_does_not_have_makes_a_corrupt_record_and_the_rest_goes_on(
    mtfl_folder: Path, column: str, value: int, sentence: str
):
    labels = pd.read_csv(mtfl_folder / "faces.csv")
    labels.loc[2, column] = value
    labels.to_csv(mtfl_folder / "faces.csv", index=False)
    records = corrupt(MtflImporter(mtfl_folder))
    assert [(record.photo, record.reason) for record in records] == [("net/3.jpg", "unknown code")]
    assert sentence in records[0].detail


def test_a_label_that_is_no_number_makes_a_corrupt_record(utkface_folder: Path):
    labels = pd.read_csv(utkface_folder / "faces.csv").astype({"age": "object"})
    labels.loc[1, "age"] = "thirty"
    labels.to_csv(utkface_folder / "faces.csv", index=False)
    assert [record.reason for record in corrupt(UtkFaceImporter(utkface_folder))] == ["bad number"]


def test_a_label_file_without_a_column_names_it(lfw_folder: Path):
    pd.read_csv(lfw_folder / "faces.csv").drop(columns="x3").to_csv(lfw_folder / "faces.csv", index=False)
    with pytest.raises(DataError, match="has no column 'x3'"):
        LfwImporter(lfw_folder)


def test_an_empty_or_missing_label_file_is_refused(lfw_folder: Path, tmp_path: Path):
    pd.read_csv(lfw_folder / "faces.csv").head(0).to_csv(lfw_folder / "faces.csv", index=False)
    with pytest.raises(DataError, match="has no rows"):
        LfwImporter(lfw_folder)
    with pytest.raises(DataError, match="point its folder at your copy"):
        LfwImporter(tmp_path)


def test_the_real_sets_have_the_labels_that_their_readme_promises(real_faces: Path):
    assert len({photo.faces[0].subject_id for photo in labelled(LfwImporter(real_faces / "lfw"))}) > 500
    yaw_ranges = {photo.faces[0].yaw_range for photo in labelled(MtflImporter(real_faces / "mtfl"))}
    assert len(yaw_ranges) == 5
    races = {photo.faces[0].groups.get("race") for photo in labelled(UtkFaceImporter(real_faces / "utkface"))}
    assert len(races) == 5


def test_a_face_turned_left_in_the_image_has_its_nose_left_of_its_eyes(real_faces: Path):
    offsets: dict[float, list[float]] = {}
    for photo in labelled(MtflImporter(real_faces / "mtfl")):
        face = photo.faces[0]
        assert face.landmarks is not None and face.yaw_range is not None
        eyes = face.landmarks[:2].mean(axis=0)
        offsets.setdefault(face.yaw_range[0], []).append(float(face.landmarks[2, 0] - eyes[0]))
    means = [float(np.mean(offsets[low])) for low in sorted(offsets)]
    assert means == sorted(means)
    assert means[0] < 0 < means[-1]
