from pathlib import Path

import pandas as pd
import pytest

from countenance.data.face_boxes import boxes_around_five_points
from countenance.data.importers.folder_per_identity import FolderPerIdentityImporter, FolderPerIdentitySource
from countenance.errors import DataError
from tests.conftest import FIVE_POINTS_250, picture, write_jpeg
from tests.data.importing import corrupt, labelled

POINTS = {f"{axis}{i + 1}": float(FIVE_POINTS_250[i, a]) for i in range(5) for a, axis in enumerate("xy")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "people"
    for index, photo in enumerate(("b/2.jpg", "b/1.JPG", "a/x/3.png", "a/readme.txt")):
        path = folder / photo
        write_jpeg(path.with_suffix(".jpg"), picture(112, 112, seed=index))
        path.with_suffix(".jpg").rename(path)
    return folder


def importer(folder: Path, **options: object) -> FolderPerIdentityImporter:
    return FolderPerIdentityImporter(FolderPerIdentitySource(folder=str(folder), **options))  # type: ignore[arg-type]


def write_table(folder: Path, *rows: dict[str, object]) -> None:
    pd.DataFrame(rows).to_csv(folder / "faces.csv", index=False)


def test_aligned_photos_belong_to_the_person_of_their_folder(folder: Path):
    photos = labelled(importer(folder, aligned=True))
    assert [photo.name for photo in photos] == ["a/x/3.png", "b/1.JPG", "b/2.jpg"]
    assert [photo.faces[0].subject_id for photo in photos] == [
        "folder_per_identity:a",
        "folder_per_identity:b",
        "folder_per_identity:b",
    ]
    assert all(photo.is_aligned for photo in photos)
    assert photos[2].read()[:2] == b"\xff\xd8"


def test_name_licence_and_purpose_are_the_user_s_to_say(folder: Path):
    reader = importer(folder, aligned=True, name="staff", license="consented", purpose="access control")
    assert (reader.name, reader.license, reader.purpose) == ("staff", "consented", "access control")
    assert labelled(reader)[0].faces[0].subject_id == "staff:a"


def test_a_table_gives_boxes_points_and_labels_of_several_faces_a_photo(folder: Path):
    box = dict(zip("xywh", (5, 6, 70, 80), strict=True))
    write_table(
        folder,
        {"photo": "b/2.jpg", **box, **POINTS, "gender": "female", "age": 31, "smiling": 1},
        {"photo": "a/x/3.png", **POINTS},
        {"photo": "b/2.jpg", **box, "subject_id": "guest"},
    )
    photos = labelled(importer(folder))
    assert [photo.name for photo in photos] == ["a/x/3.png", "b/2.jpg"]
    alone, (full, guest) = photos[0].faces[0], photos[1].faces
    assert alone.box_xywh == pytest.approx(boxes_around_five_points(FIVE_POINTS_250[None])[0])
    assert full.box_xywh is not None and full.box_xywh.tolist() == [5, 6, 70, 80]
    assert full.landmarks is not None and full.landmarks.tolist() == FIVE_POINTS_250.tolist()
    assert (full.gender, full.age_years, full.smiling) == ("female", 31.0, True)
    assert (guest.subject_id, guest.landmarks, guest.gender, guest.smiling) == (
        "folder_per_identity:guest",
        None,
        None,
        None,
    )


def test_half_a_box_is_kept_for_the_quarantine_to_see(folder: Path):
    write_table(folder, {"photo": "b/2.jpg", "x": 5, "y": None, "w": 7, "h": 8})
    box = labelled(importer(folder))[0].faces[0].box_xywh
    assert box is not None and box[2] == 7


def test_a_number_that_is_none_puts_the_photo_aside(folder: Path):
    write_table(folder, {"photo": "b/2.jpg", "x": "left", "y": 1, "w": 7, "h": 8})
    assert [record.reason for record in corrupt(importer(folder))] == ["bad number"]


def test_photos_that_are_neither_aligned_nor_in_a_table_say_what_is_needed(folder: Path, tmp_path: Path):
    with pytest.raises(DataError, match="has no label file"):
        importer(folder)
    write_table(folder, {"photo": "b/2.jpg", "x": 1})
    with pytest.raises(DataError, match="neither a box .* nor five points .* set 'aligned: true'"):
        importer(folder)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no photos in folders"):
        importer(tmp_path / "empty", aligned=True)
