import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from countenance.data.analysed_photos import photos_by_ending, read_analysed_photos
from countenance.data.face_tables import FaceTable
from countenance.errors import DataError

FACE = {
    "box_xywh": [1, 2, 3, 4],
    "face_probability": 0.9,
    "landmark_scheme": "5",
    "landmarks": [[0, 0], [10, 0], [5, 5], [2, 8], [8, 8]],
    "visibility": [1, 1, 1, 1, 1],
    "pose_deg": {"yaw": 1.5, "pitch": 2.0, "roll": -3.0},
    "smile_probability": 0.25,
    "male_probability": 0.75,
    "age_years": 31.0,
}


def written(tmp_path: Path, photos: Any) -> Path:
    (tmp_path / "a.json").write_text(json.dumps(photos))
    return tmp_path / "a.json"


def test_every_found_face_is_a_row_and_a_photo_without_one_has_a_row_too(tmp_path: Path):
    photos = [
        {"photo": "p/1.jpg", "width": 9, "height": 9, "faces": [FACE, FACE]},
        {"photo": "p/2.jpg", "width": 9, "height": 9, "faces": []},
        {"photo": "p/3.jpg", "problem": "It is no picture."},
    ]
    read = read_analysed_photos(written(tmp_path, photos))
    rows = read.faces.rows
    assert rows["photo"].tolist() == ["p/1.jpg", "p/1.jpg", "p/2.jpg", "p/3.jpg"]
    assert (rows.loc[0, "yaw_deg"], rows.loc[0, "age_years"], rows.loc[0, "male_probability"]) == (1.5, 31.0, 0.75)
    np.testing.assert_array_equal(rows.loc[0, "landmarks_5"], [0, 0, 10, 0, 5, 5, 2, 8, 8, 8])
    assert rows["box_xywh"].isna().tolist() == [False, False, True, True]
    assert read.is_unread.tolist() == [False, False, False, True]
    assert read.faces.place(2) == f"{tmp_path / 'a.json'}, photo 2"


def test_what_the_command_does_not_write_is_told_with_the_photo(tmp_path: Path):
    good = {"photo": "1.jpg", "faces": [FACE]}
    broken: list[Any] = [
        {"photo": "2.jpg"},
        {"photo": "2.jpg", "faces": [FACE | {"box_xywh": [1, 2]}]},
        {"photo": "2.jpg", "faces": [{"box_xywh": [1, 2, 3, 4]}]},
        "2.jpg",
    ]
    for photo in broken:
        with pytest.raises(DataError, match=r"a\.json, photo 2 isn't as 'countenance analyze --json' writes it"):
            read_analysed_photos(written(tmp_path, [good, photo]))
    with pytest.raises(DataError, match="is no list of photos"):
        read_analysed_photos(written(tmp_path, {"photo": "1.jpg"}))
    (tmp_path / "a.json").write_text('[{"photo":')
    with pytest.raises(DataError, match="is not whole JSON"):
        read_analysed_photos(tmp_path / "a.json")
    with pytest.raises(DataError, match="cannot be read"):
        read_analysed_photos(tmp_path / "gone.json")


def test_a_photo_is_known_by_the_end_of_its_path():
    names = ["anna/1.jpg", "bela/1.jpg", "1.jpg", None]
    labels = FaceTable(pd.DataFrame({"photo": names}), Path("l.csv"), "line", np.arange(4))
    given = ["/sets/lfw/anna/1.jpg", "1.jpg", "x/1.jpg", "anna/2.jpg", "xbela/1.jpg"]
    assert photos_by_ending(given, labels).tolist() == ["anna/1.jpg", "1.jpg", "1.jpg", None, "1.jpg"]
