import numpy as np
import pytest

from countenance.data.protocols.face_points import read_face_points, read_photo_names, read_row_names
from countenance.errors import DataError
from tests.conftest import FIVE_POINTS_250

VALUES = " ".join(f"{value:g}" for value in FIVE_POINTS_250.reshape(-1))


def test_ijbs_list_is_read_line_by_line(tmp_path):
    path = tmp_path / "ijbc_name_5pts_score.txt"
    path.write_text(f"1.jpg {VALUES} 0.9\n\n2.jpg {VALUES} 0.8\n")
    faces = read_face_points(path)
    assert faces.names.tolist() == ["1.jpg", "2.jpg"] and len(faces) == 2
    assert faces.five_points.dtype == np.float32
    np.testing.assert_array_equal(faces.five_points[1], FIVE_POINTS_250)
    assert faces.origin.place(1) == f"{path}, line 3"


def test_the_tables_of_lfw_and_mtfl_are_read_by_their_headers(lfw_folder, mtfl_folder):
    faces = read_face_points(lfw_folder / "faces.csv")
    assert (len(faces), faces.names[4]) == (36, "Person_01/Person_01_0001.jpg")
    np.testing.assert_array_equal(faces.five_points[4], FIVE_POINTS_250)
    assert faces.origin.place(0).endswith("faces.csv, line 2")
    np.testing.assert_array_equal(read_face_points(mtfl_folder / "faces.csv").five_points[2], FIVE_POINTS_250)


def test_a_table_without_points_and_a_spoilt_line_are_told(tmp_path):
    (tmp_path / "a.csv").write_text("photo,x1\na,1\n")
    with pytest.raises(DataError, match=r"a.csv, line 1, names no column 'y1'"):
        read_face_points(tmp_path / "a.csv")
    (tmp_path / "a.txt").write_text(f"1.jpg {VALUES} 0.9\n2.jpg {VALUES}\n")
    with pytest.raises(DataError, match=r"a.txt, line 2, holds 11 values where 12 belong"):
        read_face_points(tmp_path / "a.txt")


def test_a_protocol_gives_its_samples_or_says_that_it_has_no_points(tmp_path):
    (tmp_path / "ijbc_face_tid_mid.txt").write_text("1.jpg 1 1\n2.jpg 2 2\n")
    (tmp_path / "ijbc_template_pair_label.txt").write_text("1 2 0\n")
    with pytest.raises(DataError, match=r"has no five points: put its \*_name_5pts_score.txt beside the lists"):
        read_face_points(tmp_path)
    points = tmp_path / "ijbc_name_5pts_score.txt"
    points.write_text(f"1.jpg {VALUES} 0.9\n2.jpg {VALUES} 0.8\n")
    faces = read_face_points(tmp_path)
    assert faces.names.tolist() == ["1.jpg", "2.jpg"]
    assert faces.origin.place(1) == f"{points}, line 2"


def test_names_are_read_one_a_line(tmp_path):
    (tmp_path / "names.txt").write_text("a b/1.jpg\n\nc/2.jpg\n")
    assert read_photo_names(tmp_path / "names.txt").tolist() == ["a b/1.jpg", "c/2.jpg"]
    (tmp_path / "names.txt").write_text("\n")
    with pytest.raises(DataError, match="has no rows"):
        read_photo_names(tmp_path / "names.txt")


def test_rows_are_named_by_whatever_file_told_them(tmp_path, lfw_folder):
    written = {
        "ijbc_name_5pts_score.txt": f"1.jpg {VALUES} 0.9\n\na.jpg {VALUES} 0.8\n",
        "tabs.txt": f"1.jpg\t{VALUES.replace(' ', chr(9))}\t0.9\na.jpg\t{VALUES.replace(' ', chr(9))}\t0.8\n",
        "names.txt": "1.jpg\n\na.jpg\n",
        "faces.csv": "gender,photo\nmale,1.jpg\n\nmale,a.jpg\n",
    }
    lines = {"ijbc_name_5pts_score.txt": 3, "tabs.txt": 2, "names.txt": 3, "faces.csv": 4}
    for name, content in written.items():
        (tmp_path / name).write_text(content)
        rows = read_row_names(tmp_path / name)
        assert rows.names.tolist() == ["1.jpg", "a.jpg"] and len(rows) == 2
        assert rows.origin.place(1) == f"{tmp_path / name}, line {lines[name]}"
    assert read_row_names(lfw_folder / "faces.csv").names.tolist()[4] == "Person_01/Person_01_0001.jpg"
    (tmp_path / "none.txt").write_text("")
    with pytest.raises(DataError, match="has no rows"):
        read_row_names(tmp_path / "none.txt")


def test_a_protocol_names_its_samples_without_points_too(tmp_path):
    (tmp_path / "ijbc_face_tid_mid.txt").write_text("1.jpg 1 1\n2.jpg 2 2\n")
    (tmp_path / "ijbc_template_pair_label.txt").write_text("1 2 0\n")
    rows = read_row_names(tmp_path)
    assert rows.names.tolist() == ["1.jpg", "2.jpg"] and rows.origin.place(1).startswith("row 1 of the samples")
