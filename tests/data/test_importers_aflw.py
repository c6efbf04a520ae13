import sqlite3
from pathlib import Path

import numpy as np
import pytest

from countenance.data.importers.aflw import AflwImporter, AflwSource
from countenance.data.importers.labelled import LabelledFace
from countenance.data.ingestion import ingest
from countenance.data.manifest import to_frame
from countenance.data.splits import SplitConfiguration
from countenance.errors import DataError
from tests.conftest import picture, write_jpeg
from tests.data.importing import corrupt, labelled

# the published tables, those that the importer doesn't read left out
SCHEMA = """
CREATE TABLE FaceImages (image_id INTEGER PRIMARY KEY, db_id TEXT, file_id TEXT, filepath TEXT, bw INTEGER,
                         width INTEGER, height INTEGER);
CREATE TABLE Faces (face_id INTEGER PRIMARY KEY, file_id TEXT, db_id TEXT);
CREATE TABLE FaceRect (face_id INTEGER, x INTEGER, y INTEGER, w INTEGER, h INTEGER, annot_type_id INTEGER);
CREATE TABLE FacePose (face_id INTEGER, roll REAL, pitch REAL, yaw REAL, annot_type_id INTEGER);
CREATE TABLE FaceMetaData (face_id INTEGER, sex TEXT, occluded INTEGER, glasses INTEGER, bw INTEGER,
                           annot_type_id INTEGER);
CREATE TABLE FeatureCoords (face_id INTEGER, feature_id INTEGER, x REAL, y REAL);
CREATE TABLE FeatureCoordTypes (feature_id INTEGER, descr TEXT, code TEXT, x REAL, y REAL, z REAL);
"""
POINTS = {feature: (20.0 + 3 * feature, 30.0 + (feature * 7) % 50) for feature in range(1, 22)}
HIDDEN = (10, 11, 12, 17)  # the right eye and ear of a head turned to the image's right


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    data = tmp_path / "aflw" / "data"
    data.mkdir(parents=True)
    with sqlite3.connect(data / "aflw.sqlite") as database:
        database.executescript(SCHEMA)
        images = [
            (1, "flickr", "b.jpg", "2/b.jpg"),
            (2, "flickr", "a.jpg", "0/a.jpg"),
            (3, "flickr", "c.jpg", "3/c.jpg"),
        ]
        database.executemany("INSERT INTO FaceImages VALUES (?,?,?,?,0,120,120)", images)
        database.executemany("INSERT INTO Faces VALUES (?,?,'flickr')", [(7, "a.jpg"), (8, "b.jpg"), (9, "a.jpg")])
        rects = [(7, 10, 12, 60, 60, 1), (8, 20, 20, 80, 80, 1), (8, 0, 0, 1, 1, 2), (9, 5, 5, 30, 30, 1)]
        database.executemany("INSERT INTO FaceRect VALUES (?,?,?,?,?,?)", rects)
        database.executemany("INSERT INTO FacePose VALUES (?,?,?,?,1)", [(7, 0.1, 0.2, 0.5), (8, 0.0, 0.0, -1.2)])
        database.executemany("INSERT INTO FaceMetaData VALUES (?,?,0,?,0,1)", [(7, "f", 1), (8, "m", 0), (9, "", 0)])
        rows = [(7, feature, *point) for feature, point in POINTS.items()]
        rows += [(8, feature, *point) for feature, point in POINTS.items() if feature not in HIDDEN]
        rows += [(8, 11, -1.0, -1.0), (8, 25, 1.0, 1.0)]  # one unset, one beyond the 21
        database.executemany("INSERT INTO FeatureCoords VALUES (?,?,?,?)", rows)
    for index, photo in enumerate(("0/a.jpg", "2/b.jpg", "3/c.jpg")):
        write_jpeg(data / "flickr" / photo, picture(120, 120, seed=index))
    return tmp_path / "aflw"


def importer(folder: Path) -> AflwImporter:
    return AflwImporter(AflwSource(folder=str(folder)))


def faces(folder: Path) -> dict[str, tuple[LabelledFace, ...]]:
    return {photo.name: photo.faces for photo in labelled(importer(folder))}


