from pathlib import Path

import numpy as np
import pytest

from countenance.data.protocols.fddb import read_fddb_found, read_fddb_labels, read_fddb_photo_sizes
from countenance.errors import DataError
from tests.conftest import picture, write_jpeg
from tests.data.protocols.detection_files import FDDB, write_fddb_found, write_fddb_labels

PHOTOS = tuple(FDDB)
FIRST = PHOTOS[0]


def test_ellipses_of_all_folds_are_read(tmp_path: Path):
    write_fddb_labels(tmp_path / "FDDB-folds")
    for folder in (tmp_path, tmp_path / "FDDB-folds"):
        labels = read_fddb_labels(folder)
        assert (labels.photos, labels.faces, labels.subsets) == (PHOTOS, 3, {})
        np.testing.assert_allclose(labels.regions[2], [[10, 10, 1.5, 50, 50]])
        assert labels.regions[1].shape == (0, 5)


def test_lists_that_are_missing_or_wrong_are_told(tmp_path: Path):
    with pytest.raises(DataError, match="give the folder FDDB-folds"):
        read_fddb_labels(tmp_path)
    write_fddb_labels(tmp_path)
    (tmp_path / "FDDB-fold-02-ellipseList.txt").write_text(f"{FIRST}\n0\n")
    with pytest.raises(DataError, match=r"fold-02-ellipseList\.txt, line 1, a photo is listed again"):
        read_fddb_labels(tmp_path)
    (tmp_path / "FDDB-fold-02-ellipseList.txt").write_text("x\n1\n10 0 0 5 5 1\n")
    with pytest.raises(DataError, match="line 3, an ellipse has no area"):
        read_fddb_labels(tmp_path)


def test_found_boxes_or_ellipses_are_read_in_the_labels_order(tmp_path: Path):
    boxes = write_fddb_found(tmp_path / "boxes.txt", {FIRST: [(40, 40, 20, 20, 0.9)]}, ".jpg")
    found = read_fddb_found(boxes, PHOTOS)
    np.testing.assert_array_equal(found.regions[0], [[40, 40, 20, 20]])
    assert found.regions[1].shape == (0, 4)
    assert [score.tolist() for score in found.scores] == [[0.9], [], []]
    ellipses = write_fddb_found(tmp_path / "found" / "e.txt", {FIRST: [(10, 10, 0, 50, 50, 0.5)]})
    found = read_fddb_found(ellipses.parent, PHOTOS)
    assert (found.regions[0].shape, found.regions[1].shape) == ((1, 5), (0, 5))


def test_nothing_found_anywhere_is_no_error(tmp_path: Path):
    found = read_fddb_found(write_fddb_found(tmp_path / "n.txt", {}), PHOTOS)
    assert [regions.shape for regions in found.regions] == [(0, 4)] * 3


def test_photos_that_are_missing_unknown_or_wrong_are_told_with_their_line(tmp_path: Path):
    path = write_fddb_found(tmp_path / "f.txt", {FIRST: [(40, 40, 0, 20, 0.9)]})
    with pytest.raises(DataError, match=r"f\.txt, line 3, a found face has no area"):
        read_fddb_found(path, PHOTOS)
    write_fddb_found(path, {})
    with pytest.raises(DataError, match="line 5, a photo is named that the labels don't have"):
        read_fddb_found(path, PHOTOS[:2])
    with pytest.raises(DataError, match="lacks 1 of 4 labelled photos, 'x' first"):
        read_fddb_found(path, (*PHOTOS, "x"))
    (empty := tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"has no \.txt files"):
        read_fddb_found(empty, PHOTOS)
    with pytest.raises(DataError, match="cannot be read"):
        read_fddb_found(tmp_path / "nowhere.txt", PHOTOS)


def test_boxes_in_one_file_and_ellipses_in_another_are_refused(tmp_path: Path):
    (tmp_path / "1.txt").write_text(f"{PHOTOS[0]}\n1\n1 1 9 9 .5\n{PHOTOS[1]}\n0\n")
    (tmp_path / "2.txt").write_text(f"{PHOTOS[2]}\n1\n9 9 0 5 5 .5\n")
    with pytest.raises(DataError, match=r"1\.txt, line 3 has a box and .*2\.txt, line 3 an ellipse"):
        read_fddb_found(tmp_path, PHOTOS)


def test_sizes_are_read_from_the_photos(tmp_path: Path):
    for name in PHOTOS:
        write_jpeg(tmp_path / f"{name}.jpg", picture(30, 40, seed=0))
    assert read_fddb_photo_sizes(tmp_path, PHOTOS) == ((40.0, 30.0),) * 3
    (tmp_path / f"{FIRST}.jpg").write_bytes(b"spoilt")
    with pytest.raises(DataError, match="is not a readable picture"):
        read_fddb_photo_sizes(tmp_path, PHOTOS)
    (tmp_path / f"{FIRST}.jpg").unlink()
    with pytest.raises(DataError, match="is missing: give the folder originalPics"):
        read_fddb_photo_sizes(tmp_path, PHOTOS)
