from pathlib import Path

import numpy as np
import pytest

from countenance.data.importers.wider_face import WiderFaceImporter, WiderFaceSource
from countenance.data.ingestion import ingest
from countenance.data.manifest import to_frame
from countenance.data.splits import SplitConfiguration
from countenance.errors import DataError
from tests.conftest import FIVE_POINTS_250, picture, write_jpeg
from tests.data.importing import corrupt, labelled

PHOTOS = (
    "0--Parade/0_Parade_marchingband_1_849.jpg",
    "0--Parade/0_Parade_Parade_0_452.jpg",
    "1--Handshaking/1_H_1.jpg",
)
# left, top, width, height, blur, expression, illumination, invalid, occlusion, pose; lines end in a blank, as published
BBX_GT = f"""{PHOTOS[0]}
3
100 90 60 80 0 0 0 0 0 0 
20 20 8 9 2 0 0 0 2 0 
200 20 30 30 1 0 0 1 0 0 
{PHOTOS[1]}
0
0 0 0 0 0 0 0 0 0 0 
{PHOTOS[2]}
1
50 60 70 90 0 0 1 0 1 1 
"""  # noqa: W291
TRIPLES = " ".join(f"{x:.3f} {y:.3f} 0.0" for x, y in FIVE_POINTS_250)
NONE = " ".join(["-1.0"] * 15)
LABEL = f"""# {PHOTOS[0]}
100 90 60 80 {TRIPLES} 0.82
20 20 28 29 {NONE} 0.10
# {PHOTOS[1]}
# {PHOTOS[2]}
50 60 70 90 {TRIPLES} 0.5
"""
LABELV2 = f"""# {PHOTOS[0]} 250 250
100 90 160 170 {TRIPLES}
20 20 48 49 {NONE}
60 20 90 50 1
# {PHOTOS[2]} 250 250
50 60 120 150
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    wider = tmp_path / "wider"
    (wider / "wider_face_split").mkdir(parents=True)
    (wider / "wider_face_split" / "wider_face_train_bbx_gt.txt").write_text(BBX_GT)
    for index, photo in enumerate(PHOTOS):
        write_jpeg(wider / "WIDER_train" / "images" / photo, picture(250, 250, seed=index))
    return wider


def importer(folder: Path, **options: object) -> WiderFaceImporter:
    return WiderFaceImporter(WiderFaceSource(folder=str(folder), **options))  # type: ignore[arg-type]


def boxes(reader: WiderFaceImporter) -> list[list[list[float]]]:
    return [[face.box_xywh.tolist() for face in photo.faces if face.box_xywh is not None] for photo in labelled(reader)]


def test_wider_gives_every_face_s_box_and_photos_without_faces(folder: Path):
    reader = importer(folder)
    assert [photo.name for photo in labelled(reader)] == list(PHOTOS)
    assert boxes(reader) == [[[100, 90, 60, 80]], [], [[50, 60, 70, 90]]]
    assert labelled(reader)[0].read()[:2] == b"\xff\xd8"


def test_invalid_and_tiny_faces_are_left_out_counted_and_kept_free_of_background(folder: Path):
    reader = importer(folder)
    first = labelled(reader)[0]
    assert first.unlabelled_boxes is not None
    assert first.unlabelled_boxes.tolist() == [[20, 20, 8, 9], [200, 20, 30, 30]]
    assert reader.left_out == {"shorter than 16 px": 1, "marked invalid": 1}
    assert boxes(importer(folder, smallest_face_px=5))[0] == [[100, 90, 60, 80], [20, 20, 8, 9]]


def test_five_points_come_from_retinaface_labels_where_they_lie_beside(folder: Path):
    (folder / "train").mkdir()
    (folder / "train" / "label.txt").write_text(LABEL)
    photos = labelled(importer(folder))
    assert boxes(importer(folder)) == [[[100, 90, 60, 80], [20, 20, 28, 29]], [], [[50, 60, 70, 90]]]
    with_points, without = photos[0].faces
    assert with_points.landmark_scheme == "5" and with_points.landmarks is not None
    assert with_points.landmarks.tolist() == FIVE_POINTS_250.tolist()
    assert (without.landmarks, without.landmark_scheme) == (None, None)


def test_scrfd_labels_are_corners_and_may_mark_a_face_to_be_ignored(folder: Path):
    (folder / "train").mkdir()
    (folder / "train" / "labelv2.txt").write_text(LABELV2)
    photos = labelled(importer(folder))
    assert boxes(importer(folder)) == [[[100, 90, 60, 80], [20, 20, 28, 29]], [[50, 60, 70, 90]]]
    assert photos[0].unlabelled_boxes is not None and photos[0].unlabelled_boxes.tolist() == [[60, 20, 30, 30]]
    assert photos[0].faces[0].landmarks is not None and photos[0].faces[1].landmarks is None


def test_a_line_that_is_no_face_puts_its_photo_aside(folder: Path):
    file = folder / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    file.write_text(BBX_GT.replace("50 60 70 90 0 0 1 0 1 1", "50 60 seventy 90 0 0 1 0 1 1"))
    assert [(record.photo, record.reason) for record in corrupt(importer(folder))] == [(PHOTOS[2], "bad number")]
    file.write_text(BBX_GT.replace("50 60 70 90 0 0 1 0 1 1", "50 60 70"))
    assert [(record.photo, record.reason) for record in corrupt(importer(folder))] == [(PHOTOS[2], "bad number")]


def test_a_file_that_lost_its_count_is_refused(folder: Path):
    file = folder / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    file.write_text(BBX_GT.replace("\n3\n", "\n"))
    with pytest.raises(DataError, match="no number of faces after a photo's path"):
        importer(folder)


def test_a_folder_without_labels_or_photos_says_what_is_missing(folder: Path, tmp_path: Path):
    with pytest.raises(DataError, match="wider_face_val_bbx_gt"):
        importer(folder, part="val")
    (folder / "WIDER_train").rename(folder / "elsewhere")
    with pytest.raises(DataError, match="has no photos in"):
        importer(folder)


def test_no_background_is_cut_and_no_scene_kept_where_an_unlabelled_face_shows(folder: Path, tmp_path: Path):
    def manifest(**options: object):
        ingested = ingest(
            [importer(folder, **options)],
            crop_folder=tmp_path / "crops",
            splits=SplitConfiguration(),
            subject_secret=b"a secret",
            non_face_share=1.0,
        )
        return to_frame(ingested.manifest)

    faces = manifest()
    first, last = faces[faces["photo"] == PHOTOS[0]], faces[faces["photo"] == PHOTOS[2]]
    assert first["scene_scale"].isna().all() and last["scene_scale"].notna().any()
    for box in first.loc[~first["is_face"], "box_xywh"]:
        low, high = np.array([200, 20]), np.array([230, 50])  # the face marked invalid
        assert (np.minimum(high, box[:2] + box[2:]) - np.maximum(low, box[:2])).min() <= 0


def test_a_face_without_size_is_put_aside_and_the_photo_s_others_stay(folder: Path, tmp_path: Path):
    file = folder / "wider_face_split" / "wider_face_train_bbx_gt.txt"
    file.write_text(BBX_GT.replace("20 20 8 9 2", "20 20 0 0 2"))
    ingested = ingest(
        [importer(folder)],
        crop_folder=tmp_path / "crops",
        splits=SplitConfiguration(),
        subject_secret=b"a secret",
        largest_quarantined_share=0.5,
    )
    assert ingested.quarantine[["photo", "reason"]].to_numpy().tolist() == [[f"{PHOTOS[0]}#1", "box without size"]]
    faces = to_frame(ingested.manifest).query("is_face")
    assert sorted(faces["photo"]) == sorted([PHOTOS[0], PHOTOS[2]])
