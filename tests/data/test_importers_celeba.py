from pathlib import Path

import numpy as np
import pytest

from countenance.data.dry_run import dry_run
from countenance.data.face_boxes import boxes_around_five_points
from countenance.data.importers.celeba import CelebaImporter, CelebaSource
from countenance.errors import DataError
from tests.conftest import FIVE_POINTS_250, picture, write_jpeg
from tests.data.importing import corrupt, labelled

NAMES = ("5_o_Clock_Shadow", "Male", "Mouth_Slightly_Open", "Smiling", "Young")
ROWS = {"000001.jpg": (-1, -1, 1, 1, 1), "000002.jpg": (1, 1, -1, -1, 1), "000003.jpg": (-1, -1, -1, -1, -1)}
POINT_NAMES = (
    "lefteye_x lefteye_y righteye_x righteye_y nose_x nose_y leftmouth_x leftmouth_y rightmouth_x rightmouth_y"
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """CelebA as published: lists under Anno and Eval, photos under Img, numbers padded with blanks."""
    celeba = tmp_path / "celeba"
    (celeba / "Anno").mkdir(parents=True)
    (celeba / "Eval").mkdir()
    points = " ".join(f"{value:4.0f}" for value in FIVE_POINTS_250.ravel())
    attributes = [f"{photo} " + " ".join(f"{value:2d}" for value in values) for photo, values in ROWS.items()]
    lists = {
        "Anno/list_attr_celeba.txt": [str(len(ROWS)), " ".join(NAMES) + " ", *attributes],
        "Anno/list_landmarks_celeba.txt": [str(len(ROWS)), POINT_NAMES, *(f"{photo} {points}" for photo in ROWS)],
        "Anno/list_bbox_celeba.txt": [
            str(len(ROWS)),
            "image_id x_1 y_1 width height",
            *(f"{photo}    95  71 126 153" for photo in ROWS),
        ],
        "Anno/identity_CelebA.txt": [f"{photo} {2880 + index % 2}" for index, photo in enumerate(ROWS)],
        "Eval/list_eval_partition.txt": [f"{photo} {index}" for index, photo in enumerate(ROWS)],
    }
    for name, lines in lists.items():
        (celeba / name).write_text("\n".join(lines) + "\n")
    for index, photo in enumerate(ROWS):
        write_jpeg(celeba / "Img" / "img_celeba" / photo, picture(250, 250, seed=index))
        write_jpeg(celeba / "Img" / "img_align_celeba" / photo, picture(218, 178, seed=index))
    return celeba


def importer(folder: Path, **options: object) -> CelebaImporter:
    return CelebaImporter(CelebaSource(folder=str(folder), **options))  # type: ignore[arg-type]


def test_celeba_gives_gender_smile_identity_and_points(folder: Path):
    photos = labelled(importer(folder))
    faces = [photo.faces[0] for photo in photos]
    assert [photo.name for photo in photos] == list(ROWS)
    assert [face.gender for face in faces] == ["female", "male", "female"]
    assert [face.smiling for face in faces] == [True, False, False]
    assert [face.subject_id for face in faces] == ["celeba:2880", "celeba:2881", "celeba:2880"]
    assert faces[0].landmarks is not None and faces[0].landmarks.tolist() == FIVE_POINTS_250.tolist()
    assert all(face.age_years is None for face in faces)
    assert photos[0].read()[:2] == b"\xff\xd8"


def test_its_box_follows_from_the_points_or_is_the_published_one(folder: Path):
    ours = labelled(importer(folder))[0].faces[0].box_xywh
    assert ours == pytest.approx(boxes_around_five_points(FIVE_POINTS_250[None])[0])
    published = labelled(importer(folder, boxes="published"))[0].faces[0].box_xywh
    assert published is not None and published.tolist() == [95, 71, 126, 153]


def test_a_part_of_the_set_s_own_protocol_can_be_chosen(folder: Path):
    assert [photo.name for photo in labelled(importer(folder, partition="validation"))] == ["000002.jpg"]
    (folder / "Eval" / "list_eval_partition.txt").unlink()
    with pytest.raises(DataError, match="no list_eval_partition"):
        importer(folder, partition="train")


def test_aligned_photos_have_their_own_points(folder: Path):
    with pytest.raises(DataError, match="no list_landmarks_align_celeba"):
        importer(folder, images="aligned")
    lines = (folder / "Anno" / "list_landmarks_celeba.txt").read_text().replace("100", " 69")
    (folder / "Anno" / "list_landmarks_align_celeba.txt").write_text(lines)
    photo = labelled(importer(folder, images="aligned"))[0]
    assert photo.faces[0].landmarks is not None and photo.faces[0].landmarks[0].tolist() == [69, 110]
    assert not photo.is_aligned  # by the set's own template, not by ours
    with pytest.raises(DataError, match="no published boxes of its aligned photos"):
        importer(folder, images="aligned", boxes="published")


def test_without_identities_nobody_has_one(folder: Path):
    (folder / "Anno" / "identity_CelebA.txt").unlink()
    assert {photo.faces[0].subject_id for photo in labelled(importer(folder))} == {None}


def test_tables_with_commas_side_by_side_are_read_as_well(folder: Path, tmp_path: Path):
    flat = tmp_path / "flat"
    flat.mkdir()
    for name in ("list_attr_celeba", "list_landmarks_celeba"):
        lines = (folder / "Anno" / f"{name}.txt").read_text().splitlines()
        rows = [",".join(line.split()) for line in lines[2:]]
        (flat / f"{name}.csv").write_text("\n".join(["image_id," + ",".join(lines[1].split()), *rows]))
    (folder / "Img" / "img_celeba").rename(flat / "img_celeba")
    faces = [photo.faces[0] for photo in labelled(importer(flat))]
    assert [face.gender for face in faces] == ["female", "male", "female"]
    assert faces[1].landmarks is not None and faces[1].landmarks.tolist() == FIVE_POINTS_250.tolist()


def test_an_attribute_that_is_neither_yes_nor_no_makes_a_corrupt_record(folder: Path):
    file = folder / "Anno" / "list_attr_celeba.txt"
    file.write_text(file.read_text().replace("000002.jpg  1  1", "000002.jpg  1  0"))
    assert [(record.photo, record.reason) for record in corrupt(importer(folder))] == [("000002.jpg", "unknown code")]


def test_a_photo_without_points_makes_no_face_out_of_nothing(folder: Path):
    file = folder / "Anno" / "list_landmarks_celeba.txt"
    file.write_text("\n".join(line for line in file.read_text().splitlines() if "000003" not in line))
    face = labelled(importer(folder))[2].faces[0]
    assert face.landmarks is not None and np.isnan(face.landmarks).all()  # quarantined when it is cut


def test_a_list_without_a_column_names_it(folder: Path):
    file = folder / "Anno" / "list_attr_celeba.txt"
    file.write_text(file.read_text().replace("Smiling", "Smirking"))
    with pytest.raises(DataError, match="has no column 'Smiling'"):
        importer(folder)


def test_its_faces_are_cut_without_a_problem(folder: Path):
    found = dry_run(importer(folder), None)
    assert not found.reasons and found.faces == found.decoded == 3
