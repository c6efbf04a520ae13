from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from countenance.data.protocols.wider_face import read_wider_face_found, read_wider_face_labels
from countenance.errors import DataError
from tests.data.protocols.detection_files import (
    PARADE,
    SUBSETS,
    WIDER,
    cells,
    write_wider_found,
    write_wider_labels,
    write_wider_list,
)

BAND = "0_Parade_marchingband_1_465"
PHOTOS = tuple(f"{event}/{photo}" for event, photos in WIDER.items() for photo in photos)


@pytest.mark.parametrize("place", [".", "ground_truth", "eval_tools/ground_truth"])
def test_the_matlab_files_give_boxes_and_subsets(tmp_path: Path, place: str):
    write_wider_labels(tmp_path / place)
    labels = read_wider_face_labels(tmp_path)
    assert (labels.photos, labels.faces) == (PHOTOS, 3)
    np.testing.assert_array_equal(labels.regions[0], [[0, 0, 9, 9], [50, 0, 9, 9]])
    assert labels.regions[2].shape == (0, 4)
    flags = {name: [flag.tolist() for flag in subset] for name, subset in labels.subsets.items()}
    assert flags == {
        "easy": [[True, False], [False], []],
        "medium": [[True, True], [False], []],
        "hard": [[True, True], [True], []],
    }


def test_an_event_of_one_photo_of_one_face_is_unpacked_like_any_other(tmp_path: Path):
    # Where all has the size 1, MATLAB's arrays of arrays are most easily mistaken.
    events = {PARADE: {BAND: [(1, 2, 3, 4)]}}
    write_wider_labels(tmp_path, events, {name: {BAND: [1]} for name in SUBSETS})
    labels = read_wider_face_labels(tmp_path)
    assert labels.photos == (f"{PARADE}/{BAND}",)
    np.testing.assert_array_equal(labels.regions[0], [[1, 2, 3, 4]])
    assert labels.subsets["hard"][0].tolist() == [True]


def test_the_text_file_knows_no_subsets_but_which_faces_are_valid(tmp_path: Path):
    write_wider_list(tmp_path / "wider_face_split" / "wider_face_val_bbx_gt.txt", invalid=[(BAND, 1)])
    labels = read_wider_face_labels(tmp_path)
    assert labels.photos == PHOTOS
    assert [flag.tolist() for flag in labels.subsets["valid"]] == [[True, False], [True], []]
    again = read_wider_face_labels(tmp_path / "wider_face_split" / "wider_face_val_bbx_gt.txt")
    assert again.photos == PHOTOS


def test_labels_that_are_missing_or_damaged_are_told(tmp_path: Path):
    with pytest.raises(DataError, match=r"has neither wider_face_val\.mat nor"):
        read_wider_face_labels(tmp_path)
    (tmp_path / "wider_face_val.mat").write_text("no matlab")
    with pytest.raises(DataError, match="not a readable MATLAB file"):
        read_wider_face_labels(tmp_path)
    write_wider_labels(tmp_path)
    whole = (tmp_path / "wider_easy_val.mat").read_bytes()
    (tmp_path / "wider_easy_val.mat").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"wider_easy_val\.mat is not a readable MATLAB file"):
        read_wider_face_labels(tmp_path)
    (tmp_path / "wider_easy_val.mat").unlink()
    with pytest.raises(DataError, match=r"wider_easy_val\.mat is missing"):
        read_wider_face_labels(tmp_path)


def test_a_file_of_matlab_7_3_is_told_apart(tmp_path: Path):
    header = b"MATLAB 7.3 MAT-file".ljust(124, b" ") + b"\x00\x02IM"
    (tmp_path / "wider_face_val.mat").write_bytes(header + b"\x00" * 512)
    with pytest.raises(DataError, match=r"MATLAB 7\.3"):
        read_wider_face_labels(tmp_path)