def test_aflw_gives_all_faces_of_a_photo_at_once(folder: Path):
    found = faces(folder)
    assert list(found) == ["0/a.jpg", "2/b.jpg"]
    assert [face.box_xywh.tolist() for face in found["0/a.jpg"] if face.box_xywh is not None] == [
        [10, 12, 60, 60],
        [5, 5, 30, 30],
    ]
    assert labelled(importer(folder))[0].read()[:2] == b"\xff\xd8"


def test_points_have_the_order_of_their_feature_ids(folder: Path):
    face = faces(folder)["0/a.jpg"][0]
    assert face.landmark_scheme == "21" and face.landmarks is not None and face.visibility is not None
    assert face.landmarks.tolist() == [list(POINTS[feature]) for feature in range(1, 22)]
    assert face.visibility.tolist() == [1.0] * 21


def test_what_cannot_be_seen_is_unknown_and_not_visible(folder: Path):
    face = faces(folder)["2/b.jpg"][0]
    assert face.landmarks is not None and face.visibility is not None
    hidden = [feature - 1 for feature in HIDDEN]
    assert np.flatnonzero(face.visibility == 0).tolist() == hidden
    assert np.flatnonzero(np.isnan(face.landmarks).all(axis=1)).tolist() == hidden


def test_a_face_without_points_angles_or_sex_keeps_its_box(folder: Path):
    face = faces(folder)["0/a.jpg"][1]
    assert face.box_xywh is not None
    assert (face.landmarks, face.landmark_scheme, face.visibility, face.yaw_deg, face.gender) == (None,) * 5
    assert face.groups == {"glasses": "no glasses"}


def test_angles_sex_and_glasses_become_ours(folder: Path):
    face = faces(folder)["0/a.jpg"][0]
    assert face.yaw_deg is not None and face.yaw_deg < 0  # AFLW's yaw of +0.5 looks to the image's left
    assert face.pitch_deg is not None and face.pitch_deg > 0
    assert face.gender == "female" and face.groups == {"gender": "female", "glasses": "glasses"}
    turned = faces(folder)["2/b.jpg"][0]
    assert turned.yaw_deg == pytest.approx(np.degrees(1.2)) and turned.pitch_deg == pytest.approx(0, abs=1e-9)


def test_of_two_boxes_of_a_face_the_first_counts(folder: Path):
    face = faces(folder)["2/b.jpg"][0]
    assert face.box_xywh is not None and face.box_xywh.tolist() == [20, 20, 80, 80]


def test_a_face_with_a_hidden_eye_has_a_box_view_and_no_aligned_one(folder: Path, tmp_path: Path):
    ingested = ingest(
        [importer(folder)],
        crop_folder=tmp_path / "crops",
        splits=SplitConfiguration(),
        subject_secret=b"a secret",
        non_face_share=0.0,
    )
    from countenance.data.crop_store import CropStore

    manifest, crops = to_frame(ingested.manifest), CropStore(tmp_path / "crops")
    turned = manifest.set_index("photo").loc["2/b.jpg"]
    assert crops.has(turned["crop"], "box") and not crops.has(turned["crop"], "aligned")
    assert np.isnan(turned["landmarks"]).sum() == 2 * len(HIDDEN)
    assert len(ingested.quarantine) == 0


def test_a_sex_that_the_set_does_not_have_puts_the_photo_aside(folder: Path):
    with sqlite3.connect(folder / "data" / "aflw.sqlite") as database:
        database.execute("UPDATE FaceMetaData SET sex = 'x' WHERE face_id = 8")
    assert [(record.photo, record.reason) for record in corrupt(importer(folder))] == [("2/b.jpg", "unknown code")]


def test_another_database_is_refused(tmp_path: Path):
    (tmp_path / "flickr").mkdir()
    (tmp_path / "aflw.sqlite").write_text("no database")
    with pytest.raises(DataError, match="is not AFLW's database"):
        importer(tmp_path)
    (tmp_path / "aflw.sqlite").unlink()
    with pytest.raises(DataError, match="has no aflw.sqlite"):
        importer(tmp_path)
