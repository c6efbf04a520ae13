"""Lists of whose face is on which photo."""

from pathlib import Path

import numpy as np
import pytest

from countenance.data.protocols.identity_lists import ALL, read_identities, with_listed_points
from countenance.data.protocols.made_protocol import made_protocol
from countenance.errors import DataError


def write(path: Path, *, points: bool = True, people: int = 4, photos: int = 3) -> Path:
    header = "photo,subject_id,gender" + ("," + ",".join(f"x{n},y{n}" for n in range(1, 6)) if points else "")
    lines = [header]
    for number in range(people * photos):
        listed = ("," + ",".join(str(float(number * 10 + place)) for place in range(10))) if points else ""
        lines.append(f"a/{number}.jpg,p{number // photos},male{listed}")
    path.write_text("\n".join(lines) + "\n")
    return path


def test_faces_of_a_list_are_called_by_their_photos_and_each_photo_is_a_medium(tmp_path: Path):
    faces = read_identities(write(tmp_path / "faces.csv"), split=ALL, medium="photo_sha256")
    assert list(faces["face_id"][:2]) == ["a/0.jpg", "a/1.jpg"] == list(faces["photo_sha256"][:2])
    assert list(faces["subject_id"][2:4]) == ["p0", "p1"]


def test_a_protocol_of_a_list_carries_the_points_of_its_photos(tmp_path: Path):
    path = write(tmp_path / "faces.csv")
    faces = read_identities(path, split=ALL, medium="photo_sha256")
    protocol = with_listed_points(made_protocol(faces, generator=np.random.default_rng(0)).protocol, path)
    points = protocol.samples.five_points
    assert points is not None
    numbers = [float(name.split("/")[1].removesuffix(".jpg")) for name in protocol.samples.names]
    assert points[:, 0, 0].tolist() == [10 * number for number in numbers]
    assert points[:, 4, 1].tolist() == [10 * number + 9 for number in numbers]


def test_a_list_without_points_gives_a_protocol_without(tmp_path: Path):
    path = write(tmp_path / "faces.csv", points=False)
    faces = read_identities(path, split=ALL, medium="photo_sha256")
    protocol = with_listed_points(made_protocol(faces, generator=np.random.default_rng(0)).protocol, path)
    assert protocol.samples.five_points is None


def test_a_list_has_no_splits(tmp_path: Path):
    with pytest.raises(DataError, match=r"faces\.csv has no splits: ask for all of its faces with --split all"):
        read_identities(write(tmp_path / "faces.csv"), split="test", medium="photo_sha256")


def test_a_photo_that_is_listed_twice_is_named_by_its_line(tmp_path: Path):
    path = write(tmp_path / "faces.csv")
    path.write_text(path.read_text().replace("a/5.jpg", "a/4.jpg"))
    with pytest.raises(DataError, match=r"faces\.csv, line 7\b.*the photo is listed before"):
        read_identities(path, split=ALL, medium="photo_sha256")


def test_a_list_without_subjects_is_refused(tmp_path: Path):
    path = tmp_path / "faces.csv"
    path.write_text("photo\na.jpg\n")
    with pytest.raises(DataError, match="names no column 'subject_id'"):
        read_identities(path, split=ALL, medium="photo_sha256")