def test_matlab_files_of_another_form_are_refused_with_the_photo(tmp_path: Path):
    one = {PARADE: {BAND: [(1, 2, 3, 4)]}}
    for numbers in ([2], [1, 1], [0]):
        write_wider_labels(tmp_path, one, {name: {BAND: numbers} for name in SUBSETS})
        with pytest.raises(DataError, match=f"photo {PARADE}/{BAND} has 1 faces and the subset names another"):
            read_wider_face_labels(tmp_path)
    write_wider_labels(tmp_path)
    write_wider_labels(tmp_path / "other", one, {"easy": {}})
    (tmp_path / "other" / "wider_easy_val.mat").replace(tmp_path / "wider_easy_val.mat")
    with pytest.raises(DataError, match="don't name the same photos"):
        read_wider_face_labels(tmp_path)
    named = {"event_list": cells([PARADE]), "file_list": cells([cells([BAND])])}
    for boxes, told in (
        (np.zeros((2, 3)), "no table of 4 numbers"),
        ("text", "no table of 4 numbers"),
        (np.array([[0, 0, np.nan, 1]]), "isn't finite"),
    ):
        savemat(tmp_path / "wider_face_val.mat", {**named, "face_bbx_list": cells([cells([boxes])])})
        with pytest.raises(DataError, match=told):
            read_wider_face_labels(tmp_path)
    for broken, told in (
        (named, "has no variable 'face_bbx_list'"),
        ({"event_list": np.arange(4.0)}, "'event_list' is no list of cells"),
        ({"event_list": cells([1.0]), "file_list": cells([cells([BAND])])}, "an event's name is no text"),
        ({**named, "file_list": cells([cells([BAND, BAND])])}, "names a photo twice"),
        ({"event_list": cells([PARADE]), "file_list": cells([])}, "1 events and has photos of 0"),
        ({**named, "face_bbx_list": cells([cells([])])}, "'face_bbx_list' has 0 photos where there are 1"),
    ):
        savemat(tmp_path / "wider_face_val.mat", broken)
        with pytest.raises(DataError, match=told):
            read_wider_face_labels(tmp_path)


def test_found_boxes_are_read_in_the_labels_order(tmp_path: Path):
    write_wider_found(tmp_path, {BAND: [(0, 0, 9, 9, 0.9), (1, 1, 2, 2, 0.25)]})
    found = read_wider_face_found(tmp_path, PHOTOS)
    np.testing.assert_array_equal(found.regions[0], [[0, 0, 9, 9], [1, 1, 2, 2]])
    assert [score.tolist() for score in found.scores] == [[0.9, 0.25], [], []]
    # The name may come with its event and the picture's ending.
    (tmp_path / PARADE / f"{BAND}.txt").write_text(f"{PARADE}/{BAND}.jpg\n1\n1 2 3 4 0.5\n")
    assert read_wider_face_found(tmp_path, PHOTOS).scores[0].tolist() == [0.5]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{BAND}\n1\n1 2 3 4\n", "line 3, holds 4 values where 5 belong"),
        (f"{BAND}\n1\n1 2 3 -4 0.5\n", "line 3, a box has a negative size"),
        ("another\n1\n1 2 3 4 0.5\n", "line 1, another photo is named"),
        (f"{BAND}\n0\nmore\n0\n", "line 3, begins a second photo"),
        ("", "is empty"),
        (f"{BAND}\n2\n1 2 3 4 0.5\n", "ends after 1 of the 2 faces"),
    ],
)
def test_a_file_of_found_boxes_that_is_wrong_is_told_with_its_line(tmp_path: Path, text: str, told: str):
    write_wider_found(tmp_path, {})
    (tmp_path / PARADE / f"{BAND}.txt").write_text(text)
    with pytest.raises(DataError, match=told):
        read_wider_face_found(tmp_path, PHOTOS)


def test_a_photo_without_a_file_and_a_file_without_a_photo_are_refused(tmp_path: Path):
    write_wider_found(tmp_path, {})
    with pytest.raises(DataError, match="is of no photo that the labels have"):
        read_wider_face_found(tmp_path, PHOTOS[:1])
    (tmp_path / PARADE / f"{BAND}.txt").unlink()
    with pytest.raises(DataError, match=rf"{BAND}\.txt is missing: every photo has a file"):
        read_wider_face_found(tmp_path, PHOTOS)
    with pytest.raises(DataError, match="is no folder"):
        read_wider_face_found(tmp_path / "nowhere", PHOTOS)
