from datetime import date
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from countenance.data.dry_run import dry_run
from countenance.data.importers.imdb_wiki import ImdbWikiImporter, ImdbWikiSource, ages_at_mid_year
from countenance.errors import DataError
from tests.conftest import picture, write_jpeg
from tests.data.importing import corrupt, labelled

# dob, photo_taken, path, gender, name, location (pixels from 1), score, second score
ROWS = [
    (date(1980, 7, 1), 2010, "01/1.jpg", 1.0, "A", [11, 21, 61, 81], 4.3, np.nan),
    (date(1980, 7, 2), 2010, "02/2.jpg", 0.0, "B", [1, 1, 101, 101], 2.1, np.nan),
    (date(1950, 1, 1), 2000, "03/3.jpg", np.nan, "A", [5, 5, 50, 50], 1.5, np.nan),
    (date(1990, 1, 1), 2005, "04/4.jpg", 1.0, "C", [5, 5, 50, 50], 3.0, 1.9),
    (date(1990, 1, 1), 2005, "05/5.jpg", 1.0, "C", [1, 1, 200, 200], -np.inf, np.nan),
    (date(2020, 1, 1), 2005, "06/6.jpg", 1.0, "D", [5, 5, 50, 50], 3.0, np.nan),
    (date(1800, 1, 1), 2005, "07/7.jpg", 1.0, "D", [5, 5, 50, 50], 3.0, np.nan),
]


def matlab_day(day: date) -> int:
    return day.toordinal() + 366


def cells(values: list[object]) -> np.ndarray:
    array = np.empty((1, len(values)), dtype=object)
    for index, value in enumerate(values):
        array[0, index] = value
    return array


def write_mat(path: Path, name: str, *, people: str = "name") -> None:
    """The file as published: one struct of row vectors and cell arrays."""
    columns = list(zip(*ROWS, strict=True))
    fields: dict[str, np.ndarray] = {
        "dob": np.array([[matlab_day(day) for day in columns[0]]], dtype=np.int32),
        "photo_taken": np.array([columns[1]], dtype=np.uint16),
        "full_path": cells([np.array([text]) for text in columns[2]]),
        "gender": np.array([columns[3]]),
        "face_location": cells([np.array([box], dtype=np.float64) for box in columns[5]]),
        "face_score": np.array([columns[6]]),
        "second_face_score": np.array([columns[7]]),
    }
    if people == "name":
        fields["name"] = cells([np.array([text]) for text in columns[4]])
    elif people == "celeb_id":
        fields["celeb_id"] = np.array([[ord(text) for text in columns[4]]], dtype=np.uint16)
    savemat(path, {name: fields})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "wiki"
    folder.mkdir()
    write_mat(folder / "wiki.mat", "wiki")
    for index, row in enumerate(ROWS):
        write_jpeg(folder / str(row[2]), picture(180, 144, seed=index))
    return folder


def importer(folder: Path, **options: object) -> ImdbWikiImporter:
    return ImdbWikiImporter(ImdbWikiSource(folder=str(folder), **options))  # type: ignore[arg-type]


def test_ages_are_those_on_the_first_of_july_by_hand():
    born = np.array([matlab_day(date(1980, 7, 1)), matlab_day(date(1981, 1, 1))], dtype=np.float64)
    ages = ages_at_mid_year(born, np.array([2010, 2010]))
    assert ages[0] == pytest.approx(30.0, abs=0.003)
    assert ages[1] == pytest.approx(29.5, abs=0.01)
    assert np.isnan(ages_at_mid_year(born[:1], np.array([0]))[0])


def test_the_set_gives_age_gender_and_box_of_photos_with_one_clear_face(folder: Path):
    photos = labelled(importer(folder))
    faces = [photo.faces[0] for photo in photos]
    assert [photo.name for photo in photos] == ["01/1.jpg", "02/2.jpg", "03/3.jpg"]
    assert [face.age_years for face in faces] == pytest.approx([30.0, 30.0, 50.5], abs=0.01)
    assert [face.gender for face in faces] == ["male", "female", None]
    assert faces[0].box_xywh is not None and faces[0].box_xywh.tolist() == [10, 20, 50, 60]
    assert photos[0].read()[:2] == b"\xff\xd8"


def test_what_the_filters_leave_out_is_counted_by_reason(folder: Path):
    assert importer(folder).left_out == {"age not plausible": 2, "a second face": 1, "no clear face": 1}
    assert len(importer(folder, oldest=40.0)) == 2
    assert len(importer(folder, smallest_score=2.0)) == 2


def test_a_person_s_photos_are_kept_with_each_other_but_are_no_label_unless_asked_for(folder: Path):
    photos = labelled(importer(folder))
    assert photos[0].kept_with == photos[2].kept_with != photos[1].kept_with
    assert {photo.faces[0].subject_id for photo in photos} == {None}
    named = [photo.faces[0].subject_id for photo in labelled(importer(folder, identities=True))]
    assert named[0] == named[2] != named[1]
    assert not any("A" in str(photo.kept_with) for photo in photos)  # a number, not the name


@pytest.mark.parametrize("people", ["celeb_id", "nobody"])
def test_people_are_told_by_their_number_or_not_at_all(folder: Path, people: str):
    write_mat(folder / "wiki.mat", "wiki", people=people)
    photos = labelled(importer(folder))
    assert (photos[0].kept_with == photos[2].kept_with) == (people == "celeb_id")


def test_in_the_crops_the_face_is_what_the_margin_leaves(folder: Path):
    box = labelled(importer(folder, photos="crops"))[0].faces[0].box_xywh
    # 144 x 180 pixels are the face's 80 x 100 and 40 % of it on each side
    assert box == pytest.approx(np.array([32, 40, 80, 100]), abs=1e-3)


def test_a_crop_that_is_not_there_is_put_aside(folder: Path):
    (folder / "02" / "2.jpg").unlink()
    assert [record.reason for record in corrupt(importer(folder, photos="crops"))] == ["photo missing"]


def test_the_other_set_has_its_own_name(tmp_path: Path):
    write_mat(tmp_path / "imdb.mat", "imdb", people="celeb_id")
    assert labelled(importer(tmp_path))[0].kept_with == f"imdb:{ord('A')}"


def test_a_damaged_or_missing_file_is_refused(folder: Path, tmp_path: Path):
    (folder / "wiki.mat").write_bytes((folder / "wiki.mat").read_bytes()[:300])
    with pytest.raises(DataError, match="is damaged or not the labels of IMDB-WIKI"):
        importer(folder)
    with pytest.raises(DataError, match="no imdb.mat or wiki.mat"):
        importer(tmp_path)


def test_its_faces_are_cut_without_a_problem_and_what_is_left_out_is_told(folder: Path):
    found = dry_run(importer(folder), None)
    assert not found.reasons and found.faces == found.decoded == 3
    assert sum(found.left_out.values()) == 4
